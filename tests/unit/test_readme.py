"""The pages a newcomer reads first: their figures are the recorded ones, and what they point to exists."""

import re
from pathlib import Path

import pytest

from kinlib import cli, config
from kinlib.training import card

ROOT = config.project_root()
PAGES = [ROOT / name for name in card.PAGES]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tables_are_made_from_the_recorded_figures(page):
    """Mend with `python -m kinlib.training.card`."""
    text = page.read_text()
    assert card.fill(text) == text
    assert card.weights_table().count("\n") > 8


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_local_links_and_pictures_exist(page):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


def test_readme_names_every_notebook_and_commands_that_exist():
    text = (ROOT / "README.md").read_text()
    for notebook in Path(ROOT, "notebooks").glob("*.ipynb"):
        assert f"notebooks/{notebook.name}" in text
    assert set(re.findall(r"bin/kinlib (\w+)", text)) <= {*cli.COMMANDS, "train"}
