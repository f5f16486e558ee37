"""The couples of a prepared data set of families."""

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kinlib import families
from kinlib.couples import couples_of_prepared
from kinlib.prepare.run import NOTE
from kinlib.prepare.table import SCHEMA, TABLE
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

ROOT = config.data_dir() / "studio" / "families"


@pytest.fixture(scope="module")
def tables() -> families.FamilyTables:
    return families.read(ROOT)


def prepared(folder: Path, images: pd.DataFrame, root: Path = ROOT, kind: str = "Family101") -> Path:
    """A prepared folder of a data set, without what its couples do not depend on."""
    rows = images.to_dict("records")
    pq.write_table(
        pa.Table.from_pylist([{name: row.get(name) for name in SCHEMA.names} for row in rows], SCHEMA), folder / TABLE
    )
    (folder / NOTE).write_text(json.dumps({"root": str(root), "kind": kind}))
    return folder


def test_each_couple_once_by_its_most_frontal_photographs(tables, tmp_path):
    images = tables.images.assign(status="ok", yaw=-30.0)
    hans = images.index[images["person"] == "HALVUYE/Hans_Halvuye"]
    images.loc[hans[2], "yaw"] = 4.0
    images.loc[hans[1], ["yaw", "status"]] = [0.0, "no face"]
    couples = couples_of_prepared(prepared(tmp_path, images))
    assert len(couples) == len(families.tables.couples(tables)) and couples[0].name == "HALVUYE_1"
    assert couples[0].father == images.loc[hans[2], "image"] and couples[0].photo("father").is_file()
    assert couples[0].mother == "HALVUYE/Edith_Lambetti/01.jpg"


def test_couples_without_a_photograph_of_both_are_left_out(tables, tmp_path):
    images = tables.images.assign(status="ok", yaw=0.0)
    images.loc[images["person"] == "HALVUYE/Edith_Lambetti", "status"] = "no face"
    couples = couples_of_prepared(prepared(tmp_path, images))
    assert "HALVUYE/Edith_Lambetti/01.jpg" not in {couple.mother for couple in couples}
    with pytest.raises(KinlibError, match="holds no couple with a child and a face of both"):
        couples_of_prepared(prepared(tmp_path, images.assign(status="unreadable")))


def test_folders_that_name_no_couples(tables, tmp_path):
    images = tables.images.assign(status="ok", yaw=0.0)
    with pytest.raises(KinlibError, match=r"holds no prepared\.parquet: make it with `kinlib prepare"):
        couples_of_prepared(tmp_path)
    with pytest.raises(KinlibError, match="was made of a plain folder, which names no families"):
        couples_of_prepared(prepared(tmp_path, images, kind="folder"))
    with pytest.raises(KinlibError, match="gone"):
        couples_of_prepared(prepared(tmp_path, images, root=tmp_path / "gone"))
    (tmp_path / NOTE).unlink()
    with pytest.raises(KinlibError, match="is not complete: run `kinlib prepare` again"):
        couples_of_prepared(tmp_path)
