"""Whose children they are: generated children are assigned to the couple whose parents they resemble most.

A method can come close to the distribution of all children and still give every couple nearly the same ones. Here each
child is compared with the parents of all couples. True siblings, through the same networks, show what can be reached.
"""

import numpy as np
import pandas as pd

from kinlib.runtime.errors import KinlibError

__all__ = ["assign"]


def assign(children: np.ndarray, fathers: np.ndarray, mothers: np.ndarray) -> pd.DataFrame:
    """Ranks of the own couple among all couples.

    A child's resemblance to a couple is the mean cosine to father and mother.

    Args:
        children: [C, n, D], n children of each of C couples, unit length.
        fathers, mothers: [C, D], unit length.

    Returns:
        One row a couple: `right`, the share of its children whose most similar couple is their own (1 / C by chance),
        and `rank`, the mean share of the other couples that a child resembles more than its own (0 to 1; one half by
        chance).

    Raises:
        KinlibError: if the shapes do not fit, there is one couple only, or embeddings are not finite or not of unit
            length.
    """
    count = len(children)
    if np.ndim(children) != 3 or count < 2 or np.shape(fathers) != np.shape(mothers):
        raise KinlibError("children [C, n, D] of two or more couples can be assigned to fathers and mothers [C, D]")
    if np.shape(fathers) != (count, np.shape(children)[2]):
        raise KinlibError(f"fathers must be {[count, np.shape(children)[2]]}, not {list(np.shape(fathers))}")
    for found in (children, fathers, mothers):
        lengths = np.linalg.norm(found, axis=-1)
        if not ((lengths > 0.99) & (lengths < 1.01)).all():  # false for NaN as well
            raise KinlibError("embeddings must be finite and of unit length")
    likeness = children @ ((fathers + mothers) / 2).T  # [C, n, C]
    own = likeness[np.arange(count), :, np.arange(count)][..., None]  # [C, n, 1]
    above = (likeness > own).sum(axis=2)  # [C, n]
    return pd.DataFrame({"right": (above == 0).mean(axis=1), "rank": above.mean(axis=1) / (count - 1)})
