"""Children of many couples: a table of couples in, a folder of pictures and one table of what was made out.

couples = read_couples("couples.csv")                                 # columns father, mother and, if need be, couple
for done in generate_all(couples, "children", ChildSettings(n=4)): ...  # resumes where it was stopped
table = read_table("children/children.parquet")                      # one row a child, and one a couple without any
"""

from kinlib.couples.couples import Couple, read_couples
from kinlib.couples.run import describe_failed, generate_all

__all__ = ["Couple", "describe_failed", "generate_all", "read_couples"]
