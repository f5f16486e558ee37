"""Heredity: the children that a method generates against the distribution of a couple's true children.

    from kinlib.evaluation import heredity

    reference = heredity.load_reference()
    report = heredity.score({couple: heredity.describe(pictures) for couple, pictures in generated.items()}, reference)

`scoring` has the score itself. `distances` compares two sets of points, `point_sets` does so for all couples, `traits`
compares trait by trait. `baselines` are methods with one known fault. `reference_set` holds the true children that all
methods are compared with; `reference` reads and writes it.
"""

from kinlib.evaluation.heredity.scoring import (
    Children,
    Comparison,
    Provenance,
    Reference,
    Report,
    compare,
    describe,
    embed_pictures,
    energy_distance,
    energy_score,
    load_reference,
    measure,
    measure_all,
    mmd2,
    reliability,
    score,
    write_reference,
)

__all__ = ["Children", "Comparison", "Provenance", "Reference", "Report"]
__all__ += ["compare", "describe", "embed_pictures", "energy_distance", "energy_score", "load_reference", "measure"]
__all__ += ["measure_all", "mmd2", "reliability", "score", "write_reference"]
