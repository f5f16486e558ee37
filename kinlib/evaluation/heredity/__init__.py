"""Could these be their children? A method's children against the distribution of the couple's true ones.

    from kinlib.evaluation import heredity

    reference = heredity.load_reference()
    report = heredity.score({couple: heredity.describe(pictures) for couple, pictures in drawn.items()}, reference)

`scoring` has the score itself, `distances` compares sets of points, `traits` compares trait by trait, `baselines` are
children whose faults are known, `reference` and `reference_set` are the true children that all are compared with.
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
