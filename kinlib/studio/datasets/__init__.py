"""Data sets of rendered people: making them, reading them, and what is planted in them."""
