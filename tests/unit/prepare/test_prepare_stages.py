"""From files to codes in batches: the same as one photograph at a time, and one bad picture spoils nothing."""

import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from kinlib.faces.align import align_found
from kinlib.faces.keypoints import detect_all
from kinlib.faces.orientation import examine, find_upright
from kinlib.faces.upscale import upscale
from kinlib.io.crop import map_to_crop
from kinlib.io.images import to_tensor
from kinlib.kinship.kinship import Kinship
from kinlib.prepare import PrepareSettings, engines, latents, list_photos, parts, prepare, read_prepared, stages
from kinlib.prepare.engines import on_ray
from kinlib.prepare.enlarge import enlarged
from kinlib.prepare.networks import load_networks
from kinlib.prepare.parts import Part, prepare_part
from kinlib.prepare.stages import run_stages
from kinlib.prepare.table import STAGES, as_parquet
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

FAMILIES = config.data_dir() / "studio" / "families"
PORTRAIT = config.data_dir() / "studio" / "portraits" / "couple_1_father.jpg"
SETTINGS = PrepareSettings()


def studio_photos(count: int) -> list[Path]:
    """Photographs of as many people, each with one face."""
    people = sorted(path for path in FAMILIES.glob("*/*") if path.is_dir())
    return [people[index] / "02.jpg" for index in range(0, 8 * count, 8)]


def without_seconds(folder: Path) -> tuple[dict[str, bytes], pa.Table]:
    """Everything that does not depend on the clock: the files, and the table without its seconds."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    table = pq.read_table(io.BytesIO(found.pop("prepared.parquet")))
    return found, table.drop_columns([f"seconds_{stage}" for stage in STAGES])


# ---- the real stages


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> Path:
    """A folder of eight faces, and of what people keep beside them."""
    root = tmp_path_factory.mktemp("mixed")
    photos = studio_photos(6)
    for number, photo in enumerate(photos):
        shutil.copy(photo, root / f"face{number}.jpg")
    face = Image.open(photos[0])
    face.convert("L").save(root / "grey.png")
    wide = Image.new("RGB", (260, 150), "white")
    for number in (0, 1):
        wide.paste(Image.open(photos[number]), (140 * number, 0))
    wide.save(root / "two.webp", lossless=True)
    (root / "cut.jpg").write_bytes(photos[1].read_bytes()[:900])
    (root / "empty.jpg").write_bytes(b"")
    (root / "text.png").write_text("no picture at all")
    face.resize((9, 9)).save(root / "tiny.png")
    Image.new("RGB", (120, 150), "grey").save(root / "nobody.png")
    return root


@pytest.fixture(scope="module")
def prepared(mixed, tmp_path_factory) -> Path:
    """Prepared in this process, in parts of eight."""
    out = tmp_path_factory.mktemp("prepared") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "PHOTOS_PER_PART", 8)
        list(prepare(list_photos(mixed), out, workers=1, device="cpu"))
    return out


def test_every_picture_has_its_row_and_reason(prepared):
    table = read_prepared(prepared).set_index("image")
    good = ["face0.jpg", "face1.jpg", "face2.jpg", "face3.jpg", "face4.jpg", "face5.jpg", "grey.png", "two.webp"]
    assert sorted(table.index[table["status"] == "ok"]) == good
    assert table.loc["nobody.png", ["status", "reason"]].tolist() == ["no face", "the detector found no face"]
    reasons = table.loc[table["status"] == "unreadable", "reason"].to_dict()
    assert reasons == {
        "cut.jpg": "'cut.jpg' is damaged or cut short: copy or download the photo again",
        "empty.jpg": "'empty.jpg' is empty (0 bytes): copy or download the photo again",
        "text.png": "'text.png' is not an image that can be read: use JPEG, PNG, HEIC, WebP, AVIF, TIFF, BMP or GIF",
        "tiny.png": "'tiny.png' is 9x9 px: a photo needs at least 16 px on each side",
    }
    assert table.loc[good, "reason"].isna().all() and table.drop(good)["aligned"].isna().all()
    assert table["faces"].to_dict()["two.webp"] == 2 and "2 faces found" in table.loc["two.webp", "notes"][0]


def test_rows_hold_what_one_photo_gives(prepared, mixed):
    kin = Kinship.load("studio", device="cpu")
    table = read_prepared(prepared)
    table = table[table["status"] == "ok"].reset_index(drop=True)
    codes = latents(table)
    assert codes.shape == (8, kin.num_layers, 512) and codes.dtype == torch.float32
    differences = []
    for row, code in zip(table.itertuples(), codes, strict=True):
        face = kin.encode(mixed / row.image)
        differences.append(float((code - face.latent[0]).abs().max()))
        picture = Image.open(prepared / row.aligned)
        assert picture.size == (256, 256)
        assert np.abs(np.float32(picture) - np.float32(face.aligned)).mean() < 5  # JPEG
        found = detect_all(face.image)[0][0]
        np.testing.assert_allclose(row.points, found.points.ravel(), atol=1e-3)
        np.testing.assert_allclose(row.box, found.box, atol=1e-3)
        assert row.score == pytest.approx(found.score, abs=1e-5) and (row.width, row.height) == face.image.size
        assert np.linalg.norm(row.embedding) == pytest.approx(1, abs=1e-5) and len(row.embedding) == 512
        if row.landmarks is not None:
            inside = map_to_crop(row.landmarks.reshape(68, 2), row.quad.reshape(4, 2), 256)
            assert 60 < inside[36:48, 1].min() < inside[48:68, 1].max() < 240  # eyes above the mouth, in the crop
    assert table["landmarks"].notna().sum() >= 6
    # Codes are stored with 16 bits; and where a point's last bit makes dlib round otherwise, the crop moves a little,
    # which corrections enlarge: noise of 0.001 in a picture changes numbers of its code by up to 0.0007 (median)
    # without them, by up to 0.017 with five.
    assert np.median(differences) < 0.02 and max(differences) < 0.5 * float(codes.std())
    grey = table.set_index("image").loc[["face0.jpg", "grey.png"], "embedding"]
    assert grey.iloc[0] @ grey.iloc[1] > 0.5  # the same person, without colour


def test_seconds_are_noted(prepared):
    table = read_prepared(prepared)
    seconds = table[[f"seconds_{stage}" for stage in STAGES]]
    assert (seconds[table["status"] == "ok"] >= 0).all(axis=None) and (seconds["seconds_read"] > 0).all()
    assert seconds.loc[table["status"] == "unreadable", "seconds_detect"].isna().all()


def test_the_number_of_processes_does_not_matter(prepared, mixed, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "PHOTOS_PER_PART", 8)
    assert list(prepare(list_photos(mixed), tmp_path / "out", workers=2, device="cpu"))[-1] == 13
    assert without_seconds(tmp_path / "out") == without_seconds(prepared)


def test_ray_gives_the_same_though_a_worker_is_killed(cluster, prepared, mixed, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "PHOTOS_PER_PART", 8)
    monkeypatch.setattr(engines, "prepare_part", cluster.killed_once(prepare_part, tmp_path / "killed"))
    assert list(prepare(list_photos(mixed), tmp_path / "out", engine="ray", workers=2, device="cpu"))[-1] == 13
    assert (tmp_path / "killed").exists() and without_seconds(tmp_path / "out") == without_seconds(prepared)


def test_ray_with_less_room_than_workers(cluster, mixed):
    """Nothing waits for room that never comes; a worker's sentence arrives; the cluster outlives the work."""
    photos = listed(mixed, "face0.jpg", "face1.jpg", "cut.jpg", "nobody.png")
    few = [Part(number, mixed, (photo,), SETTINGS, "cpu") for number, photo in enumerate(photos)]
    assert sorted(done.number for done in on_ray(few, workers=4)) == [0, 1, 2, 3]
    with pytest.raises(KinlibError, match="the weights 'e4e_ffhq' are not here"):
        list(on_ray([replace(few[0], settings=PrepareSettings("ffhq"))]))
    with pytest.raises(KinlibError, match="has no room for the device 'cuda'"):
        list(on_ray([replace(few[0], device="cuda")]))
    assert cluster.ray.is_initialized()


def test_ray_that_does_not_answer(mixed, monkeypatch):
    ray = pytest.importorskip("ray", reason="ray is an optional extra")

    def unreachable(**options):
        raise ConnectionError("ray.init() could not find a cluster")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(ray, "init", unreachable)
    with pytest.raises(KinlibError, match="Ray does not start or answer: check RAY_ADDRESS"):
        list(on_ray([Part(0, mixed, (), SETTINGS, "cpu")]))


@pytest.mark.parametrize(("name", "words"), [("ActorDiedError", []), ("OutOfMemoryError", ["killed"])])
def test_ray_workers_that_die(tmp_path, monkeypatch, name, words):
    """Whether by themselves or by Ray's guard of the memory."""
    ray = pytest.importorskip("ray", reason="ray is an optional extra")

    def die(*arguments):
        raise getattr(ray.exceptions, name)(*words)

    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr("kinlib.runtime.cluster._in_order", die)
    with pytest.raises(KinlibError, match=r"a Ray worker died again and again, .* fewer --workers"):
        list(on_ray([Part(0, tmp_path, (), SETTINGS, "cpu")]))


@pytest.fixture(scope="module")
def networks():
    return load_networks(SETTINGS, "cpu")


def listed(root: Path, *names: str) -> list:
    return [photo for photo in list_photos(root).photos if photo.image in names]


def test_a_picture_that_breaks_a_stage_breaks_nothing_else(mixed, networks, monkeypatch):
    photos = listed(mixed, "face0.jpg", "face1.jpg", "face2.jpg", "face3.jpg")
    cut = stages.align_found
    asked = iter([KinlibError("the points do not form a face"), np.linalg.LinAlgError("Singular matrix"), None, None])

    def sometimes(*arguments, **options):
        if (problem := next(asked)) is not None:
            raise problem
        return cut(*arguments, **options)

    monkeypatch.setattr(stages, "align_found", sometimes)
    works = run_stages(mixed, photos, networks)
    assert [work.status for work in works] == ["no crop", "failed", "ok", "ok"]
    assert [work.reason for work in works[:2]] == [
        "the points do not form a face",
        "align: LinAlgError: Singular matrix",
    ]
    assert works[0].faces and works[0].latent is None and works[3].latent is not None


def test_a_picture_that_breaks_the_detector(mixed, networks, monkeypatch):
    photos = listed(mixed, "face0.jpg", "grey.png", "nobody.png")

    def fragile(pictures, device):
        several = pictures if isinstance(pictures, list) else [pictures]
        if any(np.ptp(np.float32(one), axis=2).max() == 0 and np.std(one) > 1 for one in several):
            raise RuntimeError("expected a non-empty list of Tensors")
        return detect_all(pictures, device=device)

    monkeypatch.setattr(stages, "detect_all", fragile)
    works = run_stages(mixed, photos, networks)
    assert [work.status for work in works] == ["ok", "failed", "no face"]
    assert works[1].reason == "detect: RuntimeError: expected a non-empty list of Tensors"


def test_a_lack_of_memory_is_not_a_picture_s_fault(mixed, monkeypatch):
    def exhausted(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr(stages, "align_found", exhausted)
    part = Part(0, mixed, tuple(listed(mixed, "face0.jpg")), SETTINGS, "cpu")
    with pytest.raises(KinlibError, match=r"the memory does not suffice: .* fewer --workers"):
        prepare_part(part)


def test_codes_that_are_not_finite(mixed, networks):
    class Broken(torch.nn.Module):
        def fit(self, faces):
            return networks.encoder.fit(faces)

        def forward(self, faces):
            return torch.full((len(faces), 10, 512), torch.nan)

    (work,) = run_stages(mixed, listed(mixed, "face0.jpg"), replace(networks, encoder=Broken()))
    assert (work.status, work.reason) == ("failed", "the code is not finite in float32: use float32")


def test_embeddings_that_are_not_finite(mixed, networks):
    class Broken(torch.nn.Module):
        input_size = networks.identity.input_size

        def forward(self, faces):
            return torch.full((len(faces), 512), torch.inf)

    (work,) = run_stages(mixed, listed(mixed, "face0.jpg"), replace(networks, identity=Broken()))
    assert (work.status, work.reason) == ("failed", "the embedding is not finite in float32: use float32")


def test_large_pictures_are_taken_a_few_at_a_time(mixed, networks, monkeypatch):
    names = ("face0.jpg", "face1.jpg", "face2.jpg", "cut.jpg", "nobody.png")
    together = run_stages(mixed, listed(mixed, *names), networks)
    sizes = []
    found = stages.detect_all
    monkeypatch.setattr(
        stages, "detect_all", lambda pictures, device: sizes.append(len(pictures)) or found(pictures, device=device)
    )
    monkeypatch.setattr(stages, "AT_ONCE", 2 * 120 * 150)
    apart = run_stages(mixed, listed(mixed, *names), networks)
    assert sizes == [2, 2]
    for one, other in zip(together, apart, strict=True):
        assert (one.photo, one.status) == (other.photo, other.status)
        # Rounding differs with the batch, and every correction of a code enlarges it; codes have a spread of about 0.7.
        assert one.latent is None or np.abs(one.latent - other.latent).max() < 1e-2


def test_no_codes_without_a_face(prepared):
    with pytest.raises(KinlibError, match="keep those whose status is 'ok'"):
        latents(read_prepared(prepared))
    assert latents(read_prepared(prepared).head(0)).shape == (0, 0, 512)


# ---- rotated pictures and other formats


def test_rotated_pictures_are_found_upright(tmp_path, networks):
    """Pixels rotated, no EXIF tag that says so: the same face comes out, and row and note say what was done."""
    photo = Image.open(PORTRAIT)
    for degrees in (0, 90, 180, 270):
        photo.rotate(degrees, expand=True).save(tmp_path / f"{degrees}.png")
    upright, *others = run_stages(tmp_path, list_photos(tmp_path).photos, networks)
    assert (upright.face.rotated, upright.face.notes, upright.size) == (0, [], photo.size)
    for degrees, work in zip((90, 180, 270), others, strict=True):
        assert work.status == "ok" and work.size == photo.size and work.face.rotated == degrees
        assert f"rotated by {degrees} degrees clockwise" in work.face.notes[0]
        np.testing.assert_array_equal(work.face.keypoints.points, upright.face.keypoints.points)
        assert np.array_equal(work.face.aligned, upright.face.aligned)
    assert pq.read_table(io.BytesIO(as_parquet(others)))["rotated"].to_pylist() == [90, 180, 270]


def test_a_heic_photo_is_prepared(tmp_path, networks):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.from_pillow(Image.open(PORTRAIT).convert("RGB")).save(tmp_path / "IMG_0001.HEIC", quality=95)
    (work,) = run_stages(tmp_path, list_photos(tmp_path).photos, networks)
    assert work.status == "ok" and work.size == Image.open(PORTRAIT).size


# ---- enlarging


@pytest.mark.parametrize("offset", [(0, 0), (300, 200)])
def test_enlarging_the_surroundings_is_as_good_as_enlarging_all(offset, networks):
    """Bicubic interpolation is local, so the crop is the same to a grey level; points come back where they were."""
    photo = Image.open(studio_photos(3)[2])
    picture = Image.new("RGB", (photo.width + 2 * offset[0], photo.height + 2 * offset[1]), (90, 120, 160))
    picture.paste(photo, offset)
    upright = find_upright(picture, networks.predictor, "cpu")
    faces = upright.faces
    bicubic = replace(SETTINGS, upscale="bicubic")
    view = enlarged(upright, bicubic, torch.device("cpu"), networks.predictor)
    assert view.factor == 2 and (offset == (0, 0) or view.photo.image.width < picture.width)
    found = align_found(view.photo, 256)
    whole = upscale(picture, 2, "bicubic")
    doubled = [replace(face, box=face.box * 2, points=np.float32((face.points + 0.5) * 2 - 0.5)) for face in faces]
    wanted = align_found(examine(whole, doubled, networks.predictor), 256)
    assert np.abs(np.float32(found.aligned) - np.float32(wanted.aligned)).max() <= 1
    back = view.put_back(found)
    np.testing.assert_allclose(back.keypoints.points, faces[0].points, atol=1e-3)
    np.testing.assert_allclose(back.keypoints.box, faces[0].box, atol=1e-3)
    np.testing.assert_allclose(back.quad, (wanted.quad + 0.5) / 2 - 0.5, atol=1e-3)
    plain = align_found(upright, 256)
    assert np.abs(back.quad - plain.quad).max() < 0.1 * np.hypot(*(plain.quad[3] - plain.quad[0]))


def test_large_faces_are_not_enlarged(networks):
    picture = Image.open(studio_photos(1)[0]).resize((480, 600))
    upright = find_upright(picture, networks.predictor, "cpu")
    assert enlarged(upright, replace(SETTINGS, upscale="bicubic"), torch.device("cpu"), networks.predictor).factor == 1


def test_enlarged_pictures_in_the_table(mixed, networks):
    bicubic = replace(networks, settings=replace(SETTINGS, upscale="bicubic"))
    (plain,) = run_stages(mixed, listed(mixed, "face1.jpg"), networks)
    (large,) = run_stages(mixed, listed(mixed, "face1.jpg"), bicubic)
    assert (plain.factor, large.factor) == (1, 2)
    assert np.abs(plain.face.landmarks - large.face.landmarks).max() < 8  # px of 120
    assert float((to_tensor(plain.face.aligned) - to_tensor(large.face.aligned)).abs().mean()) < 0.1


def test_an_enlarged_face_counts_at_the_size_that_it_had(tmp_path, networks):
    """Twice 12 px would pass, and twice 24 px would have no note."""
    for width in (12, 24):
        face = Image.open(PORTRAIT).convert("RGB")  # 137 px of 256
        face = face.resize([round(side * width / 137) for side in face.size], Image.Resampling.LANCZOS)
        picture = Image.new("RGB", (300, 200), (90, 120, 160))
        picture.paste(face, (20, 20))
        picture.save(tmp_path / f"{width}.png")
    bicubic = replace(networks, settings=replace(SETTINGS, upscale="bicubic"))
    tiny, small = run_stages(tmp_path, list_photos(tmp_path).photos, bicubic)
    assert tiny.status == "no crop" and "at least 16 px are needed" in tiny.reason
    assert small.status == "ok" and small.factor == 2 and "px wide: below 32 px" in small.face.notes[0]
