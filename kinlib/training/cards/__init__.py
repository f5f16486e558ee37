"""Model cards and the tables of README.md and data/README.md, made from training records."""
