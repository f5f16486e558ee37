"""Every bundled network by name, with the settings of its training: what `kinlib train NAME` offers."""

from importlib import import_module
from pathlib import Path

from kinlib.errors import KinlibError

__all__ = ["RECIPES", "settings_of", "train"]

RECIPES = {
    "identity": ("identity", "IdentitySettings"),
    "landmarks": ("landmarks", "LandmarkSettings"),
    "generator": ("generator", "GeneratorSettings"),
    "encoder": ("encoder", "EncoderSettings"),
    "restyle": ("restyle", "RestyleSettings"),
    "pair": ("pair", "PairSettings"),
    "directions": ("directions", "DirectionSettings"),
    "parsing": ("parsing", "ParsingSettings"),
    "demography": ("demography", "DemographySettings"),
    "upscaler": ("upscaler", "UpscalerSettings"),
    "upscaler_esrgan": ("upscaler", "EsrganSettings"),
}
"""Name -> (module, settings)."""


def settings_of(name: str) -> type:
    """The dataclass with the settings of one network.

    Raises:
        KinlibError: if the name is unknown.
    """
    if name not in RECIPES:
        raise KinlibError(f"unknown network '{name}': choose one of {', '.join(RECIPES)}")
    module, settings = RECIPES[name]
    return getattr(import_module(f"kinlib.training.{module}"), settings)


def train(name: str, settings) -> None:
    """Train a network; `settings` is of the type that `settings_of` gives.

    Raises:
        KinlibError: if a folder in the settings cannot be used.
    """
    # Checked here, before worker processes start: what goes wrong in them arrives as a traceback.
    if not any(Path(settings.data).glob("*.parquet")):
        raise KinlibError(f"there is no *.parquet file with training pictures in '{settings.data}'")
    for folder in (settings.out, getattr(settings, "run", settings.out)):
        if Path(folder).exists() and not Path(folder).is_dir():
            raise KinlibError(f"'{folder}' is a file, but a folder is needed")
    import_module(f"kinlib.training.{RECIPES[name][0]}").train(settings)
