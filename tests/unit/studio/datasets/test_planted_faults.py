"""Scoring found faults against planted ones."""

import pytest

from kinlib import families
from kinlib.evaluation.preprocessing.faults import matches, planted_faults, score
from kinlib.families.pictures import check
from kinlib.families.tables import FamilyTables, Problem
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.planted_faults import KINDS, Fault


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (Problem("grey", "BELL/Bea_Bell/07.jpg", "", "BELL", "BELL/Bea_Bell"), True),
        (Problem("grey", "BELL/Bea_Bell/07.jpg", "", "BELL"), True),  # does not say who
        (Problem("grey", "BELL/Bea_Bell/08.jpg", "", "BELL", "BELL/Bea_Bell"), False),
        (Problem("grey", "BELL/Al_Bell/07.jpg", "", "BELL", "BELL/Al_Bell"), False),
        (Problem("grey", "HILL/Bea_Bell/07.jpg", "", "HILL", "HILL/Bea_Bell"), False),
        (Problem("pixelated", "BELL/Bea_Bell/07.jpg", "", "BELL", "BELL/Bea_Bell"), False),
    ],
)
def test_a_problem_is_a_fault_if_they_agree(problem, expected):
    assert matches(problem, Fault("grey", "BELL", None, "Bea_Bell", 7)) == expected


def test_houses_must_agree():
    fault = Fault("incomplete_house", "BELL", 2, "Bea_Bell")
    assert matches(Problem("incomplete_house", "list:3", "", "BELL", None, 2), fault)
    assert not matches(Problem("incomplete_house", "list:3", "", "BELL", None, 3), fault)


def test_scores():
    planted = [Fault("grey", "A", None, "X", 1), Fault("grey", "A", None, "X", 2), Fault("hidden_file", "B", None, "Y")]
    found = [
        Problem("grey", "A/X/01.jpg", "", "A", "A/X"),
        Problem("grey", "A/X/01.jpg", "again", "A", "A/X"),
        Problem("grey", "A/X/09.jpg", "", "A", "A/X"),
        Problem("empty_folder", "A/Z", "", "A", "A/Z"),
    ]
    table = score(found, planted)
    assert list(table.index) == list(KINDS)
    assert table.loc["grey"].tolist() == [2, 3, 1, 1 / 2, 1 / 3]
    assert table.loc["hidden_file", ["planted", "found", "correct", "recall"]].tolist() == [1, 0, 0, 0]
    assert table.loc[["hidden_file", "faceless"], "precision"].isna().all() and table["recall"].notna().sum() == 2


def test_the_studio_faults_are_found():
    """All but the picture without a face, which takes a detector; and nothing else."""
    planted = planted_faults()
    tables = families.read(config.data_dir() / "studio" / "families")
    of_pictures = [f"{f.family}/{f.person}/{f.picture:02d}.jpg" for f in planted if f.picture]
    rows = tables.images[tables.images["image"].isin([*of_pictures, *tables.images["image"][::50]])]
    few = FamilyTables(tables.name, tables.root, tables.people, rows, tables.relations)
    table = score([*tables.problems, *check(few)], planted)
    assert set(KINDS) == {fault.kind for fault in planted}
    rest = table.drop(index="faceless")
    assert (rest["recall"] == 1).all() and (rest["precision"] == 1).all()
    assert table.loc["faceless", "found"] == 0
    seen = Problem("faceless", of_pictures[[f.kind for f in planted if f.picture].index("faceless")], "")
    fault = next(fault for fault in planted if fault.kind == "faceless")
    assert matches(Problem("faceless", seen.where, "", fault.family), fault)


@pytest.mark.parametrize("content", [None, "{", '[{"kind": "grey"}]', "[1]"])
def test_lists_that_cannot_be_read(tmp_path, content):
    if content is not None:
        (tmp_path / "faults.json").write_text(content)
    with pytest.raises(KinlibError, match="list of faults"):
        planted_faults(tmp_path)
