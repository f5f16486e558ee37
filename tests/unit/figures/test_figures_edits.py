"""Plots of edits: every number is printed, and a band holds its curve."""

import pandas as pd
from matplotlib.colors import to_hex

from kinlib import figures


def rows(targets, attributes):
    """A rescoring matrix: 1 where an edit hits, 0.04 elsewhere with an interval around zero."""
    cells = []
    for target in targets:
        for name in attributes:
            mean = 1.0 if target == name else 0.04
            cells.append({"target": target, "attribute": name, "mean": mean, "low": mean - 0.5, "high": mean + 0.5})
    return pd.DataFrame(cells)


def words(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_every_change_is_printed():
    names = ["age", "hair_length", "identity"]
    figure = figures.rescoring_plot({"raw": rows(names[:2], names), "other": rows(names[:1], names)}, names[:2], names)
    maps = [axes for axes in figure.axes if axes.images]
    assert len(maps) == 2
    assert [text.get_text() for text in maps[0].get_xticklabels()] == ["age", "hair length", "identity"]
    assert len(maps[0].texts) == 6 and len(maps[1].texts) == 3  # a kind may lack a direction
    assert words(figure).count("1.0") == 3 and words(figure).count("0.04") == 3  # changes and cosines
    unsettled = {text.get_text(): text.get_color() for text in maps[0].texts}
    assert unsettled["0.0"] == "#999999" != unsettled["1.0"]


def test_bands_hold_their_curve():
    table = pd.DataFrame({"age": [10, 20], "mean": [1.0, 2.0], "low": [0.5, 1.0], "high": [1.5, 4.0]})
    _, axes = figures.subplots()
    figures.interval_curve(axes, table, "age", label="probe")
    band = axes.collections[0].get_paths()[0].get_extents()
    assert (band.ymin, band.ymax) == (0.5, 4.0) and axes.lines[0].get_label() == "probe"
    assert to_hex(axes.collections[0].get_facecolor()[0][:3]) == to_hex(axes.lines[0].get_color())


def test_points_have_their_intervals():
    """The second interval leaves its mean out, the third is unknown."""
    table = pd.DataFrame({"mean": [1.0, 2.0, 3.0], "low": [0.5, 2.5, None], "high": [2.0, 3.0, None]})
    _, axes = figures.subplots()
    figures.interval_points(axes, table, [0, 1, 2])
    bars = [path.vertices[:, 0].tolist() for path in axes.collections[0].get_paths()]
    assert bars == [[0.5, 2.0], [2.0, 3.0], [3.0, 3.0]]
