"""`kinlib weights`: list, fetch and verify the files of weights."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from kinlib import config
from kinlib.errors import KinlibError

__all__ = ["WeightsCommand"]


@dataclass
class WeightsCommand:
    """List, fetch or verify the files of weights."""

    action: Annotated[str, tyro.conf.Positional] = "list"
    """list, fetch or verify"""
    names: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """names from the list, or a preset; without any, fetch takes ffhq, and the others take everything"""

    def run(self) -> None:
        actions = {"list": _list_weights, "fetch": _fetch_weights, "verify": _verify_weights}
        if self.action not in actions:
            raise KinlibError(f"unknown action '{self.action}': choose list, fetch or verify")
        actions[self.action](self.names)


def _list_weights(names: tuple[str, ...]) -> None:
    from kinlib import weights

    for name in names:
        if name not in config.PRESETS:
            weights.find(name)
    for row in weights.table():
        if names and not {row["name"], row["preset"]} & set(names):
            continue
        size = f"{row['size'] / 1e6:.1f} MB" if row["size"] else "?"
        here = "here" if row["present"] else "absent"
        digest = (row["sha256"] or "not recorded")[:12]
        facts = f"{row['name']:22} {row['preset']:7} {size:>10}  {digest:12}  {here:7}"
        print(f"{facts} {row['purpose']} [{row['licence']}]")


def _fetch_weights(names: tuple[str, ...]) -> None:
    from kinlib import weights

    for name, place in weights.fetch(names or "ffhq").items():
        print(f"{name:22} {place}")


def _verify_weights(names: tuple[str, ...]) -> None:
    from kinlib import weights

    rows = weights.verify(names or None)
    for row in rows:
        print(f"{row['name']:22} {row['state']}")
    if any(row["state"] == "damaged" for row in rows):
        raise KinlibError("some files are not what they should be: delete them and fetch them again")
