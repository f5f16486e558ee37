"""Training a network by name: what `kinlib train NAME` does."""

from importlib import import_module
from pathlib import Path

from kinlib.runtime.errors import KinlibError
from kinlib.training.catalogue import NETWORKS, settings_of
from kinlib.training.engine.settings import RecipeSettings

__all__ = ["RECIPES", "settings_of", "train"]

RECIPES = {name: tuple(network.recipe.split(":")) for name, network in NETWORKS.items()}
"""Name -> (module, settings)."""


def train(name: str, settings: RecipeSettings) -> None:
    """Train a network; `settings` is of the type that `settings_of` gives.

    Raises:
        KinlibError: if the settings cannot be used: no data, a file in the place of a folder, a batch too small.
    """
    # Checked here, before worker processes start.
    settings.check_data()
    for folder in (settings.out, getattr(settings, "run", settings.out)):
        if Path(folder).exists() and not Path(folder).is_dir():
            raise KinlibError(f"'{folder}' is a file, but a folder is needed")
    # Networks without steps have neither.
    batch, workers = getattr(settings, "batch", 1), getattr(settings, "workers", 1)
    if not 1 <= workers <= batch:
        raise KinlibError(f"--workers must be from 1 to the batch of {batch}, not {workers}")
    # Recipes are imported here: `kinlib --help` needs neither PyTorch nor dlib.
    import_module(f"kinlib.training.recipes.{RECIPES[name][0]}").train(settings)
