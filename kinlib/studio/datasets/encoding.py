"""Pictures, label maps and genomes as bytes for files."""

import io

import numpy as np
from PIL import Image

from kinlib.studio.genetics.individuals import Genomes

__all__ = ["array_to_jpeg", "array_to_png", "pack_genomes", "unpack_genome"]

FINE = 90  # JPEG quality from which the chroma is not subsampled


def array_to_jpeg(image: np.ndarray, quality: int) -> bytes:
    """A picture uint8 [H, W, 3], or [H, W] in grey, as JPEG of a quality from 1 to 95."""
    stream = io.BytesIO()
    subsampling = "4:4:4" if quality >= FINE else "4:2:0"
    Image.fromarray(image).save(stream, "JPEG", quality=quality, subsampling=subsampling, optimize=True)
    return stream.getvalue()


def array_to_png(image: np.ndarray) -> bytes:
    """Labels uint8 [H, W], or a picture [H, W, 3], as PNG."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def pack_genomes(genomes: Genomes) -> list[bytes]:
    """Alleles of each person, eight per byte; `unpack_genome` is the inverse."""
    return [np.packbits(alleles).tobytes() for alleles in genomes.alleles]


def unpack_genome(packed: bytes, num_loci: int) -> np.ndarray:
    """Alleles uint8 [2, L] of one person: row 0 from the father, row 1 from the mother."""
    # the last byte is padded
    return np.unpackbits(np.frombuffer(packed, np.uint8), count=2 * num_loci).reshape(2, num_loci)
