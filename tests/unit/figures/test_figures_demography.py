"""Distributions, confusion matrices and agreement plots show the numbers that were handed in, each with its words."""

import numpy as np
import pandas as pd
import pytest

from kinlib import figures
from kinlib.figures.style import as_svg
from kinlib.runtime.errors import KinlibError

FOUND = pd.DataFrame(
    {
        "age": [4.0, 8.0, 35.0, 70.0],
        "dominant_gender": ["Man", "Woman", "Woman", "Woman"],
        "dominant_race": ["amber", "dune", "dune", "dune"],
        "dominant_emotion": ["happy", "happy", "sad", "happy"],
    }
)


def bars(axes):
    """Number beside each bar, by the words of its tick."""
    names = [tick.get_text() for tick in axes.get_yticklabels()]
    return dict(zip(names, [text.get_text() for text in axes.texts], strict=True))


def test_counts_are_sorted_and_written_beside_their_bars():
    axes = figures.counts_plot(["b", "a", "b", "b"], "houses").axes[0]
    assert bars(axes) == {"b": "3", "a": "1"} and list(bars(axes)) == ["b", "a"]
    assert axes.get_xlabel() == "houses"
    assert list(bars(figures.counts_plot(["b", "a", "b"], "houses", order=["a", "b"]).axes[0])) == ["a", "b"]


def test_people():
    figure = figures.people_plot(["male", "female", "male"], ["son", "wife", "son"], [3, 3, 9], [0, 4, 4])
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "sex",
        "role in a nuclear family",
        "size of extended families",
        "images per person",
    ]
    assert bars(figure.axes[0]) == {"male": "2", "female": "1"}
    heights = {round(bar.get_x() + bar.get_width() / 2): bar.get_height() for bar in figure.axes[2].patches}
    assert heights[3] == 2 and heights[9] == 1 and sum(heights.values()) == 3


def test_predictions_are_told_apart_by_hatching_as_well_as_by_colour():
    figure = figures.distribution_plot(FOUND, "population")
    stacked, *counts = figure.axes
    patches = stacked.get_legend().get_patches()
    words = [text.get_text() for text in stacked.get_legend().get_texts()]
    looks = {word: (patch.get_facecolor(), patch.get_hatch()) for word, patch in zip(words, patches, strict=True)}
    assert list(looks) == ["Man", "Woman"] and len({hatch for _, hatch in looks.values()}) == 2
    for container in stacked.containers:
        total = sum(bar.get_height() for bar in container)
        word = next(word for word, look in looks.items() if look[0] == container[0].get_facecolor())
        assert total == {"Man": 1, "Woman": 3}[word] and container[0].get_hatch() == looks[word][1]
    assert [axes.get_title(loc="left") for axes in counts] == ["sex", "population", "emotion"]
    assert [bars(axes) for axes in counts][1] == {"dune": "3", "amber": "1"}
    with pytest.raises(KinlibError, match="no predictions"):
        figures.distribution_plot(FOUND.iloc[:0])


def test_ages_and_their_means_by_decade():
    axes = figures.age_plot([12.0, 18.0, 35.0, np.nan], [10.0, 20.0, 40.0, 50.0]).axes[0]
    assert axes.collections[0].get_offsets().tolist() == [[12, 10], [18, 20], [35, 40]]
    means = next(line for line in axes.lines if line.get_label() == "mean per decade")
    assert means.get_xydata().tolist() == [[15, 15], [35, 40]]


def test_confusion_matrices_are_shares_of_each_true_class():
    axes = figures.confusion_plot({"emotion": (["sad", "sad", "happy", None], ["sad", "happy", "happy", "sad"])}).axes[
        0
    ]
    assert [text.get_text() for text in axes.texts] == ["100", "0", "50", "50"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["happy", "sad"]
    with pytest.raises(KinlibError, match="no true class is known for 'sex'"):
        figures.confusion_plot({"sex": ([None], ["Man"])})


def test_agreement_has_a_panel_for_each_method():
    true = np.array([0.0, 10.0, -20.0])
    estimated = {"one": true + 1, "two": np.array([np.nan, 9.0, -20.0])}
    figure = figures.agreement_plot(true, estimated, "yaw", "degrees", (-30, 30), (-60, 60))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["one", "two"]
    assert figure.axes[0].collections[0].get_offsets().tolist() == np.column_stack([true, true + 1]).tolist()
    assert figure.axes[0].get_ylim() == (-60, 60) and list(figure.axes[0].lines[0].get_xdata()) == [-30, 30]
    for wrong in ({}, {"one": true[:2]}):
        with pytest.raises(KinlibError, match="one estimate for each of 3 true values"):
            figures.agreement_plot(true, wrong, "yaw", "degrees", (-30, 30), (-60, 60))


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.distribution_plot(FOUND),
        lambda: figures.age_plot(range(40), range(3, 43)),
        lambda: figures.people_plot(["male"], ["son"], [2, 3], [4, 5]),
    ],
)
def test_the_same_input_gives_the_same_bytes(draw):
    assert as_svg(draw()) == as_svg(draw())
