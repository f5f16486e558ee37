"""Run the notebooks from top to bottom in fresh kernels.

    python tests/checks/run_notebooks.py --write [03 07 ...]     run in place; store outputs, figures and numbers
    python tests/checks/run_notebooks.py [03 07 ...]             run without changing the project

Stored notebooks keep the metadata that the course needs (kernel, tags) and outputs that do not depend on the machine.
"""

import argparse
import os
import re
import shutil
import sys
import time
from pathlib import Path

import nbformat
from check_notebooks import ROOT, check_all, notebooks, parameter_names, solutions

__all__ = ["clean", "copy_project", "execute", "run"]

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
COPIED = ("kinlib", "notebooks", "figures", "report")
CELL_LIMIT = 1800  # seconds for one cell, when notebooks are run for their outputs
WIDGET = "application/vnd.jupyter.widget-view+json"


def run(path: Path, cell_limit: float = CELL_LIMIT) -> nbformat.NotebookNode:
    """Run a notebook in its own folder and return it with its outputs; the file is left alone.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    folder = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=cell_limit, kernel_name="python3", resources=folder).execute()
    return notebook


def execute(path: Path, output: Path, parameters: dict, cell_limit: float, solved: bool = False) -> None:
    """Run a notebook with other parameters and write it to `output`.

    Args:
        path: of the notebook.
        output: file to write.
        parameters: values by name.
        cell_limit: seconds that one cell may take.
        solved: run the solutions to its exercises as well, behind the last cell.

    Raises:
        ValueError: the notebook has no such parameter (papermill only warns).
        papermill.PapermillExecutionError: a cell failed.
    """
    import papermill

    notebook = nbformat.read(path, as_version=4)
    unknown = set(parameters) - set(parameter_names(notebook.cells))
    if unknown:
        raise ValueError(f"{path.name} has no parameter {', '.join(sorted(unknown))}")
    if solved:
        notebook.cells += [nbformat.v4.new_code_cell(code) for _, code in solutions(notebook.cells)]
    papermill.execute_notebook(
        notebook,
        output,
        parameters=parameters,
        kernel_name="python3",
        cwd=path.parent,
        execution_timeout=int(cell_limit),
        progress_bar=False,
    )


def copy_project(folder: Path) -> Path:
    """Copy the project to a folder, with the data linked, so that notebooks can store results without changing it."""
    ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    (folder / "data").symlink_to(ROOT / "data", target_is_directory=True)
    return folder


def clean(notebook: nbformat.NotebookNode, root: Path = ROOT) -> nbformat.NotebookNode:
    """Drop pictures that are marked as private, and what differs from run to run or machine to machine.

    That is: metadata, warnings, progress bars, absolute paths.
    """
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            cell.outputs = [one for one in (_clean_output(output, root) for output in cell.outputs) if one]
    return notebook


def _clean_output(output: nbformat.NotebookNode, root: Path) -> nbformat.NotebookNode | None:
    """One output without what depends on the machine; None if nothing is left."""
    if output.output_type == "stream":
        if output.name == "stderr":
            return None
        output.text = _neutral(output.text, root)
        return output
    if output.output_type == "error":
        return output
    if output.metadata.get("private"):
        output.data = {kind: content for kind, content in output.data.items() if not kind.startswith("image/")}
    output.metadata = nbformat.from_dict({})
    output.data.pop(WIDGET, None)  # a stored notebook has no live widgets; the static picture beside it stays
    for kind, content in output.data.items():
        if isinstance(content, str) and not kind.startswith("image/"):
            output.data[kind] = _neutral(content, root)
    shown = output.data.get("text/plain", "")
    only_text = set(output.data) <= {"text/plain"}
    empty = only_text and re.match(r"$|<Figure size|\w+\(children=|(Int|Float)Progress\(", shown)
    return None if empty else output


def _neutral(text: str, root: Path) -> str:
    """Paths relative to the project or the home folder; of a line with carriage returns only its last state."""
    text = text.replace(f"{root}{os.sep}", "").replace(str(root), ".").replace(str(Path.home()), "~")
    return re.sub(r"^.*\r(?!\n)", "", text, flags=re.MULTILINE)


def _write(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write to a temporary file and rename it, so that an interrupted run leaves no half notebook."""
    temporary = path.with_suffix(".part")
    nbformat.write(notebook, temporary)
    os.replace(temporary, path)


def main() -> int:
    """Run the chosen notebooks and print how long each took."""
    parser = argparse.ArgumentParser(description="Run the notebooks.")
    parser.add_argument("numbers", nargs="*", help="such as 03; all if none is given")
    parser.add_argument("--write", action="store_true", help="store the outputs in the notebooks")
    arguments = parser.parse_args()
    chosen = [path for path in notebooks() if not arguments.numbers or path.name[:2] in arguments.numbers]
    if not chosen:
        print("there is no such notebook", file=sys.stderr)
        return 2
    if arguments.write:
        os.environ["KINLIB_STORE"] = "1"  # kernels inherit it; see `kinlib.figures.store`
    for path in chosen:
        start = time.monotonic()
        print(f"{path.name} ...", end=" ", flush=True)
        notebook = run(path)
        print(f"{time.monotonic() - start:.0f} s", flush=True)
        if arguments.write:
            _write(clean(notebook), path)
    problems = check_all(chosen) if arguments.write else []
    print("\n".join(problems), end="\n" if problems else "")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
