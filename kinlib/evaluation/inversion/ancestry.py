"""Are people of mixed descent encoded worse? Errors by founder population, and a small encoder trained without one.

The student report found that e4e did poorly on people of mixed descent. Two explanations are possible: such faces are
hard in themselves, or the training set lacks what they look like. The errors of an encoder test the first. A linear
encoder that is trained in a second (eigenfaces; Turk and Pentland 1991) tests the second: a population is left out of
its training set, and what that costs its members is measured.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from kinlib.evaluation.inversion.tables import RESAMPLES
from kinlib.studio.genetics.populations import POPULATIONS

__all__ = ["ancestry_gap", "eigenface_gain", "mean_by_person", "mid_parent_gap", "mixing_effect"]

COMPONENTS = 100  # eigenfaces; more would need more than the few hundred pictures that a fold has
FOLDS = 5


def mean_by_person(photographs: pd.DataFrame, people: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Means of columns over each person's photographs, beside the person's `population` and shares of ancestry.

    Args:
        photographs: one row each, with `name` and the columns.
        people: `name`, `population`, and a column of shares for each of the founder populations.
        columns: what to average.
    """
    means = photographs.groupby("name", sort=True)[list(columns)].mean().reset_index()
    return means.merge(people[["name", "population", *POPULATIONS]], on="name")


def mixing_effect(values: np.ndarray) -> np.ndarray:
    """What mixing does beyond the mean of both populations, for trios of children: [3 T] -> [T].

    Args:
        values: in the order of `kinlib.studio.datasets.descent`: child of one population, of the other, of both.
    """
    first, second, mixed = np.asarray(values, dtype=float).reshape(-1, 3).T
    return mixed - (first + second) / 2


def ancestry_gap(people: pd.DataFrame, column: str, seed: int = 0) -> dict[str, float]:
    """By how much people of mixed descent differ from what their ancestry predicts.

    The prediction for a person is the mean over the founder populations, weighted with the person's shares of them. So
    a population that is hard to encode is not mistaken for the effect of mixing.

    Args:
        people: from `mean_by_person`.
        column: the error.
        seed: of the bootstrap.

    Returns:
        `mean` of value minus prediction over the people of mixed descent, `low` and `high` of its 95% interval (both
        they and the members of the populations are resampled; percentiles), and `people`.
    """
    values, shares = people[column].to_numpy(float), people[list(POPULATIONS)].to_numpy(float)
    mixed = (people["population"] == "mixed").to_numpy()
    rng, draws = np.random.default_rng(seed), []
    groups = [np.flatnonzero(people["population"] == name) for name in (*POPULATIONS, "mixed")]
    for number in range(RESAMPLES + 1):
        # The first is the sample itself.
        drawn = groups if not number else [rng.choice(rows, len(rows)) for rows in groups]
        homes = np.array([values[rows].mean() if len(rows) else np.nan for rows in drawn[:-1]])
        some = drawn[-1]
        expected = np.where(shares[some] > 0, shares[some] * homes, 0).sum(axis=1)
        draws.append((values[some] - expected).mean())
    low, high = np.quantile(draws[1:], [0.025, 0.975])
    return {"mean": float(draws[0]), "low": float(low), "high": float(high), "people": int(mixed.sum())}


def mid_parent_gap(errors: pd.DataFrame, people: pd.DataFrame, column: str) -> pd.DataFrame:
    """By how much children differ from the mean of their own parents, for couples of one population and of two.

    Args:
        errors: from `mean_by_person`.
        people: `person`, `name`, `father`, `mother` (numbers of persons) and `population`.
        column: the error.

    Returns:
        One row for each child with both parents in `errors`: `name`, `couple` ("mixed" where the parents' populations
        differ or one of them is mixed, else "one population") and `gap`.
    """
    values = errors.set_index("name")[column]
    known = people.set_index("person")
    rows = []
    for child in people.dropna(subset=["father", "mother"]).itertuples():
        parents = [known.loc[int(number)] for number in (child.father, child.mother)]
        if {child.name, *(one["name"] for one in parents)} <= set(values.index):
            homes = {one["population"] for one in parents}
            couple = "one population" if len(homes) == 1 and homes != {"mixed"} else "mixed"
            gap = values[child.name] - np.mean([values[one["name"]] for one in parents])
            rows.append({"name": child.name, "couple": couple, "gap": gap})
    return pd.DataFrame(rows, columns=["name", "couple", "gap"])


def eigenface_gain(
    pictures: np.ndarray, names: np.ndarray, populations: np.ndarray, group: str, components: int = COMPONENTS
) -> np.ndarray:
    """What members of a group gain when a linear encoder's training set holds other members of it.

    In each of a few folds, one encoder is trained on everybody outside the group, and one on as many people of whom
    some, drawn at random, are replaced by members of the group who are not in the fold. Both reconstruct the members
    in the fold.

    Args:
        pictures: float [N, D], aligned, range from -1 to 1.
        names: of the people shown, [N].
        populations: of the people shown, [N].
        group: one of the populations.
        components: eigenfaces that a code has.

    Returns:
        PSNR with minus without, dB, mean over each member's pictures: [people of the group].
    """
    rng, gains = np.random.default_rng(0), {}
    others = rng.permutation(np.unique(names[populations != group]))
    members = rng.permutation(np.unique(names[populations == group]))
    for fold, seen in _folds(members):
        with_group = np.concatenate([others[len(seen) :], seen])  # as many people in both sets
        first, second = (_eigenfaces(pictures[np.isin(names, some)], components) for some in (others, with_group))
        for name in fold:
            shown = pictures[names == name]
            gains[name] = float((_psnr(shown, *second) - _psnr(shown, *first)).mean())
    return np.array([gains[name] for name in sorted(gains)])


def _folds(members: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(members in the fold, all others), for each fold."""
    for fold in np.array_split(members, min(FOLDS, len(members))):
        yield fold, np.setdiff1d(members, fold)


def _eigenfaces(pictures: np.ndarray, components: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean [D] and principal components [K, D] of pictures [N, D]."""
    centre = pictures.mean(axis=0)
    # From the [N, N] matrix of products, since there are fewer pictures than pixels.
    x = pictures - centre
    values, vectors = np.linalg.eigh(x @ x.T)
    kept = values.argsort()[::-1][: min(components, len(x) - 1)]
    basis = vectors[:, kept].T @ x  # [K, D]
    return centre, basis / np.linalg.norm(basis, axis=1, keepdims=True)


def _psnr(pictures: np.ndarray, centre: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """PSNR in dB of pictures [N, D] after coding: [N]."""
    x = pictures - centre
    error = np.square(x - x @ basis.T @ basis).mean(axis=1)
    return 10 * np.log10(4 / error)
