"""What all training recipes share: the loop, checkpoints, records, losses, network sizes."""
