"""Files from a FileUpload, whose value is a dictionary in ipywidgets 7 and a tuple in 8."""

from collections.abc import Mapping, Sequence

from kinlib.runtime.errors import KinlibError

__all__ = ["uploaded"]


def uploaded(value: Mapping | Sequence) -> tuple[str, bytes]:
    """Name and content of the newest file of a FileUpload's value.

    Raises:
        KinlibError: if there is none.
    """
    if not value:
        raise KinlibError("no photograph was uploaded")
    if isinstance(value, Mapping):  # {name: {"metadata": ..., "content": bytes}}
        name, entry = list(value.items())[-1]
    else:  # ({"name": ..., "content": memoryview, ...},)
        entry = value[-1]
        name = entry["name"]
    return name, bytes(entry["content"])
