"""The family data set: Family101's layout, faults that can be found in the files alone, and the truth beside them.

Most tests stand in for the renderer; those of the pictures themselves draw a few.
"""

import csv
import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from studio_head import needs_head

from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets import family_photos, family_set, portraits
from kinlib.studio.datasets.card import MISSING, studio_table
from kinlib.studio.datasets.encoding import array_to_jpeg, array_to_png, pack_genomes, unpack_genome
from kinlib.studio.datasets.family_photos import HEIGHT, WIDTH
from kinlib.studio.datasets.family_set import FamilyPlan, plan, write
from kinlib.studio.datasets.planted_faults import KINDS, OF_PICTURES, plant
from kinlib.studio.pedigree.extended_families import simulate
from kinlib.studio.render import Picture
from kinlib.studio.rendering.ground_truth import attributes
from kinlib.training.cards import pages

SEED = 3


@pytest.fixture(scope="module")
def small() -> FamilyPlan:
    """Ten families, one or two photographs of everybody."""
    return plan(SEED, 10, 50, (1, 2))


@pytest.fixture
def drawn(monkeypatch) -> Counter:
    """A renderer that makes noise of each person's own; returns how many pictures were asked of it."""
    asked: Counter = Counter()

    def render(person, look, shot, size) -> Picture:
        asked["photographs"] += 1
        rng = np.random.default_rng([person.seed, shot.seed])
        image = rng.integers(0, 256, (*size, 3), np.uint8)
        labels = np.full(size, 1, np.uint8)
        points = rng.uniform(0, 100, (68, 2)).astype(np.float32)
        words = attributes(person, look, shot)
        return Picture(image, points, shot.yaw, shot.pitch, shot.roll, labels, labels, words)

    def portrait(person, seed, size) -> Picture:
        asked["portraits"] += 1
        image = np.full((size, size, 3), seed, np.uint8)
        return Picture(image, np.zeros((68, 2)), 0.0, 0.0, 0.0, image[..., 0], image[..., 0], {})

    monkeypatch.setattr(family_photos, "render", render)
    monkeypatch.setattr(family_set, "sample_portrait", portrait)
    monkeypatch.setattr(family_set, "load_head", lambda: None)
    monkeypatch.setattr(family_set, "warm_up", lambda: None)
    return asked


@pytest.fixture
def out(small, drawn, tmp_path) -> Path:
    """The set on disk."""
    list(write(small, tmp_path / "studio", workers=1))
    return tmp_path / "studio"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows_of(out: Path) -> list[list[str]]:
    """FAMILY101.txt as a careful reader takes it."""
    with (out / "families" / "FAMILY101.txt").open(newline="") as file:
        return list(csv.reader(file, delimiter="\t"))


def houses_of(out: Path) -> dict[str, dict[str, list[tuple[str, str]]]]:
    """Family -> house -> (role, name)."""
    families: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for number, role, name in rows_of(out):
        if role == "FAMI":
            family = families.setdefault(name, {})
        else:
            family.setdefault(number, []).append((role, name))
    return families


def planted(out: Path, kind: str) -> dict:
    (fault,) = [fault for fault in json.loads((out / "faults.json").read_text()) if fault["kind"] == kind]
    assert fault["meaning"] == KINDS[kind]
    return fault


# ---- layout


def test_layout_is_that_of_family101(small, out):
    raw = (out / "families" / "FAMILY101.txt").read_bytes()
    assert raw.endswith(b"\r\n") and raw.count(b"\n") == raw.count(b"\r\n") and b" " not in raw
    rows = rows_of(out)
    assert all(len(row) == 3 for row in rows)
    assert {role for _, role, _ in rows} == {"FAMI", "HUSB", "WIFE", "SONN", "DAUG"}
    assert all((number == "0") == (role == "FAMI") for number, role, _ in rows)
    people = small.pedigree.people
    assert [name for _, role, name in rows if role == "FAMI"] == people["family"].unique().tolist()
    assert sorted(path.name for path in (out / "families").iterdir()) == sorted(
        [*people["family"].unique(), "FAMILY101.txt"]
    )
    pictures = sorted((out / "families").glob("*/*/*.jpg"))
    assert len(pictures) == len(small.photos)
    for path in pictures:
        with Image.open(path) as picture:
            assert picture.size == (WIDTH, HEIGHT) and picture.format == "JPEG"
    numbers = [path.stem for path in pictures if path.parent == pictures[0].parent]
    assert numbers == [f"{i:02d}" for i in range(1, len(numbers) + 1)]


def test_progress_and_summary(small, drawn, tmp_path):
    progress = list(write(small, tmp_path, workers=1))
    assert progress[0] == 0 and progress[-1] == small.num_pictures == len(small.photos) + 12
    assert sorted(progress) == progress
    assert drawn == {"photographs": len(small.photos) - 1, "portraits": 12}  # nobody is drawn for the faceless one
    note = json.loads((tmp_path / "studio.json").read_text())
    assert note == small.summary and note["planted_faults"] == len(KINDS) and note["people"] == 50
    assert not (tmp_path / ".work").exists()


def test_portraits(out):
    couples = pd.read_parquet(out / "portraits" / "couples.parquet")
    assert couples["picture"].tolist() == [
        f"couple_{i}_{role}.jpg" for i in range(1, 7) for role in ("father", "mother")
    ]
    assert couples["sex"].tolist() == ["male", "female"] * 6
    for name in couples["picture"]:
        with Image.open(out / "portraits" / name) as picture:
            assert picture.size == (256, 256)


def test_default_plan():
    """What the project ships: as many families and people as it says, everybody photographed from 3 to 85."""
    whole = plan()
    assert whole.summary["families"] == 26 and whole.summary["people"] == 160
    counts = Counter(photo.person for photo in whole.photos)
    assert set(counts.values()) == {8, 9, 10} and len(counts) == 159  # one has no folder
    ages = np.array([photo.age for photo in whole.photos])
    assert ages.min() >= 3 and ages.max() < 87 and np.percentile(ages, 20) < 18 and np.percentile(ages, 95) > 55
    for row in list(counts)[:20]:
        mine = [photo for photo in whole.photos if photo.person == row]
        assert [photo.number for photo in mine] == list(range(1, len(mine) + 1))
        assert [int(photo.age) for photo in mine] == sorted(int(photo.age) for photo in mine)


# ---- faults: planted, and to be found without being told


def test_every_kind_is_planted_once_in_a_family_of_its_own(small):
    assert [fault.kind for fault in small.faults] == list(KINDS)
    assert len({fault.family for fault in small.faults}) == len(KINDS)
    with pytest.raises(KinlibError, match="too few or too small for the fault"):
        plant(simulate(7, 60, seed=1), 1)


def test_repeated_house_is_found(out):
    found = [
        (family, number)
        for family, houses in houses_of(out).items()
        for number, members in houses.items()
        if sum(role == "HUSB" for role, _ in members) > 1 and sum(role == "WIFE" for role, _ in members) > 1
    ]
    fault = planted(out, "repeated_house")
    assert found == [(fault["family"], str(fault["house"] - 1))]
    assert str(fault["house"]) not in houses_of(out)[fault["family"]]


def test_incomplete_house_is_found(out):
    found = [
        (family, int(number))
        for family, houses in houses_of(out).items()
        for number, members in houses.items()
        if {"HUSB", "WIFE"} - {role for role, _ in members}
    ]
    fault = planted(out, "incomplete_house")
    assert found == [(fault["family"], fault["house"])]
    assert (out / "families" / fault["family"] / fault["person"]).is_dir()  # who she is can be found in the folders


def test_child_of_two_houses_is_found(out):
    found = []
    for family, houses in houses_of(out).items():
        children = Counter(name for members in houses.values() for role, name in members if role in ("SONN", "DAUG"))
        found += [(family, name) for name, count in children.items() if count > 1]
    fault = planted(out, "two_houses")
    assert found == [(fault["family"], fault["person"])]
    assert fault["person"] in [name for _, name in houses_of(out)[fault["family"]][str(fault["house"])]]


def test_missing_folder_is_found(out):
    listed = {(family, name) for family, houses in houses_of(out).items() for h in houses.values() for _, name in h}
    found = [pair for pair in listed if not (out / "families" / pair[0] / pair[1]).exists()]
    fault = planted(out, "missing_folder")
    assert found == [(fault["family"], fault["person"])]


def test_hidden_file_is_found(out):
    found = [path for path in (out / "families").rglob("*") if path.is_file() and path.suffix not in (".jpg", ".txt")]
    fault = planted(out, "hidden_file")
    assert found == [out / "families" / fault["family"] / fault["person"] / ".DS_Store"]


def test_grey_picture_is_found(out):
    pictures = (out / "families").glob("*/*/*.jpg")
    found = [path for path in pictures if Image.open(path).mode != "RGB"]
    fault = planted(out, "grey")
    assert found == [out / "families" / fault["family"] / fault["person"] / f"{fault['picture']:02d}.jpg"]


def blockiness(path: Path) -> float:
    """Share of a picture's variance that lies within blocks of ten pixels."""
    pixels = np.asarray(Image.open(path).convert("L"), float)
    blocks = pixels.reshape(HEIGHT // 10, 10, WIDTH // 10, 10)[:, 2:8, :, 2:8]
    return blocks.var(axis=(1, 3)).mean() / pixels.var()


@pytest.fixture(scope="module")
def spoilt(small, tmp_path_factory) -> Path:
    """The pictures with a fault and a dozen others, drawn by the renderer; two portraits."""
    chosen = [photo for i, photo in enumerate(small.photos) if photo.fault or i % 6 == 0]
    folder = tmp_path_factory.mktemp("spoilt")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portraits, "NUM_COUPLES", 1)
        portraits.portrait_couples.cache_clear()
        list(write(replace(small, photos=chosen), folder, workers=1))
        portraits.portrait_couples.cache_clear()
    return folder


@needs_head
def test_pixelated_picture_is_found(spoilt):
    levels = {path: blockiness(path) for path in (spoilt / "families").glob("*/*/*.jpg")}
    fault = planted(spoilt, "pixelated")
    found = min(levels, key=levels.get)
    assert found == spoilt / "families" / fault["family"] / fault["person"] / f"{fault['picture']:02d}.jpg"
    assert levels.pop(found) < 0.2 * min(levels.values())


@needs_head
def test_picture_without_a_face_is_found(spoilt):
    from kinlib.faces.keypoints import detect

    paths = sorted((spoilt / "families").glob("*/*/*.jpg"))
    faces = detect([Image.open(path).convert("RGB") for path in paths])
    found = [path for path, face in zip(paths, faces, strict=True) if face is None]
    fault, blurred = planted(spoilt, "faceless"), planted(spoilt, "pixelated")
    expected = spoilt / "families" / fault["family"] / fault["person"] / f"{fault['picture']:02d}.jpg"
    allowed = spoilt / "families" / blurred["family"] / blurred["person"] / f"{blurred['picture']:02d}.jpg"
    assert expected in found and set(found) <= {expected, allowed}


@needs_head
def test_truth_fits_the_pictures(spoilt):
    truth = pd.read_parquet(spoilt / "truth.parquet").set_index("file")
    shown = truth[truth["fault"] != "faceless"]
    points = np.stack(shown["landmarks"]).reshape(-1, 68, 2)
    assert (points >= 0).all() and (points <= [WIDTH - 1, HEIGHT - 1]).all()
    masked = shown[shown["mask"].notna()]
    assert len(masked) >= 3
    for _, row in masked.iterrows():
        classes = np.asarray(Image.open(io.BytesIO(row["mask"])))
        x, y = row["landmarks"].reshape(68, 2)[33].round().astype(int)
        assert classes.shape == (HEIGHT, WIDTH) and (classes[y - 3 : y + 1, x - 2 : x + 3] == 2).any()  # the nose
        assert np.asarray(Image.open(io.BytesIO(row["regions"]))).shape == (HEIGHT, WIDTH)
    words = [json.loads(text) for text in shown["attributes"]]
    assert np.allclose([record["age"] for record in words], shown["age"], atol=0.01)
    sexes = pd.read_parquet(spoilt / "people.parquet").set_index("name")["sex"]
    assert [record["male"] for record in words] == (sexes[shown["name"]] == "male").tolist()


# ---- tables


def test_truth_has_a_row_for_every_picture(small, out):
    truth = pd.read_parquet(out / "truth.parquet")
    files = {str(path.relative_to(out / "families")) for path in (out / "families").glob("*/*/*.jpg")}
    assert set(truth["file"]) == files
    assert len(truth) == len(small.photos) == truth["file"].nunique()
    assert truth["age"].between(3, 86).all() and truth["yaw"].abs().max() <= 50
    marked = truth[truth["fault"].notna()].set_index("fault")
    assert set(marked.index) == set(OF_PICTURES)
    for kind, row in marked.iterrows():
        fault = planted(out, kind)
        assert row["file"] == f"{fault['family']}/{fault['person']}/{fault['picture']:02d}.jpg"
    nobody = truth[truth["fault"] == "faceless"]
    assert nobody[["yaw", "landmarks", "attributes"]].isna().all(axis=None)
    rest = truth[truth["fault"] != "faceless"]
    assert rest[["yaw", "landmarks", "attributes"]].notna().all(axis=None)
    masked = truth.loc[truth["mask"].notna(), "family"].unique()
    assert set(masked) <= set(small.pedigree.people["family"].unique()[:6]) and len(masked) >= 4
    assert (truth["mask"].notna() == truth["regions"].notna()).all()


def test_genomes_are_those_of_the_pedigree(small, out):
    truth = pd.read_parquet(out / "truth.parquet").drop_duplicates("name").set_index("name")["genome"]
    alleles, names = small.pedigree.genomes.alleles, small.pedigree.people["name"]
    assert len(truth) == 49
    for row, name in enumerate(names):
        if name in truth:
            assert (unpack_genome(truth[name], alleles.shape[2]) == alleles[row]).all()


def test_people_are_those_of_the_pedigree(small, out):
    people = pd.read_parquet(out / "people.parquet")
    columns = list(small.pedigree.people)
    assert (people["name"] == small.pedigree.people["name"]).all() and set(columns) <= set(people)
    assert (people["father"].dropna() == small.pedigree.people["father"].dropna()).all()
    looks = small.pedigree.phenotypes
    assert np.allclose(people["melanin"], looks.melanin, atol=1e-4)
    assert np.allclose(np.stack(people["shape"]), looks.shape, atol=1e-4)
    assert np.allclose(people["nose_width"], looks.to_frame()["nose_width"], atol=1e-4)


# ---- stopping, going on, and folders that are not ours


@pytest.mark.parametrize("steps", [1, 2, 20, 49, 55])
def test_going_on_after_a_stop_makes_the_same_files(small, drawn, out, tmp_path, steps):
    progress = write(small, tmp_path / "again", workers=1)
    for _ in range(steps):
        done = next(progress)
    progress.close()
    assert not (tmp_path / "again" / "studio.json").exists()
    drawn.clear()
    later = list(write(small, tmp_path / "again", workers=1))
    assert later[0] == min(done, len(small.photos)) and later[-1] == small.num_pictures
    assert drawn["photographs"] >= len(small.photos) - later[0] - 1
    assert contents(tmp_path / "again") == contents(out)


def test_stopped_between_pictures_and_their_truth(small, drawn, out, tmp_path, monkeypatch):
    """Ctrl-C while somebody's pictures are being written: they are made again, and no half file stays."""
    count = Counter()
    write_bytes = family_set.write_bytes

    def interrupted(path: Path, content: bytes) -> None:
        count["files"] += 1
        if count["files"] == 20:
            raise KeyboardInterrupt
        write_bytes(path, content)

    monkeypatch.setattr(family_set, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(write(small, tmp_path / "again", workers=1))
    assert not [name for name in contents(tmp_path / "again") if name.endswith(".part")]
    list(write(small, tmp_path / "again", workers=1))
    assert contents(tmp_path / "again") == contents(out)


def test_a_set_that_is_there_is_left_alone(small, drawn, out, monkeypatch):
    before = contents(out)
    drawn.clear()
    monkeypatch.setattr(family_set, "load_head", lambda: pytest.fail("the head model is not needed"))
    assert list(write(small, out, workers=1)) == [small.num_pictures]
    assert contents(out) == before and not drawn


def test_old_portraits_are_replaced(small, drawn, tmp_path):
    (tmp_path / "portraits").mkdir()
    (tmp_path / "portraits" / "couple_1_father.jpg").write_bytes(b"an older portrait")
    list(write(small, tmp_path, workers=1))
    with Image.open(tmp_path / "portraits" / "couple_1_father.jpg") as picture:
        assert picture.size == (256, 256)


def test_folders_of_others_are_refused(small, drawn, out, tmp_path):
    other = plan(SEED + 1, 10, 50, (1, 2))
    before = contents(out)
    with pytest.raises(KinlibError, match="holds another set"):
        list(write(other, out, workers=1))
    assert contents(out) == before
    foreign = tmp_path / "foreign"
    (foreign / "families" / "SMITH").mkdir(parents=True)
    with pytest.raises(KinlibError, match="was not made here"):
        list(write(small, foreign, workers=1))
    next(write(other, tmp_path / "begun", workers=1))
    with pytest.raises(KinlibError, match="unfinished work on another set"):
        list(write(small, tmp_path / "begun", workers=1))
    (tmp_path / "file").touch()
    with pytest.raises(KinlibError, match="is a file"):
        list(write(small, tmp_path / "file", workers=1))


@pytest.mark.parametrize("note", ["studio.json", ".work/begun.json"])
@pytest.mark.parametrize("text", ["{broken", "[]", "\0"])
def test_damaged_notes_are_told(small, drawn, tmp_path, note, text):
    next(write(small, tmp_path, workers=1))
    (tmp_path / note).write_text(text)
    with pytest.raises(KinlibError, match="is damaged: delete it"):
        list(write(small, tmp_path, workers=1))


def test_without_the_head_model_nothing_is_written(small, drawn, tmp_path, monkeypatch):
    def missing() -> None:
        raise KinlibError("there is no head model")

    monkeypatch.setattr(family_set, "load_head", missing)
    with pytest.raises(KinlibError, match="there is no head model"):
        list(write(small, tmp_path / "studio", workers=1))
    assert not (tmp_path / "studio").exists()


# ---- the data set card


def test_card_counts_what_lies_there(small, out):
    rows = dict(line.strip("| ").split(" | ") for line in studio_table(out).splitlines()[2:])
    assert rows["made by"] == "`kinlib render --families`, seed 3, version 1 of the renderer".replace(
        "version 1", f"version {small.summary['renderer']}"
    )
    assert rows["families"].startswith("10 of ") and rows["families"].endswith("17 couples with their children")
    assert rows["people"].startswith("50: ") and "female" in rows["people"]
    assert rows["photographs"] == f"{len(small.photos)} of 49 people, 1 to 2 of each, 120 x 150 px"
    assert rows["planted faults"].startswith("8: ") and KINDS["grey"] in rows["planted faults"]
    assert rows["portraits"] == "12, of 6 couples, 256 x 256 px"
    total = sum(len(content) for content in contents(out).values())
    assert rows["size"] == f"{total / 1e6:.1f} MB"
    assert "reference of heredity" not in rows


def test_card_without_sets_and_with_damaged_ones(out, tmp_path):
    assert studio_table(tmp_path / "nowhere") == MISSING
    (out / "people.parquet").write_bytes(b"no table")
    with pytest.raises(KinlibError, match="are damaged: make them anew"):
        studio_table(out)


def test_card_fills_its_page(out, monkeypatch):
    monkeypatch.setattr(pages.config, "data_dir", lambda: out.parent)
    page = "above\n<!-- studio:begin -->\nold\n<!-- studio:end -->\nbelow\n"
    filled = pages.fill(page)
    assert filled.startswith("above\n<!-- studio:begin -->\n| rendered for the project | |\n")
    assert filled.endswith("|\n<!-- studio:end -->\nbelow\n") and "\nold\n" not in filled
    assert pages.fill(filled) == filled


def test_card_names_files_and_columns(out):
    page = (config.project_root() / "data" / "README.md").read_text()
    people = ["name", "sex", "birth_year", "family", "generation", "father", "mother", "house", "population", "shape"]
    assert set(people) <= set(pd.read_parquet(out / "people.parquet"))
    files = [path for path in contents(out) if "/" not in path]
    for name in [*pd.read_parquet(out / "truth.parquet"), *people, *files]:
        assert f"`{name}`" in page, name


# ---- bytes


def test_packing_there_and_back():
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    assert Image.open(io.BytesIO(array_to_jpeg(image, 85))).size == (40, 30)
    assert Image.open(io.BytesIO(array_to_jpeg(image[..., 0], 85))).mode == "L"
    assert (np.asarray(Image.open(io.BytesIO(array_to_png(image[..., 0])))) == image[..., 0]).all()
    red = np.zeros((16, 16, 3), np.uint8)
    red[:, ::2, 0] = 255  # thin lines of colour survive at high quality only
    fine, coarse = (np.asarray(Image.open(io.BytesIO(array_to_jpeg(red, q))), float)[..., 0] for q in (92, 85))
    assert np.abs(fine - red[..., 0]).mean() < 0.5 * np.abs(coarse - red[..., 0]).mean()


def test_genomes_there_and_back():
    genomes = simulate(1, 3, seed=2).genomes
    packed = pack_genomes(genomes)
    length = genomes.alleles.shape[2]
    assert len(packed) == 3 and len(packed[0]) == -(-2 * length // 8)
    for content, alleles in zip(packed, genomes.alleles, strict=True):
        assert (unpack_genome(content, length) == alleles).all()
