"""Extended families over several generations, with names and genomes.

Open `extended_families` first: it combines births and marriages (`family_growth`), names and genomes into one pedigree.
"""
