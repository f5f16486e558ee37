"""What depends on the machine: settings, errors, memory, worker processes, library repairs."""
