"""Children of several couples in a folder: what is written, what is refused, what a later call does."""

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
from PIL import Image

from kinlib import Kinship
from kinlib.couples import ChildSettings, Couple, describe_failed, generate_all, run
from kinlib.couples.generate import MadeCouple, child_files, seed_of, stamp
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

PORTRAITS = config.data_dir() / "studio" / "portraits"
SETTINGS = ChildSettings(n=2, method="per_dimension", seed=7)
ROLES = ("father", "mother")


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Portraits of two couples, and two files that show nobody."""
    root = tmp_path_factory.mktemp("photos")
    for number in (1, 2):
        for role in ROLES:
            shutil.copy(PORTRAITS / f"couple_{number}_{role}.jpg", root / f"{role}{number}.jpg")
    Image.new("RGB", (120, 150), "grey").save(root / "nobody.png")
    (root / "text.jpg").write_text("no picture")
    return root


def couples_in(root: Path) -> list[Couple]:
    """Two couples with children, and two without."""
    pairs = {
        "first": ("father1.jpg", "mother1.jpg"),
        "wall": ("nobody.png", "mother1.jpg"),
        "text": ("father1.jpg", "text.jpg"),
        "last": ("father2.jpg", "./mother2.jpg"),
    }
    return [Couple(name, *pair, root) for name, pair in pairs.items()]


@pytest.fixture(scope="module")
def made(photos, tmp_path_factory) -> Path:
    """Generated in this process."""
    out = tmp_path_factory.mktemp("made") / "out"
    assert list(generate_all(couples_in(photos), out, SETTINGS, True, workers=1, device="cpu")) == [0, 1, 2, 3, 4]
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def imitate(job) -> MadeCouple:
    """What stands in for the networks: pictures of a few bytes that say what they are of."""
    if job.couple.father == "bad.jpg":
        return MadeCouple(job.number, job.couple.name, [{"couple": job.couple.name, "error": "nobody"}])
    common = {"couple": job.couple.name, "stamp": stamp(job.couple)}
    files = child_files(job.settings.n)
    rows = [common | {"child": number, "file": f"{job.couple.name}/{name}"} for number, name in enumerate(files)]
    father = job.couple.photo("father").read_bytes()
    return MadeCouple(job.number, job.couple.name, rows, {name: father + name.encode() for name in files})


@pytest.fixture
def quick(tmp_path, monkeypatch) -> list[str]:
    """Imitated networks and three small photographs; the couples that work was done for, in order."""
    worked: list[str] = []
    monkeypatch.setattr(run, "generate_couple", lambda job: worked.append(job.couple.name) or imitate(job))
    monkeypatch.chdir(tmp_path)
    for name in "abc":
        Path(f"{name}.jpg").write_bytes(name.encode())
    return worked


def some(count: int) -> list[Couple]:
    return [Couple(name, f"{name}.jpg", f"{name}.jpg", Path.cwd()) for name in "abc"[:count]]


def generated(couples: list[Couple], out: str = "out", **options) -> int:
    options = {"settings": ChildSettings(n=2), "workers": 1, "device": "cpu"} | options
    return list(generate_all(couples, out, **options))[-1]


# --- what is written ---


def test_one_row_a_child_and_one_a_couple_without(made):
    table = pd.read_parquet(made / "children.parquet")
    assert table["couple"].tolist() == ["first", "first", "wall", "text", "last", "last"]
    children = table[table["error"].isna()]
    assert children["seed"].tolist() == [7, 8, 3007, 3008] and set(children["method"]) == {"per_dimension"}
    assert children["child"].tolist() == [0, 1, 0, 1]
    assert children["file"].tolist() == [f"{name}/child_{n:02d}.png" for name in ("first", "last") for n in (0, 1)]
    failed = table[table["error"].notna()].set_index("couple")["error"]
    assert failed["wall"].startswith("no face found in 'nobody.png'")
    assert failed["text"].startswith("'text.jpg' is not an image")
    assert describe_failed(made) == (2, [f"no children of '{name}': {failed[name]}" for name in ("wall", "text")])
    folders = {name: [*child_files(2), "sheet.jpg"] for name in ("first", "last")}
    expected = {f"{name}/{file}" for name, files in folders.items() for file in files}
    assert set(contents(made)) == expected | {"children.parquet", "children.json"}


def test_the_children_are_those_of_each_couple_alone(made, photos):
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a worker
    try:
        kin = Kinship.load("studio", "cpu")
        child = kin.child(photos / "father2.jpg", photos / "mother2.jpg", "per_dimension", seed=3008)
    finally:
        torch.set_num_threads(before)
    with Image.open(made / "last" / "child_01.png") as picture:
        assert picture.tobytes() == child.image.tobytes()


def test_two_processes_give_the_same_bytes(made, photos, tmp_path):
    assert list(generate_all(couples_in(photos), tmp_path / "out", SETTINGS, True, workers=2, device="cpu"))[-1] == 4
    assert contents(tmp_path / "out") == contents(made)


def test_one_parent_where_the_method_takes_one(photos, tmp_path):
    couples = [Couple("alone", None, "mother1.jpg", photos)]
    assert generated(couples, tmp_path / "out", settings=ChildSettings(method="learned")) == 1
    table = pd.read_parquet(tmp_path / "out" / "children.parquet")
    assert (
        table["error"].isna().all() and table["father"].isna().all() and (tmp_path / "out/alone/child_00.png").exists()
    )
    with pytest.raises(KinlibError, match=r"the couple 'alone' is not complete: .* there is no father"):
        generated(couples, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_notes_name_photographs_as_the_list_does(photos, tmp_path):
    generated([Couple("same", "father1.jpg", "./father1.jpg", photos)], tmp_path / "out", settings=ChildSettings(n=2))
    notes = pd.read_parquet(tmp_path / "out" / "children.parquet")["notes"][0]
    assert any("are the same photograph" in note for note in notes) and any("deterministic" in note for note in notes)
    assert not any(str(photos) in note for note in notes)


# --- later calls ---


def test_nothing_is_done_twice(quick):
    assert generated(some(2)) == 2 and quick == ["a", "b"]
    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*")}
    assert generated(some(2)) == 2 and quick == ["a", "b"]
    assert {path: path.stat().st_mtime_ns for path in Path("out").rglob("*")} == before


def test_a_table_may_grow_at_its_end(quick):
    generated(some(2))
    assert generated(some(3)) == 3 and quick == ["a", "b", "c"]
    generated(some(3), "at once")
    assert contents(Path("out")) == contents(Path("at once"))


def test_what_was_stopped_while_growing_is_resumed(quick):
    generated(some(1))
    steps = generate_all(some(3), "out", ChildSettings(n=2), workers=1, device="cpu")
    assert [next(steps), next(steps)] == [1, 2]
    steps.close()
    assert not Path("out/children.json").exists()
    assert generated(some(3)) == 3 and quick == ["a", "b", "c"]
    generated(some(3), "at once")
    assert contents(Path("out")) == contents(Path("at once"))


def test_replaced_photographs_lost_pictures_and_failures_are_done_again(quick):
    couples = [*some(2), Couple("c", "bad.jpg", "c.jpg", Path.cwd())]
    generated(couples)
    assert generated(couples) == 3 and quick == ["a", "b", "c", "c"]
    Path("a.jpg").write_bytes(b"another")
    Path("out/b/child_01.png").unlink()
    generated(couples)
    assert quick[4:] == ["a", "b", "c"] and Path("out/a/child_00.png").read_bytes() == b"anotherchild_00.png"
    generated(couples, "at once")
    assert contents(Path("out")) == contents(Path("at once"))


def test_children_of_a_photograph_that_became_unusable_go(quick, monkeypatch):
    generated(some(1))
    Path("a.jpg").write_bytes(b"another")
    monkeypatch.setattr(run, "generate_couple", lambda job: MadeCouple(0, "a", [{"couple": "a", "error": "nobody"}]))
    generated(some(1))
    assert not list(Path("out/a").iterdir())


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", b"[]"])
@pytest.mark.parametrize("name", ["children.parquet", ".work/couple-00000000.json"])
def test_damaged_rows_are_made_again(quick, content, name):
    generated(some(2), "whole")
    steps = generate_all(some(2), "out", ChildSettings(n=2), workers=1, device="cpu")
    assert [next(steps), next(steps)] == [0, 1]
    steps.close()
    Path("out", name).write_bytes(content)
    generated(some(2))
    assert contents(Path("out")) == contents(Path("whole"))


# --- what is refused ---


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"settings": ChildSettings(n=3)}, "was made with n 2, not 3: choose another --out, or delete it"),
        ({"settings": ChildSettings(n=2, method="slerp")}, "was made with method average, not slerp"),
        ({"settings": ChildSettings(n=2, edits={"smile": 0.5})}, "was made with edits {}, not {'smile': 0.5}"),
        ({"sheets": True}, "was made with sheets False, not True"),
    ],
)
def test_another_way_of_generating(quick, change, words):
    generated(some(2))
    before = contents(Path("out"))
    with pytest.raises(KinlibError, match=words):
        generated(some(2), **change)
    assert contents(Path("out")) == before


def test_other_couples(quick):
    generated(some(2))
    for others in (some(1), some(2)[::-1], [Couple("a", "b.jpg", "a.jpg", Path.cwd()), some(2)[1]]):
        with pytest.raises(KinlibError, match="'out' was made of another table of couples: choose another --out"):
            generated(others)
    Path("elsewhere").mkdir()
    for name in "ab":
        shutil.copy(f"{name}.jpg", "elsewhere")
    assert generated([Couple(name, f"{name}.jpg", f"{name}.jpg", Path("elsewhere")) for name in "ab"]) == 2
    assert quick == ["a", "b"]


def test_other_weights(quick, monkeypatch):
    generated(some(1))
    monkeypatch.setattr("kinlib.checkpoints.weights.sha256", lambda path: "0")
    with pytest.raises(KinlibError, match="was made with other weights than those that are here now"):
        generated(some(1))


@pytest.mark.parametrize("strange", ["out/a/photo.jpg", "out/children.parquet"])
def test_what_was_not_made_here_is_left_alone(quick, strange):
    """A folder with the name of a couple may hold the parents' photographs."""
    Path(strange).parent.mkdir(parents=True)
    Path(strange).write_bytes(b"mine")
    with pytest.raises(KinlibError, match="was not made here: choose another --out"):
        generated(some(1))
    assert contents(Path("out")) == {Path(strange).relative_to("out").as_posix(): b"mine"}


def test_a_new_couples_folder_that_is_there_already(quick):
    generated(some(1))
    Path("out/b").mkdir()
    with pytest.raises(KinlibError, match="'out/b' was not made here"):
        generated(some(2))


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links")
@pytest.mark.parametrize("name", ["a", ".work"])
def test_links_that_lead_out_of_the_folder(quick, name):
    Path("other").mkdir()
    Path("out").mkdir()
    Path("out", name).symlink_to("../other")
    with pytest.raises(KinlibError, match=f"'out/{name}' is a link, and nothing is written outside --out"):
        generated(some(1))
    assert not list(Path("other").iterdir())


def test_a_link_set_while_at_work(quick):
    Path("other").mkdir()
    steps = generate_all(some(2), "out", ChildSettings(n=2), workers=1, device="cpu")
    next(steps)
    Path("out/a").symlink_to("../other")
    with pytest.raises(KinlibError, match="is a link"):
        next(steps)
    assert not list(Path("other").iterdir())


@pytest.mark.parametrize("name", ["", "..", "../a", "/tmp/a", ".work", "children.json"])
def test_names_that_are_no_folders(quick, name):
    with pytest.raises(KinlibError, match="of the list cannot name a folder"):
        generated([Couple(name, "a.jpg", "a.jpg", Path.cwd())])
    assert not Path("out").exists()


def test_seeds_that_would_run_out(quick):
    assert seed_of(ChildSettings(seed=5), 3) == 3005
    with pytest.raises(KinlibError, match="the seed must be a whole number"):
        generated(some(3), settings=ChildSettings(seed=10**18 - 2000))
    assert not Path("out").exists()


def test_unknown_settings(quick):
    for wrong, words in (({"method": "cloning"}, "unknown method"), ({"n": 0}, "number of children")):
        with pytest.raises(KinlibError, match=words):
            generated(some(1), settings=ChildSettings(**wrong))
    with pytest.raises(KinlibError, match="unknown engine 'spark'"):
        generated(some(1), engine="spark")
    assert not Path("out").exists()
