"""Edits within an attention mask, by `Kinship`: faces, children and photographs; what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from kinlib import Kinship
from kinlib.editing.networks import Generator
from kinlib.editing.rules import ATTRIBUTES
from kinlib.io.crop import map_from_crop
from kinlib.kinship.kinship import Child, Face
from kinlib.kinship.selective import edit_selectively
from kinlib.runtime.errors import KinlibError


@pytest.fixture(scope="module")
def editor(tmp_path_factory) -> Path:
    """A network without training whose mask is open: it changes every picture, and differently for every change."""
    torch.manual_seed(0)
    net = Generator(13, 2)
    with torch.no_grad():
        net.clothing.bias.fill_(-9.0)
        net.attention.bias.fill_(2.0)
    path = tmp_path_factory.mktemp("editor") / "editor.safetensors"
    save_file({name: tensor.clone() for name, tensor in net.state_dict().items()}, path)
    return path


def pixels(picture: Image.Image) -> np.ndarray:
    return np.float32(picture.convert("RGB"))


NOBODY = dict.fromkeys(("glasses", "bald"), 0)


def test_a_photograph_is_edited_within_its_crop_and_stays_a_parent(kin: Kinship, faces, editor):
    before, latent = pixels(faces[0].image), faces[0].latent.clone()
    edited = kin.edit(faces[0], {"glasses": 1}, how="attention", present=NOBODY, editor=editor)
    assert type(edited) is Face and edited.image.size == faces[0].image.size and edited.aligned.size == (256, 256)
    changed = np.abs(pixels(edited.image) - before).max(axis=-1) > 0
    corner, middle = map_from_crop(np.array([[2.0, 2.0], [128.0, 128.0]]), faces[0].quad, 256).round().astype(int)
    assert changed[middle[1] - 9 : middle[1] + 9, middle[0] - 9 : middle[0] + 9].mean() > 0.9
    assert changed.any() and not changed[: max(corner[1] - 6, 0)].any()
    assert np.abs(pixels(edited.aligned) - pixels(faces[0].aligned)).mean() > 1
    torch.testing.assert_close(edited.latent, kin.encode_aligned(edited.aligned))
    assert torch.equal(faces[0].latent, latent) and np.array_equal(pixels(faces[0].image), before)
    child = kin.child(edited, faces[1], father_share=1.0)
    torch.testing.assert_close(child.latent, edited.latent)


def test_children_and_edited_faces_are_edited_too(kin: Kinship, faces, editor):
    child = kin.child(*faces, seed=3)
    edited = kin.edit(child, {"hair_blond": 1}, how="attention", present={"hair_blond": 0}, editor=editor)
    assert type(edited) is Child and (edited.seed, edited.method) == (3, child.method)
    assert edited.image.size == child.image.size and np.abs(pixels(edited.image) - pixels(child.image)).mean() > 1
    older = kin.edit(faces[0], {"age": 60})
    assert older.quad is None
    both = kin.edit(older, {"glasses": 1}, how="attention", present=NOBODY, editor=editor)
    assert both.image.size == older.image.size and np.abs(pixels(both.image) - pixels(older.image)).mean() > 1


def test_intensities_and_several_at_once(kin: Kinship, faces, editor):
    def difference(changes, **options):
        edit = edit_selectively(kin, faces[0], changes, options.get("present"), editor)
        return {name: value for name, value in zip(ATTRIBUTES, edit.difference[0].tolist(), strict=True) if value}

    present = {"hair_brown": 1, "hair_black": 0, "hair_blond": 0, "glasses": 0, "bald": 0}
    found = difference({"hair_blond": 0.5, "glasses": 1}, present=present)
    assert found == {"Blond_Hair": 0.5, "Brown_Hair": -0.5, "Eyeglasses": 1.0}


def test_what_is_there_already_is_left_alone_and_said(kin: Kinship, faces, editor):
    edit = edit_selectively(kin, faces[0], {"glasses": 1}, {"glasses": 1}, editor)
    assert np.array_equal(pixels(edit.face.image), pixels(faces[0].image)) and edit.mask.getextrema() == (0, 0)
    assert torch.equal(edit.face.latent, faces[0].latent)
    assert "nothing to do for glasses" in edit.face.notes[-1] and "--present glasses=0" in edit.face.notes[-1]
    nothing = kin.edit(faces[0], {}, how="attention", editor=editor)
    assert np.array_equal(pixels(nothing.image), pixels(faces[0].image)) and nothing.notes == faces[0].notes


def test_the_mask_says_where(kin: Kinship, faces, editor):
    edit = edit_selectively(kin, faces[0], {"glasses": 1}, NOBODY, editor)
    mask = np.asarray(edit.mask)
    assert edit.mask.mode == "L" and edit.mask.size == faces[0].image.size and mask.max() > 100
    untouched = np.abs(pixels(edit.face.image) - pixels(faces[0].image)).max(axis=-1)[mask == 0]
    assert untouched.max() <= 1  # rounding


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"how": "magic"}, "no way to edit 'magic': choose one of directions, attention"),
        ({"edits": {"smile": 1}}, "unknown attribute 'smile'"),
        ({"edits": {"hair_black": 1, "hair_blond": 1}}, "contradict each other"),
        ({"edits": {"glasses": 3}}, "from -1 .remove. to 1 .add., not 3"),
        ({"present": {"hat": 1}}, "unknown attribute 'hat'"),
        ({"how": "directions", "present": {"glasses": 1}, "editor": None}, "belong to how='attention'"),
        ({"editor": "nowhere.safetensors"}, "nowhere.safetensors"),
        ({"face": "photo.jpg"}, "only a face from `encode` or a child can be edited"),
    ],
)
def test_what_cannot_be_edited_is_refused(kin: Kinship, faces, editor, options, words):
    given = {"face": faces[0], "edits": {"glasses": 1}, "how": "attention", "editor": editor} | options
    with pytest.raises(KinlibError, match=words):
        kin.edit(given.pop("face"), given.pop("edits"), **given)


def test_networks_of_other_attributes_and_presets_without_one_are_refused(kin: Kinship, faces, tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({name: tensor.clone() for name, tensor in Generator(5, 2).state_dict().items()}, path)
    with pytest.raises(KinlibError, match="holds a network of 5 attributes, not of these 13"):
        kin.edit(faces[0], {"glasses": 1}, how="attention", editor=path)
    with pytest.raises(KinlibError, match="preset 'ffhq' has no editing network"):
        edit_selectively(replace(kin, preset="ffhq"), faces[0], {"glasses": 1})
