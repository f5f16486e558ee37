"""Who is in a data set, and what a network predicts about them: distributions and confusion matrices with seaborn.

Seaborn is imported inside the functions because it imports pyplot, which the rest of the package leaves alone.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.style
import numpy as np
import pandas as pd

from kinlib.figures.style import STYLE, Plot, subplots
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["age_plot", "confusion_plot", "counts_plot", "distribution_plot", "people_plot"]

BLUE, ORANGE = "#0072B2", "#E69F00"
HATCHES = ("", "////", "....")  # one for each group of a stacked histogram, so that colour is not needed
AGES = np.arange(0, 101, 10)  # edges of the age bins, years
SEED = 0  # of seaborn's bootstrap


def counts_plot(values: Sequence[str], unit: str, order: Sequence[str] | None = None) -> Plot:
    """Bar chart of categories, most frequent first, each bar with its number.

    Args:
        values: one category for each member.
        unit: what is counted, for the axis.
        order: of the categories; None sorts by frequency.
    """
    counts = pd.Series(values, dtype=object).value_counts()
    with matplotlib.style.context(STYLE):
        figure, axes = subplots(size=(6.5, 0.8 + 0.3 * len(counts)))
        _count_bars(axes, values, order=order)
        axes.set(xlabel=unit)
    return figure


def people_plot(
    sexes: Sequence[str], roles: Sequence[str], family_sizes: Sequence[int], images_per_person: Sequence[int]
) -> Plot:
    """Sexes, roles, sizes of extended families and images per person.

    Args:
        sexes: of each person.
        roles: of each person in each role.
        family_sizes: people in each extended family.
        images_per_person: of each person; 0 without images.
    """
    with matplotlib.style.context(STYLE):
        figure, axes = subplots(2, 2, size=(7.2, 3.6), height_ratios=(2, 3))
        figure.get_layout_engine().set(wspace=0.08)
        _count_bars(axes[0, 0], sexes, title="sex", xlabel="people")
        _count_bars(axes[0, 1], roles, title="role in a nuclear family", xlabel="people")
        _histogram(axes[1, 0], family_sizes, title="size of extended families", xlabel="people", ylabel="families")
        _histogram(axes[1, 1], images_per_person, title="images per person", xlabel="images", ylabel="people")
    return figure


def distribution_plot(predictions: pd.DataFrame, group: str = "race") -> Plot:
    """Distribution of predicted age by predicted sex, and how often each sex, group and emotion is predicted.

    Args:
        predictions: DeepFace's columns `age` (years), `dominant_gender`, `dominant_race` and `dominant_emotion`.
        group: what to call the values of `dominant_race`.

    Raises:
        KinlibError: if there are no predictions.
    """
    import seaborn

    if predictions.empty:
        raise KinlibError("there are no predictions to plot: choose photographs in which a face is found")
    named = predictions.rename(columns={"dominant_gender": "sex"})
    sexes = sorted(named["sex"].unique())
    with matplotlib.style.context(STYLE):
        figure, axes = subplots(2, 2, size=(7.2, 4.6))
        figure.get_layout_engine().set(wspace=0.08)
        stack = {"hue_order": sexes, "multiple": "stack", "bins": AGES, "alpha": 1.0, "edgecolor": "white"}
        palette = dict(zip(sexes, (BLUE, ORANGE, "#009E73"), strict=False))
        seaborn.histplot(named, x="age", hue="sex", palette=palette, ax=axes[0, 0], **stack)
        _hatch(axes[0, 0], sexes)
        axes[0, 0].set(title="age by sex", xlabel="predicted age, years", ylabel="images")
        axes[0, 0].grid(axis="x", visible=False)
        for axis, (word, title) in zip(
            axes.flat[1:], {"gender": "sex", "race": group, "emotion": "emotion"}.items(), strict=True
        ):
            _count_bars(axis, predictions[f"dominant_{word}"], title=title, xlabel="images")
    return figure


def age_plot(true: Sequence[float], predicted: Sequence[float]) -> Plot:
    """Predicted against true age, with the mean prediction for each decade of true age and its 95% interval.

    Args:
        true, predicted: years, [N] each.
    """
    import seaborn

    table = pd.DataFrame({"true": np.asarray(true, float), "predicted": np.asarray(predicted, float)}).dropna()
    decade = table["true"] // 10 * 10 + 5
    line = {"errorbar": ("ci", 95), "err_style": "bars", "seed": SEED, "marker": "s", "markersize": 5}
    with matplotlib.style.context(STYLE):
        figure, axes = subplots(size=(4.2, 3.4))
        axes.axline((0, 0), slope=1, color="black", linewidth=0.8, linestyle="-", label="exact")
        seaborn.scatterplot(table, x="true", y="predicted", s=10, color=BLUE, ax=axes, label="images")
        seaborn.lineplot(x=decade, y=table["predicted"], color="#D55E00", ax=axes, label="mean per decade", **line)
        axes.set(xlabel="true age, years", ylabel="predicted age, years", xlim=(0, 90), ylim=(0, 90))
        axes.legend(loc="upper left")
    return figure


def confusion_plot(pairs: Mapping[str, tuple[Sequence[str], Sequence[str]]]) -> Plot:
    """Row-normalised confusion matrices: of the images with a true class, the share predicted as each class.

    Args:
        pairs: (true, predicted) classes by title; pairs without a true class are left out.

    Raises:
        KinlibError: if no true class is known.
    """
    import seaborn

    with matplotlib.style.context(STYLE):
        figure, axes = subplots(1, len(pairs), size=(7.2, 3.2), squeeze=False)
        for axis, (title, (true, predicted)) in zip(axes[0], pairs.items(), strict=True):
            known = pd.DataFrame({"true": list(true), "predicted": list(predicted)}, dtype=object).dropna()
            if known.empty:
                raise KinlibError(f"no true class is known for '{title}': give labelled images")
            names = sorted(set(known["true"]) | set(known["predicted"]))
            shares = pd.crosstab(known["true"], known["predicted"], normalize="index")
            shares = 100 * shares.reindex(index=sorted(set(known["true"])), columns=names, fill_value=0.0)
            style = {"annot": True, "fmt": ".0f", "cmap": "Blues", "vmin": 0, "vmax": 100, "cbar": False}
            seaborn.heatmap(shares, ax=axis, linewidths=0.5, annot_kws={"fontsize": 7}, **style)
            axis.set(title=f"{title}, % of each true class")
            axis.tick_params(axis="x", labelrotation=60)
            axis.tick_params(axis="y", labelrotation=0)
    return figure


def _count_bars(axes: "Axes", values: Sequence[str], order: Sequence[str] | None = None, **words: str) -> None:
    """Horizontal bars of categories with their numbers."""
    import seaborn

    order = list(order) if order is not None else pd.Series(values, dtype=object).value_counts().index.tolist()
    seaborn.countplot(y=pd.Series(values, dtype=object).to_numpy(), order=order, color=BLUE, saturation=1, ax=axes)
    axes.bar_label(axes.containers[0], padding=3, fontsize=8)
    axes.margins(x=0.14)
    axes.grid(axis="y", visible=False)
    axes.set(**{"ylabel": "", **words})


def _histogram(axes: "Axes", values: Sequence[int], **words: str) -> None:
    """Histogram of whole numbers, one bar a number."""
    import seaborn

    seaborn.histplot(x=np.asarray(values), discrete=True, color=BLUE, alpha=1.0, edgecolor="white", ax=axes)
    axes.grid(axis="x", visible=False)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set(**words)


def _hatch(axes: "Axes", groups: Sequence[str]) -> None:
    """Hatch the bars and the legend of a stacked histogram; seaborn draws the last group first."""
    for bars, number in zip(axes.containers, reversed(range(len(groups))), strict=True):
        for bar in bars:
            bar.set_hatch(HATCHES[number % len(HATCHES)])
    handles = axes.get_legend().get_patches()
    for patch, number in zip(handles, range(len(groups)), strict=True):
        patch.set_hatch(HATCHES[number % len(HATCHES)])
    axes.margins(y=0.3)  # room for the legend above the bars
    axes.legend(handles, groups, loc="upper center", ncols=len(groups))
