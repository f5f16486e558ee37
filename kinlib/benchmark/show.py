"""A result of the benchmark as a table of text and as a plot, among the bundled methods."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kinlib.evaluation.heredity.board import FLOOR, HEADS
from kinlib.io.files import write_bytes

if TYPE_CHECKING:
    from kinlib.figures import Plot

__all__ = ["plot", "table", "write_plot"]

MOST_BYTES = 10_000_000  # of a plot: no limit in effect
Entries = Mapping[str, Mapping[str, list[float]]]


def table(entries: Entries, mine: str) -> str:
    """Lines of text: one method a line, best first, the entry marked; intervals of the energy distance."""
    rows = [("method", *HEADS.values())]
    for name, row in _in_order(entries):
        cells = [_cell(row.get(measure), measure == "energy_distance") for measure in HEADS]
        rows.append((f"> {name}" if name == mine else f"  {name}", *cells))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def plot(entries: Entries, mine: str) -> "Plot":
    """Energy distances with their intervals, best at the top; the floor is hollow, the entry is coloured."""
    from kinlib import figures

    rows = _in_order(entries)[::-1]
    figure, axes = figures.subplots(size=(6.3, 0.8 + 0.28 * len(rows)))
    for height, (name, row) in enumerate(rows):
        value, low, high = row["energy_distance"]
        colour = "C1" if name == mine else "C0"
        axes.plot([low, high], [height, height], "-", color=colour)
        axes.plot(value, height, "o", color=colour, markerfacecolor="white" if name == FLOOR else colour)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.set_xlim(left=0)
    axes.set_xlabel("energy distance to the true children (95% interval over couples)")
    axes.grid(axis="y", visible=False)
    return figure


def write_plot(figure: "Plot", path: Path) -> None:
    """Write a plot as .png or .svg; raises as `kinlib.io.files.write_bytes`."""
    from kinlib.figures.style import as_png, as_svg

    write_bytes(path, as_svg(figure) if path.suffix.casefold() == ".svg" else as_png(figure, MOST_BYTES, (150,)))


def _in_order(entries: Entries) -> list[tuple[str, Mapping[str, list[float]]]]:
    return sorted(entries.items(), key=lambda entry: entry[1]["energy_distance"][0])


def _cell(interval: list[float] | None, whole: bool) -> str:
    if interval is None:
        return "-"
    value, low, high = interval
    return f"{value:.3f} [{low:.3f}, {high:.3f}]" if whole else f"{value:.3f}"
