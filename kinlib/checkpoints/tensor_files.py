"""Reads tensors from checkpoint files of any origin, without ever running code that they hold."""

import argparse
import pickle
from pathlib import Path

from kinlib.checkpoints.download import is_web_page
from kinlib.runtime.errors import KinlibError

__all__ = ["file_kind", "read_tensors"]


def file_kind(path: Path) -> str:
    """Return "safetensors", "zip" (PyTorch since 1.6) or "pickle" (older PyTorch), by content rather than by suffix.

    Raises:
        KinlibError: if there is no such file, or it is something else.
    """
    if path.is_dir():
        raise KinlibError(f"{path} is a folder, not a file of weights")
    if not path.is_file():
        raise KinlibError(f"there is no file {path}")
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise KinlibError(f"{path} cannot be read: {error.strerror}") from error
    if not head:
        raise KinlibError(f"{path} is empty: get it again")
    if is_web_page(head):
        raise KinlibError(f"{path} is a web page, saved in place of the weights: download the file again")
    if head.startswith(b"version https://git-lfs"):
        raise KinlibError(f"{path} is a note of Git LFS on where the weights are: download the file itself")
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    # A safetensors file begins with the length of its header, 8 bytes whose first may be that of a pickle.
    has_header = head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= path.stat().st_size
    if head.startswith(b"\x80") and not has_header:
        return "pickle"
    if head[8:9] == b"{" or path.suffix == ".safetensors":
        return "safetensors"
    raise KinlibError(f"{path} is not a file of weights: neither PyTorch nor safetensors")


def read_tensors(path: Path) -> dict:
    """Read a PyTorch or safetensors file into the CPU's memory, mapped where the format allows it.

    Returns:
        What the file holds, by name; a file that is a single tensor comes back as {"tensor": tensor}.

    Raises:
        KinlibError: if the file is absent, damaged, not a checkpoint, or holds more than weights.
    """
    kind = file_kind(path)
    if kind == "safetensors":
        return _read_safetensors(path)
    return _read_torch(path, mapped=kind == "zip" and path.suffix != ".safetensors")


def _read_safetensors(path: Path) -> dict:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise KinlibError(f"{path} is damaged or not a file of weights: get it again") from error


def _read_torch(path: Path, mapped: bool) -> dict:
    """Open with the unpickler that knows tensors and plain containers only."""
    import torch

    try:
        # Training scripts of the time keep their settings in a Namespace, which is as harmless as a dictionary.
        with torch.serialization.safe_globals([argparse.Namespace]), path.open("rb") as file:
            # Only a path can be mapped, but of a path PyTorch trusts the suffix more than the content.
            content = torch.load(path if mapped else file, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        if "truncated" in str(error):
            raise KinlibError(f"{path} is damaged or incomplete: get it again") from error
        message = "it holds more than weights, and opening it could run code"
        raise KinlibError(f"{path} was not opened: {message}") from error
    except Exception as error:  # PyTorch answers damaged files with many kinds of exceptions
        raise KinlibError(f"{path} is damaged or not a file of weights: get it again") from error
    if isinstance(content, torch.Tensor):
        return {"tensor": content}
    if not isinstance(content, dict):
        raise KinlibError(f"{path} holds a {type(content).__name__} instead of named weights")
    return content
