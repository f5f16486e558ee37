"""Attribute vectors: the mean of faces with an attribute minus the mean of faces without it (Larsen et al. 2016).

What goes together in the faces goes together in the vectors: those of beards and of men point the same way. The
correlations say how much, and `orthogonalise` takes the others' share out of each vector.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kinlib.runtime.errors import KinlibError

__all__ = ["attribute_vectors", "correlations", "orthogonalise", "strength_of"]

LEAST = 10  # faces on either side; the mean of fewer is mostly those people


def attribute_vectors(coordinates: Tensor, attributes: pd.DataFrame) -> dict[str, Tensor]:
    """Vectors of all attributes that enough faces have and enough have not.

    Args:
        coordinates: of the faces, [N, D].
        attributes: N rows of 1 (with), 0 (without) or NaN (counts for neither), one column each.

    Returns:
        name -> float32 [D]: adding it once takes an average face without to an average face with.

    Raises:
        KinlibError: if the numbers of rows differ.
    """
    if len(coordinates) != len(attributes):
        raise KinlibError(f"{len(coordinates)} faces need as many rows of attributes, not {len(attributes)}")
    vectors = {}
    for name, values in attributes.items():
        with_it, without = (torch.tensor((values == side).to_numpy(copy=True)) for side in (1, 0))
        if min(int(with_it.sum()), int(without.sum())) >= LEAST:
            vectors[str(name)] = coordinates[with_it].mean(dim=0) - coordinates[without].mean(dim=0)
    return vectors


def correlations(vectors: Mapping[str, Tensor]) -> pd.DataFrame:
    """Cosines between the vectors, one row and one column an attribute."""
    unit = torch.nn.functional.normalize(torch.stack(list(vectors.values())), dim=1)
    return pd.DataFrame((unit @ unit.t()).numpy(), index=list(vectors), columns=list(vectors))


def orthogonalise(vectors: Mapping[str, Tensor], of: str, without: Sequence[str] | None = None) -> Tensor:
    """A vector without its part in the span of others, so that moving along it leaves theirs as they are.

    Args:
        vectors: by name.
        of: the one to change.
        without: the others; None for all.

    Returns:
        float32 [D], shorter than the vector was.

    Raises:
        KinlibError: if a name is unknown, or nothing is left of the vector.
    """
    others = [name for name in vectors if name != of] if without is None else [name for name in without if name != of]
    for name in (of, *others):
        if name not in vectors:
            raise KinlibError(f"there is no attribute '{name}': {', '.join(vectors)}")
    if not others:
        return vectors[of].clone()
    basis = torch.stack([vectors[name] for name in others]).double().t()  # [D, K]
    wanted = vectors[of].double()
    rest = wanted - basis @ torch.linalg.lstsq(basis, wanted[:, None], driver="gelsd").solution[:, 0]
    if rest.norm() < 1e-3 * wanted.norm():
        raise KinlibError(f"nothing is left of '{of}' without {', '.join(others)}: take fewer")
    return rest.float()


def strength_of(coordinates: Tensor, vector: Tensor) -> np.ndarray:
    """How far faces [N, D] lie along a vector, in its lengths; [N]."""
    return (coordinates @ vector / vector.square().sum()).numpy()
