"""Extended families over several generations, with names and genomes."""
