"""kinlib: two parents' photographs in, plausible children out.

Importing the package is cheap: no network, no disk, no PyTorch until something is used.
"""

import os
import sys

# PyTorch reads this when it is first imported: large CPU tensors then lie on huge pages, and drawing 1024 px pictures
# does not wait for as many page faults. Linux only; how much it gains depends on the machine.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def _one_thread() -> None:
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


# A forked process has no copy of OpenMP's threads, and would wait for them for ever if it used more than one.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_one_thread)

__version__ = "0.1.0"
__all__ = ["Kinship", "__version__"]


def __getattr__(name: str):
    if name == "Kinship":
        from kinlib.kinship.kinship import Kinship

        return Kinship
    raise AttributeError(f"module 'kinlib' has no attribute '{name}'")
