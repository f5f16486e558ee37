"""Widgets of pictures that several panels show."""

import ipywidgets as widgets

__all__ = ["couple_box", "picture_widget"]


def picture_widget(side: int, margin: int = 4) -> widgets.Image:
    """A square for a PNG, of `side` px with a margin of as many px as given."""
    return widgets.Image(format="png", layout={"width": f"{side}px", "height": f"{side}px", "margin": f"{margin}px"})


def couple_box(images: dict[str, widgets.Image]) -> widgets.Widget:
    """The reconstructions of both parents and their child, in this order, with their names."""
    names = ("father, from code", "mother, from code", "child")
    named = [widgets.VBox([image, widgets.Label(name)]) for image, name in zip(images.values(), names, strict=True)]
    return widgets.HBox(named, layout={"flex_flow": "row wrap"})
