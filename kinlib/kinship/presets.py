"""What a preset consists of: for each role, its files and how they are loaded.

`PRESETS` is the only place that knows how presets differ. `Kinship` and everything above it ask for roles.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from kinlib.checkpoints import weights
from kinlib.checkpoints.registry import size_in_words
from kinlib.editing.networks import load_editor
from kinlib.faces.demography import analyse, load_demography
from kinlib.faces.identity import load_identity
from kinlib.faces.landmarks import load_predictor
from kinlib.faces.parsing import load_parser
from kinlib.gan.directions import Direction, load_direction, load_directions
from kinlib.gan.encoder import Encoder, load_encoder
from kinlib.gan.generator import Generator, load_generator
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

__all__ = ["PRESETS", "Core", "Preset", "Source", "absent_notes", "attribute_names", "check_directions", "core_files"]
__all__ += ["files_here", "find_source", "load_core", "load_preset_directions", "load_role"]

PUBLISHED = "direction_"  # roles in the table of weights of directions that come in files of their own


@dataclass(frozen=True)
class Source:
    """Where what plays a role comes from.

    Attributes:
        load: from the files' paths to what plays the role.
        files: roles in the table of weights whose files `load` takes; empty for the one of the same name.
        any_number: whether `load` takes the files that are here, be there none; otherwise all have to be here.
        absent: what users should know of the substitute that is used where the file is absent.
    """

    load: Callable[..., Any]
    files: tuple[str, ...] = ()
    any_number: bool = False
    absent: str = ""


@dataclass(frozen=True)
class Preset:
    """The networks of a preset by role, and what sets them apart.

    Attributes:
        sources: by role.
        renders_only: whether the encoder has been trained on renders only, so that it may miss a real face.
    """

    sources: Mapping[str, Source]
    renders_only: bool = False


@dataclass(frozen=True)
class Core:
    """The networks that every use needs, on the CPU.

    Attributes:
        generator, encoder: they share a latent space.
        directions: attribute directions by name; those without a probe can only be moved along.
    """

    generator: Generator
    encoder: Encoder
    directions: dict[str, Direction]


def _published_directions(*paths: Path) -> dict[str, Direction]:
    """InterFaceGAN's directions by attribute, from files such as `interfacegan_age.pt`."""
    return {path.stem.removeprefix("interfacegan_"): Direction(load_direction(path)) for path in paths}


PRESETS: dict[str, Preset] = {
    "studio": Preset(
        {
            "generator": Source(load_generator),
            "encoder": Source(load_encoder),
            "directions": Source(load_directions),
            "landmarks": Source(load_predictor),
            "identity": Source(load_identity),
            "parsing": Source(lambda path: load_parser("studio")),
            "demography": Source(lambda path: partial(analyse, preset="studio", net=load_demography(path))),
            "editor": Source(load_editor),
        },
        renders_only=True,
    ),
    "ffhq": Preset(
        {
            "generator": Source(load_generator),
            "encoder": Source(load_encoder),
            "directions": Source(
                _published_directions, ("direction_age", "direction_smile", "direction_pose"), any_number=True
            ),
            "landmarks": Source(
                load_predictor, absent="the 68 landmarks are those of a predictor trained on renders only"
            ),
            "identity": Source(load_identity, absent="the refinement had no identity loss"),
            "parsing": Source(lambda path: load_parser("ffhq")),
            "demography": Source(
                lambda *paths: partial(analyse, preset="ffhq"),
                ("demography_age", "demography_gender", "demography_race", "demography_emotion"),
            ),
        }
    ),
}
"""By name; the roles are those of `Kinship.network`."""


def core_files(preset: str) -> list[Path]:
    """Files of the generator and the encoder.

    Raises:
        KinlibError: if one is absent; the message names all that a child could use.
    """
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


def load_core(preset: str) -> Core:
    """Load the generator, the encoder and the directions.

    Raises:
        KinlibError: if the preset is unknown, or its weights are absent (the message says how to get them), damaged or
            not those that belong there.
    """
    config.check_preset(preset)
    # All paths come first: what is absent should be said before gigabytes are read.
    paths = core_files(preset)
    generator = load_role(preset, "generator")
    encoder = load_role(preset, "encoder", generator)  # corrections need it, and one copy is enough
    directions = load_role(preset, "directions")
    _check_layers(paths, generator, encoder, directions)
    return Core(generator, encoder, directions)


def load_preset_directions(preset: str) -> dict[str, Direction]:
    """The directions alone, in milliseconds, so that edits can be checked before gigabytes are read.

    Raises:
        KinlibError: as `load_core`, also if only the networks are absent.
    """
    core_files(preset)
    return load_role(preset, "directions")


def load_role(preset: str, role: str, *shared: Any) -> Any:
    """Load what plays a role in a preset; see `Kinship.network`.

    Args:
        preset: "studio" or "ffhq".
        role: of `PRESETS`.
        shared: networks in memory that the role's loader takes after its files.

    Raises:
        KinlibError: if the preset or the role is unknown, or a file is absent, damaged or another one.
    """
    source = find_source(preset, role)
    names = file_names(preset, role)
    paths = files_here(preset, role) if source.any_number else tuple(weights.path(name) for name in names)
    with torch.random.fork_rng(devices=[]):  # layers are randomly initialised first; the caller's random state stays
        return source.load(*paths, *shared)


def find_source(preset: str, role: str) -> Source:
    """The entry of `PRESETS` for a role.

    Raises:
        KinlibError: if there is none.
    """
    sources = PRESETS[config.check_preset(preset)].sources
    if role not in sources:
        raise KinlibError(f"unknown role '{role}': choose one of {', '.join(sources)}")
    return sources[role]


def file_names(preset: str, role: str) -> list[str]:
    """Names of a role's files in the table of weights."""
    return [weights.for_role(preset, part).name for part in find_source(preset, role).files or (role,)]


def files_here(preset: str, role: str) -> tuple[Path, ...]:
    """The files of a role that are here."""
    rows = [weights.table(name)[0] for name in file_names(preset, role)]
    return tuple(weights.path(row["name"]) for row in rows if row["present"])


def absent_notes(preset: str, landmarks: Path | None, identity: Path | None, refining: bool) -> tuple[str, ...]:
    """What users should know of optional files that are absent: what is used instead, and how to get them.

    Args:
        preset: "studio" or "ffhq".
        landmarks, identity: files of the predictor and of the embedder; None where absent.
        refining: whether the identity network was wanted.
    """
    absent = (["landmarks"] if landmarks is None else []) + (["identity"] if identity is None and refining else [])
    return tuple(
        f"{find_source(preset, role).absent}, since '{name}' is not here: run `kinlib weights fetch {name}`"
        for role in absent
        if find_source(preset, role).absent
        for name in file_names(preset, role)
    )


def attribute_names(preset: str, directions: Mapping[str, Direction]) -> list[str]:
    """Attributes that have a direction: those that were loaded, and those whose files can be fetched."""
    rows = [row["role"] for row in weights.table() if row["preset"] == preset]
    return sorted({*directions, *(role.removeprefix(PUBLISHED) for role in rows if role.startswith(PUBLISHED))})


def check_directions(preset: str, directions: Mapping[str, Direction], attributes: Iterable[str]) -> None:
    """Check that every attribute has a direction, before anything is computed in vain.

    Args:
        preset: "studio" or "ffhq".
        directions: those that were loaded, as in `Core`.
        attributes: such as "age" and "sex".

    Raises:
        KinlibError: if one has none; where the preset has a file for it, the message says how to get that.
    """
    for attribute in attributes:
        if attribute in directions:
            continue
        name = f"{PUBLISHED}{attribute}"
        if any((row["preset"], row["role"]) == (preset, name) for row in weights.table()):
            weights.path(weights.for_role(preset, name).name)
            raise KinlibError(f"the direction for {attribute} was not here when the preset was loaded: load it again")
        raise KinlibError(f"the preset '{preset}' has no direction for {attribute}: leave that option out")


def _check_layers(paths: list[Path], generator: Generator, encoder: Encoder, directions: dict[str, Direction]) -> None:
    """Networks of different runs may not share a latent space."""
    layers = generator.num_layers
    if encoder.num_layers != layers:
        counts = f"{encoder.num_layers} layers instead of {layers}"
        raise KinlibError(f"the encoder {paths[1]} does not belong to the generator {paths[0]}: {counts}")
    for name, direction in directions.items():
        if direction.step.shape[0] not in (1, layers):
            counts = f"{direction.step.shape[0]} layers instead of {layers}"
            raise KinlibError(f"the direction for {name} does not belong to the generator {paths[0]}: {counts}")
