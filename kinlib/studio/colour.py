"""Colours: between sRGB and linear light, and the colour of skin from its two pigments."""

import numpy as np

__all__ = ["skin_colour", "to_linear", "to_srgb"]

# Linear RGB of skin without pigments, and how fast each pigment takes light away (Beer-Lambert). Chosen by hand so that
# melanin 0 to 1 runs through the range of human skin in daylight photographs.
BARE = np.array([0.80, 0.58, 0.41], np.float32)
MELANIN = np.array([2.15, 2.58, 2.65], np.float32)
HAEMOGLOBIN = np.array([0.05, 0.56, 0.47], np.float32)


def to_linear(colour) -> np.ndarray:
    """sRGB in 0..1 -> linear light, float32 (IEC 61966-2-1)."""
    colour = np.asarray(colour, np.float32)
    return np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_srgb(light: np.ndarray) -> np.ndarray:
    """Linear light -> sRGB, clipped to 0..1, float32."""
    light = np.clip(light, 0, 1)
    curved = 1.055 * np.maximum(light, 1e-6) ** (1 / 2.4) - 0.055
    return np.where(light <= 0.0031308, 12.92 * light, curved).astype(np.float32)


def skin_colour(melanin: np.ndarray, haemoglobin: np.ndarray) -> np.ndarray:
    """Albedo [..., 3], linear RGB, of skin with melanin and haemoglobin [...] in about 0..1."""
    melanin, haemoglobin = np.float32(melanin), np.float32(haemoglobin)
    return np.stack([BARE[c] * np.exp(-MELANIN[c] * melanin - HAEMOGLOBIN[c] * haemoglobin) for c in range(3)], axis=-1)
