"""The map from documents to code is true, the citation is valid, and the changelog names what there is."""

import re
from pathlib import Path

import pytest
import yaml

import kinlib
from kinlib import cli
from kinlib.inheritance import registry
from kinlib.runtime import config

ROOT = config.project_root()
MAP = ROOT / "docs" / "sources.md"
DOCUMENTS = ("The student report", "StyleGene", "The essay on a genetic search", "The attention paper", "ComboLoss")


def linked(text: str) -> list[Path]:
    """The files and folders that a piece of the map links to."""
    return [(MAP.parent / target).resolve() for target in re.findall(r"\]\((\.\.?/[^)#]+)", text)]


def rows() -> list[list[str]]:
    """The rows of the map that have all five columns: section, what, code, notebook, tests."""
    lines = [line.strip("| ").split(" | ") for line in MAP.read_text().splitlines() if line.startswith("| ")]
    return [cells for cells in lines if len(cells) == 5 and cells[0] != "section"]


def test_the_map_has_all_five_documents_in_order():
    heads = re.findall(r"^## \d\. (.+)$", MAP.read_text(), re.MULTILINE)
    assert tuple(heads) == DOCUMENTS


def test_every_path_of_the_map_exists():
    missing = [path for path in linked(MAP.read_text()) if not path.exists()]
    assert not missing


def test_every_package_and_notebook_is_on_the_map():
    found = set(linked(MAP.read_text()))
    packages = [path.parent for path in ROOT.glob("kinlib/*/__init__.py")]
    absent = [path.name for path in packages if not any(one.is_relative_to(path) for one in found)]
    absent += [path.name for path in ROOT.glob("notebooks/*.ipynb") if path not in found]
    assert not absent


@pytest.mark.parametrize("row", rows(), ids=lambda row: re.sub(r"\W+", "_", f"{row[0]}_{row[1]}")[:60])
def test_a_row_has_code_a_notebook_and_tests_of_that_code(row):
    """A test belongs to the row if it imports one of the row's modules."""
    code, notebooks, tests = (linked(cell) for cell in row[2:])
    assert code and notebooks and tests
    assert all(path.is_relative_to(ROOT / "kinlib") for path in code)
    assert all(path.suffix == ".ipynb" for path in notebooks)
    names = [path.stem for path in code] + [path.parent.name for path in code]
    for test in tests:
        text = test.read_text()
        assert any(re.search(rf"\b{name}\b", text) for name in names), f"{test.name} has nothing of {names}"


def test_the_citation_is_valid():
    """The required keys of the Citation File Format 1.2.0, and the version that is here."""
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "title", "message", "authors", "version", "license"} <= cited.keys()
    assert cited["cff-version"] == "1.2.0" and cited["version"] == kinlib.__version__
    assert len([one for one in cited["references"] if one["type"] != "generic"]) >= 4
    for one in [cited, *cited["references"]]:
        assert one["title"] and all("name" in author or "family-names" in author for author in one["authors"])
    for one in cited["references"]:
        assert {"type", "title", "authors"} <= one.keys()


def test_the_changelog_is_of_this_version_and_names_methods_and_commands():
    text = (ROOT / "CHANGELOG.md").read_text()
    assert re.findall(r"^## ([\d.]+)", text, re.MULTILINE)[0] == kinlib.__version__
    named = set(re.findall(r"`(\w+)`", text))
    assert set(registry.names()) <= named
    assert set(re.findall(r"`kinlib (\w+)", text)) == {*cli.COMMANDS, "train"} - {"weights"}
