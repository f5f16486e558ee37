"""Writing trained weights: safetensors in half precision, and beside them how they were made and how good they are."""

import hashlib
import json
import platform
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from kinlib import __version__
from kinlib.io.files import write_bytes, write_json
from kinlib.io.resume import read_note
from kinlib.studio.datasets.renders import SET_NOTE

__all__ = ["register", "scalars", "write", "write_report"]


def write(net: nn.Module | dict[str, Tensor], folder: Path, name: str, recipe: dict, figures: dict, **more) -> Path:
    """Write `name.safetensors` (floating tensors as float16), `name.json`, and the entry in `manifest.json`.

    Args:
        net: a network, or tensors by name.
        recipe: settings, seed and data.
        figures: what was measured on held-out people.
        more: further entries for `name.json`, for instance the calls of a run whose settings changed on the way.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    state = net if isinstance(net, dict) else net.state_dict()
    path = folder / f"{name}.safetensors"
    write_bytes(path, save({key: _shrink(value) for key, value in state.items()}))
    write_report(folder, name, recipe, figures, **more)
    register(path)
    return path


def write_report(folder: Path, name: str, recipe: dict, figures: dict, **more) -> dict:
    """Write `name.json` and return its content.

    That is: recipe, figures, the versions it was made with, what the folder of the training data says of itself (`set`,
    where it does), and more.
    """
    made = {"kinlib": __version__, "torch": torch.__version__, "python": platform.python_version()}
    note = read_note(Path(recipe["data"]) / SET_NOTE) if "data" in recipe else None
    report = {"recipe": _plain(recipe), **({"set": note} if note else {}), "figures": figures, "made_with": made}
    report |= more
    write_json(folder / f"{name}.json", report)
    return report


def scalars(figures: dict) -> dict[str, float]:
    """Those figures that are single numbers, for a log."""
    return {name: value for name, value in figures.items() if isinstance(value, int | float)}


def register(path: Path) -> None:
    """Note a file's size and SHA-256 in the manifest of its folder."""
    manifest = path.parent / "manifest.json"
    entries = json.loads(manifest.read_text()) if manifest.exists() else {}
    entries[path.name] = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "size": path.stat().st_size}
    write_json(manifest, dict(sorted(entries.items())))


def _shrink(tensor: Tensor) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    return tensor.half() if tensor.is_floating_point() else tensor


def _plain(recipe: dict) -> dict:
    """Paths by their last part only: where a folder lay on one machine is nobody's recipe."""
    return {key: value.name if isinstance(value, Path) else value for key, value in recipe.items()}
