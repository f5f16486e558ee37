"""CelebAMask-HQ (Lee et al. 2020): 30,000 pictures of CelebA in high resolution, with attributes and masks of parts.

    ROOT/CelebA-HQ-img/0.jpg ...                        1024 x 1024 px, aligned
         CelebAMask-HQ-mask-anno/0/00000_hair.png ...   512 x 512 px, 2,000 pictures a folder, one file a part
         CelebAMask-HQ-attribute-anno.txt               as CelebA's list of attributes
         CelebA-HQ-to-CelebA-mapping.txt                idx, orig_idx, orig_file: which picture of CelebA it is

A part that a picture does not show has no file. Numbers of parts are in use in two orders (that of the data set's
g_mask.py, and that of the published BiSeNet); here parts go by their names only. Non-commercial research only; nothing
of it is bundled.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from kinlib.io.face_labels import CLASSES
from kinlib.runtime.errors import KinlibError
from kinlib.training.data.celeba import FIRST_HELD_OUT, read_attribute_list

__all__ = ["SIDE", "is_celebamask", "read_celebamask", "read_parts"]

PICTURES, MASKS = "CelebA-HQ-img", "CelebAMask-HQ-mask-anno"
ATTRIBUTES, MAPPING = "CelebAMask-HQ-attribute-anno.txt", "CelebA-HQ-to-CelebA-mapping.txt"
FOLDER_SIZE = 2000  # pictures whose masks share a folder
SIDE = 512  # px of a mask


def is_celebamask(root: Path) -> bool:
    """Whether a folder holds CelebAMask-HQ's masks or its list of attributes."""
    return (Path(root) / MASKS).is_dir() or (Path(root) / ATTRIBUTES).exists()


def read_celebamask(root: Path) -> pd.DataFrame:
    """The table of pictures.

    Returns:
        One row a picture: `file` (a path), `number`, `held_out` (not of CelebA's training part), then forty boolean
        attributes.

    Raises:
        KinlibError: if something is missing or is not in this format.
    """
    root = Path(root)
    for folder in (PICTURES, MASKS):
        if not (root / folder).is_dir():
            raise KinlibError(f"there is no folder '{folder}' in '{root}': unpack CelebAMask-HQ.zip there")
    table = read_attribute_list(root / ATTRIBUTES)
    files = [root / PICTURES / name for name in table.index]
    missing = next((file for file in files if not file.exists()), None)
    if missing is not None:
        raise KinlibError(f"'{missing}' is listed in {ATTRIBUTES} but is not there: unpack CelebAMask-HQ.zip again")
    try:
        numbers = [int(Path(name).stem) for name in table.index]
    except ValueError as error:
        raise KinlibError(f"'{root / ATTRIBUTES}' lists pictures that have no numbers: {error}") from error
    held_out = _originals(root).reindex(numbers)
    if held_out.isna().any():
        raise KinlibError(f"'{root / MAPPING}' lacks picture {held_out.index[held_out.isna()][0]}")
    facts = pd.DataFrame({"file": files, "number": numbers, "held_out": held_out.to_numpy() >= FIRST_HELD_OUT})
    return pd.concat([facts, table.reset_index(drop=True)], axis=1)


def read_parts(root: Path, number: int) -> dict[str, Tensor]:
    """The masks of the parts that a picture shows, bool [512, 512] by name of `kinlib.io.face_labels.CLASSES`.

    Raises:
        KinlibError: if a mask cannot be read or has another size.
    """
    folder = Path(root) / MASKS / str(number // FOLDER_SIZE)
    masks = {}
    for name in CLASSES[1:]:  # without the background
        path = folder / f"{number:05d}_{name}.png"
        if not path.exists():
            continue
        try:
            with Image.open(path) as picture:
                # White is 255 in RGB, and 225 or another number in pictures with a palette.
                mask = np.asarray(picture.convert("L")) != 0
        except Exception as error:  # decoders raise nearly anything on damaged bytes
            raise KinlibError(f"'{path}' cannot be read: {error}") from error
        if mask.shape != (SIDE, SIDE):
            raise KinlibError(f"'{path}' is {mask.shape[1]} x {mask.shape[0]} px, not {SIDE} x {SIDE}")
        masks[name] = torch.from_numpy(mask)
    return masks


def _originals(root: Path) -> pd.Series:
    """The number of CelebA's picture by the number of each."""
    path = root / MAPPING
    if not path.exists():
        raise KinlibError(f"there is no {MAPPING} in '{root}': it says which people are held out")
    try:
        table = pd.read_csv(path, sep=r"\s+", index_col="idx")
        return table["orig_file"].map(lambda name: int(Path(name).stem))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KinlibError(f"'{path}' cannot be read: {error}") from error
