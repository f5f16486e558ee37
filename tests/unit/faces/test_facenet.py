"""InceptionResnetV1 of the ffhq preset: the official layout, what it is shown, and files that only look right."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from official_layout import facenet_state
from PIL import Image
from torch import Tensor

from kinlib.checkpoints import weights
from kinlib.checkpoints.state_dicts import load_state
from kinlib.evaluation.embedding import embed_pictures
from kinlib.faces.align import find_and_align
from kinlib.faces.facenet import FACE_BOX, FaceNet
from kinlib.faces.identity import IdentityNet, identity_loss, load_identity
from kinlib.faces.keypoints import detect
from kinlib.io import images
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets import sample_parents

MANIFEST = Path(__file__).parents[2] / "manifests" / "inception_resnet_v1_vggface2.json"


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return facenet_state()


@pytest.fixture(scope="module")
def file(state, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("facenet") / "20180402-114759-vggface2.pt"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def astronaut() -> Image.Image:
    return find_and_align(skimage.data.astronaut(), 512).aligned


def test_official_names_shapes_and_bytes(state):
    official = {name: list(value.shape) for name, value in state.items()}
    assert official == dict(json.loads(MANIFEST.read_text()))
    # What is on record of the published file, which is 111,898,327 bytes long with its container.
    assert len(state) == 716 and sum(value.nbytes for value in state.values()) == 111_760_604


def test_published_file_is_told_from_ours_by_its_content(file: Path, state):
    net = load_identity(file)
    assert isinstance(net, FaceNet) and not net.training
    assert not any(parameter.requires_grad for parameter in net.parameters())
    loaded = net.net.state_dict()
    assert set(state) - set(loaded) == {"logits.weight", "logits.bias"}
    assert all(torch.equal(loaded[name], state[name]) for name in loaded)
    assert isinstance(load_identity(), IdentityNet)


def test_each_preset_has_its_own(file: Path, cache: Path, monkeypatch):
    with pytest.raises(KinlibError, match="'vggface2' are not here: run `kinlib weights fetch vggface2`"):
        load_identity(preset="ffhq")
    (cache / "weights").mkdir(parents=True)
    (cache / "weights" / file.name).symlink_to(file)
    entries = tuple(replace(one, sha256=None) if one.name == "vggface2" else one for one in weights.PUBLISHED)
    monkeypatch.setattr(weights, "PUBLISHED", entries)
    load_identity.cache_clear()
    assert isinstance(load_identity(preset="ffhq"), FaceNet) and isinstance(load_identity(), IdentityNet)
    load_identity.cache_clear()  # or others would be given this file
    with pytest.raises(KinlibError, match="unknown preset 'cartoon'"):
        load_identity(file, "cartoon")


def test_loading_leaves_random_numbers_alone(file: Path):
    before = torch.random.get_rng_state()
    load_identity.cache_clear()
    load_identity(file)
    assert torch.equal(before, torch.random.get_rng_state())


def test_embedding_is_that_of_the_library(file: Path, state, astronaut):
    """Against facenet-pytorch's own way: crop, resize, fixed standardisation, embed."""
    from facenet_pytorch import InceptionResnetV1, fixed_image_standardization

    library = InceptionResnetV1().eval()
    library.load_state_dict({name: value for name, value in state.items() if not name.startswith("logits.")})
    left, top, right, bottom = (round(share * 512) for share in FACE_BOX)
    box = astronaut.crop((left, top, right, bottom)).resize((160, 160), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.asarray(box, dtype=np.float32).copy()).permute(2, 0, 1)[None]
    with torch.no_grad():
        wanted = library(fixed_image_standardization(pixels))
        found = load_identity(file)(images.to_tensor(astronaut))
        moved = load_identity(file)(images.to_tensor(astronaut).roll(16, dims=3))  # a thirtieth of the side
    assert found.shape == (1, 512) and found.dtype == torch.float32
    torch.testing.assert_close(found.norm(dim=1), torch.ones(1))
    away, moved_away = (float((one - wanted).norm()) for one in (found, moved))
    assert away < 0.02 and away < moved_away / 10  # what remains is the rounding of the resized picture


def test_what_it_sees_is_standardised(file: Path):
    net = load_identity(file)
    for value in (-1.0, 0.0, 1.0):
        seen = net.cut(torch.full((2, 3, 64, 64), value))
        assert seen.shape == (2, 3, 160, 160)
        torch.testing.assert_close(seen, torch.full_like(seen, ((value + 1) * 127.5 - 127.5) / 128))


def test_the_box_is_where_mtcnn_sees_faces(astronaut):
    pictures = [
        astronaut,
        *(find_and_align(photo, 256).aligned for number in (1, 2) for photo in sample_parents.couple(number)),
    ]
    boxes = [face.box / picture.width for face, picture in zip(detect(pictures), pictures, strict=True)]
    assert np.abs(np.mean(boxes, axis=0) - FACE_BOX).max() < 0.04


def test_every_size_gives_nearly_the_same_person(file: Path, astronaut):
    net, large = load_identity(file), images.to_tensor(astronaut)
    with torch.no_grad():
        wanted, other = net(large), net(images.resize(images.to_tensor(parents_face()), 512))
        for size in (256, 304):
            similarity = float((net(images.resize(large, size)) * wanted).sum())
            assert similarity > 0.97 and similarity > float((other * wanted).sum())


def parents_face() -> Image.Image:
    return find_and_align(sample_parents.couple(1)[0], 256).aligned


def test_loss_has_gradients(file: Path, astronaut):
    net, target = load_identity(file), images.resize(images.to_tensor(astronaut), 128)
    drawn = (target + 0.1).requires_grad_(True)
    loss = identity_loss(drawn, target, net)
    (gradient,) = torch.autograd.grad(loss, drawn)
    assert loss.item() > 0 and gradient.isfinite().all() and float(gradient.abs().max()) > 0
    left = round(FACE_BOX[0] * 128)
    assert float(gradient[..., : left - 2].abs().max()) == 0  # hair and background at the side do not matter
    assert float(identity_loss(target, target, net)) == pytest.approx(0, abs=1e-5)


def test_the_studios_own_network_has_gradients():
    """With respect to the picture, and in the right direction: a small step makes it more like the other."""
    net, target = load_identity(), images.resize(images.to_tensor(parents_face()), 64)
    other = find_and_align(sample_parents.couple(2)[1], 256).aligned
    drawn = images.resize(images.to_tensor(other), 64).requires_grad_(True)
    loss = identity_loss(drawn, target)
    (gradient,) = torch.autograd.grad(loss, drawn)
    assert loss.item() > 0.1 and gradient.isfinite().all() and float(gradient.abs().max()) > 0
    assert not any(parameter.requires_grad for parameter in net.parameters())
    step = 0.01 * gradient / gradient.square().mean().sqrt()
    with torch.no_grad():
        assert float(identity_loss(drawn - step, target)) < loss.item() < float(identity_loss(drawn + step, target))
        assert float(identity_loss(target, target)) == pytest.approx(0, abs=1e-5)


def test_evaluation_takes_it_like_ours(file: Path, astronaut):
    found = embed_pictures([astronaut, parents_face()], load_identity(file))
    assert found.shape == (2, 512) and np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(("dtype", "least"), [(torch.bfloat16, 0.99), (torch.float16, 0.999)])
def test_half_precision(file: Path, astronaut, dtype: torch.dtype, least: float):
    net, face = load_identity(file), images.to_tensor(astronaut)
    with torch.no_grad():
        wanted = net(face)
        with torch.autocast("cpu", dtype):
            found = net(face)
    assert found.dtype == torch.float32 and float((found * wanted).sum()) > least


# --- wrong files ---


@pytest.mark.parametrize(("people", "found"), [(10_575, "CASIA-WebFace"), (10, "10 other people")])
def test_other_people_are_named(state, tmp_path: Path, people: int, found: str):
    swapped = state | {"logits.weight": torch.zeros(people, 512), "logits.bias": torch.zeros(people)}
    torch.save(swapped, tmp_path / "f.pt")
    with pytest.raises(KinlibError, match=f"trained on {found}, not on VGGFace2"):
        load_identity(tmp_path / "f.pt")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"last_linear.weight": torch.zeros(512, 3)}, r"has misshapen 'last_linear\.weight'"),
        ({"last_bn.bias": None}, r"lacks 'last_bn\.bias'"),
        ({"extra": torch.zeros(1)}, "has unknown 'extra'"),
        ({"last_linear.weight": None}, "does not fit IdentityNet"),
    ],
)
def test_files_that_do_not_fit(state, tmp_path: Path, change: dict, reason: str):
    torch.save({name: value for name, value in (state | change).items() if value is not None}, tmp_path / "f.pt")
    with pytest.raises(KinlibError, match=reason) as caught:
        load_identity(tmp_path / "f.pt")
    assert "\n" not in str(caught.value) and str(tmp_path / "f.pt") in str(caught.value)


def test_counters_that_old_files_lack_do_not_matter(state, tmp_path: Path):
    torch.save({name: value for name, value in state.items() if "num_batches" not in name}, tmp_path / "f.pt")
    assert isinstance(load_identity(tmp_path / "f.pt"), FaceNet)
    load_state(FaceNet().net, state, tmp_path / "f.pt", optional=("logits.",))


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 1, 64, 64), (1, 3, 64, 32)])
def test_pictures_that_are_no_aligned_faces(file: Path, shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"aligned faces \[B, 3, S, S\]"):
        load_identity(file)(torch.zeros(shape))
