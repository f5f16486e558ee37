"""Kinship verification: can a classifier tell a couple's generated children from other couples'?

The protocol of StyleGene (Li et al. 2023, section 4.3): a classifier of pairs (parent, child) is trained on real
families, and applied to parents with generated children, half of them of other couples. Its accuracy is high if the
children look like their parents. That is not the same as looking like children that the parents could have: a method
that copies a parent gets a higher accuracy than the truth. `kinlib.evaluation.heredity` measures the latter.

    verifier = Verifier.fit(sample_pairs(parents, true_children))       families that are not tested
    verify(verifier, sample_pairs(other_parents, generated_children))
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from kinlib.evaluation.bootstrap import draw_weights
from kinlib.runtime.errors import KinlibError

__all__ = ["Pairs", "Verifier", "sample_pairs", "verify"]

DRAWS = 1000
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)  # inverse of the ridge penalty; the best over the training families is taken
FOLDS = 5  # of families, to choose it


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of a parent and a child.

    Attributes:
        parents, children: embeddings [N, D] of unit length.
        related: bool [N], whether the child is of that parent.
        families: int [N], the parent's family: the unit of intervals.
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


def sample_pairs(parents: np.ndarray, children: np.ndarray, count: int | None = None, seed: int = 0) -> Pairs:
    """As many pairs of a parent with an own child as with a child of another family.

    Args:
        parents: embeddings [F, 2, D] of unit length, father and mother.
        children: [F, n, D].
        count: of each kind; None takes all pairs of parents with their own children. StyleGene takes 8,000.
        seed: of the choice.

    Raises:
        KinlibError: if there are fewer than two families, shapes do not fit, embeddings are not finite or not of unit
            length, or there are fewer pairs than asked for.
    """
    parents, children = (np.asarray(found, dtype=np.float64) for found in (parents, children))
    _check(parents, children)
    families, each = children.shape[:2]
    total = families * 2 * each
    if count is not None and not 1 <= count <= total:
        raise KinlibError(
            f"there are {total:,} pairs of parents and children: ask for from 1 to {total:,}, not {count}"
        )
    rng = np.random.default_rng(seed)
    family, parent, child = np.unravel_index(rng.permutation(total)[:count], (families, 2, each))
    other = (family + rng.integers(1, families, len(family))) % families
    return Pairs(
        parents=np.concatenate([parents[family, parent]] * 2),
        children=np.concatenate([children[family, child], children[other, child]]),
        related=np.repeat([True, False], len(family)),
        families=np.concatenate([family] * 2),
    )


def _check(parents: np.ndarray, children: np.ndarray) -> None:
    if parents.ndim != 3 or children.ndim != 3 or parents.shape[1] != 2 or not children.shape[1]:
        shapes = f"{list(parents.shape)} and {list(children.shape)}"
        raise KinlibError(f"parents must be [F, 2, D] and children [F, n, D], not {shapes}")
    if len(parents) != len(children) or len(parents) < 2 or parents.shape[2] != children.shape[2]:
        shapes = f"{list(parents.shape)} and {list(children.shape)}"
        raise KinlibError(f"parents and children must be of the same families, two or more, not {shapes}")
    for found in (parents, children):
        lengths = np.linalg.norm(found, axis=2)
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
        if len(np.unique(pairs.families)) < FOLDS:
            raise KinlibError(f"a verifier is trained on pairs of {FOLDS} families or more")
        search = GridSearchCV(
            make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
            {"logisticregression__C": STRENGTHS},
            cv=GroupKFold(FOLDS),
            scoring="neg_log_loss",
        )
        return cls(search.fit(pairs.features, pairs.related, groups=pairs.families).best_estimator_)

    def probability(self, pairs: Pairs) -> np.ndarray:
        """How likely each pair is related, float [N] in (0, 1)."""
        return self.model.predict_proba(pairs.features)[:, 1]


def verify(verifier: Verifier, pairs: Pairs, seed: int = 0) -> pd.DataFrame:
    """Accuracy at a probability of one half, and area under the ROC curve.

    Returns:
        Index `accuracy`, `auc`; columns `value`, `low`, `high`: a 95% interval from resampling the parents' families.
    """
    found = verifier.probability(pairs)
    right = (found > 0.5) == pairs.related
    _, family = np.unique(pairs.families, return_inverse=True)
    draws = [np.ones(len(family)), *draw_weights(family.max() + 1, DRAWS, seed)[:, family]]  # weights of the pairs
    curve = _Curve(found, pairs.related)
    table = {}
    for name, measure in (("accuracy", lambda weights: np.average(right, weights=weights)), ("auc", curve.area)):
        value, *resampled = (measure(weights) for weights in draws)
        table[name] = (value, *np.quantile(resampled, [0.025, 0.975]))
    return pd.DataFrame.from_dict(table, orient="index", columns=["value", "low", "high"])


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
