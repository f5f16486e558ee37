"""Conversion between sRGB and linear RGB, and skin albedo from melanin and haemoglobin."""

import numpy as np

__all__ = ["skin_colour", "to_linear", "to_srgb"]

# Linear RGB albedo of skin without pigments, and extinction of each pigment per unit (Beer-Lambert). Set by hand so
# that melanin 0 to 1 spans the range of human skin in daylight photographs.
BARE = np.array([0.80, 0.58, 0.41], np.float32)
MELANIN = np.array([2.15, 2.58, 2.65], np.float32)
HAEMOGLOBIN = np.array([0.05, 0.56, 0.47], np.float32)


def to_linear(colour) -> np.ndarray:
    """sRGB in 0..1 -> linear RGB, float32 of the same shape (IEC 61966-2-1)."""
    colour = np.asarray(colour, np.float32)
    return np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_srgb(light: np.ndarray) -> np.ndarray:
    """Linear RGB -> sRGB, clipped to 0..1, float32 of the same shape."""
    light = np.clip(light, 0, 1)
    curved = 1.055 * np.maximum(light, 1e-6) ** (1 / 2.4) - 0.055
    return np.where(light <= 0.0031308, 12.92 * light, curved).astype(np.float32)


def skin_colour(melanin: np.ndarray, haemoglobin: np.ndarray) -> np.ndarray:
    """Albedo float32 [..., 3], linear RGB, of skin with melanin and haemoglobin [...], both about 0..1."""
    melanin, haemoglobin = np.float32(melanin), np.float32(haemoglobin)
    return np.stack([BARE[c] * np.exp(-MELANIN[c] * melanin - HAEMOGLOBIN[c] * haemoglobin) for c in range(3)], axis=-1)
