"""Kinship verification: can a classifier tell a couple's generated children from other couples'?

The protocol of StyleGene (Li et al. 2023, section 4.3): a classifier of pairs (parent, child) is trained on real
families, and applied to parents with generated children, half of them of other couples. Its accuracy is high if the
children look like their parents. That is not the same as looking like children that the parents could have: a method
that copies a parent gets a higher accuracy than the truth. `kinlib.evaluation.heredity` measures the latter.

    verifier = Verifier.fit(sample_pairs(parents, true_children))       families that are not tested
    verify(verifier, sample_pairs(other_parents, generated_children))
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from kinlib.evaluation.bootstrap import draw_weights
from kinlib.runtime.errors import KinlibError

__all__ = ["FOLDS", "Pairs", "Verifier", "measure", "right_by_family", "sample_pairs", "verify"]

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)  # inverse of the ridge penalty; the best over the training families is taken
FOLDS = 5  # of families, to choose it


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of a parent and a child.

    Attributes:
        parents, children: embeddings [N, D] of unit length.
        related: bool [N], whether the child is of that parent.
        families: int [N, 2], the parent's and the child's family: the units of intervals.
    """

    parents: np.ndarray
    children: np.ndarray
    related: np.ndarray
    families: np.ndarray

    @property
    def features(self) -> np.ndarray:
        """What the classifier sees, [N, 2 D + 1]: products and absolute differences by dimension, and the cosine."""
        product = self.parents * self.children
        return np.column_stack([product, np.abs(self.parents - self.children), product.sum(axis=1)])


def sample_pairs(
    parents: np.ndarray,
    children: Sequence[np.ndarray],
    count: int | None = None,
    seed: int = 0,
    homes: Sequence[str] | None = None,
) -> Pairs:
    """As many pairs of a parent with an own child as with a child of another family.

    Args:
        parents: embeddings [F, 2, D] of unit length, father and mother of each couple.
        children: of each couple, [n, D]; n may differ.
        count: of each kind; None takes all pairs of parents with their own children. StyleGene takes 8,000.
        seed: of the choice.
        homes: the extended family of each couple; couples of one are related, so that no child of theirs is taken for
            a stranger to them. None takes every couple for a family.

    Raises:
        KinlibError: if there are fewer than two families, shapes do not fit, embeddings are not finite or not of unit
            length, or there are fewer pairs than asked for.
    """
    parents, each = np.asarray(parents, dtype=np.float64), [np.asarray(one, dtype=np.float64) for one in children]
    _check(parents, each)
    couple_home = _numbered(homes, len(each))  # [F]
    order = np.argsort(couple_home, kind="stable")  # the couples of a family in a row
    parents, each, couple_home = parents[order], [each[row] for row in order], couple_home[order]
    sizes = [len(one) for one in each]
    young, own = np.concatenate(each), np.repeat(np.arange(len(each)), sizes)  # [N, D], [N]
    home = couple_home[own]  # [N], ascending
    total = 2 * len(young)
    if count is not None and not 1 <= count <= total:
        raise KinlibError(f"there are {total:,} pairs of parents and children: ask for from 1 to {total:,} of them")
    rng = np.random.default_rng(seed)
    child, parent = np.divmod(rng.permutation(total)[:count], 2)
    family = home[child]
    # A child of another family: one of the children that follow the last of this one, all round.
    first, number = np.searchsorted(home, family), np.bincount(home)[family]
    stranger = (first + number + rng.integers(0, len(young) - number)) % len(young)
    return Pairs(
        parents=np.concatenate([parents[own[child], parent]] * 2),
        children=np.concatenate([young[child], young[stranger]]),
        related=np.repeat([True, False], len(child)),
        families=np.column_stack([np.concatenate([family] * 2), np.concatenate([family, home[stranger]])]),
    )


def _numbered(homes: Sequence[str] | None, couples: int) -> np.ndarray:
    """Number of each couple's family, [F]."""
    if homes is None:
        return np.arange(couples)
    if len(homes) != couples:
        raise KinlibError(f"homes must name the family of each of {couples} couples, not of {len(homes)}")
    names, numbers = np.unique(np.asarray(homes, dtype=str), return_inverse=True)
    if len(names) < 2:
        raise KinlibError("pairs of strangers need couples of two families or more: all are of one")
    return numbers


def _check(parents: np.ndarray, children: Sequence[np.ndarray]) -> None:
    shapes = f"{list(parents.shape)} and {[list(one.shape) for one in children[:3]]}"
    if parents.ndim != 3 or parents.shape[1] != 2 or any(one.ndim != 2 or not len(one) for one in children):
        raise KinlibError(f"parents must be [F, 2, D] and the children of each couple [n, D], not {shapes}")
    if len(parents) != len(children) or len(parents) < 2 or any(one.shape[1] != parents.shape[2] for one in children):
        raise KinlibError(f"parents and children must be of the same couples, two or more, not {shapes}")
    for found in (parents, *children):
        lengths = np.linalg.norm(found, axis=-1)
        if not ((lengths > 0.99) & (lengths < 1.01)).all():  # false for NaN as well
            raise KinlibError("embeddings must be finite and of unit length")


@dataclass(frozen=True, eq=False)
class Verifier:
    """A logistic regression on the features of `Pairs`; make one with `fit`."""

    model: Pipeline

    @classmethod
    def fit(cls, pairs: Pairs) -> "Verifier":
        """Train on pairs of families that are not to be tested.

        Raises:
            KinlibError: if they are of fewer than five families.
        """
        if len(np.unique(pairs.families[:, 0])) < FOLDS:
            raise KinlibError(f"a verifier is trained on pairs of {FOLDS} families or more")
        search = GridSearchCV(
            make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
            {"logisticregression__C": STRENGTHS},
            cv=GroupKFold(FOLDS),
            scoring="neg_log_loss",
        )
        return cls(search.fit(pairs.features, pairs.related, groups=pairs.families[:, 0]).best_estimator_)

    def probability(self, pairs: Pairs) -> np.ndarray:
        """How likely each pair is related, float [N] in (0, 1)."""
        return self.model.predict_proba(pairs.features)[:, 1]


def verify(verifier: Verifier, pairs: Pairs, seed: int = 0) -> pd.DataFrame:
    """Accuracy at a probability of one half, and area under the ROC curve.

    Returns:
        Index `accuracy`, `auc`; columns `value`, `low`, `high`: a 95% interval from resampling families. A pair of two
        families counts as often as both are drawn together, for it is as good as either (bootstrap of dyads, Owen 2007,
        "The pigeonhole bootstrap").
    """
    return measure(verifier.probability(pairs), pairs, seed)


def measure(found: np.ndarray, pairs: Pairs, seed: int = 0) -> pd.DataFrame:
    """As `verify`, of probabilities [N] that are known already, such as those of a cross-validation."""
    right = (found > 0.5) == pairs.related
    _, place = np.unique(pairs.families, return_inverse=True)
    mine, other = place.reshape(-1, 2).T
    curve = _Curve(found, pairs.related)

    def both(drawn: np.ndarray) -> tuple[float, float]:
        """Both measures, with each family counted as often as it was drawn, [F]."""
        weights = np.where(mine == other, drawn[mine], drawn[mine] * drawn[other])
        return float(np.average(right, weights=weights)), curve.area(weights)

    count = place.max() + 1
    resampled = [both(drawn) for drawn in draw_weights(count, seed=seed)]
    table = np.vstack([both(np.ones(count)), np.nanquantile(resampled, [0.025, 0.975], axis=0)]).T
    return pd.DataFrame(table, ["accuracy", "auc"], ["value", "low", "high"])


def right_by_family(verifier: Verifier, pairs: Pairs) -> np.ndarray:
    """Share of pairs judged rightly, by the family of the parent: float [F], in the order of their numbers."""
    right = (verifier.probability(pairs) > 0.5) == pairs.related
    mine = pairs.families[:, 0]
    return np.bincount(mine, right) / np.bincount(mine)


class _Curve:
    """The ROC curve of scores [N], for any weights of the pairs; ties count one half."""

    def __init__(self, scores: np.ndarray, related: np.ndarray):
        self.order = np.argsort(scores, kind="stable")
        self.related = related[self.order]
        _, self.first, self.where = np.unique(scores[self.order], return_index=True, return_inverse=True)

    def area(self, weights: np.ndarray) -> float:
        """Area under the curve; NaN if no pair of one kind has a weight."""
        weights = weights[self.order]
        positive, negative = weights * self.related, weights * ~self.related
        tied = np.add.reduceat(negative, self.first)  # by score
        below = np.cumsum(tied) - tied / 2
        total = positive.sum() * negative.sum()
        return float((positive * below[self.where]).sum() / total) if total else float("nan")
