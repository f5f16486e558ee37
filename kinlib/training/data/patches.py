"""Training data of the upscaler: random patches of photographs in two sizes, the small ones degraded."""

from dataclasses import dataclass

import cv2
import numpy as np

from kinlib.evaluation.preprocessing.size_pairs import FACTOR, SizePair
from kinlib.faces.degrade import Degradation, compress_pixels, reduce
from kinlib.runtime.errors import KinlibError

__all__ = ["Batch", "Patches"]

JPEG_QUALITIES = (60.0, 95.0)  # around the 85 of the family photographs
FACES = 0.7  # share of patches around a landmark; a face covers little of a photograph, and is what is looked at

Batch = tuple[np.ndarray, np.ndarray]  # small and large patches, uint8 [B, P, P, 3] and [B, 4 P, 4 P, 3]


@dataclass(frozen=True)
class Patches:
    """Random patches of photographs, small and large.

    Attributes:
        size: side of the small patches in pixels.
        strength: of the degradation, see `Degradation`.
        rendered: share of small patches from small renders; the others are degraded large ones.
        clean: reduce all large patches without degradation instead, as ESRGAN was trained.
    """

    size: int = 40
    strength: float = 0.6
    rendered: float = 0.5
    clean: bool = False

    def __call__(self, pairs: list[SizePair], rng: np.random.Generator) -> Batch:
        """One patch of each photograph."""
        smalls, larges = zip(*[self._patch(pair, rng) for pair in pairs], strict=True)
        return np.stack(smalls), np.stack(larges)

    def _patch(self, pair: SizePair, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        left, top = self._corner(pair, rng)
        large = pair.large[top * FACTOR : (top + self.size) * FACTOR, left * FACTOR : (left + self.size) * FACTOR]
        if self.clean:
            small = reduce(large, FACTOR)
        elif rng.random() < self.rendered:
            small = pair.small[top : top + self.size, left : left + self.size]
            small = compress_pixels(small, int(rng.uniform(*JPEG_QUALITIES)))
        else:
            small = Degradation(FACTOR, self.strength)(large, rng)
        if rng.random() < 0.5:  # mirrored
            small, large = cv2.flip(small, 1), cv2.flip(large, 1)
        return small, large

    def _corner(self, pair: SizePair, rng: np.random.Generator) -> np.ndarray:
        """Left and top, whole pixels of the small picture."""
        # largest left and top at which the patch still fits
        most = np.array([pair.small.shape[1], pair.small.shape[0]]) - self.size
        if most.min() < 0:
            raise KinlibError(
                f"the small photographs are smaller than the patches of {self.size} px: render larger ones"
            )
        if rng.random() < FACES:
            # The landmark lies in the middle 60% of the patch.
            wanted = pair.landmarks[rng.integers(68)] - rng.uniform(0.2, 0.8, 2) * self.size
        else:
            wanted = rng.uniform(0, most + 1)
        return np.clip(wanted.astype(int), 0, most)
