"""From the report's sources to one PDF: the same sources give the same bytes.

Typst sees a copy of the sources, so that what was checked is what is printed, even while a notebook runs. Only the
fonts that come with Typst are used. Photo grids go into the PDF as JPEG; their PNG files are what counts.
"""

import io
import json
import re
import tempfile
from pathlib import Path

from PIL import Image

from kinlib.io.files import make_folder, write_bytes
from kinlib.report.sources import MAIN, Sources, problems, read_sources
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

__all__ = ["build", "build_pages", "is_current", "report_path"]

TIMESTAMP = 0  # Typst's clock stands still; the date on the title page is the text's own
JPEG_QUALITY = 82  # with half the resolution in colour: nothing of it shows at the printed size
PIXELS_PER_INCH = 110  # of pages to look at
KEYWORD = "sources "  # of the PDF, before the sum of what it was made from
PANIC = re.compile(r'panicked with: "?(.*?)"?$', re.DOTALL)


def report_path(root: Path | None = None) -> Path:
    """Where the report lies."""
    return (root or config.project_root()) / "report" / "report.pdf"


def build(out: Path | None = None, root: Path | None = None) -> Path:
    """Build the report and return where it was written.

    Args:
        out: file to write; `report/report.pdf` by default.
        root: the checkout.

    Raises:
        KinlibError: if Typst is missing, or the sources have a problem: a missing or stale figure or number, a number
            typed by hand, a sentence that the numbers no longer bear out, ...
    """
    root = root or config.project_root()
    out = out or report_path(root)
    content = _compile(_sound(read_sources(root)), format="pdf")
    make_folder(out.parent)
    write_bytes(out, content)
    return out


def build_pages(folder: Path, root: Path | None = None) -> list[Path]:
    """Draw the report's pages as PNG files, to look at; raises as `build`."""
    pages = _compile(_sound(read_sources(root or config.project_root())), format="png", ppi=PIXELS_PER_INCH)
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


def _sound(sources: Sources) -> Sources:
    found = problems(sources)
    if found:
        more = f" ({len(found) - 1} more: python tests/checks/check_report.py)" if len(found) > 1 else ""
        raise KinlibError(found[0] + more)
    return sources


def _compile(sources: Sources, **options) -> bytes | list[bytes]:
    try:
        import typst
    except ImportError as error:
        raise KinlibError("Typst is not installed: run `make setup`, or `pip install typst`") from error
    with tempfile.TemporaryDirectory(prefix="kinlib-report-") as name:
        folder = Path(name)
        _lay_out(sources, folder)
        compiler = typst.Compiler(
            folder / "report" / MAIN,
            root=folder,
            font_paths=typst.Fonts(include_system_fonts=False),
            sys_inputs={"sources": KEYWORD + sources.digest()},
        )
        try:
            return compiler.compile(timestamp=TIMESTAMP, **options)
        except typst.TypstError as error:
            raise KinlibError(_sentence(error)) from error


def _lay_out(sources: Sources, folder: Path) -> None:
    """Write what Typst reads, in the places that the texts name."""
    files = {f"report/{name}": text.encode() for name, text in sources.texts.items()}
    files["report/references.bib"] = sources.bibliography.encode()
    files |= {f"report/numbers/{name}.json": json.dumps(kept).encode() for name, kept in sources.numbers.items()}
    manifest = dict(sources.manifest)
    for file, content in sources.pictures.items():
        small, packed = _for_print(file, content)
        files[f"figures/{small}"] = packed
        manifest[small] = manifest.pop(file)
    files["figures/manifest.json"] = json.dumps(manifest).encode()
    for name, content in files.items():
        make_folder((folder / name).parent)
        write_bytes(folder / name, content)


def _for_print(file: str, content: bytes) -> tuple[str, bytes]:
    """A photo grid as JPEG; everything else as it is."""
    if not file.endswith(".png"):
        return file, content
    packed = io.BytesIO()
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    picture.save(packed, "JPEG", quality=JPEG_QUALITY, subsampling="4:2:0", optimize=True)
    return f"{file.removesuffix('.png')}.jpg", packed.getvalue()


def _sentence(error: Exception) -> str:
    """What Typst complains of, in one line; our own panics say it all themselves."""
    message = " ".join(str(getattr(error, "message", error)).split())
    panic = PANIC.search(message)
    return panic[1].replace('\\"', '"') if panic else f"Typst cannot set the report: {message}"
