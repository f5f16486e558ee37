"""Clothes, glasses, jewellery and hats as triangle meshes fitted to a head.

Open `meshes` first (the record `Solid` and its building blocks), then `clothes`; `bust` and `hats` show how a grid on
the skin (`skin_grid`) follows every person.
"""
