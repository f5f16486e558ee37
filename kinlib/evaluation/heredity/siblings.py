"""Pictures of some true children of every couple of the reference, to be encoded and generated anew.

A method's children pass through an encoder and a generator, which lose part of every face. The reference's true
children do not: they were measured from their renders. So part of any distance between the two is the networks' and not
the method's. How much, these pictures tell: true siblings that pass through the same networks are the **floor** below
which no method that works on codes can be expected to get. They are further siblings, none of those that the reference
was measured from.

`siblings.parquet` beside the reference has one row a child: couple, number (from 0 in each couple), picture (an aligned
face of 128 px, as JPEG). `kinlib.training.data.render_siblings` renders it.
"""

import io
import os
from pathlib import Path

import pandas as pd
from PIL import Image

from kinlib.evaluation.heredity.reference import default_folder
from kinlib.runtime.errors import KinlibError

__all__ = ["COLUMNS", "SIBLINGS", "load_siblings"]

SIBLINGS = "siblings.parquet"
COLUMNS = ("couple", "number", "picture")


def load_siblings(count: int | None = None, folder: str | os.PathLike | None = None) -> dict[str, list[Image.Image]]:
    """Aligned faces of true children, by couple.

    Args:
        count: the first so many of each couple; None takes all.
        folder: of the reference; None takes the bundled one.

    Raises:
        KinlibError: if there are no pictures, fewer than `count` of each couple, or they are damaged.
    """
    path = Path(folder or default_folder()) / SIBLINGS
    if not path.is_file():
        raise KinlibError(f"there are no pictures of true siblings in {path.parent}: get them with the project's files")
    try:
        table = pd.read_parquet(path, columns=list(COLUMNS)).sort_values(["couple", "number"])
        found = {
            couple: [Image.open(io.BytesIO(picture)).convert("RGB") for picture in part["picture"].iloc[:count]]
            for couple, part in table.groupby("couple")
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KinlibError(f"{path} is damaged: get it again with the project's files") from error
    fewest = min(map(len, found.values()), default=0)
    if fewest < (1 if count is None else count):
        raise KinlibError(f"{path} has {fewest} children of each couple: ask for from 1 to {fewest}, not {count}")
    return found
