"""Series of renders in which one thing changes at a time, for the notebook on the studio and its panel.

Open `series` first: it names, renders and bundles the series that `variations` and `comparisons` define.
"""
