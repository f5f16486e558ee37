"""What all training recipes share: settings, processes, the run and its checkpoints, records, losses, network sizes."""
