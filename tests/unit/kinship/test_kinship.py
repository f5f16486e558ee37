"""Two photographs in, children out: what `Kinship` promises with whatever studio weights are bundled."""

import re
import shutil
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from kinlib import Kinship
from kinlib.checkpoints import weights
from kinlib.faces.keypoints import detect
from kinlib.faces.landmarks import predict
from kinlib.faces.parsing import parse
from kinlib.faces.points import five_points
from kinlib.gan.directions import Direction
from kinlib.inheritance import registry
from kinlib.io import images
from kinlib.kinship import attributes, kinship, options, presets
from kinlib.kinship.kinship import REMEMBERED, Child, Face
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets import sample_parents

SMALL_BATCH = 3


@pytest.fixture(scope="module")
def photos() -> tuple[Path, Path]:
    return sample_parents.couple(1)


@pytest.fixture
def studio(tmp_path: Path, monkeypatch) -> Path:
    """A copy of the bundled data without its manifest, so that its weights may be tampered with; their folder."""
    shutil.copytree(config.data_dir(), tmp_path / "data", ignore=shutil.ignore_patterns("manifest.json"))
    monkeypatch.setenv("KINLIB_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "weights" / "studio"


def same_picture(one: Image.Image, other: Image.Image) -> bool:
    return one.size == other.size and one.tobytes() == other.tobytes()


def pasted(*pictures: Image.Image) -> Image.Image:
    """Pictures side by side on grey."""
    sheet = Image.new("RGB", (sum(p.width for p in pictures), max(p.height for p in pictures)), (128, 128, 128))
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width
    return sheet


# --- loading ---


def test_preset_is_complete(kin: Kinship):
    assert kin.preset == "studio" and kin.device == torch.device("cpu")
    assert kin.num_layers == kin.generator.num_layers == kin.encoder.num_layers
    assert {"age", "sex"} <= set(kin.directions)
    assert not any(parameter.requires_grad for net in (kin.generator, kin.encoder) for parameter in net.parameters())
    assert not kin.generator.training and not kin.encoder.training


def test_loading_leaves_random_numbers_alone():
    before = torch.random.get_rng_state()
    Kinship.load("studio", device="cpu")
    assert torch.equal(before, torch.random.get_rng_state())


def test_unknown_preset_and_device():
    with pytest.raises(KinlibError, match="unknown preset 'cartoon': choose one of studio, ffhq"):
        Kinship.load("cartoon")
    for device in ("gpu", "cuda:77", 3.5):
        with pytest.raises(KinlibError, match="is not available here"):
            Kinship.load("studio", device=device)


def test_networks_are_loaded_by_role_when_they_are_asked_for(kin: Kinship, faces, photos, monkeypatch):
    loaded = []
    load = kinship.load_role
    monkeypatch.setattr(kinship, "load_role", lambda preset, role: loaded.append(role) or load(preset, role))
    kin = replace(kin, _networks={})
    assert kin.network("generator") is kin.generator and kin.network("encoder") is kin.encoder
    assert kin.network("directions") is kin.directions and loaded == []
    aligned = images.to_tensor([face.aligned for face in faces])
    embeddings = kin.network("identity")(aligned)
    assert embeddings.shape == (2, 512) and kin.network("identity") is kin.network("identity")
    landmarks = predict(faces[0].image, detect(faces[0].image)[0], kin.network("landmarks"))
    assert landmarks.shape == (68, 2)
    assert parse(aligned, parser=kin.network("parsing"), device="cpu").classes.shape == (2, 256, 256)
    assert len(kin.network("demography")(aligned)) == 2
    assert loaded == ["identity", "landmarks", "parsing", "demography"]
    with pytest.raises(KinlibError, match="unknown role 'astrology': choose one of generator, encoder, directions"):
        kin.network("astrology")


@pytest.mark.parametrize(
    ("role", "name"), [("identity", "vggface2"), ("parsing", "bisenet"), ("demography", "deepface_age")]
)
def test_absent_networks_of_a_role_are_named(kin: Kinship, cache: Path, role: str, name: str):
    with pytest.raises(KinlibError, match=f"run `kinlib weights fetch {name}`") as caught:
        replace(kin, preset="ffhq", _networks={}).network(role)
    assert "\n" not in str(caught.value)


def test_every_role_of_a_preset_has_its_files_in_the_table():
    for preset, entry in presets.PRESETS.items():
        # Nobody has published an editing network of the kind: it is the studio's alone.
        assert {*presets.PRESETS["studio"].sources} - {"editor"} == {*entry.sources} - {"editor"}
        assert ("editor" in entry.sources) == (preset == "studio")
        for role in entry.sources:
            assert presets.file_names(preset, role)


def test_a_separate_cache_for_each_visitor(kin: Kinship, photos, faces):
    visitor = kin.separate()
    assert visitor.generator is kin.generator and len(visitor._faces) == 0
    before = len(kin._faces)
    assert torch.equal(visitor.encode(photos[0]).latent, faces[0].latent)
    assert (len(visitor._faces), len(kin._faces)) == (1, before)


def test_absent_photorealistic_weights_name_the_command(cache: Path):
    five = "stylegan2_ffhq e4e_ffhq dlib_68 vggface2 direction_age"
    with pytest.raises(KinlibError, match=f"kinlib weights fetch {five}` .1.79 GB; ") as caught:
        Kinship.load("ffhq")
    assert "\n" not in str(caught.value)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("absent", "command"),
    [
        (("generator",), "stylegan2_ffhq` (381 MB; NVIDIA"),  # one file: with its licence
        (("encoder", "direction_age"), "e4e_ffhq direction_age` (1.2 GB; "),
        (("identity", "generator"), "stylegan2_ffhq vggface2` (493 MB; "),
    ],
)
def test_what_a_child_lacks_is_one_command(cache: Path, absent: tuple[str, ...], command: str):
    (cache / "weights").mkdir(parents=True)
    for role in set(weights.CHILD) - set(absent):
        (cache / "weights" / weights.for_role("ffhq", role).file).touch()
    with pytest.raises(KinlibError, match=re.escape(f"run `kinlib weights fetch {command}")):
        Kinship.load("ffhq")


@pytest.mark.parametrize("role", ["generator", "encoder", "directions"])
def test_missing_studio_weights_are_named(studio: Path, role: str):
    (studio / f"{role}.safetensors").unlink()
    with pytest.raises(KinlibError, match=f"'studio_{role}' are not here"):
        Kinship.load("studio")


def test_networks_that_do_not_belong_together(studio: Path):
    tensors = load_file(studio / "directions.safetensors")
    longer = {name: value.repeat(2, 1) if value.ndim == 2 else value for name, value in tensors.items()}
    save_file(longer, studio / "directions.safetensors")
    with pytest.raises(KinlibError, match="does not belong to the generator"):
        Kinship.load("studio", device="cpu")

    encoder = load_file(studio / "encoder.safetensors")
    for last in ("offsets.2.1.weight", "offsets.2.1.bias"):  # one code more than the generator takes
        encoder[last] = torch.cat([encoder[last], encoder[last][:512]])
    encoder["latent_avg"] = torch.cat([encoder["latent_avg"], encoder["latent_avg"][:1]])
    save_file(encoder, studio / "encoder.safetensors")
    with pytest.raises(KinlibError, match=r"the encoder .* does not belong to the generator"):
        Kinship.load("studio", device="cpu")


def test_published_directions_are_optional_but_must_be_right(cache: Path):
    assert presets.load_role("ffhq", "directions") == {}
    (cache / "weights").mkdir(parents=True)
    torch.save(torch.zeros(1, 512), cache / "weights" / "interfacegan_age.pt")
    with pytest.raises(KinlibError, match="not the published file of 'direction_age'"):
        presets.load_role("ffhq", "directions")


# --- encoding ---


def test_face_has_all_its_parts(kin: Kinship, faces: tuple[Face, Face]):
    for face in faces:
        assert face.image.mode == "RGB" and face.aligned.size == (256, 256)
        assert face.latent.shape == (1, kin.num_layers, 512) and face.latent.dtype == torch.float32
        assert face.latent.isfinite().all() and not face.latent.requires_grad


def test_path_text_picture_and_array_give_the_same_code(kin: Kinship, photos, faces):
    kin = replace(kin, _faces=OrderedDict())
    with Image.open(photos[0]) as picture:
        for photo in (photos[0], str(photos[0]), picture, np.asarray(picture), np.asarray(picture) / 255):
            assert torch.equal(kin.encode(photo).latent, faces[0].latent)


def test_a_photograph_is_encoded_once(kin: Kinship, photos, faces, monkeypatch):
    monkeypatch.setattr(kinship, "align_found", None)  # whoever aligns again fails
    for photo in (photos[0], str(photos[0])):
        assert torch.equal(kin.encode(photo).latent, faces[0].latent)
    assert not torch.equal(kin.encode(photos[1]).latent, faces[0].latent)


def test_memory_for_faces_is_bounded(kin: Kinship, faces, monkeypatch):
    kin = replace(kin, _faces=OrderedDict())
    for number in range(REMEMBERED + 5):
        kin._remember((number,), faces[0])
    assert len(kin._faces) == REMEMBERED and (0,) not in kin._faces
    monkeypatch.setattr(kinship, "REMEMBERED_PIXELS", 3 * faces[0].image.width * faces[0].image.height)
    kin._remember(("next",), faces[0])
    assert len(kin._faces) == 3 and ("next",) in kin._faces


def test_photographs_of_real_people(kin: Kinship):
    astronaut = kin.encode(skimage.data.astronaut())
    assert len(astronaut.notes) == 1 and "--refine 100" in astronaut.notes[0]  # the encoder knows renders only
    assert kin.encode(skimage.data.astronaut(), refine_steps=1).notes == ()
    assert kin.encode(sample_parents.couple(1)[0]).notes == ()
    assert astronaut.latent.isfinite().all()
    turned = kin.encode(skimage.data.camera())
    assert any("turned far to the side" in note for note in turned.notes)


@pytest.mark.parametrize("name", ["coffee", "chelsea", "gravel"])
def test_no_face(kin: Kinship, name: str):
    with pytest.raises(KinlibError, match="no face found in the picture: use a photo") as caught:
        kin.encode(getattr(skimage.data, name)())
    assert "\n" not in str(caught.value)


def test_of_two_faces_the_larger_is_used_and_the_user_told(kin: Kinship, photos, tmp_path: Path):
    large, small = (images.read_photo(photo) for photo in photos)
    large = large.resize((large.width * 3, large.height * 3))
    both = pasted(small, large)
    found, alone = kin.encode(both), kin.encode(large)
    assert any("2 faces found in the picture: the largest is used" in note for note in found.notes)
    shift = np.abs(np.float32(found.aligned) - np.float32(alone.aligned)).mean()
    assert shift < 5 < np.abs(np.float32(found.aligned) - np.float32(kin.encode(small).aligned)).mean()
    both.save(tmp_path / "both.png")  # the note has the right name although the pixels are known already
    assert any("both.png" in note for note in kin.encode(tmp_path / "both.png").notes)


def test_unreadable_photographs_are_named(kin: Kinship, tmp_path: Path):
    with pytest.raises(KinlibError, match="there is no file"):
        kin.encode(tmp_path / "absent.jpg")
    with pytest.raises(KinlibError, match="a photo cannot be read from NoneType: give a path"):
        kin.encode(None)


# --- children ---


@pytest.mark.parametrize("method", registry.available("studio"))
def test_a_child_is_one_of_the_children(kin: Kinship, faces, method: str):
    kids = kin.children(*faces, n=SMALL_BATCH, method=method, seed=0, age=30, sex="female")
    assert len(kids) == SMALL_BATCH
    for i, kid in enumerate(kids):
        alone = kin.child(*faces, method=method, seed=i, age=30, sex="female")
        torch.testing.assert_close(alone.latent, kid.latent, atol=1e-5, rtol=0)
        assert np.abs(np.int32(alone.image) - np.int32(kid.image)).max() <= 1
        assert (kid.seed, kid.method) == (i, method) and kid.father is faces[0] and kid.mother is faces[1]


def test_child_has_all_its_parts(kin: Kinship, faces):
    child = kin.child(*faces)
    assert isinstance(child, Child) and child.latent.shape == (1, kin.num_layers, 512)
    assert child.image.mode == "RGB" and child.image.width == child.image.height >= 256
    assert child.notes == ()


def test_one_photograph_for_both_parents_is_announced(kin: Kinship, photos, faces, tmp_path: Path):
    again = tmp_path / "again.png"
    with Image.open(photos[0]) as picture:
        picture.save(again)  # without loss: the same pixels under another name and in another format
        alike = [str(photos[0]), again, picture.convert("RGB"), np.asarray(picture), faces[0]]
    for other in alike:
        notes = kin.child(photos[0], other).notes
        assert len(notes) == 1 and "father and mother are the same photograph" in notes[0]
    assert kin.child(photos[0], photos[1]).notes == ()


def test_same_child_after_loading_again(kin: Kinship, photos):
    other = Kinship.load("studio", device="cpu")
    one, two = (k.child(*photos, method="mask", seed=3, age=20) for k in (kin, other))
    assert torch.equal(one.latent, two.latent) and same_picture(one.image, two.image)


def test_seeds_count_up_and_differ(kin: Kinship, faces):
    first, second = kin.children(*faces, n=2, method="per_layer", seed=7)
    assert not torch.equal(first.latent, second.latent) and first.notes == ()
    assert torch.equal(kin.child(*faces, method="per_layer", seed=8).latent, second.latent)
    assert torch.equal(kin.child(*faces, method="per_layer", seed=np.int64(8)).latent, second.latent)


def test_alike_children_are_announced(kin: Kinship, faces):
    kids = kin.children(*faces, n=2, method="average")
    assert any("all children are the same" in note for note in kids[0].notes)


def test_whole_shares_give_the_parents(kin: Kinship, faces):
    for share, face in ((1.0, faces[0]), (0.0, faces[1])):
        child = kin.child(*faces, father_share=share)
        torch.testing.assert_close(child.latent, face.latent, atol=1e-5, rtol=0)
        assert np.abs(np.int32(child.image) - np.int32(kin.reconstruct(face))).max() <= 1


def test_share_for_every_layer(kin: Kinship, faces):
    shares = torch.zeros(kin.num_layers)
    shares[:4] = 1
    child = kin.child(*faces, father_share=shares)
    torch.testing.assert_close(child.latent[:, :4], faces[0].latent[:, :4])
    torch.testing.assert_close(child.latent[:, 4:], faces[1].latent[:, 4:])


def test_children_leave_random_numbers_alone(kin: Kinship, faces):
    before = torch.random.get_rng_state()
    kin.children(*faces, n=2, method="mask")
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(("age", "sex"), [(25, None), (40, None), (None, "female"), (None, "male"), (40, "female")])
def test_probes_read_what_was_asked_for(kin: Kinship, faces, age: float | None, sex: str | None):
    child = kin.child(*faces, method="per_layer", age=age, sex=sex)
    for name, value in (("age", age), ("sex", None if sex is None else options.SEXES[sex])):
        if value is None:
            continue
        direction = kin.directions[name]
        asked = min(max(value, direction.low), direction.high)
        span = direction.high - direction.low
        assert float(direction.read(child.latent)) == pytest.approx(asked, abs=0.01 * span)


@pytest.mark.parametrize(
    ("absent", "steps", "named"),
    [
        (("landmarks",), 0, ["dlib_68"]),
        (("identity",), 0, []),
        (("identity",), 1, ["vggface2"]),
        (("landmarks", "identity"), 1, ["dlib_68", "vggface2"]),
    ],
)
def test_what_stands_in_for_absent_files_is_said(kin: Kinship, photos, absent, steps: int, named: list[str]):
    """The studio's networks under the other preset's name: the same way, without some of its files."""
    lacking = replace(kin, preset="ffhq", _faces=OrderedDict(), **dict.fromkeys(absent))
    notes = lacking.encode(photos[0], refine_steps=steps).notes
    assert [note.rpartition(" ")[2].strip("`") for note in notes] == named
    assert all(note.count("kinlib weights fetch") == 1 and "\n" not in note for note in notes)
    whole = replace(kin, preset="ffhq", _faces=OrderedDict())
    assert whole.encode(photos[0], refine_steps=steps).notes == ()


def test_directions_without_a_probe_move_once(kin: Kinship, faces):
    step = torch.full((1, 512), 0.5)
    directions = kin.directions | {"age": Direction(step)}
    guessing = replace(kin, directions=directions, _faces=OrderedDict())
    plain, older = (
        guessing.child(*faces),
        guessing.child(*faces, age=attributes.GUESSED_ADULT + attributes.GUESSED_YEARS),
    )
    torch.testing.assert_close(older.latent, plain.latent + 0.5, atol=1e-5, rtol=0)
    assert plain.notes == () and any("the age is a guess" in note for note in older.notes)
    older = guessing.child(*faces, age=attributes.GUESSED_ADULT + attributes.GUESSED_YEARS, sex="male")
    reading = kin.directions["sex"].read(older.latent)
    assert float(reading) == pytest.approx(1.0, abs=0.01)


def test_ages_beyond_the_training_data_are_announced(kin: Kinship, faces):
    direction = replace(kin.directions["age"], low=20.0, high=60.0)
    narrow = replace(kin, directions=kin.directions | {"age": direction}, _faces=OrderedDict())
    for age, kept in ((0, 20.0), (120, 60.0)):
        child = narrow.child(*faces, age=age)
        assert float(direction.read(child.latent)) == pytest.approx(kept, abs=0.5)
        assert any("kept to the range of the training data, 20 to 60 years" in note for note in child.notes)
    assert narrow.child(*faces, age=40).notes == ()


@pytest.mark.parametrize(
    ("preset", "option", "message"),
    [
        ("studio", {"age": 30}, "'studio' has no direction for age: leave that option out"),
        ("ffhq", {"sex": "male"}, "'ffhq' has no direction for sex: leave that option out"),
        ("ffhq", {"age": 30}, "'direction_age' are not here: run `kinlib weights fetch direction_age`"),
    ],
)
def test_missing_directions_are_told_before_a_photograph_is_read(kin: Kinship, cache, preset: str, option, message):
    plain = replace(kin, preset=preset, directions={}, _faces=OrderedDict())
    with pytest.raises(KinlibError, match=message) as caught:
        plain.child("absent.jpg", "absent.jpg", **option)
    assert "\n" not in str(caught.value)


def test_a_direction_that_came_later(kin: Kinship, faces, cache: Path):
    plain = replace(kin, preset="ffhq", directions={}, _faces=OrderedDict())
    (cache / "weights").mkdir(parents=True)
    (cache / "weights" / "interfacegan_age.pt").touch()
    with pytest.raises(KinlibError, match="was not here when the preset was loaded: load it again"):
        plain.child(*faces, age=30)


def test_no_truncation_left_gives_the_average_face(kin: Kinship, faces):
    kids = kin.children(*faces, n=2, method="mask", truncation=0.0)
    for kid in kids:
        torch.testing.assert_close(kid.latent[0], kin.generator.latent_avg)
    assert same_picture(kids[0].image, kids[1].image)
    half = kin.child(*faces, truncation=0.5)
    whole = kin.child(*faces)
    torch.testing.assert_close(half.latent, (whole.latent + kin.generator.latent_avg) / 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "number of children must be a whole number from 1 to 1,000, not 0"),
        ({"n": -3}, "not -3"),
        ({"n": 10**6}, "not 1000000"),
        ({"n": 2.0}, "not 2.0"),
        ({"seed": "today"}, "the seed must be a whole number"),
        ({"seed": 10**19}, "the seed must be a whole number"),
        ({"age": -5}, "age must be from 0 to 120 years, not -5"),
        ({"age": 400}, "not 400"),
        ({"age": float("nan")}, "not nan"),
        ({"sex": "unknown"}, "unknown sex 'unknown': choose one of female, male"),
        ({"truncation": 1.5}, "truncation must be from 0 to 1, not 1.5"),
        ({"truncation": float("nan")}, "not nan"),
        ({"father_share": 2}, "father's share"),
        ({"father_share": "half"}, "father's share"),
        ({"father_share": None}, "father's share"),
        ({"eta": 0.5}, "the method 'average' has no option 'eta': it takes father_share"),
        ({"n": None}, "not None"),
        ({"n": "3"}, "not 3"),
        ({"seed": 0.5}, "not 0.5"),
        ({"seed": float("nan")}, "not nan"),
        ({"age": "young"}, "not young"),
        ({"age": "30"}, "not 30"),
        ({"age": [30]}, "age must be from 0 to 120 years"),
        ({"sex": 1}, "unknown sex '1'"),
        ({"sex": ["male"]}, "unknown sex"),
        ({"truncation": None}, "not None"),
        ({"truncation": "1"}, "not 1"),
        ({"method": None}, "unknown method 'None'"),
        ({"method": ["average"]}, "unknown method"),
        ({"refine_steps": 1.5}, "not 1.5"),
        ({"method": "cloning"}, "unknown method 'cloning'"),
        ({"refine_steps": -1}, "number of refinement steps"),
    ],
)
def test_bad_options_are_refused_before_a_photograph_is_read(kin: Kinship, options: dict, message: str):
    with pytest.raises(KinlibError, match=message) as caught:
        kin.children("absent.jpg", "absent.jpg", **options)
    assert "\n" not in str(caught.value)


def test_face_of_another_preset_is_refused(kin: Kinship, faces):
    foreign = replace(faces[0], latent=torch.zeros(1, 18 + kin.num_layers, 512))
    with pytest.raises(KinlibError, match="encoded with another preset"):
        kin.child(foreign, faces[1])


# --- synthesis and refinement ---


def test_one_or_many_codes_give_the_same_pictures(kin: Kinship, faces):
    codes = torch.cat([face.latent for face in faces])
    together = kin.synthesise(codes)
    for picture, face in zip(together, faces, strict=True):
        assert same_picture(picture, kin.reconstruct(face))
    assert kin.synthesise(codes[:1], size=400)[0].size == (400, 400)
    assert kin.synthesise(codes[:0]) == []


@pytest.mark.parametrize(
    ("shape", "size", "message"),
    [
        ((512,), None, r"must have the shape \[B, 12, 512\], not \[512\]"),
        ((1, 18, 512), None, r"not \[1, 18, 512\]"),
        ((1, 12, 512), -5, "size of a picture must be a whole number from 1 to 16,384, not -5"),
        ((1, 12, 512), "large", "not large"),
        ((1, 12, 512), float("nan"), "not nan"),
    ],
)
def test_codes_and_sizes_that_cannot_be_synthesised(kin: Kinship, shape: tuple, size, message: str):
    with pytest.raises(KinlibError, match=message):
        kin.synthesise(torch.zeros(shape), size)


def test_codes_that_are_not_finite_are_refused(kin: Kinship):
    with pytest.raises(KinlibError, match="not finite"):
        kin.synthesise(torch.full((1, kin.num_layers, 512), torch.nan))


def test_refinement_comes_closer_and_stays_a_code(kin: Kinship, photos, faces):
    losses: list[float] = []
    before = torch.random.get_rng_state()
    refined = kin.encode(photos[0], refine_steps=8, progress=lambda step, loss: losses.append(loss))
    assert len(losses) == 8 and losses[-1] < losses[0]
    assert torch.equal(before, torch.random.get_rng_state())
    assert refined.latent.shape == faces[0].latent.shape and refined.latent.isfinite().all()
    moved = (refined.latent - faces[0].latent).abs().max()
    assert 0 < moved < 1  # eight steps of at most about 0.03 each
    assert not refined.latent.requires_grad
    assert torch.equal(kin.encode(photos[0], refine_steps=8).latent, refined.latent)
    assert torch.equal(kin.encode(photos[0]).latent, faces[0].latent)
    child = kin.child(refined, faces[1], method="slerp")
    assert child.latent.isfinite().all()


def test_five_points_of_an_aligned_face_are_inside(kin: Kinship, faces):
    points = five_points(images.to_tensor([face.aligned for face in faces]))
    assert points.shape == (2, 5, 2) and ((points > 0) & (points < 1)).all()
    assert (points[:, 0, 0] < points[:, 1, 0]).all() and (points[:, 0, 1] < points[:, 3, 1]).all()
