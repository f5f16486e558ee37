"""The reference set on disk: the true children of many couples, measured once.

In a folder:

    embeddings.safetensors   `children` [C, S, D], `fathers` and `mothers` [C, D], float16, unit length
    true.parquet             one row a person: couple, role, number, then the traits that follow from the genome
    measured.parquet         the same for what was measured from the pictures; may be missing
    reference.json           couples with their parents' pictures, provenance, and the SHA-256 of all other files

    album/                   freely taken photographs of the same parents; may be missing

and the pictures. Embeddings of another identity network cannot be compared, so a set is only loaded beside the network
it was made with.
"""

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from kinlib.checkpoints import weights
from kinlib.evaluation.heredity.reference_set import Provenance, Reference
from kinlib.io.files import parse_json, write_bytes
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

__all__ = ["NUM_SIBLINGS", "PICTURES", "Provenance", "Reference", "album_name", "default_folder", "load_reference"]
__all__ += ["write_reference"]

NUM_SIBLINGS = 64  # of each couple in the bundled set
FORMAT = 1
EMBEDDINGS, TRUE, MEASURED, FACTS = "embeddings.safetensors", "true.parquet", "measured.parquet", "reference.json"
PICTURES = ("portraits", "album")  # kinds of parents' pictures
UNIT_TOLERANCE = 0.01  # float16 keeps a length of one to 0.001


def default_folder() -> Path:
    """Where the bundled reference set lies."""
    return config.data_dir() / "studio" / "heredity"


def album_name(couple: str, role: str) -> str:
    """A parent's freely taken photograph, relative to the set's folder."""
    return f"album/{couple}_{role}.jpg"


def write_reference(folder: str | os.PathLike, reference: Reference) -> Reference:
    """Store a reference set; the parents' pictures must lie in the folder already.

    Every file is written whole, `reference.json` last: a set that was cut short is noticed when it is loaded.

    Returns:
        The set with `folder` filled in.

    Raises:
        KinlibError: if a picture is missing, embeddings are not of unit length, or the folder cannot be written to.
    """
    stored = replace(reference, folder=Path(folder))
    _check_unit(stored)
    pictures = _check_pictures(stored)
    parts = {EMBEDDINGS: _embedding_bytes(stored), TRUE: _table_bytes(stored.true)}
    if stored.measured is not None:
        parts[MEASURED] = _table_bytes(stored.measured)
    sums = {name: hashlib.sha256(part).hexdigest() for name, part in parts.items()}
    sums |= {name: hashlib.sha256((stored.folder / name).read_bytes()).hexdigest() for name in pictures}
    parts[FACTS] = (json.dumps(_facts(stored) | {"files": sums}, indent=1) + "\n").encode()
    for name, part in parts.items():
        write_bytes(stored.folder / name, part)
    return stored


def load_reference(
    folder: str | os.PathLike | None = None,
    identity: str | os.PathLike | None = None,
    pictures: str = "portraits",
) -> Reference:
    """Load a reference set and check it.

    Args:
        folder: where it lies; None takes the bundled one.
        identity: the file of the identity network in use; None takes the bundled one.
        pictures: which pictures of the parents methods are given: "portraits", in the pose and light of the children's
            own, or "album", taken freely, as photographs that users have. The true children are the same.

    Raises:
        KinlibError: if a file is missing or damaged, the parts do not fit together, or the set was made with another
            identity network.
    """
    if pictures not in PICTURES:
        raise KinlibError(f"unknown kind of pictures '{pictures}': choose {' or '.join(PICTURES)}")
    folder = Path(folder) if folder is not None else default_folder()
    network = Path(identity) if identity is not None else weights.path("studio_identity")
    if not network.is_file():
        raise KinlibError(f"there is no identity network '{network}': check the path")
    facts = _read_facts(folder)
    _check_sums(folder, facts["files"])
    try:
        reference = _read_parts(folder, facts)
        if pictures == "album":
            reference = _with_album(reference)
        _check_unit(reference)
        _check_pictures(reference)
    except KinlibError as error:
        raise KinlibError(f"the heredity reference in {folder} is damaged: {error}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(folder / FACTS) from error
    if reference.provenance.identity_sha256 != weights.sha256(network):
        raise KinlibError(
            f"the heredity reference in {folder} was made with another identity network than {network}: "
            "build it again, or use the network it was made with"
        )
    return reference


def _with_album(reference: Reference) -> Reference:
    """The set with freely taken photographs of the parents in place of the portraits."""
    fathers, mothers = (
        tuple(album_name(couple, role) for couple in reference.couples) for role in ("father", "mother")
    )
    return replace(reference, father_pictures=fathers, mother_pictures=mothers)


def _facts(reference: Reference) -> dict:
    """The content of reference.json, but for the sums."""
    named = zip(reference.couples, reference.father_pictures, reference.mother_pictures, strict=True)
    counts = dict(zip(("couples", "siblings", "dimensions"), reference.children.shape, strict=True))
    return {
        "format": FORMAT,
        "counts": counts,
        **vars(reference.provenance),
        "couples": [{"name": name, "father": father, "mother": mother} for name, father, mother in named],
    }


def _read_facts(folder: Path) -> dict:
    path = folder / FACTS
    if not path.is_file():
        raise KinlibError(f"there is no heredity reference in {folder}: get it again with the project's files")
    try:
        facts = parse_json(path.read_bytes())
        version, complete = facts["format"], {EMBEDDINGS, TRUE} <= facts["files"].keys()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path) from error
    if version != FORMAT:
        raise KinlibError(f"{path} has the format {version}, this version of kinlib reads {FORMAT}: build it again")
    if not complete:
        raise _damaged(path)
    return facts


def _check_sums(folder: Path, sums: dict[str, str]) -> None:
    for name, digest in sums.items():
        if not (folder / name).is_file():
            raise KinlibError(f"the heredity reference lacks {folder / name}: get it again with the project's files")
        if weights.sha256(folder / name) != digest:
            raise _damaged(folder / name)


def _read_parts(folder: Path, facts: dict) -> Reference:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(folder / EMBEDDINGS)
    except SafetensorError as error:
        raise ValueError(EMBEDDINGS) from error
    counts = [facts["counts"][name] for name in ("couples", "siblings", "dimensions")]
    if list(arrays["children"].shape) != counts:
        raise KinlibError(f"it holds embeddings {list(arrays['children'].shape)} instead of {counts}")
    return Reference(
        couples=tuple(couple["name"] for couple in facts["couples"]),
        true=pd.read_parquet(folder / TRUE),
        measured=pd.read_parquet(folder / MEASURED) if MEASURED in facts["files"] else None,
        father_pictures=tuple(couple["father"] for couple in facts["couples"]),
        mother_pictures=tuple(couple["mother"] for couple in facts["couples"]),
        provenance=Provenance(facts["seed"], facts["identity_sha256"], facts["renderer"], dict(facts["extra"])),
        folder=folder,
        **{name: np.float32(arrays[name]) for name in ("children", "fathers", "mothers")},
    )


def _embedding_bytes(reference: Reference) -> bytes:
    from safetensors.numpy import save

    return save({name: np.float16(getattr(reference, name)) for name in ("children", "fathers", "mothers")})


def _table_bytes(table: pd.DataFrame) -> bytes:
    return table.to_parquet(None, index=False)


def _damaged(path: Path) -> KinlibError:
    return KinlibError(f"{path} of the heredity reference is damaged: get it again with the project's files")


def _check_unit(reference: Reference) -> None:
    for name in ("children", "fathers", "mothers"):
        lengths = np.linalg.norm(getattr(reference, name), axis=-1)
        if np.abs(lengths - 1).max() > UNIT_TOLERANCE:
            raise KinlibError(f"{name} holds embeddings whose length is not one, but up to {lengths.max():.3g}")


def _check_pictures(reference: Reference) -> list[str]:
    """The parents' pictures, each once; all must lie in the folder."""
    names = list(dict.fromkeys([*reference.father_pictures, *reference.mother_pictures]))
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            raise KinlibError(f"the picture '{name}' must be given by a path inside the reference's folder")
        if not (reference.folder / path).is_file():
            raise KinlibError(f"there is no picture {reference.folder / path}")
    return names
