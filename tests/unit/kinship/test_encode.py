"""`Kinship.encode`: whatever shows a face is taken, rotated photos too, and the result is the caller's own."""

import io
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image, ImageDraw

from kinlib.faces.identity import load_identity
from kinlib.faces.points import load_onet
from kinlib.io import images
from kinlib.kinship.kinship import Kinship
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

PORTRAIT = config.data_dir() / "studio" / "portraits" / "couple_1_father.jpg"


@pytest.fixture(scope="module")
def loaded() -> Kinship:
    return Kinship.load("studio", device="cpu")


@pytest.fixture
def kin(loaded: Kinship) -> Kinship:
    """With nothing remembered."""
    return replace(loaded, _faces=type(loaded._faces)())


@pytest.fixture
def portrait() -> Image.Image:
    return Image.open(PORTRAIT).convert("RGB")


# ---- what is taken


def test_all_forms_of_one_photo_give_one_code(kin: Kinship, portrait: Image.Image):
    array = np.asarray(portrait)
    content = PORTRAIT.read_bytes()
    with PORTRAIT.open("rb") as opened:
        forms = {
            "path": PORTRAIT,
            "bytes": content,
            "bytearray": bytearray(content),
            "BytesIO": io.BytesIO(content),
            "open file": opened,
            "picture": portrait,
            "array": array,
            "negative strides": array[::-1, ::-1].copy()[::-1, ::-1],
            "Fortran order": np.asfortranarray(array),
            "tensor": images.to_tensor(portrait)[0],
            "batch of one": images.to_tensor(portrait),
        }
        first = kin.encode(PORTRAIT)
        for name, form in forms.items():
            assert torch.equal(kin.encode(form).latent, first.latent), name


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1"])
def test_every_mode_encodes(kin: Kinship, portrait: Image.Image, mode: str):
    large = portrait.resize((portrait.width * 2, portrait.height * 2)) if mode == "1" else portrait  # dithered
    assert kin.encode(large.convert(mode)).latent.isfinite().all()


def test_heic_encodes_as_its_pixels_do(kin: Kinship, portrait: Image.Image, tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "IMG_0001.HEIC"
    pillow_heif.from_pillow(portrait).save(path, quality=-1)  # lossless
    face = kin.encode(path)
    assert face.image.size == portrait.size
    assert np.abs(np.float32(face.image) - np.float32(portrait)).mean() < 2  # chroma is stored at half the size


# ---- rotated photos


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("who", ["astronaut", "portrait"])
def test_rotated_pixels_give_the_upright_face(kin: Kinship, portrait: Image.Image, who: str, degrees: int):
    """Counterclockwise by so many degrees: the code of the upright photo, the upright photo, and a note."""
    upright = Image.fromarray(skimage.data.astronaut()) if who == "astronaut" else portrait
    wanted, face = kin.encode(upright), kin.encode(upright.rotate(degrees, expand=True))
    assert torch.equal(face.latent, wanted.latent)
    assert np.array_equal(face.image, upright)
    assert face.notes[0] == (
        f"the picture was rotated by {degrees} degrees clockwise, in which its face stands upright"
    )
    assert face.notes[1:] == wanted.notes


def test_a_convincing_face_is_searched_once(kin: Kinship, portrait: Image.Image, monkeypatch):
    from kinlib.faces import orientation

    calls, detect_all = [], orientation.detect_all
    monkeypatch.setattr(
        orientation, "detect_all", lambda *given, **options: calls.append(1) or detect_all(*given, **options)
    )
    kin.encode(portrait)
    assert calls == [1]
    kin.encode(portrait.rotate(180))
    assert calls == [1] * 5


# ---- whose the result is


def test_a_face_is_the_caller_s_own(kin: Kinship, portrait: Image.Image):
    first = kin.encode(portrait)
    kept = first.latent.clone(), np.array(first.aligned), np.array(first.image)
    for _ in range(2):  # computed, and remembered
        face = kin.encode(portrait)
        ImageDraw.Draw(face.aligned).rectangle((0, 0, 255, 255), fill="red")
        ImageDraw.Draw(face.image).rectangle((0, 0, 255, 255), fill="red")
        face.latent.zero_()
        again = kin.encode(portrait)
        assert torch.equal(again.latent, kept[0])
        assert np.array_equal(again.aligned, kept[1]) and np.array_equal(again.image, kept[2])


def test_the_photo_is_never_changed(kin: Kinship, portrait: Image.Image):
    array = np.array(portrait)
    tensor = images.to_tensor(portrait)[0]
    before = array.copy(), tensor.clone(), portrait.tobytes()
    array.flags.writeable = False
    for photo in (array, tensor, portrait):
        kin.encode(photo)
    assert np.array_equal(array, before[0]) and torch.equal(tensor, before[1]) and portrait.tobytes() == before[2]


# ---- inference mode, and another default type


@pytest.fixture
def forgotten() -> Iterator[None]:
    """Networks that are loaded once for all callers are loaded again within the test, and after it."""
    for load in (load_onet, load_identity):
        load.cache_clear()
    yield
    for load in (load_onet, load_identity):
        load.cache_clear()


@pytest.mark.usefixtures("forgotten")
def test_refining_in_inference_mode(kin: Kinship):
    plain = kin.encode(PORTRAIT, refine_steps=3)
    load_onet.cache_clear()
    load_identity.cache_clear()
    with torch.inference_mode():
        inside = Kinship.load("studio", device="cpu").encode(PORTRAIT, refine_steps=3)
    assert torch.equal(inside.latent, plain.latent)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("steps", [0, 1])
def test_codes_may_be_trained_on(kin: Kinship, steps: int):
    with torch.inference_mode():
        code = kin.encode(PORTRAIT, refine_steps=steps).latent
    assert not code.is_inference() and not code.requires_grad
    start = code.clone().requires_grad_(True)
    (start * code).sum().backward()
    assert torch.equal(start.grad, code)


@pytest.mark.usefixtures("forgotten")
def test_default_type_does_not_matter(kin: Kinship):
    plain = [kin.encode(PORTRAIT, refine_steps=steps).latent for steps in (0, 2)]
    load_onet.cache_clear()
    load_identity.cache_clear()
    torch.set_default_dtype(torch.float64)
    try:
        other = Kinship.load("studio", device="cpu")
        for steps, code in zip((0, 2), plain, strict=True):
            found = other.encode(PORTRAIT, refine_steps=steps).latent
            assert found.dtype == torch.float32 and torch.equal(found, code)
    finally:
        torch.set_default_dtype(torch.float32)


def test_an_address_is_refused_with_what_is_accepted(kin: Kinship):
    with pytest.raises(KinlibError, match=r"is an address.*bytes, an open binary file, a PIL image, an array"):
        kin.encode("https://example.org/father.jpg")
