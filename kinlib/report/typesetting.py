"""Typst, run on a copy of the sources, with its own fonts and a fixed clock: the same sources give the same bytes."""

import json
import re
import tempfile
from pathlib import Path

from kinlib.io.files import make_folder, write_bytes
from kinlib.report.sources import EXPORTED, MAIN, Sources
from kinlib.runtime.errors import KinlibError

__all__ = ["KEYWORD", "notes", "typeset"]

TIMESTAMP = 0  # of the PDF; the date on the title page is written in report.typ
KEYWORD = "sources "  # of the PDF, followed by the digest of its sources


def typeset(sources: Sources, **options) -> bytes | list[bytes]:
    """Typeset the report; `options` are those of `typst.Compiler.compile`, such as `format="pdf"`.

    Raises:
        KinlibError: if Typst is missing or refuses the report.
    """
    files = sources.files
    inputs = {"sources": KEYWORD + sources.digest()}
    return _run(files, inputs, lambda compiler: compiler.compile(timestamp=TIMESTAMP, **options))


def notes(sources: Sources) -> list[tuple[str, str]]:
    """What `template.typ` finds when it checks instead of laying out pages, as pairs of kind and value.

    Kinds are "problem", "left out" (a number that an optional passage lacks) and "notebook" (the name of one that the
    report links to).

    Raises:
        KinlibError: if Typst is missing or stops at an error.
    """
    found = _run(sources.files, {"check": "yes"}, lambda compiler: compiler.query("<noted>"))
    return list(dict.fromkeys((note["value"]["kind"], note["value"]["value"]) for note in json.loads(found)))


def _run(files: dict[str, bytes], inputs: dict[str, str], work):
    try:
        import typst
    except ImportError as error:
        raise KinlibError("Typst is not installed: run `make setup`, or `pip install typst`") from error
    with tempfile.TemporaryDirectory(prefix="kinlib-report-") as folder:
        for name, content in files.items():
            make_folder((Path(folder) / name).parent)
            write_bytes(Path(folder) / name, content)
        fonts = typst.Fonts(include_system_fonts=False)
        main = Path(folder) / "report" / MAIN
        try:
            return work(typst.Compiler(main, root=folder, font_paths=fonts, sys_inputs=inputs))
        except RuntimeError as error:  # typst.TypstError, or its parent class from a query
            raise KinlibError(_sentence(error)) from error


def _sentence(error: Exception) -> str:
    """Typst's complaint in one line. Assertions of the template speak for themselves."""
    message = " ".join(str(getattr(error, "message", error)).split()).removeprefix("failed to compile document: ")
    if lost := re.search(r"numbers/(\w+)\.json", message) if "not found" in message else None:
        mend = "run `kinlib report`" if lost[1] == EXPORTED else f"run notebook {lost[1]}"
        return f"report/numbers/{lost[1]}.json is not there: {mend}"
    claimed = message.removeprefix("assertion failed: ")
    return claimed if claimed != message else f"Typst cannot set the report: {message}"
