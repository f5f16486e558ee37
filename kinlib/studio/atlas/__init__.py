"""What is painted once on the generic head and then serves every person: masks, wrinkles, regions, noise."""
