"""Links of pages and notebooks: what they point to is there, and badges open the notebook that they stand in."""

import json
import re
import socket
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

import pytest

from kinlib.runtime import config

ROOT = config.project_root()
OURS = "https://github.com/kinlib/kinlib"
BLOB = re.compile(r"https://(?:colab\.research\.google\.com/github|github\.com)/kinlib/kinlib/blob/main/([^)\s\"]+)")
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\]\([^)]*\))*\]\(<?([^)\s>]+)>?\)")
ADDRESS = re.compile(r"https?://[^\s)\"'<>\]}`]+")
CODE = re.compile(r"^( *)(`{3,}).*?^\1\2 *$", re.DOTALL | re.MULTILINE)
TIMEOUT = 10  # seconds for one address


def pages() -> list[Path]:
    """All pages of text, the folders of figures and environments left out."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("data/*.md")]
    return sorted(path for path in found if path.is_file())


def notebooks() -> list[Path]:
    return sorted(ROOT.glob("notebooks/*.ipynb"))


def text_of(path: Path) -> str:
    """A page without its blocks of code; of a notebook, its cells of text."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells)
    return CODE.sub("", text)


def links(path: Path) -> list[str]:
    """The targets of a page's links and pictures, those of badges inside links included."""
    text = text_of(path)
    return [*LINK.findall(text), *re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", text)]


def headings(path: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings; the second of a name gets -1."""
    found: dict[str, int] = {}
    anchors = set()
    for line in re.findall(r"^#{1,6} +(.*?) *#*$", text_of(path), re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", line).lower()).replace(" ", "-")
        anchors.add(f"{words}-{found[words]}" if words in found else words)
        found[words] = found.get(words, 0) + 1
    return anchors


def dead(path: Path) -> list[str]:
    """A page's links to nowhere in the project."""
    missing = []
    for link in links(path):
        if urlsplit(link).scheme:
            continue
        place, _, anchor = unquote(link).partition("#")
        target = (path.parent / place).resolve() if place else path
        inside = target.exists() and target.is_relative_to(ROOT.resolve())
        if not inside or (anchor and target.suffix == ".md" and anchor not in headings(target)):
            missing.append(link)
    return missing


def external() -> dict[str, str]:
    """Addresses outside the project, each with a page that names it."""
    bibliography = ROOT / "report" / "references.bib"
    texts = {path: text_of(path) for path in [*pages(), *notebooks()]} | {bibliography: bibliography.read_text()}
    found = {url.rstrip(".,;:"): path.name for path, text in texts.items() for url in ADDRESS.findall(text)}
    return {
        url: page for url, page in sorted(found.items()) if not url.startswith(OURS) and "/kinlib/kinlib" not in url
    }


def online() -> bool:
    try:
        with socket.create_connection(("github.com", 443), timeout=2):
            return True
    except OSError:
        return False


@pytest.mark.parametrize("path", [*pages(), *notebooks()], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_local_links_lead_somewhere(path):
    assert not dead(path)


def test_dead_links_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr("test_links.ROOT", tmp_path)
    (tmp_path / "there.md").write_text("# What is it?\n\n## Twice\n\n## Twice\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](there.md) [b](there.md#what-is-it) [c](there.md#twice-1) [d](gone.md) ![e](gone.png) [f](there.md#none)\n"
        "[![badge](gone.svg)](there.md) [g](#here) [h](../outside.md) [i](https://example.org/x)\n\n"
        "```\n[j](code.md)\n```\n\n# Here\n"
    )
    assert sorted(set(dead(page))) == ["../outside.md", "gone.md", "gone.png", "gone.svg", "there.md#none"]


def test_links_to_our_own_repository_are_files_of_it():
    for path in [*pages(), *notebooks()]:
        for name in BLOB.findall(path.read_text(encoding="utf-8").replace('\\"', '"')):
            assert (ROOT / name.rstrip("\\n")).is_file(), f"{path.name} links to {name}"


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_a_badge_opens_its_own_notebook(path):
    first = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
    assert BLOB.findall(first) == [f"notebooks/{path.name}"]


def test_the_readme_has_a_badge_for_every_notebook():
    text = (ROOT / "README.md").read_text()
    badges = re.findall(r"colab-badge\.svg\)\]\(https://colab\.research\.google\.com/github/\S+?/(\w+\.ipynb)\)", text)
    assert badges == [path.name for path in notebooks()]


def test_addresses_are_well_formed():
    wrong = []
    for url in external():
        parts = urlsplit(url)
        if "." not in (parts.hostname or "") or parts.hostname.endswith(".") or ".." in url or parts.username:
            wrong.append(url)
    assert not wrong


@pytest.mark.slow
def test_addresses_answer():
    """Only what a server itself calls gone counts: many refuse programs, and some are slow."""
    if not online():
        pytest.skip("no network")
    gone = []
    for url, page in external().items():
        try:
            urlopen(Request(url, headers={"User-Agent": "Mozilla/5.0"}, method="HEAD"), timeout=TIMEOUT).close()
        except OSError as problem:
            if getattr(problem, "code", None) in (404, 410):
                gone.append(f"{page}: {url}")
    assert not gone
