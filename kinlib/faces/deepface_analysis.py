"""DeepFace 0.0.103 behind our interface, kept from what it would do by itself.

Left alone it downloads half a gigabyte a model into the user's home; picks TensorFlow where that is installed; looks
for a face again in a crop that holds nothing else; takes arrays for BGR; and leaves its models on the first graphics
card. Here its files are `kinlib`'s (`kinlib weights fetch deepface_age ...`), nothing is downloaded on the way, RGB is
turned round, and the models visit the device that is asked for.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kinlib.checkpoints import weights
from kinlib.io.files import make_folder
from kinlib.runtime import config, memory
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    import pandas as pd
    import torch

__all__ = ["ACTIONS", "analyse_with_deepface", "flatten", "prepare"]

ACTIONS = ("age", "gender", "race", "emotion")
LAST_LAYERS = {  # name and shape of the weights that tell the models apart; three of them share all others
    "age": ("predictions.weight", (101, 4096, 1, 1)),
    "gender": ("predictions.weight", (2, 4096, 1, 1)),
    "race": ("predictions.weight", (6, 4096, 1, 1)),
    "emotion": ("fc_3.weight", (7, 1024)),
}


def analyse_with_deepface(
    pictures: np.ndarray, actions: tuple[str, ...] = ACTIONS, device: "str | torch.device | None" = None
) -> "pd.DataFrame":
    """Analyse aligned faces.

    Args:
        pictures: uint8 RGB [B, H, W, 3].
        actions: which of `ACTIONS`; each has a model of its own, of half a gigabyte but for the emotion's.
        device: where the models compute, which are there only meanwhile; None picks the best.

    Returns:
        One row a picture; columns as in `kinlib.faces.demography`.

    Raises:
        KinlibError: if the device, DeepFace or its weights are absent, or a file of weights is not the model that it
            should be.
    """
    place = config.pick_device(device)
    prepare(actions)
    deepface = _import()
    rows = []
    with _lent(_load(actions), place):
        for picture in pictures:
            # One by one: given several, it hands back lists of lists. "skip": the picture is the face.
            found = deepface.analyze(
                np.ascontiguousarray(picture[..., ::-1]), actions, detector_backend="skip", align=False, silent=True
            )
            rows.append(flatten(found[0]))
    import pandas as pd

    return pd.DataFrame(rows)


def flatten(found: dict) -> dict:
    """DeepFace's record of one face as a flat row; its place in the picture is left out, since that is the picture."""
    row: dict = {"age": float(found["age"])} if "age" in found else {}
    for kind in [kind for kind in ("gender", "race", "emotion") if kind in found]:
        row[f"dominant_{kind}"] = found[f"dominant_{kind}"]
        row |= {f"{kind}.{name}": float(share) for name, share in found[kind].items()}
    return row


def prepare(actions: tuple[str, ...] = ACTIONS) -> Path:
    """Put the files where DeepFace looks for them, and tell it so; returns its home.

    Raises:
        KinlibError: if one of them is not here, damaged, or another model.
    """
    files = [weights.path(f"deepface_{action}") for action in actions]
    for action, file in zip(actions, files, strict=True):
        _check(action, file)
    home = config.cache_dir() / "deepface"
    folder = make_folder(home / ".deepface" / "weights")
    for file in files:
        link = folder / file.name
        if not (link.exists() and link.samefile(file)):
            link.unlink(missing_ok=True)
            _link(file, link)
    os.environ["DEEPFACE_HOME"] = str(home)
    os.environ["DEEPFACE_BACKEND_ENGINE"] = "pytorch"
    return home


def _check(action: str, file: Path) -> None:
    """DeepFace's three large models differ in their last layer only, and nobody has published their sums."""
    state = weights.open_checkpoint(file, weights.find(f"deepface_{action}"))
    last, shape = LAST_LAYERS[action]
    if _shape(state, last) == shape:
        return
    theirs = [other for other, (name, wanted) in LAST_LAYERS.items() if _shape(state, name) == wanted]
    what = f"DeepFace's model for {theirs[0]}" if theirs else "no model of DeepFace"
    raise KinlibError(f"{file} holds {what}, not the one for {action}: delete it and run {_fetching(action)}")


def _shape(state: dict, name: str) -> tuple[int, ...]:
    return tuple(getattr(state.get(name), "shape", ()))


def _load(actions: tuple[str, ...]) -> list:
    """DeepFace's models, which it builds once and keeps; layers that are missing or misshapen come out here."""
    import torch

    models = []
    for action in actions:
        try:
            models.append(_build(action))
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, ValueError, AttributeError) as error:
            file = weights.path(f"deepface_{action}")
            raise KinlibError(f"DeepFace cannot use {file}: delete it and run {_fetching(action)}") from error
    return models


def _build(action: str):
    """One of DeepFace's models, brought to the CPU: where there is a graphics card, DeepFace builds it there."""
    import torch
    from deepface.modules.modeling import build_model

    with memory.LENDING:  # else it could be on the device at this moment, lent by another thread
        model = build_model("facial_attribute", action.capitalize())
        model.model.to("cpu")
        model.device = torch.device("cpu")
    torch.cuda.empty_cache()
    return model


@contextmanager
def _lent(models: list, device: "torch.device") -> Iterator[None]:
    """Models on a device for the length of a block; each has to know where it is, to send the pictures there."""
    with ExitStack() as block:
        for model in models:
            block.enter_context(memory.on_device(model.model, device))
            block.callback(setattr, model, "device", model.device)
            model.device = device
        yield


def _fetching(action: str) -> str:
    return f"`kinlib weights fetch deepface_{action}`"


def _link(file: Path, link: Path) -> None:
    """A hard link where the disk allows it, else a symbolic one."""
    try:
        os.link(file, link)
    except OSError:
        link.symlink_to(file.resolve())


def _import():
    """DeepFace's main class; its import makes folders, so `prepare` comes first."""
    try:
        from deepface import DeepFace
    except ImportError as error:
        raise KinlibError(
            f"DeepFace cannot be imported ({error}): run `pip install --no-deps -r requirements-nodeps.txt`"
        ) from error
    return DeepFace
