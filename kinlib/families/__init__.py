"""Family data sets: readers with one output format, splits without leakage, and trios.

tables = families.read("Family101_150x120")          people, images, relations, problems
trios = families.trios.build(tables)                 father, mother, child
pairs = trios.pair_images(how="min")                 one image of each in every row
"""

from kinlib.families import trios
from kinlib.families.readers import READERS, read
from kinlib.families.tables import FamilyTables, Problem

__all__ = ["READERS", "FamilyTables", "Problem", "read", "trios"]
