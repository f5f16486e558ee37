"""Which attributes a pair of networks reads and edits: the document's thirteen, or those of a file of one's own.

The file is JSON, an object by the data set's names of the attributes, in the order of the networks:

    {
        "Eyeglasses": {},
        "Smiling": {"name": "smile", "touches": ["skin"], "loss": "nontarget"},
        "Wearing_Hat": {
            "add": {"touches": ["hair", "skin"], "loss": "nontarget"},
            "remove": {"touches": ["unknown"], "loss": "none"},
            "excludes": ["Bald"]
        }
    }

One of the thirteen needs no more than its name. Of others, `touches` says which regions a change may touch (`REGIONS`),
and `loss` how these guide the attention (`kinlib.editing.rules.LOSSES`); `add` and `remove` where they differ.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinlib.editing.rules import ATTRIBUTES, EXCLUDED, LOSSES, RULES, Rule, select
from kinlib.io.files import parse_json
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:  # help texts list the attributes, and should not have to wait for PyTorch
    from torch import Tensor

__all__ = ["DOCUMENT", "KEY", "REGIONS", "AttributeSet", "EditableAttribute", "as_tensor", "from_tensor"]
__all__ += ["check_count", "read_attribute_set"]

REGIONS = ("hair", "skin", "eye_g", "unknown")  # of Table 3; "unknown" is where no class says what may change
KEY = "attribute_set"  # under which a file of weights says which attributes its network is for
ENTRIES = ("name", "label", "absent", "touches", "loss", "add", "remove", "excludes")  # of an attribute in a file
EXAMPLE = '{"Eyeglasses": {}, "Smiling": {"touches": ["skin"], "loss": "nontarget"}}'
MOST = 64  # attributes; CelebA has 40
LONGEST = 100_000  # characters of their list in a file of weights


@dataclass(frozen=True)
class EditableAttribute:
    """An attribute that editing networks change.

    Attributes:
        name: for code and commands, such as "hair_blond".
        celeba: the data set's name, such as CelebA's "Blond_Hair".
        label: for people, such as "blond hair".
        absent: for people, what a face is without it, such as "no blond hair".
        added, removed: regions that the change may touch, and the loss that it allows (Tables 3 and 5).
        excludes: data set's names of what a face with the attribute cannot have as well.
    """

    name: str
    celeba: str
    label: str
    absent: str
    added: Rule
    removed: Rule
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True)
class AttributeSet:
    """The attributes of a network, in its order."""

    attributes: tuple[EditableAttribute, ...]

    def __len__(self) -> int:
        return len(self.attributes)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The data set's names."""
        return tuple(one.celeba for one in self.attributes)

    @cached_property
    def _rules(self) -> dict[tuple[str, int], Rule]:
        added = {(one.celeba, 1): one.added for one in self.attributes}
        return added | {(one.celeba, -1): one.removed for one in self.attributes}

    @cached_property
    def _by_name(self) -> dict[str, EditableAttribute]:
        return {one.celeba: one for one in self.attributes} | {one.name: one for one in self.attributes}

    def find(self, name: Any) -> EditableAttribute:
        """The attribute of that name, ours or the data set's.

        Raises:
            KinlibError: if there is none.
        """
        if not isinstance(name, str) or name not in self._by_name:
            raise KinlibError(f"unknown attribute '{name}': choose one of {', '.join(x.name for x in self.attributes)}")
        return self._by_name[name]

    def select(self, changes: Mapping[str, float]) -> tuple[str, str]:
        """The guide mask and the attention loss for a set of changes: `kinlib.editing.rules.select`."""
        return select(changes, self._rules)

    def toggle(self, present: Sequence[float], attribute: str) -> list[float]:
        """The attributes of a face after one of them is added or removed, and what it excludes removed.

        Args:
            present: 0 or 1 for each attribute.
            attribute: the one that changes.

        Raises:
            KinlibError: if the attribute is unknown.
        """
        one = self.find(attribute)
        wanted = dict(zip(self.columns, present, strict=True))
        wanted[one.celeba] = 1.0 - wanted[one.celeba]
        if wanted[one.celeba]:
            wanted |= {other: 0.0 for other in one.excludes if other in wanted}
        return list(wanted.values())

    def table(self) -> dict[str, dict]:
        """What a file says that `read_attribute_set` reads."""
        return {
            one.celeba: {
                "name": one.name,
                "label": one.label,
                "absent": one.absent,
                "add": _as_entry(one.added),
                "remove": _as_entry(one.removed),
                "excludes": list(one.excludes),
            }
            for one in self.attributes
        }


def _as_entry(rule: Rule) -> dict:
    return {"touches": list(rule[0]), "loss": rule[1]}


_OWN = {  # our names of the document's attributes, in its order, and labels with and without them
    "bald": ("bald", "not bald"),
    "bangs": ("bangs", "no bangs"),
    "hair_black": ("black hair", "no black hair"),
    "hair_blond": ("blond hair", "no blond hair"),
    "hair_brown": ("brown hair", "no brown hair"),
    "brows_bushy": ("bushy eyebrows", "no bushy eyebrows"),
    "glasses": ("glasses", "no glasses"),
    "male": ("male", "not male"),
    "mouth_open": ("mouth slightly open", "mouth closed"),
    "moustache": ("moustache", "no moustache"),
    "no_beard": ("no beard", "a beard"),
    "pale_skin": ("pale skin", "no pale skin"),
    "young": ("young", "not young"),
}
DOCUMENT = AttributeSet(
    tuple(
        EditableAttribute(name, column, *labels, RULES[column, 1], RULES[column, -1], EXCLUDED.get(column, ()))
        for (name, labels), column in zip(_OWN.items(), ATTRIBUTES, strict=True)
    )
)
"""The thirteen attributes of the document's section 4.1."""


def read_attribute_set(path: str | Path | None) -> AttributeSet:
    """The attributes of a file (see above); None gives the document's.

    Raises:
        KinlibError: if the file is missing or damaged, or an entry is not understood.
    """
    if path is None:
        return DOCUMENT
    try:
        found = parse_json(Path(path).read_bytes())
    except OSError as error:
        raise KinlibError(f"the file of attributes '{path}' cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise KinlibError(f"'{path}' is no JSON file of attributes, such as {EXAMPLE}") from error
    return _from_table(found, str(path))


def as_tensor(known: AttributeSet) -> "dict[str, Tensor]":
    """What is stored beside a network's tensors, uint8 [n] by `KEY`; nothing for the document's attributes."""
    import torch

    if known == DOCUMENT:
        return {}
    return {KEY: torch.tensor(list(json.dumps(known.table()).encode()), dtype=torch.uint8)}


def from_tensor(state: "dict[str, Tensor]", path: str | Path) -> AttributeSet:
    """The attributes that a network's file is for; their entry is taken out of `state`.

    Raises:
        KinlibError: if it is damaged.
    """
    from kinlib.checkpoints.state_dicts import plain_tensors

    if KEY not in state:
        return DOCUMENT
    stored = plain_tensors({KEY: state.pop(KEY)}).get(KEY)
    try:
        if stored is None or stored.numel() > LONGEST:
            raise ValueError("no list of characters")
        found = parse_json(bytes(stored.flatten().tolist()))
    except (ValueError, TypeError) as error:
        raise KinlibError(f"{path} does not say which attributes its network is for: its list is damaged") from error
    return _from_table(found, str(path))


def check_count(count: int, known: AttributeSet, path: str | Path) -> None:
    """Raises KinlibError if the network of a file has another number of attributes than its list."""
    if count != len(known):
        listed = ", ".join(one.name for one in known.attributes)
        raise KinlibError(f"{path} holds a network of {count} attributes, not of these {len(known)}: {listed}")


def _from_table(found: Any, where: str) -> AttributeSet:
    if not isinstance(found, dict) or not found or len(found) > MOST:
        raise KinlibError(f"'{where}' must hold 1 to {MOST} attributes by name, such as {EXAMPLE}")
    known = AttributeSet(tuple(_attribute(column, entry, where) for column, entry in found.items()))
    names = [name for one in known.attributes for name in dict.fromkeys((one.name, one.celeba))]
    if len(set(names)) < len(names):
        double = next(name for name in names if names.count(name) > 1)
        raise KinlibError(f"'{where}' has two attributes of the name '{double}'")
    return known


def _attribute(column: str, entry: Any, where: str) -> EditableAttribute:
    if not isinstance(entry, dict) or set(entry) - set(ENTRIES):
        raise KinlibError(f"'{column}' in '{where}' must be an object with some of {', '.join(ENTRIES)}")
    of_document = next((one for one in DOCUMENT.attributes if one.celeba == column), None)
    base: dict = asdict(of_document) if of_document else {"name": column.lower(), "excludes": ()}
    name = entry.get("name", base["name"])
    label = entry.get("label", base.get("label", str(name).replace("_", " ")))
    negated = f"no {label}" if "label" in entry else base.get("absent", f"no {label}")
    absent = entry.get("absent") or negated
    excludes = entry.get("excludes", list(base["excludes"]))
    if not (isinstance(name, str) and name.isidentifier()):
        raise KinlibError(f"the name of '{column}' in '{where}' must be one word, not {name!r}")
    if not all(isinstance(one, str) and one for one in (label, absent)):
        raise KinlibError(f"the labels of '{column}' in '{where}' must be text")
    if not (isinstance(excludes, list) and all(isinstance(one, str) for one in excludes)):
        raise KinlibError(f"what '{column}' excludes in '{where}' must be a list of names")
    added = _rule(column, entry, "add", base.get("added"), where)
    removed = _rule(column, entry, "remove", base.get("removed"), where)
    return EditableAttribute(name, column, label, absent, added, removed, tuple(excludes))


def _rule(column: str, entry: dict, side: str, document: Rule | None, where: str) -> Rule:
    """The rule of one direction: its own, that of both, or the document's."""
    given = entry.get(side, {key: entry[key] for key in ("touches", "loss") if key in entry} or None)
    if given is None and document is not None:
        return tuple(document[0]), document[1]
    touches = given.get("touches") if isinstance(given, dict) else None
    loss = given.get("loss") if isinstance(given, dict) else None
    if not (isinstance(touches, list) and touches and all(one in REGIONS for one in touches) and loss in LOSSES):
        raise KinlibError(
            f"'{column}' in '{where}' must say which of {', '.join(REGIONS)} a change touches, and a loss of "
            f"{', '.join(LOSSES)}, such as {EXAMPLE}"
        )
    return tuple(touches), loss
