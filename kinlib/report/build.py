"""From the report's sources to one PDF: the same sources give the same bytes."""

from pathlib import Path

from kinlib.io.files import make_folder, write_bytes
from kinlib.report.checks import problems
from kinlib.report.sources import Sources, read_sources
from kinlib.report.typesetting import KEYWORD, typeset
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

__all__ = ["build", "build_pages", "is_current", "report_path"]

PIXELS_PER_INCH = 110  # of the pages as PNG: text is legible on a screen


def report_path(root: Path | None = None) -> Path:
    """Where the report lies."""
    return (root or config.project_root()) / "report" / "report.pdf"


def build(out: Path | None = None, root: Path | None = None) -> Path:
    """Build the report and return where it was written.

    Args:
        out: file to write; `report/report.pdf` by default.
        root: the checkout.

    Raises:
        KinlibError: if Typst is missing, or `kinlib.report.checks` finds a problem: a missing or stale figure or
            number, a number typed by hand, a claim that the numbers contradict, ...
    """
    root = root or config.project_root()
    out = out or report_path(root)
    content = typeset(_checked(root), format="pdf")
    make_folder(out.parent)
    write_bytes(out, content)
    return out


def build_pages(folder: Path, root: Path | None = None) -> list[Path]:
    """Write the report's pages as PNG files and return them; raises as `build`."""
    pages = typeset(_checked(root or config.project_root()), format="png", ppi=PIXELS_PER_INCH)
    make_folder(folder)
    paths = []
    for number, page in enumerate(pages if isinstance(pages, list) else [pages], start=1):
        paths.append(folder / f"page-{number:02d}.png")
        write_bytes(paths[-1], page)
    return paths


def is_current(root: Path | None = None) -> bool:
    """Whether `report/report.pdf` was made from the sources as they are now."""
    root = root or config.project_root()
    path = report_path(root)
    wanted = (KEYWORD + read_sources(root).digest()).encode()
    return path.is_file() and wanted in path.read_bytes()


def _checked(root: Path) -> Sources:
    sources = read_sources(root)
    found = problems(sources)
    if found:
        more = f" ({len(found) - 1} more: python tests/checks/check_report.py)" if len(found) > 1 else ""
        raise KinlibError(found[0] + more)
    return sources
