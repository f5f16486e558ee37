"""The notebooks follow the course's template, and the check detects violations of it."""

import copy
import json
import time

import check_notebooks
import nbformat
import pytest
import run_notebooks


def code(text, count, tags=(), outputs=()):
    metadata = {"tags": list(tags)} if tags else {}
    return {
        "cell_type": "code",
        "id": f"c{count}",
        "metadata": metadata,
        "source": text,
        "execution_count": count,
        "outputs": list(outputs),
    }


def text(content):
    return {"cell_type": "markdown", "id": f"m{len(content)}", "metadata": {}, "source": content}


SOLVED = """## Try it yourself

1. Count further.
2. Count back.

<details>
<summary>Solution to 2</summary>

```python
back = range(COUNT)[::-1]
assert len(back) == COUNT
```

From the end.

</details>

Next: nothing."""


GOOD = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": run_notebooks.KERNEL},
    "cells": [
        text("# 03 Keypoints\nWhere the eyes are."),
        code("# setup\nimport sys", 1),
        code("import kinlib", 2),
        code("SEED = 0  # of everything\nCOUNT = 4  # people\nSTEPS = 10  # of training", 3, tags=["parameters"]),
        code("print(1)", 4, outputs=[{"output_type": "stream", "name": "stdout", "text": "1\n"}]),
        text(SOLVED),
    ],
}


def write(tmp_path, notebook, name="03_keypoints.ipynb"):
    path = tmp_path / name
    path.write_text(json.dumps(notebook))
    return path


def picture(size):
    return {"output_type": "display_data", "metadata": {}, "data": {"image/png": "A" * size}}


def inline(size):
    html = f"<img src='data:image/png;base64,{'A' * size}'>"
    return {"output_type": "display_data", "metadata": {}, "data": {"text/html": html}}


def test_all_notebooks_are_in_order():
    paths = check_notebooks.notebooks()
    if not paths:
        pytest.skip("no notebooks yet")
    assert not check_notebooks.check_all(paths)


def test_a_good_notebook_passes(tmp_path):
    assert check_notebooks.check_all([write(tmp_path, GOOD)]) == []


def set_in(*keys):
    """Returns a function that changes one place of a notebook."""
    *path, last, value = keys

    def change(notebook):
        for key in path:
            notebook = notebook[key]
        notebook[last] = value

    return change


ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "", "traceback": []}
PRINTED = {"output_type": "stream", "name": "stdout", "text": ["saved /ho" + "me/me/x.png\n"]}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (set_in("cells", 0, "source", "# Keypoints"), "title"),
        (set_in("cells", 0, "cell_type", "raw"), "title"),
        (set_in("cells", 1, "source", "import sys"), "# setup"),
        (set_in("cells", 1, "source", "# setup\n" + "x\n" * 9), "setup cell has more"),
        (set_in("cells", 3, "metadata", {}), "tagged"),
        (set_in("cells", 3, "source", "SEED = 0  # x"), "1 parameters"),
        (set_in("cells", 3, "source", "SEED = 0  # x\ncount = 1  # y\nA = 1  # z"), "UPPER_CASE"),
        (set_in("cells", 3, "source", "SEED = 0  # x\nCOUNT = 1\nA = 1  # z"), "no comment"),
        (set_in("cells", 4, "execution_count", 5), "top to bottom"),
        (set_in("cells", 4, "execution_count", None), "top to bottom"),
        (set_in("cells", 4, "outputs", [ERROR]), "ValueError"),
        (set_in("cells", 4, "outputs", [PRINTED]), "output contains an absolute path"),
        (set_in("cells", 4, "outputs", [picture(100) | {"metadata": {"private": True}}]), "private picture"),
        (set_in("cells", 4, "outputs", [picture(210_000)]), "a picture has 157 kB"),
        (set_in("cells", 4, "outputs", [picture(190_000)] * 6), "1.14 MB"),
        (set_in("cells", 4, "source", "open('/ho" + "me/me/a.jpg')"), "absolute path"),
        (set_in("cells", 4, "source", "x = 1\n" * 31), "31 lines"),
        (set_in("cells", 4, "source", "!pip install something"), "uses ! or %"),
        (set_in("cells", 4, "metadata", {"collapsed": True}), "collapsed"),
        (set_in("cells", 4, "outputs", [inline(210_000)]), "inside HTML"),
        (set_in("cells", 5, "source", "## Summary"), "no exercises"),
        (set_in("cells", 5, "source", SOLVED.partition("<details>")[0]), "no folded solution"),
        (set_in("cells", 5, "source", SOLVED.replace("</summary>\n", "</summary>")), "not written as in"),
        (set_in("cells", 5, "source", SOLVED.replace("to 2", "to 3")), "which is no exercise"),
        (set_in("cells", 5, "source", SOLVED.replace("assert ", "assert = ")), "not Python"),
        (set_in("cells", 5, "source", SOLVED.replace("assert ", "\n" * 20)), "more than 20 lines"),
        (set_in("metadata", {}), "kernel"),
        (set_in("metadata", "language_info", {}), "language_info"),
        (set_in("cells", None), "not a notebook"),
    ],
)
def test_problems_are_found(tmp_path, change, problem):
    notebook = copy.deepcopy(GOOD)
    change(notebook)
    found = check_notebooks.check(write(tmp_path, notebook))
    assert len(found) == 1 and problem in found[0]


def test_long_cells_are_found(tmp_path):
    notebook = copy.deepcopy(GOOD)
    for cell in notebook["cells"][2::2]:
        cell["source"] = "x = 1\n" * 10
    notebook["cells"][5:5] = [code("x = 1\n" * 10, count) for count in range(5, 10)]
    assert check_notebooks.check(write(tmp_path, notebook)) == ["the median code cell has 10 lines, more than 8"]


def test_missing_outputs_are_found(tmp_path):
    notebook = copy.deepcopy(GOOD)
    del notebook["cells"][4]["outputs"]
    assert check_notebooks.check(write(tmp_path, notebook)) == ["cell 4: has no list of outputs"]


def test_setup_cells_are_compared(tmp_path):
    other = copy.deepcopy(GOOD)
    other["cells"][0]["source"] = "# 04 Upscaling"
    other["cells"][1]["source"] += "\n"
    paths = [write(tmp_path, GOOD), write(tmp_path, other, "04_upscaling.ipynb")]
    assert check_notebooks.check_all(paths) == [
        "04_upscaling.ipynb: its setup cell differs from that of 03_keypoints.ipynb"
    ]


def test_command_line(tmp_path, capsys):
    assert check_notebooks.main([str(write(tmp_path, GOOD))]) == 0
    assert check_notebooks.main([str(write(tmp_path, {}))]) == 1
    assert "is not a notebook" in capsys.readouterr().out


def test_clean_leaves_what_the_course_needs(tmp_path):
    notebook = nbformat.from_dict(copy.deepcopy(GOOD))
    notebook.metadata["papermill"] = {"duration": 1}
    cell = notebook.cells[4]
    cell.metadata = nbformat.from_dict({"execution": {"start": "now"}, "tags": ["keep"]})
    widget = {"text/plain": "IntSlider(value=1)", run_notebooks.WIDGET: {"model_id": "1"}, "image/png": "AAAA"}
    bar = {"text/plain": "HBox(children=(x))", run_notebooks.WIDGET: {"model_id": "2"}}
    cell.outputs = nbformat.from_dict(
        [
            {"output_type": "stream", "name": "stderr", "text": "a warning"},
            {"output_type": "stream", "name": "stdout", "text": f"10%\r90%\rdone: {tmp_path}/figures/a.png\nnext\r\n"},
            {"output_type": "display_data", "metadata": {"image/png": {"width": 3}}, "data": widget},
            {"output_type": "display_data", "metadata": {}, "data": bar},
            {"output_type": "display_data", "metadata": {}, "data": {"text/plain": "<Figure size 2x2>"}},
        ]
    )
    run_notebooks.clean(notebook, root=tmp_path)
    assert [output.get("text") for output in cell.outputs] == ["done: figures/a.png\nnext\r\n", None]
    assert set(cell.outputs[1].data) == {"text/plain", "image/png"}
    assert cell.metadata == {"tags": ["keep"]}
    assert check_notebooks.check(write(tmp_path, notebook)) == []


def runnable(tmp_path, last):
    notebook = copy.deepcopy(GOOD)
    notebook["cells"][2]["source"] = "import pathlib"
    notebook["cells"][4]["source"] = last
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    return write(tmp_path, notebook)


@pytest.mark.filterwarnings("ignore")
def test_running_with_other_parameters(tmp_path):
    path = runnable(tmp_path, "print(COUNT, pathlib.Path.cwd().name)")
    output = tmp_path / "out.ipynb"
    run_notebooks.execute(path, output, {"COUNT": 7}, cell_limit=60)
    assert nbformat.read(output, 4).cells[-2].outputs[0].text == f"7 {tmp_path.name}\n"
    with pytest.raises(ValueError, match="no parameter OTHER"):
        run_notebooks.execute(path, output, {"OTHER": 7}, cell_limit=60)


@pytest.mark.filterwarnings("ignore")
def test_solutions_are_run_behind_the_last_cell(tmp_path):
    path, output = runnable(tmp_path, "print(COUNT)"), tmp_path / "out.ipynb"
    run_notebooks.execute(path, output, {"COUNT": 7}, cell_limit=60, solved=True)
    last = nbformat.read(output, 4).cells[-1]
    assert last.source.startswith("back = range(COUNT)") and last.execution_count
    path.write_text(path.read_text().replace("== COUNT", "== COUNT + 1"))
    with pytest.raises(Exception, match="AssertionError"):
        run_notebooks.execute(path, output, {}, cell_limit=60, solved=True)


@pytest.mark.filterwarnings("ignore")
def test_a_cell_that_fails_or_hangs_is_reported(tmp_path):
    with pytest.raises(Exception, match="ZeroDivisionError"):
        run_notebooks.execute(runnable(tmp_path, "1 / 0"), tmp_path / "out.ipynb", {}, cell_limit=60)
    start = time.monotonic()
    with pytest.raises(Exception, match=r"timed out|CellTimeoutError"):
        run_notebooks.execute(runnable(tmp_path, "while True: pass"), tmp_path / "out.ipynb", {}, cell_limit=2)
    assert time.monotonic() - start < 60


@pytest.mark.filterwarnings("ignore")
def test_run_and_clean_make_a_good_notebook(tmp_path):
    path = runnable(tmp_path, "print(sum(range(COUNT)))\npathlib.Path.cwd()")
    notebook = run_notebooks.clean(run_notebooks.run(path, cell_limit=60), root=tmp_path)
    assert notebook.cells[4].outputs[0].text == "6\n"
    assert check_notebooks.check(write(tmp_path, notebook)) == []
