"""Learning curves: a panel each, the levels of others, and readable numbers of examples."""

import pandas as pd
import pytest

from kinlib.figures import learning_curve_plot
from kinlib.runtime.errors import KinlibError

TABLE = pd.DataFrame({"pictures": [1, 5, 40], "mean": [0.2, 0.4, 0.6], "low": [0.1, 0.3, 0.5], "high": [0.3, 0.5, 0.7]})


def test_each_curve_has_its_panel_and_levels():
    levels = {"one": {"parser": 0.8, "renders": 0.9}}
    plot = learning_curve_plot({"one": TABLE, "two": TABLE}, levels, "pictures", "IoU")
    first, second = plot.axes
    assert [line.get_label() for line in first.lines[1:]] == ["parser", "renders"] and len(second.lines) == 1
    assert [label.get_text() for label in first.get_xticklabels()] == ["1", "5", "40"]
    assert (first.get_xlabel(), first.get_ylabel(), second.get_title(loc="left")) == ("pictures", "IoU", "two")


def test_nothing_and_too_much_are_refused():
    with pytest.raises(KinlibError, match="a curve at least"):
        learning_curve_plot({}, {}, "pictures", "IoU")
    with pytest.raises(KinlibError, match="3 levels at most"):
        learning_curve_plot({"one": TABLE}, {"one": dict.fromkeys("abcd", 0.5)}, "pictures", "IoU")
