"""`make lab` in a real browser: notebook 00 opens, runs whole, and its panel answers the keyboard."""

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from run_notebooks import copy_project

from kinlib.runtime import config

PATIENCE = 300_000  # ms; a busy machine is no failure
SMOKE = json.loads((config.project_root() / "tests" / "smoke_values.json").read_text())
SLIDER = "coarse: head, pose"
NARROW = {"width": 760, "height": 1000}  # px
STEP = 0.05  # of the slider
CHILD_SHOWN = (
    "document.querySelectorAll('.jp-OutputArea-output .widget-image')[4].src"  # behind parents, reconstructions
)
# Buttons, labels and readouts whose text is wider than they are.
CUT = """root => [...root.querySelectorAll(".jupyter-button, .widget-label, .widget-readout, .widget-toggle-button")]
    .filter(one => one.offsetParent && one.scrollWidth > one.clientWidth).map(one => one.textContent)"""
# Parts of a panel that a narrow page would hide at its right edge.
HIDDEN = """root => [...root.querySelectorAll("img, button, .widget-hslider")]
    .filter(one => one.offsetParent && one.getBoundingClientRect().right > root.getBoundingClientRect().right)
    .map(one => one.className)"""
READY = """() => document.querySelector(".jp-Notebook-ExecutionIndicator")?.dataset.status === "idle"
    && document.querySelector(".jp-Toolbar-kernelName").textContent !== "No Kernel\""""
ERRORS = """[...document.querySelectorAll("[data-mime-type='application/vnd.jupyter.error']")]
    .map(one => one.textContent)"""
PROMPTS = """[...document.querySelectorAll(".jp-CodeCell .jp-InputPrompt")].map(one => one.textContent)"""
RUN = f"{PROMPTS}.every(one => /[0-9]/.test(one)) ? document.querySelectorAll('.jp-CodeCell').length : 0"


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[str]:
    """JupyterLab on a copy of the project, as `make lab` starts it; the address that it would open."""
    pytest.importorskip("jupyterlab", reason="needs JupyterLab")
    root = copy_project(tmp_path_factory.mktemp("lab"))
    makefile = (config.project_root() / "Makefile").read_text()
    notebook = re.search(r"/jupyter lab .*? (notebooks/\S+)", makefile)[1]
    forget_results(root / notebook)
    command = [sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser", "--port=0"]
    command += ["--expose-app-in-browser", f"--IdentityProvider.token={secrets.token_hex(16)}", notebook]
    places = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR", "LAB_SETTINGS_DIR", "LAB_WORKSPACES_DIR")
    folders = {f"JUPYTER{'' if name.startswith('LAB') else '_'}{name}": str(root / "own" / name) for name in places}
    with (root / "lab.log").open("w") as log:
        environment = os.environ | folders | {"PYTHONPATH": str(root)}
        server = subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=log)
    try:
        yield _address(root / "own" / "RUNTIME_DIR", server)
    finally:
        server.send_signal(signal.SIGTERM)  # it ends its kernels
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.kill()


def forget_results(path: Path) -> None:
    """A notebook that has never run, so that what is found in it afterwards is new; with the values of a short run."""
    notebook = nbformat.read(path, as_version=4)
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        cell.update(outputs=[], execution_count=None)
        if "parameters" in cell.metadata.get("tags", ()):
            cell.source += "".join(f"\n{name} = {value!r}" for name, value in SMOKE[path.stem].items())
    nbformat.write(notebook, path)


def _address(folder: Path, server: subprocess.Popen) -> str:
    """What a browser would be told to open, from the page that Jupyter writes for it."""
    end = time.monotonic() + PATIENCE / 1000
    while not (found := [*folder.glob("jpserver-file-to-run-*.html")]):
        assert server.poll() is None and time.monotonic() < end
        time.sleep(0.2)
    return re.search(r'href="(http[^"]+)"', found[0].read_text())[1]


@pytest.fixture
def page(browser, lab) -> Iterator:
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(lab)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    yield page
    context.close()


def run_all_cells(page) -> None:
    """As soon as there is a kernel, without which JupyterLab would ask for one; until all have run or one fails."""
    page.wait_for_function(READY)
    page.evaluate("() => void window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function(f"() => {ERRORS}.length || ({RUN})")
    assert page.evaluate(ERRORS) == []


def settled(page, readout) -> tuple[str, str]:
    """Where the slider stands and the child that is shown, as soon as both have rested for a second.

    A cell of the notebook moves the slider, and those moves reach the page after the cell has ended.
    """
    state, last = None, time.monotonic()
    while time.monotonic() < last + 1:
        now = (readout.text_content(), page.evaluate(CHILD_SHOWN))
        if now != state:
            state, last = now, time.monotonic()
        page.wait_for_timeout(50)
    return state


@pytest.mark.slow
def test_notebook_00_runs_whole_and_its_sliders_answer_the_keyboard(page, record_property):
    assert "/00_start_here.ipynb" in page.url
    page.wait_for_function("() => window.jupyterapp")
    run_all_cells(page)
    assert page.evaluate(RUN) > 20
    panel = page.locator(".jp-OutputArea-output", has=page.get_by_text(SLIDER)).last
    assert panel.evaluate(CUT) == []
    slider = panel.locator(".widget-hslider", has_text=SLIDER)
    readout = slider.locator(".widget-readout")
    before = settled(page, readout)
    slider.locator(".noUi-handle").focus()
    begun = time.perf_counter()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(f"before => ({CHILD_SHOWN}) !== before", arg=before[1])
    record_property("from the key to the changed child", f"{time.perf_counter() - begun:.2f} s")
    assert float(readout.text_content()) == pytest.approx(float(before[0]) - STEP)
    page.set_viewport_size(NARROW)
    page.wait_for_function("root => root.clientWidth < 760", arg=panel.element_handle())
    assert panel.evaluate(CUT) == [] and panel.evaluate(HIDDEN) == []
