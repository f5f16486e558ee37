"""`kinlib train NAME`: every bundled network by name."""

from importlib import import_module

import tyro

from kinlib.errors import KinlibError

__all__ = ["RECIPES", "main"]

RECIPES = {
    "identity": ("identity", "IdentitySettings"),
    "landmarks": ("landmarks", "LandmarkSettings"),
    "generator": ("generator", "GeneratorSettings"),
    "encoder": ("encoder", "EncoderSettings"),
    "pair": ("pair", "PairSettings"),
    "directions": ("directions", "DirectionSettings"),
}
"""Name -> (module, settings)."""


def main(arguments: list[str]) -> None:
    """Train the network named by the first argument, with options from its settings.

    Raises:
        KinlibError: if the name is unknown.
    """
    name = arguments[0] if arguments else ""
    if name in ("", "-h", "--help"):
        print("usage: kinlib train NAME [options]; NAME is one of " + ", ".join(RECIPES))
        return
    if name not in RECIPES:
        raise KinlibError(f"unknown network '{name}': choose one of {', '.join(RECIPES)}")
    module_name, settings_name = RECIPES[name]
    module = import_module(f"kinlib.training.{module_name}")
    module.train(tyro.cli(getattr(module, settings_name), args=arguments[1:], prog=f"kinlib train {name}"))
