"""What a prepared folder depends on, besides the pictures."""

from dataclasses import asdict, dataclass
from pathlib import Path

from kinlib.checkpoints import weights
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

__all__ = ["ALIGNED_SIZE", "FACTOR", "UPSCALING", "PrepareSettings", "network_files"]

ALIGNED_SIZE = 256  # px, what encoders take
UPSCALING = {"none": None, "bicubic": "bicubic", "network": "real-esrgan"}  # methods of kinlib.faces.upscale
DTYPES = ("float32", "float16", "bfloat16")
FACTOR = 2  # of enlarging


@dataclass(frozen=True)
class PrepareSettings:
    """How pictures are prepared.

    Attributes:
        preset: whose networks, "studio" or "ffhq".
        upscale: "none", "bicubic" or "network": how faces smaller than the crop are enlarged twice before it is cut.
        dtype: what encoder and identity network compute in, "float32", "float16" or "bfloat16".
    """

    preset: str = "studio"
    upscale: str = "none"
    dtype: str = "float32"

    def check(self) -> None:
        """Raises KinlibError if a setting is unknown."""
        config.check_preset(self.preset)
        for name, value, known in (("upscale", self.upscale, UPSCALING), ("dtype", self.dtype, DTYPES)):
            if value not in known:
                raise KinlibError(f"unknown {name} '{value}': choose one of {', '.join(known)}")

    def record(self) -> dict:
        """For the note in a prepared folder: the settings, and the networks by their SHA-256.

        Raises:
            KinlibError: if a network that is needed is not here.
        """
        files = network_files(self)
        return asdict(self) | {"networks": {role: weights.sha256(path) for role, path in files.items()}}


def network_files(settings: PrepareSettings) -> dict[str, Path]:
    """Where the networks are, by role: "encoder", and "landmarks", "identity", "upscaler" where there are any.

    Raises:
        KinlibError: if the encoder, or the upscaler asked for, is not here; the sentence says how to get it.
    """
    needed = weights.path(weights.for_role(settings.preset, "encoder").name)
    files = {
        "encoder": needed,
        # The studio's predictor serves where the published one was not fetched; nothing replaces an embedder.
        "landmarks": _if_here(settings.preset, "landmarks") or _if_here("studio", "landmarks"),
        "identity": _if_here(settings.preset, "identity"),
    }
    if settings.upscale == "network":
        from kinlib.faces.upscale import upscaler_path

        files["upscaler"] = upscaler_path(settings.preset, UPSCALING["network"], FACTOR)
    return {role: path for role, path in files.items() if path is not None}


def _if_here(preset: str, role: str) -> Path | None:
    """Where an optional network's file is."""
    try:
        return weights.path(weights.for_role(preset, role).name)
    except KinlibError:
        return None
