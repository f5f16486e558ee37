"""Writing trained weights: safetensors in half precision, and beside them a record of recipe and metrics."""

import hashlib
import platform
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from kinlib import __version__
from kinlib.io.files import write_bytes, write_json
from kinlib.io.resume import read_note
from kinlib.studio.datasets.renders import SET_NOTE

__all__ = ["history", "register", "scalars", "write", "write_report"]


def write(net: nn.Module | dict[str, Tensor], folder: Path, name: str, recipe: dict, metrics: dict, **more) -> Path:
    """Write `name.safetensors` (floating tensors as float16), `name.json`, and the entry in `manifest.json`.

    Args:
        net: a network, or tensors by name.
        recipe: settings, seed and data.
        metrics: measured on held-out people.
        more: further entries for `name.json`, for instance the calls of a run whose settings changed on the way.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    state = net if isinstance(net, dict) else net.state_dict()  # directions are tensors by name, not a network
    path = folder / f"{name}.safetensors"  # opened without running code, unlike pickles
    write_bytes(path, save({key: _shrink(value) for key, value in state.items()}))
    write_report(folder, name, recipe, metrics, **more)
    register(path)
    return path


def write_report(folder: Path, name: str, recipe: dict, metrics: dict, **more) -> dict:
    """Write `name.json` and return its content.

    Its keys: `recipe`, `metrics`, `made_with` (versions), `set` (the note in the folder of the training data, where
    there is one), and those of `more`.
    """
    made = {"kinlib": __version__, "torch": torch.__version__, "python": platform.python_version()}
    # The renderer's note travels with the record, so that the set can be rendered again.
    note = read_note(Path(recipe["data"]) / SET_NOTE) if "data" in recipe else None
    report = {"recipe": _plain(recipe), **({"set": note} if note else {}), "metrics": metrics, "made_with": made}
    report |= more
    write_json(folder / f"{name}.json", report)
    return report


def history(start: Path | None) -> dict[str, dict]:
    """The record of the pair that a run began from, if its folder holds one: it is part of the recipe.

    Raises:
        KinlibError: if it cannot be understood.
    """
    report = read_note(start / "encoder.json") if start else None
    if report is None:
        return {}
    return {"start": {key: report[key] for key in ("recipe", "set", "calls", "start") if key in report}}


def scalars(metrics: dict) -> dict[str, float]:
    """Those metrics that are single numbers, for a log."""
    return {name: value for name, value in metrics.items() if isinstance(value, int | float)}


def register(path: Path) -> None:
    """Note a file's size and SHA-256 in the manifest of its folder.

    Raises:
        KinlibError: if the manifest is damaged.
    """
    manifest = path.parent / "manifest.json"
    entries = read_note(manifest) or {}
    # `kinlib weights verify` compares files with these.
    entries[path.name] = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "size": path.stat().st_size}
    write_json(manifest, dict(sorted(entries.items())))


def _shrink(tensor: Tensor) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()  # channels-last strides are refused by safetensors
    # Half the size; counters, such as those of batch normalisation, stay integers.
    return tensor.half() if tensor.is_floating_point() else tensor


def _plain(recipe: dict) -> dict:
    """Settings as JSON values; paths by their last part, since the rest is true of one machine only."""
    return {key: value.name if isinstance(value, Path) else value for key, value in recipe.items()}
