"""StyleGene's protocol on a data set of real families: Family101, TSKinFace, FF-Database or FIW, from a folder.

Real couples have a few children each, so that no distribution of children is known and the energy distance has no
reference. What remains is Li et al. (2023, section 4.3): a kinship verifier is trained on one half of the families and
applied to the other half, to their true children and to generated ones, and the distance among siblings is compared.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kinlib.evaluation.blends import SEEDS_APART
from kinlib.evaluation.bootstrap import mean_interval
from kinlib.evaluation.cross_dataset import halves, pairs_of
from kinlib.evaluation.diversity import mean_pairwise_distance
from kinlib.evaluation.embedding import embed_pictures
from kinlib.evaluation.family_embeddings import FamilyEmbeddings
from kinlib.evaluation.kinship import Verifier, sample_pairs, verify
from kinlib.families import FamilyTables
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    from kinlib.kinship.kinship import Kinship

__all__ = ["TRUE", "generate_and_verify"]

TRUE = "true children"


def generate_and_verify(
    kin: "Kinship",
    tables: FamilyTables,
    found: FamilyEmbeddings,
    methods: Mapping[str, tuple[str, dict]] | Sequence[str],
    num: int = 4,
    couples: int | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Verification and diversity of generated children, beside the true ones of the same couples.

    Args:
        kin: the preset's networks.
        tables: the data set, from `kinlib.families.read`.
        found: its couples, from `embed_families`.
        methods: names of methods of inheritance, or (method, options) by the name to show.
        num: children of each couple, 2 or more.
        couples: of the half that is tested, at most; None takes all.
        seed: of halves, children, pairs and intervals.

    Returns:
        One row for the true children and one for each method: `accuracy`, `auc` with `auc_low` and `auc_high`, and
        `diversity` with `diversity_low` and `diversity_high` (1 - cosine among the pictures of one couple's children;
        of the true ones, pictures of one child count as well). Intervals are of 95%, over families and over couples.

    Raises:
        KinlibError: if there are too few families or children, or a method is unknown.
    """
    if num < 2 or (couples is not None and couples < 2):
        raise KinlibError(f"couples must be 2 or more with 2 children or more each, not {couples} with {num}")
    named = methods if isinstance(methods, Mapping) else {name: (name, {}) for name in methods}
    training, tested = halves(found, seed)
    turns = pd.Series(tested.homes).groupby(tested.homes).cumcount().to_numpy()
    tested = tested.select(np.argsort(turns, kind="stable")[:couples])  # one couple of each family, then the second
    verifier = Verifier.fit(pairs_of(training, seed=seed))
    parents = [tuple(kin.encode(tables.path(photo)) for photo in both) for both in tested.photographs]
    children = {TRUE: tested.children}
    for name, (method, options) in named.items():
        drawn = (
            kin.children(*both, num, method, seed + SEEDS_APART * number, **options)
            for number, both in enumerate(parents)
        )
        children[name] = [embed_pictures([child.image for child in some]) for some in drawn]
    rows = {name: _row(verifier, tested, some, seed) for name, some in children.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("children")


def _row(verifier: Verifier, tested: FamilyEmbeddings, children: Sequence[np.ndarray], seed: int) -> dict[str, float]:
    """Measures of one source of children."""
    verified = verify(verifier, sample_pairs(tested.parents, children, None, seed, tested.homes), seed)
    each = np.array([mean_pairwise_distance(some) if len(some) > 1 else np.nan for some in children])
    diversity = mean_interval(each, seed)
    return {
        "accuracy": verified.loc["accuracy", "value"],
        "auc": verified.loc["auc", "value"],
        "auc_low": verified.loc["auc", "low"],
        "auc_high": verified.loc["auc", "high"],
        "diversity": diversity["mean"],
        "diversity_low": diversity["low"],
        "diversity_high": diversity["high"],
    }
