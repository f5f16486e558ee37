"""What the report is made of, and whether it all fits together.

Figures are those of `figures/manifest.json`, numbers those of `report/numbers/`: each must be there, as its notebook
has stored it, and the notebook must still make it. Every source that is cited stands in `references.bib`, and the other
way round; every figure and table is spoken of.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kinlib.report.passages import lacking, look_up, without
from kinlib.report.prose import lost_semicolons, typed_numbers
from kinlib.runtime.errors import KinlibError

__all__ = ["EXPORTED", "MAIN", "Sources", "problems", "read_sources", "report_folder"]

EXPORTED = "studio"  # the numbers file that no notebook writes but `kinlib.report.exports`
MAIN = "report.typ"

COMMENT = re.compile(r"(?<!:)//[^\n]*|/\*.*?\*/", re.DOTALL)
NUMBER = re.compile(r'\b(?:number|percent|value)\(\s*"([^"]*)"\s*[,)]')
PICTURE = re.compile(r'\bpicture\(\s*"([^"]*)"')
SETTING = re.compile(r'\bsetting\(\s*"([^"]*)",\s*"([^"]*)"')
NOTEBOOK = re.compile(r'\bnotebook\(\s*"([^"]*)"')
CITED = re.compile(r'(?:cite\(<|theirs\(\s*"|\bby\(\s*"|(?<![\w@])@)([A-Za-z][\w-]*[A-Za-z0-9])(?![\w:-])')
REFERRED = re.compile(r"@((?:fig|tab):\w+)")
TABLE = re.compile(r"<(tab:\w+)>")
ENTRY = re.compile(r"^@\w+\{\s*([^,\s]+)\s*,", re.MULTILINE)
PACKAGE = re.compile(r'#import\s+"(@[^"]*)"')


@dataclass(frozen=True)
class Sources:
    """Everything that goes into the report, read once.

    Attributes:
        root: the checkout.
        texts: Typst files by their path below `report/`, without the passages whose numbers are lacking.
        bibliography: `references.bib`.
        numbers: the numbers files by name ("01_families").
        manifest: `figures/manifest.json`.
        pictures: content of the figures that the texts show, by file name; what is missing is left out.
        left_out: numbers that are lacking, and whose passages are therefore not in the texts.
    """

    root: Path
    texts: dict[str, str]
    bibliography: str
    numbers: dict[str, dict]
    manifest: dict[str, dict]
    pictures: dict[str, bytes]
    left_out: tuple[str, ...] = ()

    def found(self, pattern: re.Pattern) -> dict:
        """What a pattern's groups match outside comments, each with the file that has it first."""
        places: dict = {}
        for name, text in self.texts.items():
            for one in pattern.findall(COMMENT.sub("", text)):
                places.setdefault(one, name)
        return places

    def file_of(self, picture: str) -> str | None:
        """File name of a figure ("01_tree" -> "01_tree.png"); None if no notebook has stored it."""
        return next((file for file in self.manifest if file.rpartition(".")[0] == picture), None)

    def digest(self) -> str:
        """Sum over all that shapes the report; a report made from the same sources bears the same."""
        whole = "".join(self.texts.values())
        parts: dict[str, bytes] = {name: text.encode() for name, text in self.texts.items()}
        parts["references.bib"] = self.bibliography.encode()
        parts |= {name: json.dumps(kept).encode() for name, kept in self.numbers.items() if f'"{name}/' in whole}
        for file, content in self.pictures.items():
            made = {key: self.manifest.get(file, {}).get(key) for key in ("notebook", "parameters")}
            parts[file] = content + json.dumps(made).encode()
        digest = hashlib.sha256()
        for name in sorted(parts):
            digest.update(f"{name}\0{hashlib.sha256(parts[name]).hexdigest()}\n".encode())
        return digest.hexdigest()[:32]


def report_folder(root: Path) -> Path:
    """The folder of a checkout's report.

    Raises:
        KinlibError: if there is no report.
    """
    folder = root / "report"
    if not (folder / MAIN).is_file():
        raise KinlibError(f"there is no report to build in '{root}': run this in a checkout of the project")
    return folder


def read_sources(root: Path) -> Sources:
    """Read the report of a checkout.

    Raises:
        KinlibError: if there is no report, or a file of it is damaged.
    """
    folder = report_folder(root)
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.typ"))]
    whole = {name: (folder / name).read_text(encoding="utf-8") for name in names}
    numbers = {path.stem: _json(path) for path in sorted((folder / "numbers").glob("*.json"))}
    bibliography = folder / "references.bib"
    found = Sources(
        root,
        {name: without(text, numbers, name) for name, text in whole.items()},
        bibliography.read_text(encoding="utf-8") if bibliography.exists() else "",
        numbers,
        _json(root / "figures" / "manifest.json"),
        {},
        tuple(path for text in whole.values() for path in lacking(text, numbers)),
    )
    for picture in found.found(PICTURE):
        path = root / "figures" / (found.file_of(picture) or picture)
        if path.is_file():
            found.pictures[path.name] = path.read_bytes()
    return found


def problems(sources: Sources) -> list[str]:
    """Everything that is wrong with the sources, a sentence each."""
    checks = (_packages, _numbers, _pictures, _notebooks, _references, _mentions, _typed)
    return [problem for check in checks for problem in check(sources)]


def _packages(sources: Sources) -> Iterator[str]:
    for package, place in sources.found(PACKAGE).items():
        yield f"report/{place} imports {package} from the network: write what is needed in report/template.typ"


def _numbers(sources: Sources) -> Iterator[str]:
    for number, place in sources.found(NUMBER).items():
        name, *keys = number.split("/")
        if name not in sources.numbers:
            yield f"report/{place} reads report/numbers/{name}.json, which is not there: {_mend(name)}"
        elif not keys or look_up(sources.numbers, number) is None:
            yield f"report/{place} reads '{number}', but report/numbers/{name}.json has no such number: {_mend(name)}"
    for name in {number.split("/")[0] for number in sources.found(NUMBER)} & set(sources.numbers) - {EXPORTED}:
        if not _makes(sources.root, name, f'save_numbers("{name}"'):
            yield f"report/numbers/{name}.json was made by nobody: no notebook {name} stores it"


def _pictures(sources: Sources) -> Iterator[str]:
    for picture, place in sources.found(PICTURE).items():
        file = sources.file_of(picture)
        if file is None:
            told = f"report/{place} shows the figure '{picture}', which no notebook has stored"
            yield f"{told}: run notebook {picture[:2]}"
            continue
        entry = sources.manifest[file]
        mend = f"run notebook {entry['notebook']} again"
        if file not in sources.pictures:
            yield f"figures/{file} is not there: {mend}"
        elif hashlib.sha256(sources.pictures[file]).hexdigest() != entry["sha256"]:
            yield f"figures/{file} is not what figures/manifest.json says that its notebook stored: {mend}"
        if not _makes(sources.root, entry["notebook"], f'"{picture}"'):
            yield f"figures/{file} was made by nobody: no notebook {entry['notebook']} stores it any more"
    for (picture, key), place in sources.found(SETTING).items():
        if key not in sources.manifest.get(sources.file_of(picture), {}).get("parameters", {}):
            yield f"report/{place} names the setting '{key}' of '{picture}', which its notebook did not store"


def _notebooks(sources: Sources) -> Iterator[str]:
    for name, place in sources.found(NOTEBOOK).items():
        if not (sources.root / "notebooks" / f"{name}.ipynb").is_file():
            yield f"report/{place} names the notebook {name}, which does not exist"


def _references(sources: Sources) -> Iterator[str]:
    listed, cited = set(ENTRY.findall(sources.bibliography)), sources.found(CITED)
    for key in sorted(set(cited) - listed):
        yield f"report/{cited[key]} cites '{key}', which report/references.bib does not have"
    for key in sorted(listed - set(cited)):
        yield f"report/references.bib has '{key}', which nothing cites: leave it out"


def _mentions(sources: Sources) -> Iterator[str]:
    shown = {f"fig:{picture}": place for picture, place in sources.found(PICTURE).items()} | sources.found(TABLE)
    referred = sources.found(REFERRED)
    for label in sorted(set(shown) - set(referred)):
        yield f"report/{shown[label]} shows {label}, but no sentence refers to it: write @{label} where it is spoken of"


def _typed(sources: Sources) -> Iterator[str]:
    for name, text in sources.texts.items():
        for line in lost_semicolons(text):
            yield f"report/{name}:{line} has a semicolon behind a function, where it is not printed: write \\;"
        for line, typed in typed_numbers(text):
            yield (
                f"report/{name}:{line} has the number {typed} typed by hand: "
                'read it with #number("file/key"), or mark it #theirs("source")[...]'
            )


def _makes(root: Path, notebook: str, call: str) -> bool:
    """Whether a notebook's code still has the call that stores something."""
    path = root / "notebooks" / f"{notebook}.ipynb"
    if not path.is_file():
        return False
    cells = _json(path).get("cells", [])
    return any(call in "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def _mend(name: str) -> str:
    return "run `kinlib report`" if name == EXPORTED else f"run notebook {name}"


def _json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise KinlibError(f"'{path}' cannot be read: run the notebooks that write it again") from error
