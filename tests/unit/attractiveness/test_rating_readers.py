"""Sets of rated pictures in the layouts of their releases, and what is wrong with them by name."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kinlib.attractiveness import hotornot, scut_fbp, scut_fbp5500
from kinlib.attractiveness.losses import levels_of
from kinlib.attractiveness.rating_tables import KINDS, RatedPictures
from kinlib.attractiveness.readers import read, recognise
from kinlib.runtime.errors import KinlibError

FIVE, SIXTY = scut_fbp5500.FIVE, scut_fbp5500.SIXTY


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def lines(path: Path, rows: list[str], newline: str = "\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(newline.join([*rows, ""]).encode())


def make_5500(root: Path, names: tuple[str, ...], files: tuple[str, ...] | None = None) -> Path:
    """Pictures `files` (the listed ones by default) and the lists of `names`; fold k tests on every fifth."""
    folder = root / "SCUT-FBP5500_v2"
    for seed, name in enumerate(files or names):
        picture(folder / "Images" / name, seed)
    rows = [f"{name} {1.5 + number % 7 * 0.5:.6f}" for number, name in enumerate(names)]
    lists = folder / "train_test_files"
    lines(lists / "All_labels.txt", rows, "\r\n")
    cut = len(rows) * 6 // 10
    for part, some in (("train", rows[:cut]), ("test", rows[cut:])):
        lines(lists / SIXTY / f"{part}.txt", some)
    for k in range(1, 6):
        test = rows[k - 1 :: 5]
        for part, some in (("train", [row for row in rows if row not in test]), ("test", test)):
            lines(lists / FIVE / f"cross_validation_{k}" / f"{part}_{k}.txt", some)
    return folder


SECOND = tuple(f"{group}{number}.jpg" for number in range(1, 6) for group in ("AF", "AM", "CF", "CM"))
FIRST = tuple(f"{group}{number}.jpg" for number in range(1, 6) for group in ("fty", "mty", "ftw", "mtw"))


def problems(rated: RatedPictures, kind: str) -> list[str]:
    assert {problem.kind for problem in rated.problems} <= set(KINDS)
    return [problem.where for problem in rated.problems if problem.kind == kind]


@pytest.mark.parametrize("names", [SECOND, FIRST])
def test_scut_fbp5500_tells_sex_and_group_by_the_names_of_either_release(tmp_path, names):
    make_5500(tmp_path, names)
    rated = read(tmp_path)
    assert (rated.name, len(rated), rated.levels, not rated.problems) == ("SCUT-FBP5500", 20, 5, True)
    assert "non-commercial" in rated.terms
    first = rated.table.head(4)
    assert first["sex"].tolist() == ["female", "male", "female", "male"]
    assert first["group"].tolist() == ["Asian", "Asian", "Caucasian", "Caucasian"]
    assert first["score"].tolist() == [1.5, 2.0, 2.5, 3.0] and rated.table["raters"].eq(60).all()
    assert rated.path(first["picture"][0]).is_file()


def test_its_splits_are_those_of_its_lists(tmp_path):
    make_5500(tmp_path, SECOND)
    rated = read(tmp_path)
    assert list(rated.folds) == ["60_40", *(f"fold_{k}" for k in range(1, 6))]
    train, test = rated.fold("60_40")
    assert (train.sum(), test.sum(), (train & test).any()) == (12, 8, False)
    tested = np.sum([rated.fold(f"fold_{k}")[1] for k in range(1, 6)], axis=0)
    assert tested.tolist() == [1] * 20


def test_first_release_lists_find_second_release_pictures(tmp_path):
    make_5500(tmp_path, FIRST, files=SECOND)
    rated = read(tmp_path)
    assert len(rated) == 20
    assert rated.table["picture"].tolist()[:3] == ["Images/AF1.jpg", "Images/AM1.jpg", "Images/CF1.jpg"]
    assert rated.table["sex"].tolist()[:3] == ["female", "male", "female"]
    assert len(problems(rated, "renamed_file")) == 20 and not problems(rated, "missing_file")


def test_everything_wrong_with_the_files_is_named(tmp_path):
    folder = make_5500(tmp_path, SECOND)
    (folder / "Images" / "CF2.jpg").unlink()
    (folder / "Images" / "AF3.jpg").rename(folder / "Images" / "AF3.JPEG")
    (folder / "Images" / "CM1.jpg").write_bytes((folder / "Images" / "CM2.jpg").read_bytes())
    (folder / "Images" / "AM4.jpg").write_bytes(b"")
    (folder / "Images" / ".DS_Store").write_bytes(b"x")
    (folder / "Images" / "notes.txt").write_bytes(b"x")
    picture(folder / "Images" / "AF99.jpg", 99)
    labels = folder / "train_test_files" / "All_labels.txt"
    labels.write_text(labels.read_text() + "AF1.jpg 4.0\nAF6.jpg high\nAF7.jpg 9\n")
    train = folder / "train_test_files" / SIXTY / "train.txt"
    train.write_text(train.read_text() + "CM5.jpg 1.0\n")
    (folder / "train_test_files" / FIVE / "cross_validation_5" / "test_5.txt").unlink()
    rated = read(tmp_path)
    assert problems(rated, "missing_file") == ["CF2.jpg", "AM4.jpg"]
    assert problems(rated, "renamed_file") == ["Images/AF3.JPEG"]
    assert problems(rated, "duplicate") == ["Images/CM2.jpg"]
    assert problems(rated, "empty_file") == ["Images/AM4.jpg"]
    assert problems(rated, "hidden_file") == ["Images/.DS_Store"]
    assert problems(rated, "other_file") == ["Images/notes.txt"]
    assert problems(rated, "unlisted_file") == ["Images/AF99.jpg"]
    assert problems(rated, "repeated_line") == ["All_labels.txt:21"]
    assert problems(rated, "malformed_line") == ["All_labels.txt:22", "All_labels.txt:23"]
    assert problems(rated, "in_both_parts") == ["CM5.jpg"] and problems(rated, "differing_score") == ["CM5.jpg"]
    assert len(problems(rated, "missing_list")) == 1 and "fold_5" not in rated.folds
    train_rows, test_rows = rated.fold("60_40")
    assert not (train_rows & test_rows).any() and len(rated) == 18


def test_an_unknown_name_has_no_sex(tmp_path):
    make_5500(tmp_path, (*SECOND, "XX1.jpg"))
    rated = read(tmp_path)
    assert rated.table["sex"].isna().sum() == 1 and problems(rated, "unknown_group") == ["XX1.jpg"]


def write_sheet(path: Path, rows: list[tuple]) -> None:
    """A minimal .xlsx with shared strings for text, as Excel writes it."""
    strings, cells = [], []
    for number, row in enumerate(rows, 1):
        found = []
        for letter, value in zip("ABC", row, strict=False):
            if value is None:
                continue
            if isinstance(value, str):
                strings.append(value)
                found.append(f'<c r="{letter}{number}" t="s"><v>{len(strings) - 1}</v></c>')
            else:
                found.append(f'<c r="{letter}{number}"><v>{value}</v></c>')
        cells.append(f'<row r="{number}">{"".join(found)}</row>')
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "xl/worksheets/sheet1.xml", f"<worksheet {space}><sheetData>{''.join(cells)}</sheetData></worksheet>"
        )
        items = "".join(f"<si><t>{text}</t></si>" for text in strings)
        archive.writestr("xl/sharedStrings.xml", f"<sst {space}>{items}</sst>")


HEAD = ("Image", "Attractiveness label", "Standard Deviation")


def make_scut_fbp(root: Path, rows: list[tuple], folder: str = "Crop", count: int = 10) -> Path:
    for number in range(1, count + 1):
        picture(root / folder / f"SCUT-FBP-{number}.jpg", number)
    write_sheet(root / "SCUT-FBP.xlsx", [HEAD, *rows])
    return root


@pytest.mark.parametrize("folder", ["Crop", "Data_Collection", "."])
def test_scut_fbp_reads_the_sheet(tmp_path, folder):
    rated = read(make_scut_fbp(tmp_path, [(i, 2 + i / 10, 0.7) for i in range(1, 11)], folder))
    assert (rated.name, len(rated), len(rated.problems)) == ("SCUT-FBP", 10, 0)
    assert rated.table["score"].tolist() == pytest.approx([2 + i / 10 for i in range(1, 11)])
    assert rated.table["deviation"].eq(0.7).all() and rated.table["sex"].eq("female").all()
    tested = np.sum([rated.fold(f"fold_{k}")[1] for k in range(1, 6)], axis=0)
    assert tested.tolist() == [1] * 10 and list(rated.folds) == [f"fold_{k}" for k in range(1, 6)]


def test_scut_fbp_reports_gaps_and_reads_csv_as_well(tmp_path):
    make_scut_fbp(tmp_path, [], count=3)
    (tmp_path / "SCUT-FBP.xlsx").unlink()
    lines(tmp_path / "SCUT-FBP.csv", [",".join(HEAD), "1,2.5,0.5", "2.0,3.5,", "4,1.5,0.4", "2,3,0.1", "x,3,1"])
    rated = read(tmp_path)
    assert rated.table["score"].tolist() == [2.5, 3.5] and np.isnan(rated.table["deviation"][1])
    assert problems(rated, "missing_file") == ["SCUT-FBP-4.jpg"]
    assert problems(rated, "unlisted_file") == ["Crop/SCUT-FBP-3.jpg"]
    assert problems(rated, "repeated_line") == ["SCUT-FBP.csv:5"]
    assert problems(rated, "malformed_line") == ["SCUT-FBP.csv:6"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"<html>quota exceeded</html>"])
def test_a_damaged_sheet_is_refused_in_a_sentence(tmp_path, content):
    make_scut_fbp(tmp_path, [(1, 2.0, 0.5)])
    (tmp_path / "SCUT-FBP.xlsx").write_bytes(content)
    with pytest.raises(KinlibError, match="no Excel sheet"):
        read(tmp_path)


def make_hotornot(root: Path, suffix: str = ".bmp") -> Path:
    for number in range(10):
        picture(root / "hotornot_face" / f"{number}{suffix}", number)
    for k in range(5):
        rows = [f"{n}.bmp, {(n - 5) / 2}, {'test' if n % 5 == k else 'train'}" for n in range(10)]
        lines(root / f"eccv2010_split{k + 1}.csv", rows)
    return root


@pytest.mark.parametrize("suffix", [".bmp", ".jpg"])
def test_hotornot_has_three_levels_divided_at_one(tmp_path, suffix):
    rated = read(make_hotornot(tmp_path, suffix))
    assert (rated.name, len(rated), rated.levels) == ("HotOrNot", 10, 3)
    assert len(problems(rated, "renamed_file")) == (10 if suffix == ".jpg" else 0)
    import torch

    levels = levels_of(torch.from_numpy(rated.ratings()), 3)
    scores = rated.table["score"].to_numpy()
    inside = np.abs(scores) != 1  # at the limits themselves the papers do not agree on open and closed
    assert levels.numpy()[inside].tolist() == np.digitize(scores, [-1, 1])[inside].tolist()
    assert all(rated.fold(f"fold_{k}")[1].sum() == 2 for k in range(1, 6))


def test_hotornot_reports_what_its_splits_disagree_on(tmp_path):
    make_hotornot(tmp_path)
    file = tmp_path / "eccv2010_split2.csv"
    file.write_text(file.read_text().replace("3.bmp, -1.0", "3.bmp, 2.0") + "11.bmp, 0.5, train\nbroken\n")
    rated = read(tmp_path)
    assert problems(rated, "differing_score") == ["3.bmp"]
    assert problems(rated, "missing_file") == ["11.bmp"]
    assert problems(rated, "malformed_line") == ["eccv2010_split2.csv:12"]


def test_scores_beyond_the_scale_keep_a_level(tmp_path):
    rated = read(make_hotornot(tmp_path))
    rated.table.loc[0, "score"] = -7.0
    rated.table.loc[1, "score"] = 7.0
    import torch

    assert levels_of(torch.from_numpy(rated.ratings()), 3)[:2].tolist() == [0, 2]


def test_sets_are_recognised_and_others_refused(tmp_path):
    makers = {"scut_fbp5500": lambda root: make_5500(root, SECOND), "hotornot": make_hotornot}
    makers["scut_fbp"] = lambda root: make_scut_fbp(root, [(1, 2.0, 0.5)])
    for kind, make in makers.items():
        make(tmp_path / kind / "unpacked")
        assert recognise(tmp_path / kind) == kind
    (tmp_path / "empty").mkdir()
    with pytest.raises(KinlibError, match="none of the sets"):
        read(tmp_path / "empty")
    with pytest.raises(KinlibError, match="unknown data set"):
        read(tmp_path, "celeba")
    with pytest.raises(KinlibError, match="does not exist"):
        read(tmp_path / "nowhere")
    rated = read(tmp_path / "scut_fbp")
    with pytest.raises(KinlibError, match="has no split '60_40'"):
        rated.fold("60_40")
    with pytest.raises(KinlibError, match="is empty"):
        rated.fold("fold_2")
    for module in (scut_fbp, scut_fbp5500, hotornot):
        with pytest.raises(KinlibError, match="holds no"):
            module.read(tmp_path / "empty")
