"""Vector helpers shared by hair and clothing."""

import numpy as np

__all__ = ["unit"]


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors [..., D] scaled to length one; zero stays zero."""
    return vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + 1e-9)  # keeps a zero vector finite
