"""Baselines: methods with one known fault each, which a sensible score must rank below a perfect method.

They are made from the reference itself, without generating a picture. `hold_out` and `true_sampler` give the upper
bound: true siblings that are held out, the children of a perfect method. The baselines give a score its scale: a method
that scores like `unrelated_child` has learnt nothing about heredity, one like `average_child` only the mean.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from kinlib.evaluation.heredity.reference import NUM_SIBLINGS
from kinlib.evaluation.heredity.reference_set import Reference
from kinlib.evaluation.heredity.scoring import Children
from kinlib.evaluation.heredity.traits import numerical
from kinlib.runtime.errors import KinlibError

__all__ = ["average_child", "constant_child", "copied_parent", "hold_out", "shifted_child", "shrink", "true_sampler"]
__all__ += ["unrelated_child"]

Family = dict[str, Children]  # children by couple


def hold_out(
    reference: Reference, num_held: int | None = None, seed: int = 0, kind: str = "measured"
) -> tuple[Reference, Family]:
    """Split the true siblings at random: a smaller reference, and the others as the children of a perfect method.

    Args:
        reference: the true children.
        num_held: siblings of each couple to hold out; None takes half.
        seed: of the choice, which is independent for each couple.
        kind: "measured" or "true" traits; omitted where the reference has no such table.

    Raises:
        KinlibError: if either part would have fewer than two siblings.
    """
    total = reference.num_siblings
    num_held = total // 2 if num_held is None else num_held
    if not 2 <= num_held <= total - 2:
        raise KinlibError(f"of {total} siblings from 2 to {total - 2} can be held out, not {num_held}")
    rng = np.random.default_rng(seed)
    chosen = np.stack([rng.permutation(total) for _ in reference.couples])  # [C, S]
    return _part(reference, chosen[:, num_held:]), true_sampler(_part(reference, chosen[:, :num_held]), kind)


def true_sampler(fresh: Reference, kind: str = "measured") -> Family:
    """All siblings of a reference, as children to be scored against another reference of the same couples."""
    return {
        couple: Children(fresh.children[row], _traits(fresh, couple, kind)) for row, couple in enumerate(fresh.couples)
    }


def constant_child(reference: Reference, num: int = NUM_SIBLINGS, seed: int = 0, kind: str = "measured") -> Family:
    """The same child for every couple: one sibling picked at random from the whole reference, `num` times."""
    rng = np.random.default_rng(seed)
    row, number = int(rng.integers(len(reference))), int(rng.integers(reference.num_siblings))
    traits = _traits(reference, reference.couples[row], kind)
    child = Children(
        np.repeat(reference.children[row, number : number + 1], num, axis=0),
        None if traits is None else traits.iloc[[number] * num].reset_index(drop=True),
    )
    return dict.fromkeys(reference.couples, child)


def copied_parent(reference: Reference, num: int = NUM_SIBLINGS, seed: int = 0, kind: str = "measured") -> Family:
    """Every child is a copy of the father or of the mother, with equal probability."""
    rng = np.random.default_rng(seed)
    family = {}
    for row, couple in enumerate(reference.couples):
        coins = rng.integers(0, 2, num)
        traits = _parents(reference, couple, kind)
        parents = np.stack([reference.fathers[row], reference.mothers[row]])
        family[couple] = Children(parents[coins], None if traits is None else traits.iloc[coins].reset_index(drop=True))
    return family


def unrelated_child(reference: Reference, step: int = 1, kind: str = "measured") -> Family:
    """The true children of another couple: the one `step` rows further on.

    Raises:
        KinlibError: if that is the same couple.
    """
    others = _others(reference, step)
    return {
        couple: Children(reference.children[row], _traits(reference, reference.couples[row], kind))
        for couple, row in zip(reference.couples, others, strict=True)
    }


def average_child(reference: Reference, num: int = NUM_SIBLINGS, kind: str = "measured") -> Family:
    """The mean of both parents, `num` times: no variance. Categorical traits are the father's."""
    family = {}
    for row, couple in enumerate(reference.couples):
        middle = _unit(reference.fathers[row] + reference.mothers[row])
        traits = _parents(reference, couple, kind)
        if traits is not None:
            names = numerical(traits)
            means = traits[names].mean()
            traits = traits.iloc[[0] * num].reset_index(drop=True).assign(**means)
        family[couple] = Children(np.tile(middle, (num, 1)), traits)
    return family


def shifted_child(reference: Reference, step: int = 1, kind: str = "measured") -> Family:
    """Right variance, wrong mean: another couple's children, shifted so that their mean is that of all children.

    Raises:
        KinlibError: if `step` leads to the same couple.
    """
    centre = _unit(reference.children.mean(axis=(0, 1)))
    tables = [_traits(reference, couple, kind) for couple in reference.couples]
    names = [] if tables[0] is None else numerical(tables[0])
    means = None if tables[0] is None else pd.concat(tables)[names].mean()
    family = {}
    for couple, row in zip(reference.couples, _others(reference, step), strict=True):
        points, traits = reference.children[row], tables[row]
        if traits is not None:
            traits = traits.assign(**(traits[names] - traits[names].mean() + means))
        # On the sphere, points keep their variance when their mean keeps its length.
        mean = points.mean(axis=0)
        family[couple] = Children(_unit(points - mean + centre * np.linalg.norm(mean)), traits)
    return family


def shrink(family: Family, variance: float = 0.6) -> Family:
    """The same children moved towards their mean, until that share of the variance is left.

    Categorical traits stay as they are; embeddings keep unit length.
    """
    shrunk = {}
    for couple, children in family.items():
        points, traits = children.embeddings, children.traits
        if points is not None:
            points = _unit(_shrunk(points, variance))
        if traits is not None:
            traits = traits.assign(**_shrunk(traits[numerical(traits)], variance))
        shrunk[couple] = Children(points, traits)
    return shrunk


def _shrunk(values: np.ndarray | pd.DataFrame, variance: float) -> np.ndarray | pd.DataFrame:
    return values.mean(axis=0) + (values - values.mean(axis=0)) * np.sqrt(variance)


def _unit(embeddings: np.ndarray) -> np.ndarray:
    return embeddings / np.linalg.norm(embeddings, axis=-1, keepdims=True)


def _others(reference: Reference, step: int) -> np.ndarray:
    """Row of the other couple that replaces each couple; int [C]."""
    if step % len(reference) == 0:
        raise KinlibError(f"a step of {step} leads from each of {len(reference)} couples to itself")
    return np.roll(np.arange(len(reference)), -step)


def _traits(reference: Reference, couple: str, kind: str) -> pd.DataFrame | None:
    return reference.traits(couple, "child", kind) if reference.has_traits(kind) else None


def _parents(reference: Reference, couple: str, kind: str) -> pd.DataFrame | None:
    """Two rows, father and mother."""
    if not reference.has_traits(kind):
        return None
    return pd.concat([reference.traits(couple, role, kind) for role in ("father", "mother")], ignore_index=True)


def _part(reference: Reference, numbers: np.ndarray) -> Reference:
    """The reference with only these siblings [C, n] of each couple, renumbered from 0."""
    rows = np.arange(len(reference))[:, None] * (reference.num_siblings + 2)
    kept = np.concatenate([rows, rows + 1, rows + 2 + numbers], axis=1).ravel()  # father, mother, children
    counted = np.tile([0, 0, *range(numbers.shape[1])], len(reference))

    def part(table: pd.DataFrame | None) -> pd.DataFrame | None:
        return None if table is None else table.iloc[kept].assign(number=counted)

    return replace(
        reference,
        children=np.take_along_axis(reference.children, numbers[..., None], axis=1),
        true=part(reference.true),
        measured=part(reference.measured),
    )
