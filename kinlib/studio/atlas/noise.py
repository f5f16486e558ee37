"""Tileable noise fields for uneven skin; a cyclic shift gives the field of another person."""

import numpy as np
from scipy.ndimage import gaussian_filter

__all__ = ["NOISE", "paint_noise"]

# Band-pass limits of each field: (finest, coarsest) standard deviation of the Gaussians, in 1/512 of the map.
BANDS = {"pore": (0.45, 1.5), "fine": (0.9, 3.3), "middle": (3.3, 13.0), "low": (12.0, 47.0)}
NOISE = (*BANDS, "freckles")
FRECKLES = 2600  # spots on the whole map


def paint_noise(size: int) -> dict[str, np.ndarray]:
    """Fields float32 [size, size]: each band with mean 0 and variance 1; "freckles" 0 (bare skin) to 1."""
    rng = np.random.default_rng(1)
    fields = {name: _band(rng, size, *(sigma * size / 512 for sigma in band)) for name, band in BANDS.items()}
    return fields | {"freckles": _freckles(rng, size)}


def _band(rng: np.random.Generator, size: int, finest: float, coarsest: float) -> np.ndarray:
    """White noise through a difference of Gaussians, clipped at 4 sd: float32 [size, size], mean 0, variance 1."""
    white = rng.normal(size=(size, size)).astype(np.float32)
    field = gaussian_filter(white, finest, mode="wrap") - gaussian_filter(white, coarsest, mode="wrap")
    field = np.clip((field - field.mean()) / field.std(), -4, 4)
    return ((field - field.mean()) / field.std()).astype(np.float32)


def _freckles(rng: np.random.Generator, size: int) -> np.ndarray:
    """Round spots with soft borders, float32 [size, size] in 0..1; most are small and pale."""
    field = np.zeros((size, size), np.float32)
    grid = np.arange(size, dtype=np.float32)
    for _ in range(FRECKLES):
        row, column = rng.uniform(0, size, 2)
        radius = size / 512 * rng.lognormal(-0.1, 0.35)  # texels; median 0.9
        reach = int(np.ceil(3 * radius))
        rows = (int(row) + np.arange(-reach, reach + 1)) % size
        columns = (int(column) + np.arange(-reach, reach + 1)) % size
        # offsets from the centre, wrapped at the border
        down = (grid[rows] - row + size / 2) % size - size / 2
        right = (grid[columns] - column + size / 2) % size - size / 2
        # [k, k], a super-Gaussian: flat centre, soft border
        spot = rng.uniform(0.25, 1) * np.exp(-(((down[:, None] ** 2 + right**2) / radius**2) ** 1.5))
        field[np.ix_(rows, columns)] = np.maximum(field[np.ix_(rows, columns)], spot)
    return field
