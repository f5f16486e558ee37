"""What every program needs that runs on somebody's machine: settings, errors, memory, worker processes, library repairs."""
