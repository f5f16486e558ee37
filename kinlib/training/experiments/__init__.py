"""Experiments of the course that train networks: too long for a notebook, which reads what they recorded."""
