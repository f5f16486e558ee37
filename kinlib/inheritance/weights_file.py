"""Blend weights that a person has set: by layer group, by layer, by dimension; saved and loaded as JSON.

The sliders of the notebook on blending write such a file, and `kinlib child --weights FILE` reads it. A weight is the
**father's** share, from 0 (the mother) to 1. What is set for a layer replaces what its group says, and what is set for
a dimension replaces both, in all layers.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from kinlib.inheritance.blend import GROUPS, group_shares
from kinlib.io.files import parse_json, write_bytes
from kinlib.runtime.errors import KinlibError

__all__ = ["BlendWeights", "as_weights", "check_alone", "load_weights", "save_weights"]

FORMAT = "kinlib blend weights 1"
STYLE_DIM = 512
MOST_LAYERS = 18  # of StyleGAN2 at 1024 px, the largest there is
NUMBERED = ("layers", "dimensions")  # whose names are numbers


@dataclass(frozen=True)
class BlendWeights:
    """The father's share of every number of a code.

    Attributes:
        preset: "studio" or "ffhq", whose layers are meant.
        num_layers: L of that preset's W+.
        groups: share by layer group, of `kinlib.inheritance.blend.GROUPS`; 0.5 where none is given.
        layers: share by layer, from 0 to L - 1; replaces the group's.
        dimensions: share by dimension, from 0 to 511, in all layers; replaces both.
    """

    preset: str
    num_layers: int
    groups: Mapping[str, float] = field(default_factory=dict)
    layers: Mapping[int, float] = field(default_factory=dict)
    dimensions: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self):
        """Check all values.

        Raises:
            KinlibError: if a group, layer or dimension does not exist, or a share is not a number from 0 to 1.
        """
        _check_names("layer group", self.groups, GROUPS)
        _check_names("layer", self.layers, range(self.num_layers))
        _check_names("dimension", self.dimensions, range(STYLE_DIM))
        for share in (*self.groups.values(), *self.layers.values(), *self.dimensions.values()):
            if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
                raise KinlibError(f"a blend weight must be a number from 0 (mother) to 1 (father), not {share!r}")

    def shares(self) -> Tensor:
        """The father's share of every number of a code, float32 [L, 512]."""
        table = group_shares(self.num_layers, **self.groups).unsqueeze(1).repeat(1, STYLE_DIM)  # [L, 512]
        for layer, share in self.layers.items():
            table[layer] = share
        for dimension, share in self.dimensions.items():
            table[:, dimension] = share
        return table

    def blend(self, father: Tensor, mother: Tensor) -> Tensor:
        """The child's code of two parents' W+ codes, all [B, L, 512]."""
        return torch.lerp(mother, father, self.shares().to(father))


def save_weights(path: str | Path, blend_weights: BlendWeights) -> None:
    """Write blend weights as JSON, whole or not at all."""
    content = {"format": FORMAT, **asdict(blend_weights)}
    write_bytes(Path(path), (json.dumps(content, indent=1) + "\n").encode())


def as_weights(given: BlendWeights | str | Path, preset: str, num_layers: int) -> BlendWeights:
    """Blend weights, or those of a file, checked for the preset in use; arguments as of `load_weights`.

    Raises:
        KinlibError: as `load_weights`, or if what is given is neither.
    """
    if isinstance(given, str | os.PathLike):
        return load_weights(given, preset, num_layers)
    if not isinstance(given, BlendWeights):
        raise KinlibError(f"blend weights must be a BlendWeights or the path of its JSON file, not {given!r}")
    _check_preset(given.preset, given.num_layers, preset, num_layers, "the blend weights belong")
    return given


def check_alone(method: str | None, options: Iterable[str]) -> None:
    """Check that no method and no option of one is given beside blend weights.

    Raises:
        KinlibError: if one is.
    """
    beside = ([] if method is None else [f"the method '{method}'"]) + [name.replace("_", " ") for name in options]
    if beside:
        raise KinlibError(f"blend weights take the place of a method: leave out {' and '.join(beside)}, or the weights")


def load_weights(path: str | Path, preset: str, num_layers: int | None = None) -> BlendWeights:
    """Read blend weights that `save_weights` wrote, or that somebody wrote by hand.

    Args:
        path: the file.
        preset: the preset in use.
        num_layers: L of its W+; None takes what the file says, for a check before networks are loaded.

    Raises:
        KinlibError: if the file cannot be read, is no such file, belongs to another preset, or holds a value that is
            out of its range.
    """
    try:
        content = parse_json(Path(path).read_bytes())
    except OSError as error:
        raise KinlibError(f"the blend weights '{path}' cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise KinlibError(f"'{path}' holds no blend weights: it is not JSON ({error})") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise KinlibError(f'\'{path}\' holds no blend weights: it lacks "format": "{FORMAT}"')
    layers = content.get("num_layers")
    if num_layers is None and type(layers) is int and 0 < layers <= MOST_LAYERS:
        num_layers = layers
    _check_preset(content.get("preset"), layers, preset, num_layers, f"the blend weights '{path}' belong")
    unknown = set(content) - {"format", "preset", "num_layers", "groups", *NUMBERED}
    if unknown:
        raise KinlibError(f"the blend weights '{path}' hold the unknown entry {min(unknown)!r}")
    parts = {name: content.get(name, {}) for name in ("groups", *NUMBERED)}
    for name, part in parts.items():
        if not isinstance(part, dict):
            raise KinlibError(f"the blend weights '{path}' must have an object under \"{name}\", not {part!r}")
    try:
        numbered = {
            name: {_number(key): share for key, share in parts[name].items()} for name in parts if name != "groups"
        }
        return BlendWeights(preset, num_layers, parts["groups"], **numbered)
    except KinlibError as error:
        raise KinlibError(f"the blend weights '{path}' cannot be used: {error}") from error


def _check_preset(theirs: object, their_layers: object, preset: str, num_layers: int | None, subject: str) -> None:
    if (theirs, their_layers) != (preset, num_layers) or num_layers is None:
        wanted = f"'{preset}'" + ("" if num_layers is None else f" with {num_layers}")
        raise KinlibError(f"{subject} to {theirs!r} with {their_layers!r} layers, not to {wanted}")


def _number(key: str) -> int | str:
    """JSON has words for keys only; what is no number is left for the check that names it."""
    return int(key) if key.isascii() and key.isdigit() and len(key) < 6 else key


def _check_names(what: str, given: Mapping, known) -> None:
    for name in given:
        if name not in known:
            some = f"{known[0]} to {known[-1]}" if isinstance(known, range) else ", ".join(known)
            raise KinlibError(f"unknown {what} {name!r}: choose from {some}")
