"""DeepFace 0.0.103 behind our interface, kept from what it would do by itself.

Left alone it downloads half a gigabyte a model into the user's home; picks TensorFlow where that is installed; looks
for a face again in a crop that holds nothing else; and takes arrays for BGR. Here its files are `kinlib`'s (`kinlib
weights fetch deepface_age ...`), nothing is downloaded on the way, and RGB is turned round.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kinlib import config, weights
from kinlib.errors import KinlibError
from kinlib.files import make_folder

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ACTIONS", "analyse_with_deepface", "flatten", "prepare"]

ACTIONS = ("age", "gender", "race", "emotion")


def analyse_with_deepface(pictures: np.ndarray, actions: tuple[str, ...] = ACTIONS) -> "pd.DataFrame":
    """Analyse aligned faces.

    Args:
        pictures: uint8 RGB [B, H, W, 3].
        actions: which of `ACTIONS`; each has a model of its own, of half a gigabyte but for the emotion's.

    Returns:
        One row a picture; columns as in `kinlib.faces.demography`.

    Raises:
        KinlibError: if DeepFace or its weights are absent.
    """
    prepare(actions)
    deepface = _import()
    rows = []
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
        KinlibError: if one of them is not here.
    """
    files = [weights.path(f"deepface_{action}") for action in actions]
    for file in files:
        weights.check_known(file)
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
