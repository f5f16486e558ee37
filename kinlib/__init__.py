"""kinlib: two parents' photographs in, plausible children out.

Importing the package is cheap: no network, no disk, no PyTorch until something is used.
"""

import os

# PyTorch reads this when it is first imported: large CPU tensors then lie on huge pages, and drawing 1024 px pictures
# does not wait for as many page faults. Linux only; how much it gains depends on the machine.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

__version__ = "0.1.0"
__all__ = ["Kinship", "__version__"]


def __getattr__(name: str):
    if name == "Kinship":
        from kinlib.kinship.kinship import Kinship

        return Kinship
    raise AttributeError(f"module 'kinlib' has no attribute '{name}'")
