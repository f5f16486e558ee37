"""CelebA (Liu et al. 2015): aligned photographs with forty attributes, as published or as the CSV re-release has them.

    ROOT/img_align_celeba/000001.jpg ...     178 x 218 px; a folder of the same name may lie in between
         list_attr_celeba.txt                the number of pictures, then forty names, then a line a picture of -1 and 1
         list_eval_partition.txt             0 training, 1 validation, 2 test; optional
         identity_CelebA.txt                 the number of the person on each picture; optional

The CSV re-release has `.csv` in place of `.txt`, with a header. Non-commercial research only; nothing of it is bundled.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from kinlib.runtime.errors import KinlibError

__all__ = ["FIRST_HELD_OUT", "is_celeba", "read_attribute_list", "read_celeba", "read_identities", "read_pictures"]

FOLDER, ATTRIBUTES, PARTITION = "img_align_celeba", "list_attr_celeba", "list_eval_partition"
IDENTITY = "identity_CelebA.txt"
FIRST_HELD_OUT = 162_771  # number of the first picture beyond the training part, where no file says so
# The FFHQ crop of the points that CelebA's pictures are aligned to: eyes at (69, 111) and (108, 111), corners of the
# mouth at (73, 152) and (105, 152). Left, top, right, bottom in px.
CROP = (12, 38, 166, 192)


def is_celeba(root: Path) -> bool:
    """Whether a folder holds CelebA's table of attributes or its pictures."""
    return (Path(root) / FOLDER).is_dir() or any(_file(root, ATTRIBUTES, suffix).exists() for suffix in SUFFIXES)


SUFFIXES = (".txt", ".csv")


def read_celeba(root: Path) -> pd.DataFrame:
    """The table of pictures.

    Returns:
        One row a picture: `file` (a path), `held_out` (not of the training part), then forty boolean attributes.

    Raises:
        KinlibError: if a file is missing or is not in either format; a line that cannot be understood is named.
    """
    root = Path(root)
    pictures = _pictures(root)
    table = _attributes(root)
    held_out = _partition(root, table.index)
    files = [pictures / name for name in table.index]
    missing = next((file for file in files if not file.exists()), None)
    if missing is not None:
        raise KinlibError(f"'{missing}' is listed in {ATTRIBUTES} but is not there: unpack img_align_celeba.zip again")
    return pd.concat([pd.DataFrame({"file": files, "held_out": held_out}), table.reset_index(drop=True)], axis=1)


def read_identities(root: Path, names: list[str]) -> np.ndarray | None:
    """The number of the person on each picture, int64 [N], by the pictures' names; None where no file tells.

    Raises:
        KinlibError: if the file is damaged or lacks a picture.
    """
    path = Path(root) / IDENTITY
    if not path.exists():
        return None
    try:
        people = pd.read_csv(path, sep=r"\s+", header=None, index_col=0, names=["file", "person"])["person"]
        missing = next((name for name in names if name not in people.index), None)
        if missing is not None:
            raise KinlibError(f"'{path}' lacks '{missing}'")
        return people.reindex(names).to_numpy(dtype="int64")
    except (OSError, ValueError) as error:
        raise KinlibError(f"'{path}' cannot be read: {error}") from error


def read_pictures(files: list[Path], size: int) -> np.ndarray:
    """Pictures as uint8 [N, 3, size, size], in the FFHQ crop.

    Raises:
        KinlibError: if one cannot be read, or is not CelebA's aligned picture.
    """

    def read(file: Path) -> np.ndarray:
        try:
            with Image.open(file) as picture:
                if picture.size != (178, 218):
                    raise KinlibError(f"'{file}' is {picture.size[0]} x {picture.size[1]} px, not CelebA's 178 x 218")
                small = picture.convert("RGB").resize((size, size), Image.Resampling.LANCZOS, CROP)
        except KinlibError:
            raise
        except Exception as error:  # decoders raise nearly anything on damaged bytes
            raise KinlibError(f"'{file}' cannot be read: {error}") from error
        return np.asarray(small).transpose(2, 0, 1)  # [S, S, 3] -> [3, S, S]

    with ThreadPoolExecutor() as pool:  # Pillow decodes without holding the interpreter's lock
        return np.stack(list(pool.map(read, files)))


def _pictures(root: Path) -> Path:
    for folder in (root / FOLDER / FOLDER, root / FOLDER):  # the CSV re-release nests them
        if folder.is_dir():
            return folder
    raise KinlibError(f"there is no folder '{FOLDER}' in '{root}': unpack img_align_celeba.zip there")


def _file(root: Path, name: str, suffix: str) -> Path:
    return Path(root) / f"{name}{suffix}"


def _attributes(root: Path) -> pd.DataFrame:
    """Boolean attributes by the pictures' names."""
    if (path := _file(root, ATTRIBUTES, ".csv")).exists():
        try:
            table = pd.read_csv(path, index_col=0)
        except (OSError, ValueError) as error:
            raise KinlibError(f"'{path}' cannot be read: {error}") from error
        return _checked(table, path)
    return read_attribute_list(_file(root, ATTRIBUTES, ".txt"))


def _checked(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    if not len(table) or not np.isin(table.to_numpy(), (-1, 1)).all():
        raise KinlibError(f"'{path}' holds no pictures, or values other than -1 and 1")
    return table == 1


def read_attribute_list(path: Path) -> pd.DataFrame:
    """Boolean attributes by the pictures' names: the number of pictures, a line of names, then a line a picture.

    Raises:
        KinlibError: if the file is missing or damaged; a line that cannot be understood is named.
    """
    if not path.exists():
        raise KinlibError(f"there is no {path.name} in '{path.parent}'")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise KinlibError(f"'{path}' cannot be read: {error}") from error
    names = lines[1].split() if len(lines) > 1 else []
    rows = [line.split() for line in lines[2:]]
    rows = {number: row for number, row in enumerate(rows, start=3) if row}
    wrong = next((number for number, row in rows.items() if len(row) != len(names) + 1), None)
    if wrong is not None:
        raise KinlibError(f"line {wrong} of '{path}' does not hold a file and {len(names)} values")
    if lines[:1] != [str(len(rows))] and lines[:1] and lines[0].strip() != str(len(rows)):
        raise KinlibError(f"'{path}' promises {lines[0].strip()} pictures and lists {len(rows)}: get it again")
    try:
        values = np.array([row[1:] for row in rows.values()], dtype=int).reshape(len(rows), len(names))
    except (ValueError, OverflowError) as error:
        raise KinlibError(f"'{path}' holds values that are no whole numbers") from error
    return _checked(pd.DataFrame(values, index=[row[0] for row in rows.values()], columns=names), path)


def _partition(root: Path, files: pd.Index) -> np.ndarray:
    """Whether each picture is held out."""
    for suffix, options in ((".csv", {"header": 0}), (".txt", {"sep": r"\s+", "header": None})):
        if not (path := _file(root, PARTITION, suffix)).exists():
            continue
        try:
            parts = pd.read_csv(path, index_col=0, names=["file", "part"], **options)["part"].reindex(files)
        except (OSError, ValueError) as error:
            raise KinlibError(f"'{path}' cannot be read: {error}") from error
        if parts.isna().any():
            raise KinlibError(f"'{path}' lacks '{files[parts.isna()][0]}'")
        return (parts != 0).to_numpy()
    try:
        return np.array([int(Path(name).stem) >= FIRST_HELD_OUT for name in files])
    except ValueError as error:
        raise KinlibError(f"there is no {PARTITION}.txt in '{root}', and its pictures have no numbers") from error
