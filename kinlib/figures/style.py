"""The style of all figures, and figures as bytes of limited size."""

import io
import re
from collections.abc import Sequence
from pathlib import Path

import matplotlib.style
from matplotlib.figure import Figure
from PIL import Image

__all__ = [
    "MAX_PREVIEW",
    "PRINT",
    "SCREEN",
    "STYLE",
    "Plot",
    "as_jpeg",
    "as_png",
    "as_svg",
    "pixels",
    "subplots",
    "use_style",
]

STYLE = ["default", str(Path(__file__).with_name("kinlib.mplstyle"))]
MAX_PREVIEW = 150_000  # bytes of a picture in a notebook
# Tried in this order until a picture is small enough: dpi, and dpi with quality
SCREEN = (110, 90, 75, 60)
PRINT = ((150, 80), (120, 80), (95, 80), (75, 80))  # by eye at the printed size
JPEG_STEPS = ((110, 88), (110, 75), (110, 60), (90, 75), (90, 60), (75, 60), (60, 40))


class Plot(Figure):
    """A figure that notebooks display without pyplot."""

    def jpeg(self, limit: int = MAX_PREVIEW) -> bytes:
        """The figure as JPEG of at most `limit` bytes."""
        return as_jpeg(self, limit)

    def _repr_png_(self) -> bytes:
        return as_png(self, MAX_PREVIEW)


def use_style() -> None:
    """Make the course's style the default of this session, for notebooks that use pyplot directly."""
    matplotlib.style.use(STYLE[1])


def subplots(rows: int = 1, columns: int = 1, size: tuple[float, float] | None = None, **options):
    """A figure in the course's style with its axes, like pyplot's `subplots`.

    Args:
        rows, columns: number of axes.
        size: inches; None takes the style's.
        options: for `Figure.subplots`, such as sharey or width_ratios.

    Returns:
        (figure, axes); axes is a single one, or an array.
    """
    with matplotlib.style.context(STYLE):
        figure = Plot(figsize=size)
        return figure, figure.subplots(rows, columns, **options)


def pixels(figure: Figure, dpi: float) -> Image.Image:
    """The figure as an RGB picture."""
    buffer = io.BytesIO()
    with matplotlib.style.context(STYLE):
        figure.savefig(buffer, format="png", dpi=dpi, facecolor="white")
    return Image.open(buffer).convert("RGB")


def as_png(figure: Figure, limit: int, dpis: Sequence[float] = SCREEN) -> bytes:
    """PNG of at most `limit` bytes, at the highest of `dpis` that fits; with a palette if true colour does not."""
    content = b""
    for dpi in dpis:
        picture = pixels(figure, dpi)
        content = _encoded(picture, "PNG")
        if len(content) > limit:
            content = _encoded(picture.quantize(256, dither=Image.Dither.FLOYDSTEINBERG), "PNG")
        if len(content) <= limit:
            break
    return content


def as_jpeg(figure: Figure, limit: int, steps: Sequence[tuple[float, int]] = JPEG_STEPS) -> bytes:
    """JPEG of at most `limit` bytes, at the first of the resolutions (dpi) and qualities that fits."""
    content = b""
    for dpi, quality in steps:
        content = _encoded(pixels(figure, dpi), "JPEG", quality=quality, optimize=True)
        if len(content) <= limit:
            break
    return content


def as_svg(figure: Figure) -> bytes:
    """SVG without date and version, with text as outlines, and places to a hundredth of a point."""
    buffer = io.BytesIO()
    with matplotlib.style.context(STYLE):
        figure.savefig(buffer, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})
    return _shortened(buffer.getvalue())


def _shortened(svg: bytes) -> bytes:
    """The same with fewer digits and without indentation, a tenth shorter; scales and other attributes stay."""
    coordinates = re.compile(rb' (?:d|x|y|points)="[^"]*"')
    digits = re.compile(rb"-?\d+\.\d{3,}")
    short = coordinates.sub(lambda found: digits.sub(_hundredths, found[0]), svg)
    return re.sub(rb"\n +", b"\n", short)


def _hundredths(number: re.Match[bytes]) -> bytes:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".").encode()


def _encoded(picture: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()
