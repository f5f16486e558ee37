"""The table of methods of inheritance: what each is called, what it needs, and which options it takes.

A method is a callable `(father, mother, generator) -> child` on W+ codes [B, L, 512]. Its randomness comes from the
`torch.Generator` alone, so that the same code can compare all methods.

    inherit = create("per_layer", preset="studio", father_share=0.7)
    child = inherit(father, mother, torch.Generator().manual_seed(0))

The command line, panels and the web page read names, descriptions and options from this table. It imports neither
PyTorch nor a method: a method is built when its callable is first used, and once for each set of files.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinlib.checkpoints import weights
from kinlib.inheritance.method_options import (
    BLOCKS,
    FATHER_SHARE,
    FROM_FATHER,
    GENE_OPTIONS,
    POOL_OPTIONS,
    STRENGTH,
    Option,
    number,
)
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    from torch import Generator, Tensor

__all__ = ["Inherit", "Method", "Option", "all_options", "available", "create", "describe", "find", "names", "number"]
__all__ += ["register", "unregister"]

Inherit = Callable[["Tensor", "Tensor", "Generator"], "Tensor"]
"""(father, mother, generator) -> child, all codes W+ [B, L, 512]."""


@dataclass(frozen=True)
class Method:
    """One method of inheritance.

    Attributes:
        name: what users call it.
        summary: one line without a full stop.
        build: preset -> `(father, mother, generator, **options) -> child`; loads what the method needs.
        needs: roles in the table of weights (`kinlib.checkpoints.registry`) whose files have to be here.
        options: those it takes; each arrives at the built callable as `check` returned it.
        sexed: whether it takes the child's sex: `sex` arrives at the built callable as "female", "male" or None.
        alone: whether it takes None for a parent who is unknown.
        batched: whether it takes, in place of a generator, a list of B: one for each child of a batch.
    """

    name: str
    summary: str
    build: Callable[[str], Callable]
    needs: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    sexed: bool = False
    alone: bool = False
    batched: bool = False

    def check_parents(self, father: Any, mother: Any) -> None:
        """Check that there are as many parents as the method needs; None stands for one who is unknown.

        Raises:
            KinlibError: if one is missing, or both are.
        """
        if father is None and mother is None:
            raise KinlibError("there is no parent: give a photograph of the father, the mother, or both")
        if not self.alone and (father is None or mother is None):
            missing = "father" if father is None else "mother"
            others = ", ".join(f"'{method.name}'" for method in _METHODS.values() if method.alone)
            raise KinlibError(f"the method '{self.name}' needs both parents, and there is no {missing}: try {others}")

    def files(self, preset: str) -> tuple[Path, ...]:
        """The files that the method needs in a preset.

        Raises:
            KinlibError: if one is absent (the message says how to get it), or the preset has none for that role.
        """
        return tuple(weights.path(weights.for_role(preset, role).name) for role in self.needs)

    def check(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """A value for every option: the given one, checked, or the default.

        Raises:
            KinlibError: if the method does not take an option, or a value is out of its range.
        """
        taken = [option.name for option in self.options]
        for name in given:
            if name not in taken:
                takes = f"it takes {', '.join(taken)}" if taken else "it takes none"
                raise KinlibError(f"the method '{self.name}' has no option '{name}': {takes}")
        return {option.name: option.check(given.get(option.name, option.default)) for option in self.options}


def _untrained(name: str, summary: str, *further: Option) -> Method:
    """A function of `kinlib.inheritance.blend`, which needs no files and is the same for every preset."""

    def build(preset: str) -> Callable:
        from kinlib.inheritance import blend

        return getattr(blend, name)

    return Method(name, summary, build, options=(FATHER_SHARE, *further))


def _build_regions(preset: str) -> Callable:
    from kinlib.inheritance.region_method import build

    return build(preset)


_UNTRAINED = (
    _untrained("average", "one share for all entries"),
    _untrained("per_layer", "a random share for each layer"),
    _untrained("per_dimension", "a random share for each of the 512 dimensions, the same in all layers"),
    _untrained("mask", "each entry from one parent, at random", BLOCKS),
    _untrained("slerp", "spherical interpolation of each layer's code"),
    Method(
        "regions",
        "each region of the face from one parent",
        _build_regions,
        needs=("generator", "encoder", "parsing"),
        options=(FROM_FATHER,),
    ),
)


def _build_learned(preset: str) -> Callable:
    from kinlib.inheritance.sampler import load_sampler

    return load_sampler(weights.path(weights.for_role(preset, "sampler").name)).inherit


def _build_neural(preset: str) -> Callable:
    from kinlib.inheritance.weight_network import load_weight_network

    return load_weight_network(weights.path(weights.for_role(preset, "weights").name)).inherit


_NEURAL = Method(
    "neural",
    "blend weights that a network predicts from both parents; one child for each couple",
    _build_neural,
    needs=("weights",),
    options=(FATHER_SHARE,),
)
_LEARNED = Method(
    "learned",
    "sampled by a network that has learned from families",
    _build_learned,
    needs=("sampler",),
    options=(FATHER_SHARE, STRENGTH),
    sexed=True,
    alone=True,
)


def _build_genes(preset: str) -> Callable:
    from kinlib.inheritance.genes.methods import build

    return build(preset)


def _build_genes_pool(preset: str) -> Callable:
    from kinlib.inheritance.genes.methods import build_with_pool

    return build_with_pool(preset)


_GENES = (
    Method(
        "genes",
        "each region's genes mixed from both parents'",
        _build_genes,
        needs=("genes",),
        options=GENE_OPTIONS,
        batched=True,
    ),
    Method(
        "genes_pool",
        "the same with mutation, from a pool of other people's genes",
        _build_genes_pool,
        needs=("genes", "gene_pool"),
        options=(*GENE_OPTIONS, *POOL_OPTIONS),
        batched=True,
    ),
)
_METHODS: dict[str, Method] = {method.name: method for method in (*_UNTRAINED, _NEURAL, _LEARNED, *_GENES)}


def register(method: Method) -> Method:
    """Add a method to the table, or replace the one of the same name."""
    _METHODS[method.name] = method
    return method


def unregister(name: str) -> None:
    """Remove a method from the table."""
    del _METHODS[name]


def names() -> list[str]:
    """Names of all methods that some preset has weights for, here or to be fetched, as they were registered."""
    return [method.name for method in _listed()]


def available(preset: str) -> list[str]:
    """Names of the methods whose files are here for a preset.

    Raises:
        KinlibError: if the preset is unknown.
    """
    config.check_preset(preset)
    return [name for name, method in _METHODS.items() if _has_files(method, preset)]


def all_options() -> list[Option]:
    """The options of the methods in `names`, each once."""
    return list({option.name: option for method in _listed() for option in method.options}.values())


def describe() -> str:
    """The methods in `names` in one sentence, for a command's help: "average (one share for all entries), ..."."""
    return ", ".join(f"{method.name} ({method.summary})" for method in _listed())


def find(name: str) -> Method:
    """The method of that name.

    Raises:
        KinlibError: if there is none.
    """
    if not isinstance(name, str) or name not in _METHODS:
        raise KinlibError(f"unknown method '{name}': choose one of {', '.join(names())}")
    return _METHODS[name]


def create(name: str, preset: str = "studio", sex: str | None = None, **options: Any) -> Inherit:
    """A method with its options set, ready to be called. It is built at the first call.

    Args:
        name: one of `names()`.
        preset: whose files a method with trained files uses, "studio" or "ffhq".
        sex: "female" or "male", for a method that takes it; None leaves it to chance.
        options: those of the method; what is left out has its default.

    Returns:
        `(father, mother, generator) -> child`, all codes W+ [B, L, 512]; a parent may be None where the method takes
        that. The callable raises a ValueError if the parents' codes differ in shape, a KinlibError if one is missing.

    Raises:
        KinlibError: if the name or the preset is unknown, the method does not take an option or the sex, a value is out
            of its range, or a file that the method needs is absent.
    """
    method = find(name)
    values = method.check(options)
    if sex is not None and not method.sexed:
        raise KinlibError(f"the method '{name}' does not take the child's sex: set it as an attribute")
    if method.sexed:
        values["sex"] = sex
    files = method.files(config.check_preset(preset))

    def inherit(father: "Tensor | None", mother: "Tensor | None", generator: "Generator") -> "Tensor":
        method.check_parents(father, mother)
        shapes = [list(code.shape) for code in (father, mother) if code is not None]
        if shapes[0] != shapes[-1] or len(shapes[0]) != 3:
            raise ValueError(f"father and mother must both be [B, L, 512], not {' and '.join(map(str, shapes))}")
        return _built(method, preset, files)(father, mother, generator, **values)

    return inherit


def _listed() -> list[Method]:
    """The methods whose roles are all in the table of weights; without trained files a method is no method."""
    try:
        roles = {entry.role for entry in weights.known()}
    except KinlibError:  # a damaged manifest, of which whoever opens weights is told
        roles = set()
    return [method for method in _METHODS.values() if roles.issuperset(method.needs)]


def _has_files(method: Method, preset: str) -> bool:
    try:
        method.files(preset)
    except KinlibError:
        return False
    return True


@lru_cache(maxsize=8)
def _built(method: Method, preset: str, files: tuple[Path, ...]) -> Callable:
    """A built method; `files` belong to the key, because another data folder holds other networks."""
    return method.build(preset)
