"""Pictures, labels and genomes as the bytes that files hold."""

import io

import numpy as np
from PIL import Image

from kinlib.studio.genetics.individuals import Genomes

__all__ = ["as_jpeg", "as_png", "pack_genomes", "unpack_genome"]

FINE = 90  # from this quality on JPEG keeps colours at full resolution


def as_jpeg(image: np.ndarray, quality: int) -> bytes:
    """A picture uint8 [H, W, 3], or [H, W] in grey, as JPEG of a quality from 1 to 95."""
    stream = io.BytesIO()
    subsampling = "4:4:4" if quality >= FINE else "4:2:0"
    Image.fromarray(image).save(stream, "JPEG", quality=quality, subsampling=subsampling, optimize=True)
    return stream.getvalue()


def as_png(image: np.ndarray) -> bytes:
    """Labels uint8 [H, W], or a picture [H, W, 3], as PNG."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def pack_genomes(genomes: Genomes) -> list[bytes]:
    """Each person's alleles, eight to a byte; `unpack_genome` gives them back."""
    return [np.packbits(alleles).tobytes() for alleles in genomes.alleles]


def unpack_genome(packed: bytes, num_loci: int) -> np.ndarray:
    """Alleles uint8 [2, L] of one person: row 0 from the father, row 1 from the mother."""
    return np.unpackbits(np.frombuffer(packed, np.uint8), count=2 * num_loci).reshape(2, num_loci)
