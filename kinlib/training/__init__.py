"""Training of the bundled networks, and their model cards."""
