"""Whether the report's figures, numbers, links and citations are all there, up to date, and made by a notebook.

Python checks what Typst cannot see: checksums, notebooks, the source text. `typesetting.notes` returns what the
template finds: numbers typed by hand, claims that the numbers contradict, sources not cited, figures not referred to.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from kinlib.report.sources import EXPORTED, TIMED, Sources, read_json
from kinlib.report.typesetting import notes
from kinlib.runtime.errors import KinlibError

__all__ = ["left_out", "problems"]

PACKAGE = re.compile(r'#import\s+"(@[^"]*)"')
SEMICOLON = re.compile(r"[)\]];")


def problems(sources: Sources) -> list[str]:
    """Everything that is wrong with the report, a sentence each."""
    if found := list(_packages(sources)):
        return found  # Typst would go and fetch them
    found = [problem for check in (_semicolons, _numbers, _figures) for problem in check(sources)]
    try:
        noted = notes(sources)
    except KinlibError as error:
        return [*found, str(error)]
    found += [value for kind, value in noted if kind == "problem"]
    named = [value for kind, value in noted if kind == "notebook"]
    gone = [name for name in named if not _notebook(sources.root, name).is_file()]
    return found + [f"the report names the notebook {name}, which does not exist" for name in gone]


def left_out(sources: Sources) -> list[str]:
    """Paths of the numbers that are not stored and whose optional passages are therefore left out."""
    return [value for kind, value in notes(sources) if kind == "left out"]


def _packages(sources: Sources) -> Iterator[str]:
    for name, text in sources.texts().items():
        for package in PACKAGE.findall(text):
            yield f"{name} imports {package} from the network: write what is needed in report/template.typ"


def _semicolons(sources: Sources) -> Iterator[str]:
    for name in sources.texts():
        for line, words in enumerate(sources.files[name].decode().splitlines(), start=1):
            if name.startswith("report/chapters/") and SEMICOLON.search(words):
                yield f"{name}:{line} has a semicolon behind a bracket, which Typst may take for code: write \\;"


def _numbers(sources: Sources) -> Iterator[str]:
    for name in [Path(file).stem for file in sources.files if file.startswith("report/numbers/")]:
        if name not in (EXPORTED, *TIMED) and not _calls(sources.root, name, f'save_numbers("{name}"'):
            yield f"report/numbers/{name}.json is orphaned: no notebook {name} stores it"


def _figures(sources: Sources) -> Iterator[str]:
    for file, entry in sources.figures().items():
        content, mend = sources.files.get(f"figures/{file}"), f"run notebook {entry['notebook']} again"
        if content is None:
            yield f"figures/{file} is not there: {mend}"
        elif hashlib.sha256(content).hexdigest() != sources.checksums[file]:
            yield f"figures/{file} is not what figures/manifest.json says that its notebook stored: {mend}"
        if not _calls(sources.root, entry["notebook"], f'"{Path(file).stem}"'):
            yield f"figures/{file} is orphaned: no notebook {entry['notebook']} stores it any more"


def _calls(root: Path, notebook: str, call: str) -> bool:
    """Whether a notebook's code still has the call that stores something."""
    cells = read_json(_notebook(root, notebook)).get("cells", [])
    return any(call in "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def _notebook(root: Path, name: str) -> Path:
    return root / "notebooks" / f"{name}.ipynb"
