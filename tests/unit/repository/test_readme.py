"""The pages a newcomer reads first: their figures are the recorded ones, and what they point to exists."""

import dataclasses
import inspect
import re
from pathlib import Path

import pytest

from kinlib import Kinship, cli
from kinlib.checkpoints import weights
from kinlib.checkpoints.registry import size_in_words
from kinlib.cli.children import ChildCommand
from kinlib.runtime import config
from kinlib.training.cards import pages

ROOT = config.project_root()
PAGES = [ROOT / name for name in pages.PAGES]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tables_are_made_from_the_recorded_figures(page):
    """Mend with `python -m kinlib.training.cards.pages`."""
    text = page.read_text()
    assert pages.fill(text) == text


def test_readme_shows_eight_metrics_and_their_references():
    """Identification and Fréchet distance stand beside what original pictures reach."""
    head, _, *rows = pages.readme_rows().splitlines()
    assert "held-out" in head and len(rows) == 8
    assert all(re.search(r"\d", row.split("|")[2]) for row in rows)
    references = [row for row in rows if re.search(r"\((originals|other pictures of the same people): [\d.]+%?\)", row)]
    assert len(references) == 2


def test_recipe_of_the_other_preset_fetches_what_a_child_needs():
    text = (ROOT / "README.md").read_text()
    names, said = re.search(r"kinlib weights fetch ([a-z0-9_ ]+?) +# ([\d.]+ GB)", text).groups()
    assert set(names.split()) == {row["name"] for row in weights.table("child")}
    assert said == size_in_words(sum(weights.find(name).size for name in names.split()))


def test_readme_names_every_environment_variable():
    named = set(re.findall(r"`(KINLIB_\w+)`", (ROOT / "README.md").read_text()))
    assert named == set(re.findall(r"`(KINLIB_\w+)`", config.__doc__))


def test_settings_in_the_readme_exist():
    text = (ROOT / "README.md").read_text()
    table = text[text.index("### Settings") : text.index("## The studio")]
    options = re.findall(r"^\| `--([a-z-]+)", table, re.MULTILINE)
    assert {option.replace("-", "_") for option in options} == set(inspect.signature(Kinship.load).parameters)
    assert {f.name for f in dataclasses.fields(ChildCommand)} >= {option.replace("-", "_") for option in options}


def test_readme_names_every_notebook_and_commands_that_exist():
    text = (ROOT / "README.md").read_text()
    for notebook in Path(ROOT, "notebooks").glob("*.ipynb"):
        assert f"notebooks/{notebook.name}" in text
    assert set(re.findall(r"bin/kinlib (\w+)", text)) <= {*cli.COMMANDS, "train"}
