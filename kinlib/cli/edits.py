"""Options that take NAME=VALUE, such as `--edit` of the commands that generate children: help, and what was given."""

from collections.abc import Iterable, Sequence

from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

__all__ = ["describe_attributes", "parse_edits"]

METAVAR = "NAME=VALUE"


def parse_edits(given: Iterable[Sequence[str]], option: str = "--edit", example: str = "smile=0.5") -> dict:
    """Values by attribute; whether the attributes exist and the values are in range is not checked here.

    Args:
        given: the words behind each `--edit`, such as [["smile=0.5", "hair_light=0.2"], ["age=8"]].
        option, example: what messages name.

    Returns:
        Numbers; what is not one stays text, for `kinlib.kinship.attributes.check_edits`, which knows words such as
        "female".

    Raises:
        KinlibError: if a word is not NAME=VALUE, or a name comes twice.
    """
    edits: dict[str, float | str] = {}
    for words in given:
        if not words:
            raise KinlibError(f"{option} needs {METAVAR}, such as {example}")
        for word in words:
            name, _, value = (part.strip() for part in word.partition("="))
            if not name or not value:
                raise KinlibError(f"{option} cannot be '{word}': it takes {METAVAR}, such as {example}")
            if name in edits:
                raise KinlibError(f"{option} names {name} twice: leave one out")
            edits[name] = _number(value)
    return edits


def describe_attributes() -> str:
    """The attributes of all presets with their ranges: "age (5 to 83), ...", or "" where no file is here to tell."""
    from kinlib.checkpoints import weights

    rows = [(row["preset"], row["role"].partition("_")) for row in weights.table()]
    published = sorted(name for preset, (role, _, name) in rows if (preset, role) == ("ffhq", "direction"))
    told = {"studio": [f"{name} ({low:g} to {high:g})" for name, (low, high) in _bundled().items()], "ffhq": published}
    return "; ".join(f"{preset}: {', '.join(names)}" for preset, names in told.items() if names)


def _bundled() -> dict[str, tuple[float, float]]:
    """Ranges of the bundled attributes by name, read without PyTorch: a help text should not have to wait for it."""
    from safetensors import SafetensorError, safe_open

    from kinlib.kinship.options import shown_range

    path = config.data_dir() / "weights" / "studio" / "directions.safetensors"
    try:
        with safe_open(path, framework="np") as file:
            names = sorted(key.removesuffix(".range") for key in file.keys() if key.endswith(".range"))  # noqa: SIM118
            return {name: shown_range(*map(float, file.get_tensor(f"{name}.range")[:2])) for name in names}
    except (OSError, SafetensorError, TypeError, ValueError):  # absent, or another file; loading it says which
        return {}


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
