"""Photographs on their way from the browser to a visit.

gradio stores every upload in a folder and leaves it there. Here the folder belongs to one server, may be entered by its
owner only, and is emptied: a file is read into memory and removed at once. gradio names uploads by their content, so
that two visitors with the same photograph have the same file: what was read is remembered for a minute, for the second
of them. Files whose visitor left before they were read are swept out after a minute, the folder goes when the server
ends, and what a killed server left behind goes when the next one starts.
"""

import contextlib
import os
import re
import shutil
import tempfile
import time
from pathlib import Path

from kinlib.runtime.errors import KinlibError

__all__ = ["PREFIX", "UploadFolder"]

PREFIX = "kinlib-page-"  # of the folders of all servers; the number of the process follows


class UploadFolder:
    """The folder of one server.

    Attributes:
        path: of the folder.
    """

    def __init__(self, parent: Path | None = None):
        """Make it, and remove those of servers that no longer run.

        Args:
            parent: where; None takes the system's folder for temporary files.
        """
        parent = Path(tempfile.gettempdir() if parent is None else parent)
        _remove_abandoned(parent)
        self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=parent)).resolve()  # mode 0700
        self._taken: dict[Path, tuple[float, bytes]] = {}  # when a file was read, and its content

    def take(self, name: str | os.PathLike) -> tuple[str, bytes]:
        """Name and content of an uploaded file, which is removed whether it can be read or not.

        Raises:
            KinlibError: if it is not in the folder, or there no longer.
        """
        path = Path(name).resolve()
        if not path.is_relative_to(self.path) or path == self.path:
            raise KinlibError("that is no uploaded file: choose the photograph again")
        try:
            self._taken[path] = time.time(), path.read_bytes()
        except OSError as error:
            if path not in self._taken:
                raise KinlibError("the uploaded file is gone: choose the photograph again") from error
        finally:
            self._remove(path)
        return path.name, self._taken[path][1]

    def sweep(self, age: float) -> None:
        """Remove what has lain here, and forget what was read, longer than `age` seconds ago."""
        limit, old = time.time() - age, []
        for path, (when, _) in list(self._taken.items()):
            if when <= limit:
                self._taken.pop(path, None)
        for path in sorted(self.path.rglob("*"), reverse=True):  # what a folder holds before the folder itself
            with contextlib.suppress(OSError):  # somebody else was faster
                old += [path] if path.lstat().st_mtime <= limit else []
        for path in old:  # in a second step: a folder is young again once something was removed from it
            with contextlib.suppress(OSError):  # or the folder is not empty
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()

    def remove(self) -> None:
        """Remove the folder with everything in it."""
        self._taken.clear()
        shutil.rmtree(self.path, ignore_errors=True)

    def _remove(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            path.unlink()
        with contextlib.suppress(OSError):
            path.parent.rmdir() if path.parent != self.path else None


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        number = re.fullmatch(rf"{PREFIX}(\d+)-.*", folder.name)
        if number and not _is_running(int(number[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)  # asks only
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True
