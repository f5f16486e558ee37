"""Sets of renders in parts: whole, the same however they came about, and refused where they cannot be made.

Most tests draw nothing: they stand in for the renderer and try what surrounds it.
"""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from studio_head import needs_head

from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets import batch, parts
from kinlib.studio.datasets.batch import RenderSettings, render_people
from kinlib.studio.datasets.renders import load_faces
from kinlib.studio.labels import CLASSES, REGIONS
from kinlib.studio.render import VERSION
from kinlib.training.recipes.directions import attribute_table

SETTINGS = RenderSettings(people=60, images_each=3, size=32)  # parts of 24, 24 and 12 people


@pytest.fixture
def asked(monkeypatch) -> list[int]:
    """A renderer that draws nothing; returns the numbers of the people it was asked for."""
    asked: list[int] = []

    def render_person(job: tuple[RenderSettings, int]) -> list[dict]:
        settings, number = job
        asked.append(number)
        bytes_of = np.random.default_rng([settings.seed, number]).bytes
        return [{"person": number, "view": view, "image": bytes_of(200)} for view in range(settings.images_each)]

    monkeypatch.setattr(batch, "_render_person", render_person)
    monkeypatch.setattr(parts, "load_head", lambda: None)
    monkeypatch.setattr(parts, "warm_up", lambda: None)
    return asked


def finish(out: Path, settings: RenderSettings = SETTINGS) -> list[int]:
    """Render all; returns the progress."""
    return list(render_people(settings, out, workers=1))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def read(out: Path) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(path) for path in sorted(out.glob("*.parquet"))], ignore_index=True)


# ---- what is written


def test_every_picture_once_and_in_order(asked, tmp_path):
    assert finish(tmp_path / "set") == list(range(0, 181, 3))
    table = read(tmp_path / "set")
    assert table["person"].tolist() == np.repeat(np.arange(60), 3).tolist()
    assert table["view"].tolist() == [0, 1, 2] * 60
    assert sorted(contents(tmp_path / "set")) == [*(f"part-0000{n}.parquet" for n in range(3)), "render.json"]
    note = json.loads((tmp_path / "set" / "render.json").read_text())
    assert note == {"people": 60, "images_each": 3, "size": 32, "seed": 0, "crop": "ffhq", "renderer": VERSION}


@pytest.mark.parametrize(("images_each", "sizes"), [(1, [72, 72, 6]), (3, [24] * 6 + [6]), (100, [1] * 150)])
def test_parts_hold_whole_people_and_about_as_many_pictures(images_each, sizes):
    parts = RenderSettings(150, images_each).parts
    assert [len(part) for part in parts] == sizes
    assert [number for part in parts for number in part] == list(range(150))


def test_a_set_that_is_there_is_left_alone(asked, tmp_path, monkeypatch):
    finish(tmp_path)
    before = contents(tmp_path)
    monkeypatch.setattr(parts, "load_head", lambda: pytest.fail("the head model is not needed"))
    assert finish(tmp_path) == [180]
    assert contents(tmp_path) == before and len(asked) == 60


# ---- stopping, going on, growing


@pytest.mark.parametrize("people", [0, 1, 23, 24, 25, 59])
def test_going_on_after_a_stop_makes_the_same_files(asked, tmp_path, people):
    finish(tmp_path / "whole")
    asked.clear()
    progress = render_people(SETTINGS, tmp_path / "stopped", workers=1)
    assert [next(progress) for _ in range(people + 1)][-1] == 3 * people
    progress.close()
    assert len(list((tmp_path / "stopped").glob("*.parquet"))) == people // 24  # whole ones only
    assert not [name for name in contents(tmp_path / "stopped") if name.endswith(".part")]
    kept = people - people % 24
    asked.clear()
    assert finish(tmp_path / "stopped")[0] == 3 * kept
    assert asked == list(range(kept, 60))
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


def test_stopped_while_writing_leaves_no_half_file(asked, tmp_path, monkeypatch):
    def interrupt(table, file, **options):
        file.write(b"half a table")
        raise KeyboardInterrupt

    monkeypatch.setattr(pd.DataFrame, "to_parquet", interrupt)
    with pytest.raises(KeyboardInterrupt):
        finish(tmp_path)
    assert sorted(contents(tmp_path)) == ["render.json"]


def test_a_set_grows_and_only_the_short_part_is_made_again(asked, tmp_path):
    finish(tmp_path / "whole")
    finish(tmp_path / "grown", replace(SETTINGS, people=30))
    first = contents(tmp_path / "grown")["part-00000.parquet"]
    asked.clear()
    assert finish(tmp_path / "grown")[0] == 72
    assert asked == list(range(24, 60))
    assert contents(tmp_path / "grown") == contents(tmp_path / "whole")
    assert contents(tmp_path / "grown")["part-00000.parquet"] == first


def test_a_damaged_part_is_made_again(asked, tmp_path):
    finish(tmp_path)
    before = contents(tmp_path)
    part = tmp_path / "part-00001.parquet"
    part.write_bytes(part.read_bytes()[:-100])
    asked.clear()
    finish(tmp_path)
    assert contents(tmp_path) == before and asked == list(range(24, 48))


# ---- refusals


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"people": 0}, "--people must be from 1 to 1,000,000, not 0"),
        ({"people": -3}, "not -3"),
        ({"people": 10**12}, "not 1000000000000"),
        ({"images_each": 0}, "--images-each must be from 1 to 100, not 0"),
        ({"images_each": 101}, "not 101"),
        ({"size": 31}, "--size must be from 32 to 2,048, not 31"),
        ({"size": 4096}, "not 4096"),
        ({"seed": -1}, "--seed must be from 0"),
        ({"seed": 2**31}, "--seed must be from 0"),
        ({"crop": "round"}, "unknown crop 'round': choose ffhq or photo"),
    ],
)
def test_impossible_settings(asked, tmp_path, change, words):
    with pytest.raises(KinlibError, match=words):
        finish(tmp_path / "set", replace(SETTINGS, **change))
    assert not (tmp_path / "set").exists() and not asked


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": 33}, "other settings"),
        ({"seed": 1}, "other settings"),
        ({"images_each": 2}, "other settings"),
        ({"crop": "photo"}, "other settings"),
        ({"people": 59}, "for 60 people already"),
    ],
)
def test_folder_of_another_set(asked, tmp_path, change, words):
    finish(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(KinlibError, match=words):
        finish(tmp_path, replace(SETTINGS, **change))
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("note", "words"),
    [
        ("{broken", "damaged"),
        ("[1, 2]", "damaged"),
        ("{}", "lacks 'people'"),
        (None, "but no render.json"),
        ({"renderer": 0}, "other settings"),
        ({"people": None}, "is damaged: delete it"),
        ({"people": "60"}, "is damaged: delete it"),
    ],
)
def test_folder_with_a_strange_note(asked, tmp_path, note, words):
    finish(tmp_path)
    path = tmp_path / "render.json"
    if note is None:
        path.unlink()
    elif isinstance(note, dict):
        path.write_text(json.dumps(json.loads(path.read_text()) | note))
    else:
        path.write_text(note)
    before = contents(tmp_path)
    with pytest.raises(KinlibError, match=words):
        finish(tmp_path)
    assert contents(tmp_path) == before


def test_places_where_nothing_can_be_written(asked, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(KinlibError, match="is a file: --out needs a folder"):
        finish(tmp_path / "file")
    with pytest.raises(KinlibError, match="cannot be written"):
        finish(tmp_path / "file" / "below")
    if Path("/proc/self").exists():  # where not even root may write
        with pytest.raises(KinlibError, match="cannot be written"):
            finish(Path("/proc/renders"))
    assert not asked


def test_no_space(asked, tmp_path):
    resource = pytest.importorskip("resource")  # POSIX only
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))  # bytes; a part has 14,400 of pictures
    try:
        with pytest.raises(KinlibError, match=r"part-00000.parquet' cannot be written: File too large"):
            finish(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sorted(contents(tmp_path)) == ["render.json"]
    assert finish(tmp_path)[-1] == 180


def test_without_the_head_model_nothing_is_written(asked, tmp_path, monkeypatch):
    def missing() -> None:
        raise KinlibError("there is no head model")

    monkeypatch.setattr(parts, "load_head", missing)
    with pytest.raises(KinlibError, match="there is no head model"):
        finish(tmp_path / "set")
    assert not (tmp_path / "set").exists()


# ---- the real renderer


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> Path:
    """Four people, three pictures each, on two processes."""
    out = tmp_path_factory.mktemp("rendered")
    assert list(render_people(RenderSettings(4, 3, 64, seed=5), out, workers=2))[-1] == 12
    return out


@needs_head
def test_the_number_of_processes_does_not_matter(rendered, tmp_path):
    list(render_people(RenderSettings(4, 3, 64, seed=5), tmp_path, workers=1))
    assert contents(tmp_path) == contents(rendered)


@needs_head
def test_training_reads_the_pictures(rendered):
    faces = load_faces(rendered)
    assert faces.images.shape == (12, 3, 64, 64) and faces.labels.shape == (12, 64, 64)
    assert 0.2 < (faces.labels > 0).float().mean() < 0.95
    assert faces.images.float().std() > 20
    points = np.stack(faces.table["landmarks"])
    assert points.shape == (12, 136) and points.min() > -32 and points.max() < 96
    training, held_out = faces.split()
    assert set(held_out.table["person"]) == {0} and len(training) == 9
    numbers = attribute_table(faces.table)
    assert numbers.notna().all(axis=None) and set(numbers["sex"]) <= {0.0, 1.0}
    assert numbers[["skin", "smile", "hair_light"]].to_numpy().min() >= 0
    assert numbers[["skin", "smile", "hair_light"]].to_numpy().max() <= 1


@needs_head
def test_columns(rendered):
    table = read(rendered)
    assert list(table)[:7] == ["person", "view", "image", "mask", "regions", "landmarks", "yaw"]
    for column, names in (("mask", CLASSES), ("regions", REGIONS)):
        labels = np.stack([np.asarray(Image.open(io.BytesIO(content))) for content in table[column]])
        assert labels.shape == (12, 64, 64) and len(np.unique(labels)) > 8 and labels.max() < len(names)
    same = table.groupby("person")["identity"].agg(lambda rows: len({tuple(row) for row in rows}))
    assert (same == 1).all() and len({tuple(row) for row in table["identity"]}) == 4
    assert table["yaw"].abs().max() <= 45
