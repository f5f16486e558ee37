"""Photographs and conditions that users of similar software have reported as faults, and what is right in each case.

The cases of this module go through the whole way of a photograph, from the file to the aligned face. Faults that other
modules have a test for are held by these:

1 EXIF orientation: `test_images::test_exif_orientation`
2 rotated pixels without EXIF: `test_encode::test_rotated_pixels_give_the_upright_face`,
  `test_orientation::test_all_orientations_are_told_apart`
3 MPO saved as .jpg: `test_images::test_formats_of_phones`
4 one HEIC among JPEGs: `test_prepare_stages::test_a_heic_photo_is_prepared`,
  `test_images::test_heic_without_its_reader_names_the_remedy`
5 16-bit and float grey: `test_images::test_sixteen_bit_grey_keeps_its_tones`,
  `test_images::test_thirty_two_bit_grey`, `test_images::test_float_grey_with_gaps`
6 grey, alpha, palette, CMYK: `test_encode::test_every_mode_encodes`, `test_images::test_transparent_ground_is_grey`
7 accents, spaces, dashes in paths: `test_paths_in_any_script`
8 no home, read-only cache: `test_config::test_cache_folder_of_an_account_without_a_home`,
  `test_config::test_cache_folder_of_a_read_only_home`, `test_compiled::test_nowhere_to_keep_it`
9 bytes, open files, addresses: `test_encode::test_all_forms_of_one_photo_give_one_code`,
  `test_images::test_other_types_are_told_what_is_accepted`, `test_images::test_addresses`
10 negative strides, read-only arrays: `test_images::test_arrays_in_any_order_in_memory_are_read_as_a_copy`
11 order of channels: `test_kinship::test_path_text_picture_and_array_give_the_same_code`
12 a faceless picture in a batch: `test_keypoints::test_one_entry_per_picture_of_any_size`,
  `test_prepare_stages::test_a_picture_that_breaks_the_detector`
13 tensors of another layout or range: `test_images::test_tensors_of_another_layout_or_range`,
  `test_images::test_bad_arrays`
14 memory that grows: `test_memory_stays_flat`, `test_kinship::test_memory_for_faces_is_bounded`
15 a face at the border: `test_align::test_face_cut_off_by_the_edge`
16 no landmarks: `test_kinship::test_no_face`, `test_keypoints::test_faceless_pictures_give_none`
17 several faces: `test_kinship::test_of_two_faces_the_larger_is_used_and_the_user_told`
18 a bad picture in a folder: `test_prepare_stages::test_every_picture_has_its_row_and_reason`
19 .DS_Store and Thumbs.db: `test_prepare::test_photos_of_phones_are_taken_and_litter_is_not`
20 .JPG, an empty folder: `test_prepare::test_a_plain_folder`, `test_prepare::test_wrong_folders`
21 workers under spawn: `test_worker_pool::test_results_come_in_the_order_of_the_jobs`,
  `test_worker_pool::test_a_script_without_a_guard_is_told_so`
22 odd sizes on mps: `test_keypoints::test_extreme_shapes_do_not_crash`
23 pins that downgrade: `test_setup_files::test_packages_that_would_downgrade_others_are_installed_alone`
24 basicsr's dead import: `test_compat::test_everything_imports_in_one_process`
25 NaN in half precision: `test_kinship::test_codes_that_are_not_finite_are_refused`,
  `test_prepare_stages::test_codes_that_are_not_finite`, `test_memory::test_half_precision_is_bounded`
26 no compiler: `test_compiled::test_no_module_uses_numba_directly`
27 half a file of weights: `test_weights::test_bad_files_are_refused_in_one_sentence`,
  `test_weights::test_without_a_sum_what_is_no_weights_is_not_stored`
28 uploads that stay: `test_nothing_stays_of_an_upload`
29 visitors who see each other: `test_session::test_visitors_do_not_see_each_other`
30 FileUpload of ipywidgets 7 and 8: `test_family_panel::test_a_good_upload_in_the_panel`,
  `test_family_panel::test_a_stored_notebook_shows_bundled_people_only`
31 no front end: `test_session::test_a_session_needs_no_front_end`
32 FID of one picture: `test_realism::test_features_that_cannot_be_compared`
33 LPIPS fed the wrong range: `test_diversity::test_pictures_that_cannot_be_compared`
34 missing parts of a face: `test_edit_faces::test_samples_without_parts_have_dummies_and_closed_gates`
35 two names of one picture: `test_rating_readers::test_first_release_lists_find_second_release_pictures`
36 families with gaps: `test_families_family101::test_line_ends`, `test_families_family101::test_encodings`,
  `test_families_family101::test_a_family_without_a_folder`,
  `test_families_sets::test_fiw_missing_folders_are_told_by_line`
"""

import ast
import io
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from kinlib.cli import main
from kinlib.faces.align import find_and_align
from kinlib.io.photos import read_photo
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.session import read_upload

TESTS = Path(__file__).parents[1]
PORTRAIT = config.data_dir() / "studio" / "portraits" / "couple_1_father.jpg"
FOUND = ""  # a face, without a note
NUMBER_OF_FAULTS = 36


def test_every_reported_fault_has_its_test():
    entries = re.findall(r"^(\d+) (.+?)(?=^\d+ |\Z)", __doc__, re.MULTILINE | re.DOTALL)
    assert [int(number) for number, _ in entries] == list(range(1, NUMBER_OF_FAULTS + 1))
    for number, text in entries:
        named = re.findall(r"`(?:(test_\w+)::)?(test_\w+)`", text)
        assert named, number
        for module, name in named:
            (path,) = TESTS.rglob(f"{module or Path(__file__).stem}.py")
            tree = ast.parse(path.read_text())
            known = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert name in known, (number, module, name)


# ---- from the file to the aligned face ------------------------------------------------------------------------------


def _saved(picture: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _exif(orientation: int, way: Image.Transpose) -> Callable[[Image.Image], bytes]:
    def make(face: Image.Image) -> bytes:
        tags = Image.Exif()
        tags[0x0112] = orientation
        return _saved(face.transpose(way), "JPEG", quality=95, exif=tags)

    return make


def _on_a_wall(*places: tuple[int, int, float], size: tuple[int, int] = (640, 400)):
    """The face at some places (left, top, scale) before a grey wall."""

    def make(face: Image.Image) -> bytes:
        wall = Image.new("RGB", size, (128, 128, 128))
        for left, top, scale in places:
            wall.paste(face.resize([round(side * scale) for side in face.size]), (left, top))
        return _saved(wall, "PNG")

    return make


def _deep(face: Image.Image) -> bytes:
    grey = np.asarray(face.convert("L"), np.uint16) * 257
    return _saved(Image.fromarray(grey), "PNG")


def _float_tiff(face: Image.Image) -> bytes:
    return _saved(Image.fromarray(np.asarray(face.convert("L"), np.float32) / 255), "TIFF")


def _cutout(face: Image.Image) -> bytes:
    face = face.convert("RGBA")
    face.putalpha(Image.new("L", face.size, 255))
    return _saved(face, "PNG")


WAYS = Image.Transpose
CASES: dict[str, tuple[Callable[[Image.Image], bytes], str]] = {
    # name: (the file's content, what is right: FOUND, a note, or "refused: " and a sentence)
    "exif 6": (_exif(6, WAYS.ROTATE_90), FOUND),
    "exif 8": (_exif(8, WAYS.ROTATE_270), FOUND),
    "exif 5": (_exif(5, WAYS.TRANSPOSE), FOUND),
    "pixels upside down": (lambda face: _saved(face.rotate(180), "PNG"), "rotated by 180 degrees"),
    "pixels on their side": (lambda face: _saved(face.rotate(90, expand=True), "PNG"), "rotated by 90 degrees"),
    "16-bit grey": (_deep, FOUND),
    "float TIFF": (_float_tiff, FOUND),
    "CMYK": (lambda face: _saved(face.convert("CMYK"), "JPEG", quality=95), FOUND),
    "grey with alpha": (lambda face: _saved(face.convert("LA"), "PNG"), FOUND),
    "palette": (lambda face: _saved(face.convert("P", palette=Image.Palette.ADAPTIVE), "GIF"), FOUND),
    "opaque alpha": (_cutout, FOUND),
    "two frames": (lambda face: _saved(face, "MPO", save_all=True, append_images=[face.rotate(180)]), FOUND),
    "mirrored": (lambda face: _saved(ImageOps.mirror(face), "PNG"), FOUND),
    "two faces": (_on_a_wall((20, 60, 1.0), (420, 120, 0.6)), "2 faces found"),
    "a small face": (_on_a_wall((300, 200, 0.19)), "px wide: below 32 px"),
    "a face cut off": (_on_a_wall((-60, 60, 1.0)), "cut off"),
    "a tiny face": (_on_a_wall((20, 20, 0.06), size=(120, 90)), "refused: face"),
    "nobody": (lambda face: _saved(Image.new("RGB", (200, 200), (90, 120, 60)), "JPEG"), "refused: no face"),
    "noise": (lambda face: _saved(Image.effect_noise((160, 160), 90), "PNG"), "refused: no face"),
    "all black": (lambda face: _saved(Image.new("L", (160, 160)), "PNG"), "refused: no face"),
    "cut short": (lambda face: _saved(face, "JPEG")[:2000], "refused: damaged or cut short"),
    "no bytes": (lambda face: b"", "refused: empty"),
    "a web page": (lambda face: b"<html>quota exceeded</html>", "refused: not an image"),
    "a PDF": (lambda face: b"%PDF-1.7\n" + bytes(200), "refused: not an image"),
    "PostScript": (lambda face: b"%!PS-Adobe-3.0 EPSF-3.0\n", "refused: not an image"),
    "one pixel": (lambda face: _saved(Image.new("RGB", (1, 1)), "PNG"), "refused: at least 16 px"),
    "a long strip": (lambda face: _saved(Image.new("RGB", (4000, 17)), "PNG"), "refused: no face"),
}


@pytest.fixture(scope="module")
def face() -> Image.Image:
    """A bundled parent's portrait of 256 px."""
    return Image.open(PORTRAIT).convert("RGB")


@pytest.fixture(scope="module")
def upright(face):
    return find_and_align(face, 64)


@pytest.mark.parametrize("case", CASES)
def test_a_face_or_one_sentence(case, face, upright, tmp_path):
    make, right = CASES[case]
    path = tmp_path / "IMG_0001.JPG"  # whatever it holds: the content decides
    path.write_bytes(make(face))
    before = path.read_bytes()
    if right.startswith("refused: "):
        with pytest.raises(KinlibError, match=right.removeprefix("refused: ")) as caught:
            find_and_align(path, 64)
        assert "IMG_0001.JPG" in str(caught.value) and "\n" not in str(caught.value)
    else:
        found = find_and_align(path, 64)
        assert any(right in note for note in found.notes) if right else not found.notes
        if "face" not in case and case != "mirrored":  # the same crop as of the upright file
            difference = np.abs(np.float32(found.aligned.convert("L")) - np.float32(upright.aligned.convert("L")))
            assert np.median(difference) < 12  # grey levels
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


# ---- conditions -----------------------------------------------------------------------------------------------------

NAMES = ("Jürgen & Zoë's photo.jpg", "아버지.jpg", "отец №1.jpg", "-dash.jpg", "back\\slash.jpg", "new\nline.jpg")


@pytest.mark.parametrize("name", NAMES)
def test_paths_in_any_script(name, tmp_path, monkeypatch, capsys):
    """Of the photographs and of what is written; the sentence on a bad file stays one line."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(b"no picture")
    with pytest.raises(KinlibError, match="is not an image"):
        read_photo(name)
    arguments = ["child", f"--father={name}", f"--mother={name}", f"--out={name}.png"]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "is not an image" in error
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("content", ["good", "bad"])
def test_nothing_stays_of_an_upload(content, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if content == "good":
        read_upload("../../me.jpg", PORTRAIT.read_bytes())
    else:
        with pytest.raises(KinlibError, match="is not an image"):
            read_upload("../../me.jpg", b"no picture")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_memory_stays_flat(face):
    """Pictures of many sizes, one after the other: what the first round took suffices for the second."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("needs Linux's /proc")
    sizes = [(300 + 97 * number, 300 + 53 * number) for number in range(12)]

    def take() -> int:
        for size in sizes:
            wall = Image.new("RGB", size, (128, 128, 128))
            wall.paste(face, (10, 10))
            find_and_align(wall, 64)
        return int(statm.read_text().split()[1]) * 4096

    take()
    before = take()
    assert take() - before < 60_000_000  # bytes; one decoded picture has up to 4 MB, its pyramid a few times that
