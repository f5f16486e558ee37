"""Does this environment hold what kinlib needs? Run by `make setup` at its end; prints one line, or what is wrong."""

import importlib
import os
import sys
import tempfile
from importlib.metadata import distributions

NEEDED = ("cv2", "dlib", "numba", "pooch", "safetensors", "torch", "torchvision", "tyro", "deepface", "facenet_pytorch")


def cv2_providers() -> list[str]:
    """Names of the installed packages that fill the folder `cv2`; there must be exactly one."""
    names = {(found.metadata["Name"] or "").lower().replace("_", "-") for found in distributions()}
    return sorted(name for name in names if name.startswith("opencv-") and "python" in name)


def problems() -> list[str]:
    """One sentence for everything that is wrong."""
    found = []
    providers = cv2_providers()
    if len(providers) != 1:
        names = ", ".join(providers) or "none"
        found.append(
            f"cv2 must come from one package, not {len(providers)} ({names}): delete .venv, run make setup again"
        )
    names = NEEDED
    if sys.version_info < (3, 13):
        from kinlib.runtime.compat import patch_torchvision

        patch_torchvision()
        names = (*NEEDED, "basicsr.archs.rrdbnet_arch", "realesrgan")
    for name in (*names, "deepface.DeepFace"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            found.append(f"{name} does not import: {error}")
    return found


def main() -> int:
    """Print the verdict; the exit code is the number of problems."""
    # deepface makes a folder in the user's home when it is imported; a check should leave no trace there.
    with tempfile.TemporaryDirectory() as scratch:
        os.environ |= {"DEEPFACE_HOME": scratch, "DEEPFACE_LOG_LEVEL": "40"}
        found = problems()
    if found:
        print("\n".join(f"kinlib: {problem}" for problem in found), file=sys.stderr)
        return len(found)
    import torch

    gpu = "with a CUDA device" if torch.cuda.is_available() else "on the CPU"
    print(f"kinlib is ready: Python {sys.version.split()[0]}, torch {torch.__version__}, {gpu}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
