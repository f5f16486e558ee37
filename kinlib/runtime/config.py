"""Where things are, which device to use, and how a notebook starts.

Importing this module touches neither disk nor network. Paths follow from the location of this file; environment
variables change them:

- `KINLIB_DATA`    the bundled data (default: `data/` beside the package, or in it when installed from a wheel)
- `KINLIB_CACHE`   downloads and other files that can be created again (default: `~/.cache/kinlib`)
- `KINLIB_ICT_DIR` the studio's head model, where it need not be downloaded (see `kinlib.studio.head.model`)
- `KINLIB_PRESET`  the preset that notebooks use (default: `studio`)
- `KINLIB_FAMILY101` the folder of Family101, where notebooks are to use it instead of the studio's families
"""

import os
import platform
import random
import subprocess
import tempfile
from pathlib import Path

from kinlib.runtime.errors import KinlibError

__all__ = ["PRESETS", "cache_dir", "check_preset", "commit", "data_dir", "default_preset", "families_dir"]
__all__ += ["pick_device", "project_root", "start"]

PRESETS = ("studio", "ffhq")


def project_root() -> Path:
    """The checkout that holds this package."""
    return Path(__file__).resolve().parents[2]


def data_dir() -> Path:
    """Folder of the bundled data and weights."""
    return Path(os.environ.get("KINLIB_DATA") or project_root() / "data")


def families_dir() -> Path:
    """Folder of the families that notebooks explore: Family101 where `KINLIB_FAMILY101` names it, else the studio's."""
    return Path(os.environ.get("KINLIB_FAMILY101") or data_dir() / "studio" / "families")


def cache_dir() -> Path:
    """Folder for downloads; created by whoever writes into it, not here.

    Where the home is missing or read-only (a container's bare user number), it is a temporary folder of that user.
    """
    if named := os.environ.get("KINLIB_CACHE"):
        return Path(named)
    try:
        folder = Path.home() / ".cache" / "kinlib"
    except RuntimeError:  # neither HOME nor an entry in the table of users
        folder = None
    if folder and (os.path.exists(folder) or _can_make(folder)):  # one that is filled and read-only serves as well
        return folder
    return Path(tempfile.gettempdir()) / f"kinlib-{os.getuid() if hasattr(os, 'getuid') else 'cache'}"


def _can_make(folder: Path) -> bool:
    """Whether the nearest folder above that exists may be written to."""
    return os.access(next(one for one in folder.parents if os.path.exists(one)), os.W_OK)


def default_preset() -> str:
    """The preset named by `KINLIB_PRESET`, or `studio`: for notebooks and their panels.

    Functions take `studio` unless they are told otherwise, so that what they give does not depend on the environment.
    """
    return check_preset(os.environ.get("KINLIB_PRESET") or "studio")


def check_preset(name: str) -> str:
    """Return `name` if it is a preset.

    Raises:
        KinlibError: if it is not.
    """
    if name not in PRESETS:
        raise KinlibError(f"unknown preset '{name}': choose one of {', '.join(PRESETS)}")
    return name


def pick_device(device=None):
    """The `torch.device` asked for, or the best one there is (CUDA, else CPU).

    Raises:
        KinlibError: if there is no such device here.
    """
    import torch

    if device is not None:
        try:
            torch.empty(0, device=device)
            return torch.device(device)
        except (RuntimeError, AssertionError, TypeError) as error:  # what a build without CUDA raises differs
            raise KinlibError(f"the device '{device}' is not available here: use cpu, or leave it out") from error
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def start(seed: int = 0) -> None:
    """Seed Python, NumPy and PyTorch, and print what a reader needs to reproduce a notebook's figures."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, device {pick_device()}, "
        f"preset {default_preset()}, seed {seed}, kinlib {commit()}"
    )


def commit() -> str:
    """Short commit of the checkout, or the version where there is no checkout."""
    from kinlib import __version__

    command = ["git", "-C", str(project_root()), "rev-parse", "--short", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return __version__
    return found.stdout.strip() if found.returncode == 0 else __version__
