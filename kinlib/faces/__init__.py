"""From a photograph to an aligned face, and what can be read from it."""
