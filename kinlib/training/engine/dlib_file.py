"""dlib's file of a shape predictor with coarser numbers, which compress well.

Nearly all of such a file are the trees' corrections to 68 points, float32 of which only the leading digits matter. A
file is a sequence of integers, each a byte (length, and the sign in the highest bit) and then so many bytes, the lowest
first. A float is two integers, mantissa and exponent (dlib's `serialize.h` and `float_details.h`).
"""

from collections.abc import Iterator

from kinlib.runtime.errors import KinlibError

__all__ = ["rounded"]

NEGATIVE = 0x80  # bit of a number's first byte that says it is negative
LENGTH = 0x0F  # bits of that byte that hold the number of bytes which follow


def rounded(content: bytes, bits: int = 16) -> bytes:
    """The file with every correction rounded to a multiple of 2^-bits of the face's side.

    Raises:
        KinlibError: if the content is no shape predictor.
    """
    try:
        numbers = list(_numbers(content))
        return b"".join(map(_written, _with_round_leaves(iter(numbers), bits)))
    except (IndexError, StopIteration, RuntimeError) as error:
        raise KinlibError("this is not the file of a dlib shape predictor") from error


def _numbers(content: bytes) -> Iterator[int]:
    place = 0
    while place < len(content):
        head = content[place]
        end = place + 1 + (head & LENGTH)
        size = int.from_bytes(content[place + 1 : end], "little")
        yield -size if head & NEGATIVE else size
        place = end


def _written(number: int) -> bytes:
    # Zero takes one byte, as dlib writes it.
    length = max(1, (abs(number).bit_length() + 7) // 8)
    return bytes([length | (NEGATIVE if number < 0 else 0)]) + abs(number).to_bytes(length, "little")


def _with_round_leaves(numbers: Iterator[int], bits: int) -> Iterator[int]:
    """The numbers with rounded leaves. Order: version, mean shape, cascades of trees (splits, leaves), the rest."""

    def some(count: int) -> Iterator[int]:
        return (next(numbers) for _ in range(count))

    yield next(numbers)
    rows, columns = next(numbers), next(numbers)  # dlib marks a matrix by negative sizes
    yield from (rows, columns, *some(2 * rows * columns))
    cascades = next(numbers)
    yield cascades
    for _ in range(cascades):
        trees = next(numbers)
        yield trees
        for _ in range(trees):
            splits = next(numbers)
            yield from (splits, *some(4 * splits))  # two pixels and a threshold
            leaves = next(numbers)
            yield leaves
            for _ in range(leaves):
                rows, columns = next(numbers), next(numbers)
                yield from (rows, columns)
                for _ in range(rows * columns):
                    yield from _rounded_float(next(numbers), next(numbers), bits)
    yield from numbers  # the anchors and offsets of the pixels that trees compare


def _rounded_float(mantissa: int, exponent: int, bits: int) -> tuple[int, int]:
    steps = round(mantissa * 2.0 ** (exponent + bits))
    return (steps, -bits) if steps else (0, 0)  # dlib's form of 0.0
