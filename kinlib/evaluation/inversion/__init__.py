"""How good is a code? Error of its reconstruction, how well it can be edited, and for whom and where encoders fail.

`codes` measures codes: reconstruction against editability, passes of correction, steps of refinement. `ancestry`
compares errors between founder populations and people of mixed descent. `faults` damages aligned faces step by step.
"""

from kinlib.evaluation.inversion.ancestry import (
    ancestry_gap,
    eigenface_gain,
    mean_by_person,
    mid_parent_gap,
    mixing_effect,
)
from kinlib.evaluation.inversion.codes import (
    distance_to_w,
    editability,
    encoding_errors,
    pass_codes,
    psnr,
    reconstruction,
    refinement_curve,
    stages,
)
from kinlib.evaluation.inversion.faults import FAULTS, Fault, measure_fault
from kinlib.evaluation.inversion.tables import as_table, change_from, interval, intervals

__all__ = [
    "FAULTS",
    "Fault",
    "ancestry_gap",
    "as_table",
    "change_from",
    "distance_to_w",
    "editability",
    "encoding_errors",
    "eigenface_gain",
]
__all__ += ["interval", "intervals", "mean_by_person", "measure_fault", "mid_parent_gap", "mixing_effect"]
__all__ += ["pass_codes", "psnr", "reconstruction", "refinement_curve", "stages"]
