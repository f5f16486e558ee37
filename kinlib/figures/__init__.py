"""Figures of the course: one style, one layout for comparing faces, one way to store what was drawn.

    fig, axes = figures.subplots()                         a plot in the course's style
    fig = figures.family_row(children, reconstructions)    father | mother | as drawn | children
    figures.save("07_methods", fig, kind="photos")         figures/07_methods.png, its entry in manifest.json, a preview

Nothing here touches pyplot or its backend: figures are drawn in memory and shown by the notebook as plain pictures. The
same input gives the same bytes, so that a figure changes in the repository only when what it shows has changed.
"""

from kinlib.figures.family import family_picture, family_row, panels
from kinlib.figures.genetics import Mark, chromosome_picture, gamete_picture, mid_parent_plot
from kinlib.figures.marks import mark_face
from kinlib.figures.points import close_up, landmark_picture, mark_crop
from kinlib.figures.sheets import contact_sheet, truth_picture
from kinlib.figures.store import Saved, save, save_numbers
from kinlib.figures.style import Plot, subplots, use_style
from kinlib.figures.tree import Tile, arrange, family_tree

__all__ = [
    "Mark",
    "Plot",
    "Saved",
    "Tile",
    "arrange",
    "chromosome_picture",
    "close_up",
    "contact_sheet",
    "family_picture",
    "family_row",
    "family_tree",
    "gamete_picture",
    "landmark_picture",
    "mark_crop",
    "mark_face",
    "mid_parent_plot",
    "panels",
    "save",
    "save_numbers",
    "subplots",
    "truth_picture",
    "use_style",
]
