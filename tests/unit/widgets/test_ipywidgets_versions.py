"""ipywidgets 7 (Colab) and 8: the panels use what both have, and work with 7 where it can be installed."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kinlib.runtime import config

ROOT = config.project_root()
SEVEN = ("ipywidgets==7.7.1", "ipython-genutils==0.2.0")
NAMES = {  # of 7.7.1, as far as the panels use them
    *("BoundedIntText", "Button", "Checkbox", "Dropdown", "FileUpload", "FloatSlider", "HBox", "HTML", "Image"),
    *("IntSlider", "Label", "Layout", "SelectionSlider", "Text", "ToggleButton", "ToggleButtons", "VBox", "Widget"),
    *("Accordion", "Box", "FloatProgress", "GridBox", "IntProgress", "IntText", "Output", "Play", "Tab", "Textarea"),
}
OF_EIGHT = {"behavior", "description_allow_html", "tabbable", "titles"}  # keywords that 7 does not know
WITH_TOOLTIP = {"Button", "ToggleButton"}  # in 7 the others call it description_tooltip


def trees() -> dict[str, ast.Module]:
    """The panels' modules by name of the file."""
    return {path.name: ast.parse(path.read_text()) for path in sorted((ROOT / "kinlib" / "widgets").glob("*.py"))}


def named(node: ast.expr) -> str | None:
    """`widgets.Button` -> "Button"; None for what is no widget."""
    is_widget = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "widgets"
    return node.attr if is_widget else None


def made() -> Iterator[tuple[str, str, set[str]]]:
    """File, widget and keywords of each widget that a panel makes."""
    for file, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (name := named(node.func)):
                yield file, name, {keyword.arg for keyword in node.keywords if keyword.arg}


def test_panels_use_what_seven_has_too():
    names = {named(node) for tree in trees().values() for node in ast.walk(tree) if isinstance(node, ast.expr)} - {None}
    assert {"Button", "FileUpload", "VBox"} <= names <= NAMES
    wrong = [(file, name, sorted(keywords & OF_EIGHT)) for file, name, keywords in made() if keywords & OF_EIGHT]
    wrong += [(file, name) for file, name, keywords in made() if "tooltip" in keywords and name not in WITH_TOOLTIP]
    assert not wrong


@pytest.mark.slow
def test_panels_work_with_seven(tmp_path):
    """Their own tests, with ipywidgets 7.7.1 in front of the installed one."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path), *SEVEN]
    if subprocess.run(command, capture_output=True, timeout=600).returncode:
        pytest.skip("no package index can be reached")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    shown = subprocess.run(
        [sys.executable, "-c", "import ipywidgets; print(ipywidgets.__version__)"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert shown.stdout.strip() == "7.7.1", shown.stderr
    tests = [str(Path(__file__).with_name(name)) for name in ("test_labels.py", "test_family_panel.py")]
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=1800)
    assert not done.returncode, done.stdout[-3000:]
