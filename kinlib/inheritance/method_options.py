"""The options of the methods of inheritance: names, words for the command line, defaults, and what they may be.

Imports neither PyTorch nor a method, as the table of methods.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["BLOCKS", "FATHER_SHARE", "FROM_FATHER", "GENE_OPTIONS", "POOL_OPTIONS", "STRENGTH", "Option", "number"]


@dataclass(frozen=True)
class Option:
    """One option of a method.

    Attributes:
        name: keyword of `create` and of `Kinship.children`; `--name` on the command line.
        help: what it does, for the command line.
        default: its value where it is not given.
        check: returns the value as the method takes it; raises a KinlibError for a value that the method cannot take.
        type: what the command line reads.
    """

    name: str
    help: str
    default: Any
    check: Callable[[Any], Any]
    type: type = float


def number(what: str, low: float, high: float) -> Callable[[Any], float]:
    """A check of an `Option`: a number in [low, high].

    Args:
        what: name of the option in the message, such as "the mutation rate".
        low, high: the range, both ends included.
    """

    def check(value: Any) -> float:
        try:
            found = float(value)
        except (TypeError, ValueError, OverflowError, RuntimeError):  # 10**400; a long tensor is no scalar
            found = float("nan")
        if not low <= found <= high:  # false for NaN as well
            raise KinlibError(f"{what} must be a number from {low:g} to {high:g}, not {value}")
        return found

    return check


def _check_share(value: Any) -> "Tensor":
    from kinlib.inheritance.blend import check_share

    return check_share(value)


def _check_blocks(value: Any) -> str:
    from kinlib.inheritance.blend import check_blocks

    return check_blocks(value)


def _check_regions(value: Any) -> tuple[str, ...] | None:
    from kinlib.inheritance.regions import check_regions

    return check_regions(value)


def _check_region_shares(value: Any) -> dict[int, float]:
    from kinlib.inheritance.genes.regions import check_shares

    return check_shares(value)


def _check_layers(value: Any) -> int | None:
    if value is None or (isinstance(value, str) and value == "auto"):
        return None
    found = number("the number of kept layers", 0, 18)(value)
    if found != int(found):
        raise KinlibError(f"the number of kept layers must be a whole number from 0 to 18, not {value}")
    return int(found)


def _check_wanted(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise KinlibError(f"ages, sexes and groups of a gene pool are given by name, not as {value!r}")
    return None if value == "any" else value


def _check_pool(value: Any) -> Path | None:
    if value is None or (isinstance(value, str) and value == "bundled"):
        return None
    if not isinstance(value, str | Path) or not Path(value).is_file():
        raise KinlibError(f"there is no gene pool {value!r}: make one with `kinlib pool`")
    return Path(value)


FATHER_SHARE = Option("father_share", "the father's share, from 0 to 1", 0.5, _check_share)
BLOCKS = Option(
    "blocks", "what is inherited in one piece: entry, dimension, layer or group", "entry", _check_blocks, str
)
STRENGTH = Option("strength", "likeness to the parents: 1 as in families, 0 none", 1.0, number("the strength", 0, 3))
FROM_FATHER = Option("from_father", "the father's regions, such as eyes,nose", "random", _check_regions, str)
GENE_OPTIONS = (
    Option(
        "region_shares",
        "the father's share of regions' genes, such as eyes=1; random, or coins for each group",
        "random",
        _check_region_shares,
        str,
    ),
    Option(
        "kept_layers",
        "layers that genes decide, the others being the parents' mean; 8 for StyleGene's networks, all for ours",
        "auto",
        _check_layers,
        str,
    ),
    Option(
        "gene_spread", "how much genes vary around their mean, from 0 to 1", 1.0, number("the spread of genes", 0, 1)
    ),
)
POOL_OPTIONS = (
    Option("pool", "file of a gene pool, made by `kinlib pool`", "bundled", _check_pool, str),
    Option("eta", "share of the regions that mutate wholly, from 0 to 1", 0.4, number("eta", 0, 1)),
    Option("gamma", "share of mutation in the other regions, from 0 to 1", 0.47, number("gamma", 0, 1)),
    Option("pool_age", "age of the people in the gene pool, such as 20-29", "any", _check_wanted, str),
    Option("pool_sex", "sex of the people in the gene pool: female or male", "any", _check_wanted, str),
    Option("pool_group", "group of the people in the gene pool", "any", _check_wanted, str),
)
