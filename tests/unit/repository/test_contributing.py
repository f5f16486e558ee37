"""CONTRIBUTING.md, followed: its walks are made in a copy of the project, and the tests that it names then pass."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kinlib.runtime import config

ROOT = config.project_root()
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
STEP = re.compile(
    r"^(?:(?P<new>New file)|(?P<end>At the end of)|In) `(?P<path>[^`]+)`"
    r"(?:, below the line with `(?P<line>.*?)`)?:\n\n"
    r"```(?:python|text)\n(?P<code>.*?)```",
    re.MULTILINE | re.DOTALL,
)
COPIED = ("kinlib", "tests", "pyproject.toml")


def section(title: str) -> str:
    """The text below one heading."""
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)[1]


def steps(title: str) -> list[re.Match]:
    """The changes of files that a section asks for, in order."""
    return list(STEP.finditer(section(title)))


def follow(title: str, copy: Path) -> list[Path]:
    """Make a section's changes in a copy of the project; returns the files."""
    changed = []
    for step in steps(title):
        path, code = copy / step["path"], step["code"]
        if step["new"]:
            assert not path.exists()
            path.write_text(code)
        elif step["end"]:
            path.write_text(f"{path.read_text()}\n\n{code}")
        else:
            lines = path.read_text().splitlines(keepends=True)
            (at, *_) = [number for number, line in enumerate(lines) if step["line"] in line]
            path.write_text("".join([*lines[: at + 1], code, *lines[at + 1 :]]))
        changed.append(path)
    return changed


def run(copy: Path, *words: str) -> subprocess.CompletedProcess:
    """Run Python in the copy, which it then imports."""
    environment = os.environ | {"PYTHONPATH": str(copy), "KINLIB_DATA": str(ROOT / "data")}
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=600)


@pytest.fixture
def copy(tmp_path) -> Path:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, tmp_path / name)
    (tmp_path / "data").symlink_to(ROOT / "data", target_is_directory=True)
    return tmp_path


def check(copy: Path, changed: list[Path], *tests: str) -> None:
    """Style after `make format`, and tests."""
    files = sorted({str(path) for path in changed if path.suffix == ".py"})
    for words in (("check", "--fix"), ("format",), ("check",), ("format", "--check")):
        done = run(copy, "-m", "ruff", *words, *files)
        assert not done.returncode, done.stdout + done.stderr
    done = run(copy, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests)
    assert not done.returncode, done.stdout[-3000:]


@pytest.mark.slow
def test_a_method_of_inheritance(copy):
    changed = follow("A method of inheritance", copy)
    assert len(changed) == 4
    check(copy, changed, "tests/unit/inheritance/test_blend.py", "tests/unit/inheritance/test_registry.py")
    told = run(copy, "-m", "kinlib.cli", "child", "--help").stdout
    assert "dominant" in told


@pytest.mark.slow
def test_a_data_set_of_families(copy):
    changed = follow("A data set of families", copy)
    assert len(changed) == 6
    check(copy, changed, "tests/unit/families/test_csv_trios.py", "tests/unit/families/test_families_sets.py")


@pytest.mark.slow
def test_an_attribute(copy):
    """Up to the training, which takes a set of renders: the table of numbers has the new column."""
    changed = follow("An attribute", copy)
    assert len(changed) == 1
    check(copy, changed, "tests/unit/training/recipes/test_recipes.py", "-k", "numbers or light or table")
    code = """
import pandas as pd
from kinlib.training.recipes.directions import attribute_table
names = "age male melanin smile yaw pitch glasses hair_light mouth_open".split()
row = dict.fromkeys(names, 0.5) | {"beard": "none", "hair_style": "buzz", "fringe": True}
assert attribute_table(pd.DataFrame([row])).loc[0, "fringe"] == 1.0
"""
    done = run(copy, "-c", code)
    assert not done.returncode, done.stderr


def test_commands_of_the_page_exist():
    from kinlib import cli
    from kinlib.training.catalogue import NETWORKS

    assert set(re.findall(r"bin/kinlib (\w+)", PAGE)) <= {*cli.COMMANDS, "train"}
    assert set(re.findall(r"kinlib train (\w+)", PAGE)) <= {*NETWORKS}
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()
    assert set(re.findall(r"`?make (\w+)", PAGE)) <= set(targets)
    for path in re.findall(r"`((?:kinlib|tests|report|docs)/[\w/]+\.\w+)`", PAGE):
        assert (ROOT / path).exists() or f"New file `{path}`" in PAGE, path
