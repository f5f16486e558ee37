"""Edits of faces and children within an attention mask: `Kinship.edit(..., how="attention")`.

The picture itself is edited, at its own size, where a code would only describe it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from kinlib.checkpoints.weights import open_checkpoint
from kinlib.editing.attribute_sets import DOCUMENT, AttributeSet, from_tensor
from kinlib.editing.attributes import AttributeNet, load_attributes, read_attributes
from kinlib.editing.names import already_there, check_changes, check_present, difference_of
from kinlib.editing.networks import Generator, load_editor
from kinlib.editing.photographs import PhotoEdit, edit_photo
from kinlib.io import images
from kinlib.kinship.presets import PRESETS
from kinlib.kinship.results import Child, Face
from kinlib.runtime import memory
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    from kinlib.kinship.kinship import Kinship

__all__ = ["HOWS", "SelectiveEdit", "attributes_of", "check_how", "edit_selectively", "find_editor", "find_reader"]

HOWS = ("directions", "attention")


@dataclass(frozen=True)
class SelectiveEdit:
    """An edit, and what led to it.

    Attributes:
        face: the edited face or child.
        mask: what was taken of the edit, a grey picture of the size of `face.image`: white where it was all taken.
        present: probability of each of the network's attributes before the edit, [A].
        difference: what the network was asked to change (Eq 7), [1, A].
    """

    face: Face | Child
    mask: Image.Image
    present: Tensor
    difference: Tensor


def check_how(
    how: str,
    present: Mapping[str, float] | None = None,
    editor: str | Path | None = None,
    reader: str | Path | None = None,
) -> None:
    """Check the options of `Kinship.edit`.

    Raises:
        KinlibError: if `how` is unknown, or an option is given that belongs to the other way.
    """
    if how not in HOWS:
        raise KinlibError(f"there is no way to edit '{how}': choose one of {', '.join(HOWS)}")
    if how != "attention" and any(given is not None for given in (present, editor, reader)):
        raise KinlibError("attributes that are present, and files of an editor and a reader, belong to how='attention'")


def find_editor(kin: "Kinship", path: str | Path | None = None) -> Generator:
    """The preset's editing network, or the one in a file.

    Raises:
        KinlibError: if the preset has none, or the file holds none.
    """
    if path is not None:
        return load_editor(path)
    if "editor" not in PRESETS[kin.preset].sources:
        raise KinlibError(
            f"the preset '{kin.preset}' has no editing network: use the preset studio, or give a file that "
            "`kinlib train editor` wrote"
        )
    return kin.network("editor")


def find_reader(known: AttributeSet, path: str | Path | None = None) -> AttributeNet:
    """The bundled network that reads which attributes a face shows, or the one in a file.

    Raises:
        KinlibError: if it reads others than those of the editing network, `known`.
    """
    net = load_attributes(path)
    if net.attribute_set != known:
        raise KinlibError(
            f"the editing network is for {_names(known)}, but {path or 'the bundled network'} reads "
            f"{_names(net.attribute_set)}: give a file that `kinlib train edit_attributes` wrote for the same "
            "attributes (--reader, reader=...)"
        )
    return net


def attributes_of(editor: str | Path | None) -> AttributeSet:
    """The attributes of an editor's file; None is the bundled one.

    Raises:
        KinlibError: if it cannot be read.
    """
    return DOCUMENT if editor is None else from_tensor(open_checkpoint(Path(editor)), editor)


def _names(known: AttributeSet) -> str:
    shown = [one.name for one in known.attributes[:3]]
    return f"{len(known)} attributes ({', '.join(shown)}{', ...' if len(known) > len(shown) else ''})"


def edit_selectively(
    kin: "Kinship",
    face: Face | Child,
    changes: Mapping[str, float],
    present: Mapping[str, float] | None = None,
    editor: str | Path | Generator | None = None,
    reader: str | Path | AttributeNet | None = None,
) -> SelectiveEdit:
    """Edit a face or a child; arguments and errors as of `Kinship.edit` with how="attention".

    `editor` and `reader` may also be networks.
    """
    net = editor if isinstance(editor, Generator) else find_editor(kin, editor)
    known = net.attribute_set
    wanted, given = check_changes(changes, known), check_present(present, known)
    seeing = reader if isinstance(reader, AttributeNet) else find_reader(known, reader)
    crop = images.to_tensor(face.aligned if isinstance(face, Face) else face.image)
    read = read_attributes(crop, seeing)[0]
    for name, value in given.items():
        read[known.columns.index(name)] = value
    difference = difference_of(wanted, read, known)
    idle = already_there(wanted, read, known)
    notes = face.notes + ((_idle_note(idle),) if idle else ())
    if not difference.any():
        nothing = Image.new("L", face.image.size)
        return SelectiveEdit(replace(face, notes=notes), nothing, read, difference)
    with memory.on_device(net, kin.device) as lent:
        edited, mask = _edited(kin, face, crop, lent, difference)
    return SelectiveEdit(replace(edited, notes=notes), mask, read, difference)


def _edited(kin: "Kinship", face: Face | Child, crop: Tensor, net: Generator, difference: Tensor) -> tuple:
    """The edited face or child, with its code, and the mask."""
    of_crop = edit_photo(net, crop, difference)
    aligned = images.to_pil(of_crop.image)[0]
    latent = kin.encode_aligned(aligned)
    if isinstance(face, Child):
        return replace(face, image=aligned, latent=latent), _grey(of_crop)
    if face.quad is None:  # the picture of a code, whose crop is the whole of it
        whole = edit_photo(net, images.to_tensor(face.image), difference)
    else:
        whole = edit_photo(net, images.to_tensor(face.image), difference, crop, face.quad)
    picture = images.to_pil(whole.image)[0]
    return replace(face, image=picture, aligned=aligned, latent=latent), _grey(whole)


def _grey(edit: PhotoEdit) -> Image.Image:
    return Image.fromarray((edit.mask[0, 0] * 255).round().to(torch.uint8).numpy().astype(np.uint8))


def _idle_note(idle: list[str]) -> str:
    return (
        f"nothing to do for {', '.join(idle)}: it is so already, as far as the network of attributes sees; "
        "if it errs, say what is there (--present glasses=0, present={'glasses': 0})"
    )
