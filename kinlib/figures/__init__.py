"""Figures of the course: one style, one layout for comparing faces, one way to store figures and numbers.

    fig, axes = figures.subplots()                         a plot in the course's style
    fig = figures.family_row(children, reconstructions)    father | mother | reconstructions | children
    figures.save("07_methods", fig, kind="photos")         figures/07_methods.jpg, its entry in manifest.json, a preview

Figures are drawn in memory, without pyplot and its backend, and notebooks show them as plain pictures. The same input
gives the same bytes: a stored figure changes only when what it shows has changed.
"""

from kinlib.figures.agreement import agreement_plot
from kinlib.figures.demography import age_plot, confusion_plot, counts_plot, distribution_plot, people_plot
from kinlib.figures.edits import rescoring_plot
from kinlib.figures.family import family_picture, family_row, panels
from kinlib.figures.genetics import Mark, chromosome_picture, gamete_picture, mid_parent_plot
from kinlib.figures.intervals import interval_curve, interval_plot, interval_points
from kinlib.figures.learning_curves import learning_curve_plot
from kinlib.figures.marks import mark_face, mark_pose
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
    "age_plot",
    "agreement_plot",
    "arrange",
    "chromosome_picture",
    "close_up",
    "confusion_plot",
    "contact_sheet",
    "counts_plot",
    "distribution_plot",
    "family_picture",
    "family_row",
    "family_tree",
    "gamete_picture",
    "interval_curve",
    "interval_plot",
    "interval_points",
    "landmark_picture",
    "learning_curve_plot",
    "mark_crop",
    "mark_face",
    "mark_pose",
    "mid_parent_plot",
    "panels",
    "people_plot",
    "rescoring_plot",
    "save",
    "save_numbers",
    "subplots",
    "truth_picture",
    "use_style",
]
