"""kinlib: two parents' photographs in, plausible children out.

Importing the package is cheap: no network, no disk, no PyTorch until something is used.
"""

__version__ = "0.1.0"
__all__ = ["Kinship", "__version__"]


def __getattr__(name: str):
    if name == "Kinship":
        from kinlib.kinship import Kinship

        return Kinship
    raise AttributeError(f"module 'kinlib' has no attribute '{name}'")
