"""Reading, converting and writing pictures, the hostile and the merely unusual."""

import io
import os
import struct
import sys
import time
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from kinlib.io import images
from kinlib.runtime.errors import KinlibError

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


@pytest.fixture
def corners() -> Image.Image:
    """64 x 48 px, a colour in each quarter: red and green on top, blue and white below."""
    picture = Image.new("RGB", (64, 48), RED)
    picture.paste(GREEN, (32, 0, 64, 24))
    picture.paste(BLUE, (0, 24, 32, 48))
    picture.paste(WHITE, (32, 24, 64, 48))
    return picture


@pytest.fixture
def photo(tmp_path: Path, corners: Image.Image) -> Path:
    path = tmp_path / "photo.jpg"
    corners.resize((640, 480)).save(path, quality=95)
    return path


def quarter(picture: Image.Image, right: bool, down: bool) -> tuple[int, ...]:
    """Colour in the middle of one quarter."""
    return picture.getpixel((picture.width * (3 if right else 1) // 4, picture.height * (3 if down else 1) // 4))


def is_close(colour: tuple[int, ...], wanted: tuple[int, ...], tolerance: int = 6) -> bool:
    return max(abs(have - want) for have, want in zip(colour, wanted, strict=True)) <= tolerance


def refusal(source, **options) -> str:
    """What `read_photo` says when it refuses: one line, one sentence."""
    with pytest.raises(KinlibError) as caught:
        images.read_photo(source, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- files that cannot be read ---


def test_missing_file_is_named(tmp_path: Path):
    assert "no file" in refusal(tmp_path / "absent.jpg") and "absent.jpg" in refusal(tmp_path / "absent.jpg")


def test_folder(tmp_path: Path):
    assert "folder" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["", "a\0b.jpg", "x" * 5000 + ".jpg"])
def test_impossible_paths(name: str):
    refusal(name)


def test_file_used_as_folder(photo: Path):
    refusal(photo / "inner.jpg")


def test_empty_file(tmp_path: Path):
    path = tmp_path / "empty.jpg"
    path.touch()
    assert "empty" in refusal(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipe_is_refused_and_does_not_block(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "not a regular file" in refusal(tmp_path / "pipe.jpg")


@pytest.mark.parametrize(
    "content", [b"dear family,\n", b"<html>quota exceeded</html>", b"%!PS-Adobe-3.0 EPSF-3.0\n", bytes(100)]
)
def test_no_image_inside(tmp_path: Path, content: bytes):
    path = tmp_path / "letter.jpg"
    path.write_bytes(content)
    assert "not an image" in refusal(path)


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"heix"])
def test_heic_without_its_reader_names_the_remedy(tmp_path: Path, monkeypatch, brand: bytes):
    path = tmp_path / "phone.heic"
    path.write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(100))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # not installed
    monkeypatch.setattr(Image, "OPEN", {kind: how for kind, how in Image.OPEN.items() if kind != "HEIF"})
    assert "run `pip install pillow-heif`" in refusal(path) and "JPEG" in refusal(path)


@pytest.mark.parametrize(("brand", "word"), [(b"heic", "damaged"), (b"avif", "damaged")])
def test_damaged_files_of_phones(tmp_path: Path, brand: bytes, word: str):
    pytest.importorskip("pillow_heif")
    path = tmp_path / "phone.bin"
    path.write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(100))
    assert word in refusal(path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated_file(tmp_path: Path, kind: str, share: float):
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, kind)
    path = tmp_path / "cut.img"
    path.write_bytes(buffer.getvalue()[: int(len(buffer.getvalue()) * share)])
    message = refusal(path)
    assert "cut.img" in message


def test_unreadable_file(photo: Path):
    photo.chmod(0)
    if os.geteuid() != 0:
        assert "permissions" in refusal(photo)
        return
    os.seteuid(65534)  # root reads everything; nobody does not
    try:
        assert "permissions" in refusal(photo)
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("size", [(1, 1), (15, 400), (400, 15)])
def test_too_small(tmp_path: Path, size: tuple[int, int]):
    path = tmp_path / "dot.png"
    Image.new("RGB", size).save(path)
    assert "16 px" in refusal(path)


def test_huge_header_costs_nothing(tmp_path: Path):
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    path = tmp_path / "bomb.png"
    for side in (60_000, 11_000):  # beyond Pillow's own limit, and between its warning and its limit
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(10_000))))
        tracemalloc.start()
        begin = time.perf_counter()
        assert "million pixels" in refusal(path)
        assert time.perf_counter() - begin < 1.0
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
        tracemalloc.stop()


@pytest.mark.parametrize("source", [None, 3, ["a.jpg"], {"path": "a.jpg"}])
def test_other_types_are_told_what_is_accepted(source):
    message = refusal(source)
    for accepted in ("a path", "bytes", "open binary file", "PIL image", "array [H, W, 3]", "tensor [3, H, W]"):
        assert accepted in message


@pytest.mark.parametrize("address", ["https://example.org/a.jpg", "HTTP://x/a.png", "file:///a.jpg", "data:image/png,"])
def test_addresses(address: str):
    assert "is an address, and nothing is downloaded here" in refusal(address)


@pytest.mark.parametrize(
    ("source", "word"),
    [
        (b"", "empty"),
        (b"photo.jpg", "not an image"),
        (io.BytesIO(), "empty"),
        (io.StringIO("photo"), "mode 'rb'"),
        (io.BytesIO(b"\x89PNG but no more"), "not an image"),
    ],
)
def test_contents_that_are_no_photo(source, word: str):
    assert word in refusal(source)


def test_a_closed_file(photo: Path):
    with photo.open("rb") as file:
        pass
    assert "cannot be read from the open file" in refusal(file) and "photo.jpg" in refusal(file)


@pytest.mark.parametrize(
    ("tensor", "word"),
    [
        (torch.zeros(20, 30, 3), "float32 [20, 30, 3]"),
        (torch.zeros(2, 3, 20, 30), "float32 [2, 3, 20, 30]"),
        (torch.zeros(20, 30), "float32 [20, 30]"),
        (torch.zeros(3, 20, 30, dtype=torch.uint8), "uint8 [3, 20, 30]"),
        (torch.zeros(3, 0, 30), "float32 [3, 0, 30]"),
        (torch.full((3, 20, 30), -1.5), "from -1 to 1"),
        (torch.full((3, 20, 30), 200.0), "from -1 to 1"),
        (torch.full((3, 20, 30), torch.nan), "from -1 to 1"),
        (torch.full((3, 20, 30), 0.5), "2 * x - 1"),
    ],
)
def test_tensors_of_another_layout_or_range(tensor: torch.Tensor, word: str):
    assert word in refusal(tensor)


# --- files that can ---


def test_reads_path_text_picture_and_array(photo: Path, corners: Image.Image):
    for source in (photo, str(photo), corners, np.asarray(corners)):
        picture = images.read_photo(source)
        assert picture.mode == "RGB"
        assert is_close(quarter(picture, False, False), RED) and is_close(quarter(picture, True, True), WHITE)


def test_reads_contents_open_files_and_tensors(photo: Path):
    wanted = np.asarray(images.read_photo(photo))
    content = photo.read_bytes()
    tensor = images.to_tensor(Image.fromarray(wanted))
    for source in (content, bytearray(content), memoryview(content), io.BytesIO(content), tensor, tensor[0].double()):
        assert np.array_equal(np.asarray(images.read_photo(source)), wanted)
    with photo.open("rb") as file:
        file.seek(7)
        assert np.array_equal(np.asarray(images.read_photo(file)), wanted)
        assert file.tell() == 7


def test_arrays_in_any_order_in_memory_are_read_as_a_copy():
    array = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    array.flags.writeable = False
    for view in (array, np.asfortranarray(array), array[::-1, ::-1], array[:, :, ::-1], array[::2, ::1]):
        picture = images.read_photo(view)
        assert np.array_equal(np.asarray(picture), view)
        picture.putpixel((0, 0), BLUE)
    assert tuple(array[0, 0]) != BLUE


def test_a_picture_handed_in_keeps_its_size(photo: Path):
    with Image.open(photo) as picture:
        assert images.read_photo(picture, max_side=100).size == (100, 75)
        assert picture.size == (640, 480)


@pytest.mark.parametrize("kind", ["HEIF", "AVIF", "JPEG2000", "MPO"])
def test_formats_of_phones(tmp_path: Path, corners: Image.Image, kind: str):
    """Whatever the ending says: the content decides."""
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    if kind not in Image.SAVE and kind not in (Image.init() or Image.SAVE):
        pytest.skip(f"this Pillow has no {kind}")
    options = {"save_all": True, "append_images": [Image.new("RGB", (640, 480))]} if kind == "MPO" else {}
    path = tmp_path / "IMG_1.JPG"
    corners.resize((640, 480), Image.Resampling.NEAREST).save(path, kind, quality=95, **options)
    picture = images.read_photo(path)
    assert picture.mode == "RGB" and picture.size == (640, 480)
    assert is_close(quarter(picture, False, False), RED, 12) and is_close(quarter(picture, True, False), GREEN, 12)


def test_result_is_a_copy_without_metadata(corners: Image.Image):
    corners.info["comment"] = "where we live"
    picture = images.read_photo(corners)
    picture.putpixel((0, 0), BLUE)
    assert corners.getpixel((0, 0)) == RED and not picture.info


def test_max_side(photo: Path):
    assert images.read_photo(photo, max_side=100).size == (100, 75)
    assert images.read_photo(photo, max_side=5000).size == (640, 480)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation(tmp_path: Path, corners: Image.Image, orientation: int, kind: str):
    # What a camera held another way would store, so that obeying the tag brings the picture back.
    transposed = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = corners if transposed is None else corners.transpose(transposed)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{kind.lower()}"
    stored.save(path, kind, exif=exif, quality=95)
    picture = images.read_photo(path)
    assert picture.size == corners.size
    for right in (False, True):
        for down in (False, True):
            assert is_close(quarter(picture, right, down), quarter(corners, right, down), 12)


def test_broken_exif_is_ignored(tmp_path: Path, corners: Image.Image):
    path = tmp_path / "odd.jpg"
    corners.save(path, exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + bytes(8))
    assert images.read_photo(path).size == corners.size


def test_cmyk(tmp_path: Path):
    path = tmp_path / "print.jpg"
    Image.new("CMYK", (40, 40), (0, 255, 255, 0)).save(path, quality=95)
    assert is_close(images.read_photo(path).getpixel((20, 20)), RED, 40)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bit_grey_keeps_its_tones(tmp_path: Path, suffix: str):
    ramp = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (32, 1))
    path = tmp_path / f"scan.{suffix}"
    Image.fromarray(ramp).save(path)
    grey = np.asarray(images.read_photo(path))[0, :, 0]
    assert np.abs(grey.astype(int) - np.arange(256)).max() <= 1


@pytest.mark.parametrize("white", [255, 65535])
def test_thirty_two_bit_grey(white: int):
    ramp = np.tile(np.linspace(0, white, 256), (32, 1))
    for picture in (Image.fromarray(ramp.astype(np.int32)), Image.fromarray(ramp.astype(np.float32))):
        grey = np.asarray(images.read_photo(picture))[0, :, 0]
        assert np.abs(grey.astype(int) - np.arange(256)).max() <= 1


def test_float_grey_with_gaps():
    ramp = np.tile(np.linspace(0, 1, 256, dtype=np.float32), (32, 1))
    ramp[3, 3] = np.nan
    grey = np.asarray(images.read_photo(Image.fromarray(ramp)))[0, :, 0]
    assert grey[0] == 0 and grey[-1] == 255


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "PA", "YCbCr", "HSV", "RGBX"])
def test_modes(corners: Image.Image, mode: str):
    read = images.read_photo((corners.convert("P") if mode == "PA" else corners).convert(mode))
    assert read.mode == "RGB" and read.size == corners.size
    assert is_close(quarter(read, True, True), WHITE)


def test_transparent_ground_is_grey(tmp_path: Path):
    cutout = Image.new("RGBA", (32, 32), (255, 0, 0, 0))
    cutout.paste((0, 0, 255, 255), (8, 8, 24, 24))
    cutout.save(tmp_path / "cutout.png")
    cutout.convert("P").save(tmp_path / "palette.gif", transparency=cutout.convert("P").getpixel((0, 0)))
    for name in ("cutout.png", "palette.gif"):
        picture = images.read_photo(tmp_path / name)
        assert picture.getpixel((0, 0)) == (128, 128, 128) and is_close(picture.getpixel((16, 16)), BLUE)


def test_animation_gives_first_frame(tmp_path: Path):
    path = tmp_path / "moving.gif"
    Image.new("RGB", (32, 32), RED).save(path, save_all=True, append_images=[Image.new("RGB", (32, 32), BLUE)])
    assert is_close(images.read_photo(path).getpixel((5, 5)), RED)


def test_colour_profile(tmp_path: Path, corners: Image.Image):
    path = tmp_path / "profile.png"
    lab_like = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    corners.save(path, icc_profile=lab_like)
    assert is_close(quarter(images.read_photo(path), True, False), GREEN)
    corners.save(path, icc_profile=b"no profile at all")
    assert is_close(quarter(images.read_photo(path), True, False), GREEN)


@pytest.mark.parametrize("shape", [(40, 30), (40, 30, 1), (40, 30, 3), (40, 30, 4)])
@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.float64])
def test_arrays(shape: tuple[int, ...], kind: type):
    picture = images.read_photo(np.ones(shape, dtype=kind) * (255 if kind is np.uint8 else 1))
    assert picture.size == (30, 40) and picture.getpixel((0, 0)) == WHITE


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(40, np.uint8),
        np.zeros((0, 40, 3), np.uint8),
        np.zeros((40, 40, 2), np.uint8),
        np.zeros((3, 40, 40), np.uint8),
        np.zeros((1, 40, 40, 3), np.uint8),
        np.zeros((40, 40), np.int64),
        np.zeros((40, 40), bool),
        np.zeros((40, 40), object),
        np.full((40, 40, 3), 200.0),
        np.full((40, 40, 3), -0.5),
        np.full((40, 40, 3), np.nan),
        np.zeros((8, 8, 3), np.uint8),
    ],
)
def test_bad_arrays(array: np.ndarray):
    refusal(array)


# --- conversions ---


def test_tensor_round_trip(corners: Image.Image):
    batch = images.to_tensor([corners, corners])
    assert batch.shape == (2, 3, 48, 64) and batch.dtype == torch.float32
    assert batch.min() == -1 and batch.max() == 1
    every = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).convert("RGB")
    assert np.array_equal(np.asarray(images.to_pil(images.to_tensor(every))[0]), np.asarray(every))


def test_tensor_refuses_mixed_sizes_and_nothing(corners: Image.Image):
    for several in ([corners, corners.resize((32, 32))], []):
        with pytest.raises(KinlibError, match="share one size"):
            images.to_tensor(several)


def test_uint8_clips_and_refuses():
    assert images.to_uint8(torch.full((3, 2, 2), 7.0)).max() == 255
    assert images.to_uint8(torch.zeros(3, 2, 2, requires_grad=True)).shape == (1, 2, 2, 3)
    for bad in (torch.zeros(2, 2), torch.zeros(1, 4, 2, 2), torch.full((1, 3, 2, 2), float("nan"))):
        with pytest.raises(KinlibError):
            images.to_uint8(bad)


def test_resize_averages_instead_of_skipping():
    stripes = torch.ones(1, 3, 64, 64)
    stripes[..., ::2] = -1
    small = images.resize(stripes, 16)
    assert small.shape == (1, 3, 16, 16) and small[..., 2:-2].abs().max() < 0.1
    assert images.resize(stripes, (64, 64)) is stripes


# --- writing ---


@pytest.mark.parametrize("suffix", [*images.FORMATS, ".PNG"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "CMYK", "P"])
def test_write_and_read_back(tmp_path: Path, corners: Image.Image, suffix: str, mode: str):
    path = images.write_image(corners.convert(mode), tmp_path / f"out{suffix}")
    assert images.read_photo(path).size == corners.size
    assert os.listdir(tmp_path) == [path.name]


def test_write_takes_arrays_replaces_and_keeps_usual_rights(tmp_path: Path, corners: Image.Image):
    path, plain = tmp_path / "out.png", tmp_path / "plain"
    path.write_text("old")
    plain.touch()
    images.write_image(np.asarray(corners), path)
    assert np.array_equal(np.asarray(images.read_photo(path)), np.asarray(corners))
    assert path.stat().st_mode == plain.stat().st_mode


def test_bad_targets(tmp_path: Path, corners: Image.Image):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    targets = ["out.xyz", "out", "folder.png", "absent/out.png", "file/out.png", "x" * 300 + ".png", ""]
    for target in targets:
        for act in (images.check_writable, lambda path: images.write_image(corners, path)):
            with pytest.raises(KinlibError) as caught:
                act(tmp_path / target)
            assert "\n" not in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.png"]


def test_read_only_folder(tmp_path: Path, corners: Image.Image):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        with pytest.raises(KinlibError, match="cannot be written"):
            images.check_writable(folder / "out.png")
        with pytest.raises(KinlibError, match="cannot be written"):
            images.write_image(corners, folder / "out.png")
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)
    assert not os.listdir(folder)


def test_failure_leaves_the_old_file_and_no_half_one(tmp_path: Path):
    path = tmp_path / "long.webp"
    path.write_text("old")
    with pytest.raises(KinlibError, match="cannot be written"):
        images.write_image(Image.new("RGB", (17_000, 16)), path)  # WebP ends at 16,383 px
    assert os.listdir(tmp_path) == ["long.webp"] and path.read_text() == "old"


def test_check_writable_leaves_nothing(tmp_path: Path):
    assert images.check_writable(str(tmp_path / "child.png")) == tmp_path / "child.png"
    assert not os.listdir(tmp_path)
