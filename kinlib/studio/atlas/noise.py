"""Unevenness of skin as tileable fields: whoever shifts one around its border gets another person's skin."""

import numpy as np
from scipy.ndimage import gaussian_filter

__all__ = ["NOISE", "paint_noise"]

# Sizes of what a field keeps, as (finest, coarsest) standard deviations in 1/512 of the map.
BANDS = {"pore": (0.45, 1.5), "fine": (0.9, 3.3), "middle": (3.3, 13.0), "low": (12.0, 47.0)}
NOISE = (*BANDS, "freckles")
FRECKLES = 2600


def paint_noise(size: int) -> dict[str, np.ndarray]:
    """Fields float32 [size, size]: each band with mean 0 and variance 1; "freckles" 0 (bare skin) to 1."""
    rng = np.random.default_rng(1)
    fields = {name: _band(rng, size, *(sigma * size / 512 for sigma in band)) for name, band in BANDS.items()}
    return fields | {"freckles": _freckles(rng, size)}


def _band(rng: np.random.Generator, size: int, finest: float, coarsest: float) -> np.ndarray:
    white = rng.normal(size=(size, size)).astype(np.float32)
    field = gaussian_filter(white, finest, mode="wrap") - gaussian_filter(white, coarsest, mode="wrap")
    field = np.clip((field - field.mean()) / field.std(), -4, 4)
    return ((field - field.mean()) / field.std()).astype(np.float32)


def _freckles(rng: np.random.Generator, size: int) -> np.ndarray:
    """Round spots with soft borders; most are small and pale."""
    field = np.zeros((size, size), np.float32)
    grid = np.arange(size, dtype=np.float32)
    for _ in range(FRECKLES):
        row, column = rng.uniform(0, size, 2)
        radius = size / 512 * rng.lognormal(-0.1, 0.35)
        reach = int(np.ceil(3 * radius))
        rows = (int(row) + np.arange(-reach, reach + 1)) % size
        columns = (int(column) + np.arange(-reach, reach + 1)) % size
        down = (grid[rows] - row + size / 2) % size - size / 2
        right = (grid[columns] - column + size / 2) % size - size / 2
        spot = rng.uniform(0.25, 1) * np.exp(-(((down[:, None] ** 2 + right**2) / radius**2) ** 1.5))
        field[np.ix_(rows, columns)] = np.maximum(field[np.ix_(rows, columns)], spot)
    return field
