"""Scores a method's children against the distribution of a couple's true children.

A real couple has a handful of children, which say little about those it could have had. In the studio the genomes of
both parents are known, so true children can be sampled by meiosis and rendered, as many as needed. `score` compares a
method's children with them, couple by couple: as points in the space of identity embeddings, as points in the space of
traits, and trait by trait. The main metric is the energy distance, which is zero only for a method that samples the
true distribution; mean shift and spread explain it. Couples are the unit of every confidence interval.

    reference = load_reference()
    children = {couple: describe(my_method(reference.picture(couple, "father"), ...)) for couple in reference.couples}
    report = score(children, reference)
    report.summary
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kinlib.evaluation.bootstrap import MAX_DRAWS, mean
from kinlib.evaluation.embedding import as_photos, embed_pictures
from kinlib.evaluation.heredity.distances import NEIGHBOURS, energy_distance, energy_score, mmd2
from kinlib.evaluation.heredity.measures import measure, measure_all
from kinlib.evaluation.heredity.point_sets import PointSets, measure_couples, point_set_statistics, trait_point_sets
from kinlib.evaluation.heredity.reference import UNIT_TOLERANCE, Provenance, Reference, load_reference, write_reference
from kinlib.evaluation.heredity.report import Comparison, Report, Statistics, make_comparison, make_report
from kinlib.evaluation.heredity.traits import common_traits, numerical, trait_statistics
from kinlib.io.photos import PhotoSource
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    from torch import Tensor

    from kinlib.faces.identity import IdentityNet

__all__ = ["Children", "Comparison", "Provenance", "Reference", "Report"]
__all__ += ["compare", "describe", "embed_pictures", "energy_distance", "energy_score", "load_reference", "measure"]
__all__ += ["measure_all", "mmd2", "reliability", "score", "write_reference"]


@dataclass(frozen=True, eq=False)
class Children:
    """What a method gives for one couple; at least one of the two parts.

    Attributes:
        embeddings: float [n, D] by the reference's identity network, unit length, n of at least 2; or None.
        traits: one row a child, columns named as in the reference; columns that it lacks are ignored. Or None.
    """

    embeddings: np.ndarray | None = None
    traits: pd.DataFrame | None = None


Given = Children | np.ndarray | pd.DataFrame


def describe(pictures: "Sequence[PhotoSource] | Tensor", identity: "IdentityNet | None" = None) -> Children:
    """Embeddings and measured traits of the aligned pictures of one couple's children, ready to be scored.

    Args:
        pictures: as `embed_pictures` takes them.
        identity: the network that the reference was made with; None takes the bundled one.
    """
    photos = as_photos(pictures)
    return Children(embed_pictures(photos, identity), measure_all(photos))


def score(
    children_by_couple: Mapping[str, Given],
    reference: Reference,
    seed: int = 0,
    num_bootstrap: int = 1000,
    traits: str = "measured",
    neighbours: int = NEIGHBOURS,
    method: str = "",
) -> Report:
    """Compare a method's children with the true ones.

    Args:
        children_by_couple: for each couple its children: `Children`, embeddings [n, D], or a table of traits. All
            couples must have the same parts. Couples may be left out; the metrics then cover the others only.
        reference: the true children.
        seed: of the bootstrap, 0 or more.
        num_bootstrap: draws of couples, 1 to 1,000,000.
        traits: which traits of the reference to compare with: "measured" from pictures, or "true" from the genome.
        neighbours: the k of precision, recall, density and coverage, below the number of true siblings.
        method: its name, for tables.

    Returns:
        The report. Its summary has, for embeddings:

        - energy_distance, energy_score, mmd2: see `kinlib.evaluation.heredity.distances`; mmd2 with one bandwidth for
          all couples, the median over couples of the median distance between two true siblings;
        - mean_shift: squared distance between the means of generated and true children, unbiased, as a share of the
          true variance; midparent_shift: the same for the mean of both parents, for comparison;
        - spread: variance of the generated children as a share of the true;
        - precision, recall, density, coverage;

        and the same with `traits_` before the name for the numerical traits together, each in units of its true
        standard deviation within families, and `traits_missing`, the share of children of whom a trait is missing.
        Its trait table holds what `kinlib.evaluation.heredity.traits` compares.

    Raises:
        KinlibError: if a couple is unknown or has fewer than two children, parts are missing, shapes do not fit,
            embeddings are not of unit length, traits are infinite, or a setting is out of its range.
    """
    _check_settings(reference, seed, num_bootstrap, traits, neighbours)
    given = _given(children_by_couple, reference)
    settings = {"seed": seed, "num_bootstrap": num_bootstrap, "num_couples": len(given), "neighbours": neighbours}
    tables, statistics = [pd.DataFrame({"couple": list(given)})], {}
    embedded, described = _parts(given)
    if embedded:
        table, settings["bandwidth"] = measure_couples(_embedding_point_sets(given, reference), neighbours)
        tables.append(table)
        statistics |= point_set_statistics(table)
    if described:
        table, found, more = _score_traits(given, reference, traits, neighbours)
        tables.append(table)
        statistics |= found
        settings |= more
    return make_report(method, pd.concat(tables, axis=1), statistics, settings)


def compare(
    methods: Mapping[str, Mapping[str, Given]],
    reference: Reference,
    seed: int = 0,
    num_bootstrap: int = 1000,
    traits: str = "measured",
    neighbours: int = NEIGHBOURS,
) -> Comparison:
    """Score several methods on the same couples, with paired intervals for their differences.

    Args:
        methods: name -> children by couple, as `score` takes them.
        reference: the true children.
        seed: of the bootstrap; all methods share the same draws of couples.
        num_bootstrap: draws of couples.
        traits: "measured" or "true".
        neighbours: the k of precision, recall, density and coverage.

    Raises:
        KinlibError: as `score`, or if there are no methods or they do not have the same couples.
    """
    if not methods:
        raise KinlibError("there are no methods to compare")
    first, *others = methods
    for name in others:
        if methods[name].keys() != methods[first].keys():
            raise KinlibError(f"the methods '{first}' and '{name}' must have children of the same couples")
    reports = {
        name: score(children, reference, seed, num_bootstrap, traits, neighbours, method=name)
        for name, children in methods.items()
    }
    return make_comparison(reports)


def reliability(reference: Reference) -> pd.DataFrame:
    """How well the traits measured from pictures follow the true ones, for numerical traits that both tables have.

    Returns:
        Index `trait`; `within`: correlation of measured with true deviations from the family's mean, pooled over
        families; `between`: correlation of the families' means. A method cannot be judged by a trait that cannot be
        seen.
    """
    true, measured = (
        [reference.traits(couple, "child", kind) for couple in reference.couples] for kind in ("true", "measured")
    )
    numbers = set(numerical(true[0]))
    rows = {}
    for name in (name for name in common_traits(measured[0], true[0]) if name in numbers):
        pairs = [pd.DataFrame({"x": t[name], "y": m[name]}).dropna() for t, m in zip(true, measured, strict=True)]
        deviations, means = pd.concat([pair - pair.mean() for pair in pairs]), pd.DataFrame([p.mean() for p in pairs])
        rows[name] = {"within": deviations["x"].corr(deviations["y"]), "between": means["x"].corr(means["y"])}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["within", "between"]).rename_axis("trait")


def _given(children_by_couple: Mapping[str, Given], reference: Reference) -> dict[str, Children]:
    """Everything as `Children`, in the reference's order of couples."""
    for couple in children_by_couple:
        reference.row(couple)
    given = {}
    for couple in (couple for couple in reference.couples if couple in children_by_couple):
        children = children_by_couple[couple]
        if isinstance(children, pd.DataFrame):
            children = Children(traits=children)
        given[couple] = children if isinstance(children, Children) else Children(np.asarray(children))
        for part in (given[couple].embeddings, given[couple].traits):
            if part is not None and len(part) < 2:
                raise KinlibError(f"the couple '{couple}' needs at least 2 children to be scored, not {len(part)}")
        _check_traits(couple, given[couple].traits)
        if np.shape(given[couple].embeddings)[1:] == reference.children.shape[2:]:  # other shapes are refused later
            _check_unit(couple, given[couple].embeddings)
    if not given:
        raise KinlibError("there are no children to score")
    return given


def _check_settings(reference: Reference, seed: int, num_bootstrap: int, traits: str, neighbours: int) -> None:
    ranges = {
        "seed": (seed, 0, 2**63 - 1),
        "num_bootstrap": (num_bootstrap, 1, MAX_DRAWS),
        "neighbours": (neighbours, 1, reference.num_siblings - 1),
    }
    for name, (value, least, most) in ranges.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or not least <= value <= most:
            raise KinlibError(f"{name} must be a whole number from {least} to {most}, not {value!r}")
    if traits not in ("measured", "true"):
        raise KinlibError(f"unknown kind of traits '{traits}': choose true or measured")


def _check_unit(couple: str, embeddings: np.ndarray) -> None:
    """Embeddings of another length, raw outputs of a network for instance, would be scored as if far off."""
    lengths = np.linalg.norm(embeddings, axis=-1)
    if np.isfinite(lengths).all() and np.abs(lengths - 1).max() > UNIT_TOLERANCE:
        raise KinlibError(f"the embeddings of the couple '{couple}' must be of unit length, not {lengths.max():.3g}")


def _check_traits(couple: str, traits: pd.DataFrame | None) -> None:
    """A missing trait is NaN; an infinite one is a mistake that would be counted as missing."""
    names = [] if traits is None else numerical(traits)
    if names and np.isinf(traits[names].to_numpy(dtype=np.float64)).any():
        raise KinlibError(f"the traits of the couple '{couple}' hold values that are infinite")


def _parts(given: dict[str, Children]) -> tuple[bool, bool]:
    """Whether there are embeddings, and whether there are traits; for all couples alike."""
    parts = {(children.embeddings is not None, children.traits is not None) for children in given.values()}
    if len(parts) > 1 or parts == {(False, False)}:
        raise KinlibError("all couples must have embeddings, or traits, or both")
    return parts.pop()


def _embedding_point_sets(given: dict[str, Children], reference: Reference) -> PointSets:
    rows = [reference.row(couple) for couple in given]
    return PointSets(
        children=[children.embeddings for children in given.values()],
        truth=list(reference.children[rows]),
        midparents=(reference.fathers[rows] + reference.mothers[rows]) / 2,
    )


def _score_traits(
    given: dict[str, Children], reference: Reference, kind: str, neighbours: int
) -> tuple[pd.DataFrame, Statistics, dict]:
    """Columns for the couples' table, statistics, and settings."""
    generated = [children.traits for children in given.values()]
    true = [reference.traits(couple, "child", kind) for couple in given]
    statistics = trait_statistics(generated, true)
    parents = [pd.concat([reference.traits(couple, role, kind) for role in ("father", "mother")]) for couple in given]
    sets, names = trait_point_sets(generated, true, parents)
    settings = {"kind_of_traits": kind, "traits": names}
    if not names:
        return pd.DataFrame(index=range(len(given))), statistics, settings
    table, settings["traits_bandwidth"] = measure_couples(sets, neighbours)
    statistics |= point_set_statistics(table, "traits_")
    table["missing"] = [1 - len(found) / len(all_) for found, all_ in zip(sets.children, generated, strict=True)]
    true_missing = [1 - len(found) / len(all_) for found, all_ in zip(sets.truth, true, strict=True)]
    statistics["", "traits_missing"] = mean(table["missing"], float(np.mean(true_missing)))
    return table.add_prefix("traits_"), statistics, settings
