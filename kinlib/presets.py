"""What a preset consists of: the networks that are loaded at once, and the files of those that may be needed later."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from kinlib import config, weights
from kinlib.errors import KinlibError
from kinlib.gan.directions import Direction, load_direction, load_directions
from kinlib.gan.encoder import Encoder, load_encoder
from kinlib.gan.generator import Generator, load_generator
from kinlib.known_weights import size_in_words

__all__ = ["Networks", "absent_notes", "check_directions", "load_networks"]


@dataclass(frozen=True)
class Networks:
    """A preset's networks on the CPU.

    Attributes:
        generator, encoder: they speak the same W+.
        directions: attribute directions by name; those without a probe can only be moved along.
        landmarks: file of the predictor of 68 landmarks, or None where it was not fetched.
        identity: file of the identity embedder, or None where it was not fetched.
    """

    generator: Generator
    encoder: Encoder
    directions: dict[str, Direction]
    landmarks: Path | None
    identity: Path | None


def load_networks(preset: str) -> Networks:
    """Load what the whole way from photographs to children needs.

    Raises:
        KinlibError: if the preset is unknown, or its weights are absent (the message says how to get them), damaged or
            not those that belong there.
    """
    config.check_preset(preset)
    # All paths come first: what is absent should be said before gigabytes are read.
    paths = _needed(preset)
    with torch.random.fork_rng(devices=[]):  # networks are born with random weights; the caller's numbers stay
        generator = load_generator(paths[0])
        encoder = load_encoder(paths[1], generator)
    studio = preset == "studio"
    directions = load_directions(weights.path("studio_directions")) if studio else _published_directions()
    _check_layers(paths, generator, encoder, directions)
    return Networks(generator, encoder, directions, _file(preset, "landmarks"), _file(preset, "identity"))


def absent_notes(preset: str, landmarks: Path | None, identity: Path | None, refining: bool) -> tuple[str, ...]:
    """What the user of the ffhq preset should know of files that were not fetched: what stands in, and how to mend it.

    Args:
        preset: "studio" or "ffhq"; the studio's files come with the project.
        landmarks, identity: as in `Networks`.
        refining: whether the identity network was wanted.
    """
    lacking = []
    if preset == "ffhq" and landmarks is None:
        lacking.append(("the 68 landmarks are those of a predictor that has only seen renders", "dlib_68"))
    if preset == "ffhq" and identity is None and refining:
        lacking.append(("the refinement did not look at who it is", "vggface2"))
    return tuple(f"{what}, since '{name}' is not here: run `kinlib weights fetch {name}`" for what, name in lacking)


def check_directions(preset: str, directions: Mapping[str, Direction], attributes: Iterable[str]) -> None:
    """Check that every attribute has a direction, before anything is computed in vain.

    Args:
        preset: "studio" or "ffhq".
        directions: those that were loaded, as in `Networks`.
        attributes: such as "age" and "sex".

    Raises:
        KinlibError: if one has none; where the preset has a file for it, the message says how to get that.
    """
    for attribute in attributes:
        if attribute in directions:
            continue
        name = f"direction_{attribute}"
        if any((row["preset"], row["role"]) == (preset, name) for row in weights.table()):
            weights.path(weights.for_role(preset, name).name)
            raise KinlibError(f"the direction for {attribute} was not here when the preset was loaded: load it again")
        raise KinlibError(f"the preset '{preset}' has no direction for {attribute}: leave that option out")


def _needed(preset: str) -> list[Path]:
    """Files of the generator and the encoder; if one is absent, the message names all that a child could use."""
    names = [weights.for_role(preset, role).name for role in ("generator", "encoder")]
    absent = [row for row in weights.table("child") if preset == row["preset"] and not row["present"]]
    lacking = [row["name"] for row in absent]
    if len(absent) > 1 and set(lacking) & set(names):
        size = size_in_words(sum(row["size"] for row in absent))
        raise KinlibError(
            f"weights of the preset '{preset}' are not here: run `kinlib weights fetch {' '.join(lacking)}` "
            f"({size}; `kinlib weights list` shows their licences)"
        )
    return [weights.path(name) for name in names]


def _file(preset: str, role: str) -> Path | None:
    """Where an optional network's file is, if it is here."""
    name = weights.for_role(preset, role).name
    return weights.path(name) if weights.table(name)[0]["present"] else None


def _check_layers(paths: list[Path], generator: Generator, encoder: Encoder, directions: dict[str, Direction]) -> None:
    """Networks of different runs may not speak the same W+."""
    layers = generator.num_layers
    if encoder.num_layers != layers:
        counts = f"{encoder.num_layers} layers instead of {layers}"
        raise KinlibError(f"the encoder {paths[1]} does not belong to the generator {paths[0]}: {counts}")
    for name, direction in directions.items():
        if direction.step.shape[0] not in (1, layers):
            counts = f"{direction.step.shape[0]} layers instead of {layers}"
            raise KinlibError(f"the direction for {name} does not belong to the generator {paths[0]}: {counts}")


def _published_directions() -> dict[str, Direction]:
    """Directions of the ffhq preset that are here; they are small extras, so absent ones are left out."""
    names = [row["name"] for row in weights.table() if row["present"] and row["role"].startswith("direction_")]
    return {name.removeprefix("direction_"): Direction(load_direction(weights.path(name))) for name in names}
