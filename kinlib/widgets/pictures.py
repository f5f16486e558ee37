"""Widgets of pictures that several panels show."""

from collections.abc import Mapping

import ipywidgets as widgets

from kinlib.widgets.snapshot import WRAPPED

__all__ = ["couple_box", "named_picture", "picture_row", "picture_widget"]


def picture_widget(side: int, margin: int = 4) -> widgets.Image:
    """A square PNG of `side` px, smaller where the page is narrow, with a margin of as many px as given."""
    return widgets.Image(format="png", layout={"width": f"{side}px", "height": "auto", "margin": f"{margin}px"})


def picture_row(images: Mapping[str, widgets.Image]) -> widgets.Widget:
    """Pictures beside each other with their names below, and below each other where the page is narrow."""
    named = [named_picture(image, widgets.Label(name)) for name, image in images.items()]
    return widgets.HBox(named, layout=WRAPPED)


def named_picture(image: widgets.Image, caption: widgets.Label) -> widgets.Widget:
    """A picture at its own size, and its caption centred below it."""
    return widgets.VBox([image, caption], layout={"align_items": "center"})


def couple_box(images: Mapping[str, widgets.Image]) -> widgets.Widget:
    """The reconstructions of both parents and their child, in this order, with their names."""
    names = ("father, from code", "mother, from code", "child")
    return picture_row(dict(zip(names, images.values(), strict=True)))
