"""How the bundled networks are trained."""
