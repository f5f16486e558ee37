"""Search for a face: by a picture of it, or by what a person picks (the third of the course's documents)."""
