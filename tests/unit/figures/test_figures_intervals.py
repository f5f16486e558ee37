"""Dots with intervals: the right numbers in the right rows."""

import numpy as np
import pandas as pd
import pytest

from kinlib import figures
from kinlib.runtime.errors import KinlibError

TABLE = pd.DataFrame({"mean": [1.0, 2.0], "low": [0.5, np.nan], "high": [1.5, np.nan]}, ["mask", "true siblings"])


def test_rows_are_methods_and_lines_are_intervals():
    plot = figures.interval_plot({"detail": TABLE, "face": TABLE * 3}, ("true siblings",), {"face": 1.0})
    left, right = plot.axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["mask", "true siblings"]
    assert left.get_xlabel() == "detail" and left.get_ylim()[0] > left.get_ylim()[1]  # the first is on top
    lines = [line.get_xdata() for line in left.lines]
    assert [list(np.atleast_1d(line)) for line in lines] == [[0.5, 1.5], [1.0], [2.0]]  # no interval, no line
    assert len(right.lines) == 4 and list(right.lines[0].get_xdata()) == [1.0, 1.0]
    assert left.lines[2].get_markerfacecolor() == "white" != left.lines[1].get_markerfacecolor()


def test_refusals():
    for measures in ({}, {"detail": TABLE[:0]}, {"detail": TABLE, "face": TABLE[::-1]}):
        with pytest.raises(KinlibError, match="tables of the same methods"):
            figures.interval_plot(measures)
