"""Series of pictures for the notebook on the studio: one thing changes at a time."""
