"""`kinlib weights`: list, fetch and verify the files of weights."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    from kinlib.checkpoints.registry import Checkpoint

__all__ = ["WeightsCommand"]

ROW = "{:22}  {:6}  {:7}  {:12}  {:7}  {} [{}]"  # of the list


@dataclass
class WeightsCommand:
    """List, fetch or verify the files of weights."""

    action: Annotated[str, tyro.conf.Positional] = "list"
    """list, fetch or verify"""
    names: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """names from the list, a preset, child or all; without any, fetch takes child: what the preset ffhq needs for
    one, with age and refinement; list and verify take everything"""

    def run(self) -> None:
        actions = {"list": _list_weights, "fetch": _fetch_weights, "verify": _verify_weights}
        if self.action not in actions:
            raise KinlibError(f"unknown action '{self.action}': choose list, fetch or verify")
        actions[self.action](self.names)


def _list_weights(names: tuple[str, ...]) -> None:
    from kinlib.checkpoints import weights
    from kinlib.checkpoints.registry import size_in_words

    rows = weights.table(names or None)
    print(ROW.format("name", "preset", "size", "SHA-256", "present", "purpose", "licence"))
    for row in rows:
        size = size_in_words(row["size"]) if row["size"] else "?"
        digest = (row["sha256"] or "not recorded")[:12]
        here = "here" if row["present"] else "absent"
        print(ROW.format(row["name"], row["preset"], size, digest, here, row["purpose"], row["licence"]))


def _fetch_weights(names: tuple[str, ...]) -> None:
    from kinlib.checkpoints import weights

    names = names or ("child",)
    coming = weights.to_fetch(names)
    if coming:
        print(_announce(coming), flush=True)  # before the bar, which writes to another stream
    for name, place in weights.fetch(names).items():
        print(f"{name:22} {place}")


def _announce(coming: "list[Checkpoint]") -> str:
    """What is about to be downloaded, in one line."""
    from kinlib.checkpoints.registry import size_in_words

    total = size_in_words(sum(entry.size or 0 for entry in coming))
    unknown = sum(entry.size is None for entry in coming)
    more = f", and {unknown} whose size nobody has recorded" if unknown else ""
    files = "1 file" if len(coming) == 1 else f"{len(coming)} files"
    return f"downloading {files}: {total} in all{more}"


def _verify_weights(names: tuple[str, ...]) -> None:
    from kinlib.checkpoints import weights

    rows = weights.verify(names or None)
    for row in rows:
        print(f"{row['name']:22} {row['state']}")
    if damaged := [row["file"] for row in rows if row["state"] == "damaged"]:
        how = "delete them and fetch them again, or get the studio's again with the project's files"
        raise KinlibError(f"these files are not what they should be: {', '.join(damaged)}; {how}")
