"""Edits and blend weights in `Kinship`: attributes reach their values together, and nothing unusable is computed."""

import json
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kinlib import Kinship
from kinlib.gan.directions import Direction
from kinlib.inheritance.weights_file import FORMAT, BlendWeights, save_weights
from kinlib.kinship.attributes import check_edits, edit_notes, set_attributes
from kinlib.kinship.kinship import Child, Face
from kinlib.kinship.options import shown_range
from kinlib.runtime.errors import KinlibError


@pytest.fixture
def moving(kin: Kinship) -> Kinship:
    """The studio with a published direction, which has no probe, in place of its own of smiling."""
    return replace(kin, directions=kin.directions | {"smile": Direction(torch.full((1, 512), 0.25))})


def assert_reads(kin: Kinship, latent: torch.Tensor, **wanted: float) -> None:
    for name, value in wanted.items():
        direction = kin.directions[name]
        span = direction.high - direction.low
        assert float(direction.read(latent)) == pytest.approx(value, abs=0.01 * span), name


# --- edit ---


def test_all_attributes_are_set_together(kin: Kinship, faces):
    """The middle of every range at once: setting one does not undo another."""
    middles = {name: (direction.low + direction.high) / 2 for name, direction in kin.directions.items()}
    assert len(middles) > 5
    latent = set_attributes(faces[0].latent, kin.directions, middles)
    assert_reads(kin, latent, **middles)


def test_edited_face_is_a_face_and_can_be_a_parent(kin: Kinship, faces):
    before = faces[0].latent.clone()
    edited = kin.edit(faces[0], {"age": 8, "smile": 0.5})
    assert type(edited) is Face and torch.equal(faces[0].latent, before)
    assert_reads(kin, edited.latent, age=8, smile=0.5)
    assert edited.notes == faces[0].notes and edited.aligned.size == (256, 256)
    drawn = np.asarray(kin.reconstruct(edited))
    assert np.array_equal(np.asarray(edited.image), drawn)
    assert np.abs(np.float32(drawn) - np.float32(kin.reconstruct(faces[0]))).mean() > 1
    child = kin.child(edited, faces[1], father_share=1.0)
    torch.testing.assert_close(child.latent, edited.latent)


def test_edited_child_keeps_its_record(kin: Kinship, faces):
    child = kin.child(*faces, method="mask", seed=4)
    edited = kin.edit(child, {"sex": "female", "glasses": True})
    assert type(edited) is Child and (edited.method, edited.seed, edited.father) == ("mask", 4, faces[0])
    assert_reads(kin, edited.latent, sex=0.0, glasses=1.0)
    unchanged = kin.edit(child, {})
    assert torch.equal(unchanged.latent, child.latent) and unchanged.image.tobytes() == child.image.tobytes()


def test_children_take_edits_beside_age_and_sex(kin: Kinship, faces):
    kids = kin.children(*faces, n=2, method="per_layer", age=30, sex="male", edits={"smile": 0.5})
    for kid in kids:
        assert_reads(kin, kid.latent, age=30, sex=1.0, smile=0.5)
    alone = kin.child(*faces, method="per_layer", edits={"smile": 0.5, "age": 30, "sex": "male"})
    assert_reads(kin, alone.latent, age=30, sex=1.0, smile=0.5)


def test_ages_beyond_the_training_data_are_kept_to_them(kin: Kinship, faces):
    edited = kin.edit(kin.edit(faces[0], {"age": 0}), {"age": 0})
    assert_reads(kin, edited.latent, age=kin.directions["age"].low)
    assert [note for note in edited.notes if "kept to the range" in note] == list(edited.notes)[-1:]


@pytest.mark.parametrize("end", [0, 1])
def test_ranges_as_they_are_shown_are_accepted(kin: Kinship, end: int):
    ends = {
        name: shown_range(direction.low, direction.high)[end]
        for name, direction in kin.directions.items()
        if name != "age"
    }
    assert check_edits("studio", kin.directions, ends) == ends


def test_published_directions_move_and_say_so(moving: Kinship, faces):
    edited = moving.edit(faces[0], {"smile": 2})
    torch.testing.assert_close(edited.latent, faces[0].latent + 0.5)
    assert edited.notes[-1].startswith("moved, not set: smile by 2 steps")
    both = moving.edit(faces[0], {"yaw": 10, "smile": 2})
    assert_reads(moving, both.latent, yaw=10)  # set after the move, which shifts it
    guess = {"age": Direction(torch.zeros(1, 512))}
    assert [note.split(":")[0] for note in edit_notes(moving.directions | guess, {"age": 8, "smile": 1})] == [
        "the age is a guess",
        "moved, not set",
    ]


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ({"mood": 1}, "unknown attribute 'mood': choose one of age, beard, glasses, hair_length"),
        ({3: 1}, "unknown attribute '3'"),
        ({"smile": 0.9}, "smile must be from 0 to 0.88, the range of the training data, not 0.9"),
        ({"yaw": -90}, r"yaw must be from -\d\d\.\d+ to \d\d\.?\d*, the range of the training data, not -90"),
        ({"smile": float("nan")}, "not nan"),
        ({"smile": float("inf")}, "not inf"),
        ({"smile": "0.5"}, "not 0.5"),
        ({"smile": None}, "not None"),
        ({"smile": [0.1, 0.2]}, "smile must be"),
        ({"smile": torch.zeros(2, 1)}, "smile must be"),
        ({"smile": 10**400}, "smile must be"),
        ({"sex": "any"}, "sex must be from 0 to 1.*not any"),
        ({"age": 121}, "age must be from 0 to 120 years, not 121"),
        ({"age": "8"}, "not 8"),
        ([("smile", 0.5)], "edits must be values by attribute, such as {'smile': 0.5}, not of the type list"),
        ({"smile": 0.5, "beard": 2}, "beard must be from 0 to 1"),
    ],
)
def test_bad_edits_are_refused_before_anything_is_computed(kin: Kinship, faces, edits, message: str):
    for attempt in (lambda: kin.edit(faces[0], edits), lambda: kin.child("absent.jpg", "absent.jpg", edits=edits)):
        with pytest.raises(KinlibError, match=message) as caught:
            attempt()
        assert "\n" not in str(caught.value)


def test_what_cannot_be_edited(kin: Kinship, moving: Kinship, faces):
    with pytest.raises(KinlibError, match="not of the type NoneType"):
        kin.edit(faces[0], None)
    with pytest.raises(KinlibError, match="only a face from `encode` or a child can be edited, not str"):
        kin.edit("father.jpg", {"smile": 0.5})
    with pytest.raises(KinlibError, match="encoded with another preset"):
        kin.edit(replace(faces[0], latent=torch.zeros(1, 18, 512)), {"smile": 0.5})
    with pytest.raises(KinlibError, match="smile must be from -10 to 10 steps of the published direction, not 11"):
        moving.edit(faces[0], {"smile": 11})


@pytest.mark.parametrize(("option", "edits"), [({"age": 30}, {"age": 30}), ({"sex": "male"}, {"sex": 1})])
def test_an_attribute_is_given_once(kin: Kinship, option: dict, edits: dict):
    with pytest.raises(KinlibError, match="is given twice, by its own option and as an edit"):
        kin.child("absent.jpg", "absent.jpg", edits=edits, **option)


def test_absent_published_directions_name_the_command(kin: Kinship, cache: Path):
    bare = replace(kin, preset="ffhq", directions={}, _faces=OrderedDict())
    with pytest.raises(KinlibError, match="run `kinlib weights fetch direction_smile`"):
        bare.child("absent.jpg", "absent.jpg", edits={"smile": 1})
    with pytest.raises(KinlibError, match="unknown attribute 'beard': choose one of age, pose, smile"):
        bare.child("absent.jpg", "absent.jpg", edits={"beard": 1})


# --- blend weights ---


def test_blend_weights_take_the_place_of_a_method(kin: Kinship, faces, tmp_path: Path):
    chosen = BlendWeights("studio", kin.num_layers, {"coarse": 1.0}, {5: 0.25}, {7: 0.0})
    save_weights(tmp_path / "mine.json", chosen)
    expected = chosen.blend(faces[0].latent, faces[1].latent)
    for weights in (chosen, tmp_path / "mine.json", str(tmp_path / "mine.json")):
        child = kin.child(*faces, weights=weights)
        assert torch.equal(child.latent, expected) and child.method == "weights" and child.notes == ()
    kids = kin.children(*faces, n=2, weights=chosen, edits={"smile": 0.5})
    assert_reads(kin, kids[1].latent, smile=0.5)
    assert kids[0].notes == ("the method 'weights' is deterministic: all children are the same",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": BlendWeights("ffhq", 18)}, "belong to 'ffhq' with 18 layers, not to 'studio' with 12"),
        ({"weights": BlendWeights("studio", 14)}, "with 14 layers"),
        ({"weights": "absent.json"}, "'absent.json' cannot be read"),
        ({"weights": 0.5}, "must be a BlendWeights or the path of its JSON file, not 0.5"),
        ({"weights": BlendWeights("studio", 12), "method": "slerp"}, "leave out the method 'slerp', or the weights"),
        ({"weights": BlendWeights("studio", 12), "father_share": 0.5}, "leave out father share, or the weights"),
    ],
)
def test_bad_blend_weights_are_refused_before_a_photograph_is_read(kin: Kinship, options: dict, message: str):
    with pytest.raises(KinlibError, match=message) as caught:
        kin.child("absent.jpg", "absent.jpg", **options)
    assert "\n" not in str(caught.value)


def test_broken_files_of_blend_weights(kin: Kinship, tmp_path: Path):
    path = tmp_path / "mine.json"
    good = {"format": FORMAT, "preset": "studio", "num_layers": kin.num_layers}
    for content, message in (
        ("[" * 100_000, "it is not JSON"),
        (json.dumps(good | {"layers": {"0": 1.5}}), "not 1.5"),
    ):
        path.write_text(content)
        with pytest.raises(KinlibError, match=message):
            kin.child("absent.jpg", "absent.jpg", weights=path)
