"""Kinship verification across data sets: trained on one, tested on the others and, by cross-validation, on itself.

A verifier that is right on its own data set only has learned the set: light, cameras, ages, or photographs that
relatives share. What carries over to other people in other pictures is kinship.

    sets = {"albums": embed_families(families.read(folder)), "portraits": of_reference(reference, couples, 4)}
    across(sets)
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from kinlib.evaluation.family_embeddings import FamilyEmbeddings
from kinlib.evaluation.kinship import FOLDS, Pairs, Verifier, measure, sample_pairs, verify
from kinlib.runtime.errors import KinlibError

__all__ = ["across", "cross_validate", "halves", "pairs_of"]


def pairs_of(found: FamilyEmbeddings, count: int | None = None, seed: int = 0) -> Pairs:
    """Pairs of one data set; strangers are of other extended families. Raises as `sample_pairs`."""
    return sample_pairs(found.parents, found.children, count, seed, found.homes)


def halves(found: FamilyEmbeddings, seed: int = 0) -> tuple[FamilyEmbeddings, FamilyEmbeddings]:
    """Couples to train on and couples to test on, of different extended families.

    Raises:
        KinlibError: if there are too few families: `FOLDS` to train on and two to test on.
    """
    homes = np.random.default_rng(seed).permutation(sorted(set(found.homes)))
    if len(homes) < FOLDS + 2:
        raise KinlibError(f"a data set is split into halves from {FOLDS + 2} families on, not {len(homes)}")
    training = {*homes[: max(FOLDS, len(homes) // 2)].tolist()}
    inside = np.array([home in training for home in found.homes])
    return found.select(np.flatnonzero(inside)), found.select(np.flatnonzero(~inside))


def cross_validate(found: FamilyEmbeddings, seed: int = 0) -> pd.DataFrame:
    """Accuracy and AUC on families that the verifier was not trained on, as `verify` returns them.

    Raises:
        KinlibError: if there are fewer than two families for each of the `FOLDS` folds.
    """
    homes = np.random.default_rng(seed).permutation(sorted(set(found.homes)))
    if len(homes) < 2 * FOLDS:
        raise KinlibError(f"a cross-validation needs {2 * FOLDS} families with trios or more, not {len(homes)}")
    fold_of = {home: number % FOLDS for number, home in enumerate(homes)}
    folds = np.array([fold_of[home] for home in found.homes])  # [F]
    tested, probabilities, families = [], [], 0
    for fold in range(FOLDS):
        verifier = Verifier.fit(pairs_of(found.select(np.flatnonzero(folds != fold)), seed=seed))
        pairs = pairs_of(found.select(np.flatnonzero(folds == fold)), seed=seed)
        probabilities.append(verifier.probability(pairs))
        tested.append(Pairs(pairs.parents, pairs.children, pairs.related, pairs.families + families))
        families += pairs.families.max() + 1
    fields = ("parents", "children", "related", "families")
    whole = Pairs(*(np.concatenate([getattr(pairs, name) for pairs in tested]) for name in fields))
    return measure(np.concatenate(probabilities), whole, seed)


def across(sets: Mapping[str, FamilyEmbeddings], seed: int = 0) -> pd.DataFrame:
    """Every data set as training set and as test set. The sets must not share people.

    Args:
        sets: by name.
        seed: of pairs, folds and intervals.

    Returns:
        One row for each training and test set: `trained_on`, `tested_on`, `accuracy`, `auc`, `low` and `high` of the
        AUC's 95% interval over families. On the diagonal from `cross_validate`.

    Raises:
        KinlibError: if a set has too few families.
    """
    rows = []
    for training, some in sets.items():
        verifier = Verifier.fit(pairs_of(some, seed=seed))
        for test, others in sets.items():
            found = cross_validate(some, seed) if test == training else verify(verifier, pairs_of(others, seed=seed))
            rows.append((training, test, found.loc["accuracy", "value"], *found.loc["auc", ["value", "low", "high"]]))
    return pd.DataFrame(rows, columns=["trained_on", "tested_on", "accuracy", "auc", "low", "high"])
