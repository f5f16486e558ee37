"""`kinlib edit`: change attributes of the face in a photograph."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import Positional

from kinlib.cli.edits import METAVAR, parse_edits
from kinlib.cli.machine import check_device
from kinlib.cli.targets import check_pictures
from kinlib.editing.names import editable_attributes
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

__all__ = ["EditCommand"]

EXAMPLE = "glasses=1"
SET = f"changes from -1 (remove) to 1 (add), such as {EXAMPLE}; {', '.join(one.name for one in editable_attributes())}"
PRESENT = "attributes that the face has (1) or has not (0), whatever the network reads"


def _words(text: str) -> object:
    """The type of a repeatable option that takes one or several words NAME=VALUE."""
    described = tyro.conf.arg(help=text, metavar=f"{METAVAR} ...", help_behavior_hint="(repeatable)")
    return Annotated[tuple[tuple[str, ...], ...], tyro.conf.UseAppendAction, described]


@dataclass(kw_only=True)
class EditCommand:
    """Edit the face in a photograph: glasses, hair, beard, age and more, within an attention mask."""

    photo: Positional[Path]
    """photograph of the face"""
    set: _words(SET) = ()
    out: Path
    """picture to write, of the photograph's size"""
    masks: Path | None = None
    """also write where the picture was edited, in white on black"""
    how: str = "attention"
    """attention (the picture itself, where the mask allows) or directions (its latent code; --set smile=0.5)"""
    present: _words(PRESENT) = ()
    weights: Path | None = None
    """file that `kinlib train editor` wrote, in place of the bundled network; it may be for other attributes"""
    reader: Path | None = None
    """file that `kinlib train edit_attributes` wrote, to read the attributes of --weights"""
    preset: str = "studio"
    """studio (bundled) or ffhq (downloaded weights)"""
    device: str | None = None
    """cpu or cuda; the best there is by default"""

    def run(self) -> None:
        changes, present = self._check()
        from kinlib.io import images
        from kinlib.kinship.kinship import Kinship
        from kinlib.kinship.selective import edit_selectively, find_editor, find_reader

        kin = Kinship.load(self.preset, self.device)
        mask = None
        if self.how == "attention":
            editor = find_editor(kin, self.weights)  # before the photograph is encoded in vain
            reader = find_reader(editor.attribute_set, self.reader)
            edit = edit_selectively(kin, kin.encode(self.photo), changes, present, editor, reader)
            edited, mask = edit.face, edit.mask
        else:
            edited = kin.edit(kin.encode(self.photo), changes)
        images.write_image(edited.image, self.out)
        if self.masks is not None:
            images.write_image(mask, self.masks)
        for note in edited.notes:
            print(f"note: {note}")
        print(f"wrote {self.out}" + ("" if self.masks is None else f", {self.masks}"))

    def _check(self) -> tuple[dict, dict | None]:
        """Everything that can be checked without a network."""
        config.check_preset(self.preset)
        check_device(self.device)
        changes = parse_edits(self.set, "--set", EXAMPLE)
        present = parse_edits(self.present, "--present", "glasses=0") or None
        if not changes:
            raise KinlibError(f"what is to change? Give --set {METAVAR}, such as --set {EXAMPLE}")
        targets = [self.out, *([] if self.masks is None else [self.masks])]
        check_pictures(targets, [self.photo], "the photograph itself", "the edited picture and its mask")
        self._check_changes(changes, present)
        from kinlib.io.photos import read_photo

        read_photo(self.photo)  # decoded again later, which costs less than loading networks in vain
        return changes, present

    def _check_changes(self, changes: dict, present: dict | None) -> None:
        from kinlib.editing.names import check_changes, check_present
        from kinlib.kinship.attributes import check_edits
        from kinlib.kinship.presets import load_preset_directions
        from kinlib.kinship.selective import attributes_of, check_how

        check_how(self.how, present, self.weights, self.reader)
        if self.how == "attention":
            known = attributes_of(self.weights)
            check_changes(changes, known)
            check_present(present, known)
            return
        if self.masks is not None:
            raise KinlibError("--masks belongs to --how attention: an edit along directions has none")
        check_edits(self.preset, load_preset_directions(self.preset), changes)
