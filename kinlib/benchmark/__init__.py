"""A benchmark of kinship face synthesis: children of the reference couples, scored against their true children.

    kinlib score --list --out couples          the couples and their parents' photographs, for other programs
    kinlib score --method mask                 a method of the table
    kinlib score --method mine.py:inherit      a function of your own, `(father, mother, generator) -> child`
    kinlib score --pictures children           pictures that any program made, couple_01/*.png and so on

`entries` makes children or reads them, `measure` measures the bundled methods, `show` prints and plots. The score
itself is `kinlib.evaluation.heredity`.
"""
