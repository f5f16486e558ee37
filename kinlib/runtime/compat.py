"""Repairs for libraries that lag behind their own dependencies.

Importing this module changes nothing; each repair is a function that its one user calls.
"""

import importlib
import importlib.util
import sys

__all__ = ["patch_torchvision"]


def patch_torchvision() -> None:
    """Make `torchvision.transforms.functional_tensor` importable again; call it before importing realesrgan.

    realesrgan 0.3.0 imports basicsr 1.4.2, which imports `rgb_to_grayscale` from that module. torchvision 0.17 renamed
    the module to `_functional_tensor` and left the function as it was, so it is registered under its old name. Where
    the old module still exists, and on a second call, nothing is changed.
    """
    name = "torchvision.transforms.functional_tensor"
    if name in sys.modules or importlib.util.find_spec(name) is not None:
        return
    sys.modules[name] = importlib.import_module("torchvision.transforms._functional_tensor")
