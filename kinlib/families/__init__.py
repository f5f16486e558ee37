"""Data sets of families: five readers that all give the same tables, splits without leaks, and trios.

tables = families.read("Family101_150x120")          people, images, who is whose child, what is wrong
trios = families.trios.build(tables)                 father, mother, child
pairs = trios.pair_images(how="min")                 an image of each, row by row
"""

from kinlib.families import trios
from kinlib.families.readers import READERS, read
from kinlib.families.tables import FamilyTables, Problem

__all__ = ["READERS", "FamilyTables", "Problem", "read", "trios"]
