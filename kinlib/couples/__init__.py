"""Children of many couples: a list of couples in, a folder of pictures and one table of what was made out.

couples = read_couples("couples.csv")                                   # columns father, mother and perhaps couple
couples = couples_of_prepared("prepared")                               # or those of a prepared data set of families
for done in generate_all(couples, "children", ChildSettings(n=4)): ...  # resumes where it was stopped
table = pandas.read_parquet("children/children.parquet")                # one row a child, or a couple without any
"""

from kinlib.couples.couples import Couple, read_couples
from kinlib.couples.families import couples_of_prepared
from kinlib.couples.run import describe_failed, generate_all
from kinlib.kinship.settings import ChildSettings

__all__ = ["ChildSettings", "Couple", "couples_of_prepared", "describe_failed", "generate_all", "read_couples"]
