"""The arithmetic for large sets, and the page that it fills."""

import io

import measure_scale
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kinlib.prepare.scale import Measured, estimate, measure, rented_cost
from kinlib.prepare.table import SCHEMA
from kinlib.runtime.errors import KinlibError

ONE = Measured({"read": 0.02, "encode": 0.08}, row=15_000, face=10_000, memory=1e9, photos=10)


def test_an_estimate_follows_from_its_parts():
    plan = estimate(ONE, photos=1_000_000, workers=50, price=0.04)
    assert ONE.rate == pytest.approx(10) and plan.rate == pytest.approx(500)
    assert plan.hours == pytest.approx(1_000_000 / 500 / 3600)
    assert plan.worker_hours == pytest.approx(50 * plan.hours) and plan.cost == pytest.approx(0.04 * plan.worker_hours)
    assert (plan.memory, plan.storage) == (50e9, 25e9) and plan.written == pytest.approx(500 * 25_000)
    assert estimate(ONE, 10, 1).cost is None
    assert rented_cost(1_000_000, plan.rate, 50 * 0.04) == pytest.approx(plan.cost)


@pytest.mark.parametrize("wrong", [{"photos": 0}, {"workers": 0}, {"price": -1.0}, {"price": float("nan")}])
def test_numbers_that_cannot_be(wrong):
    with pytest.raises(KinlibError, match="1 or more"):
        estimate(ONE, **({"photos": 1, "workers": 1} | wrong))


def test_a_folder_is_measured(tmp_path):
    """Stages that a picture never reached count as no time."""
    rows = [
        {"image": "a.jpg", "status": "ok", "aligned": "aligned/a.jpg", "seconds_read": 0.25, "seconds_encode": 0.5},
        {"image": "b.jpg", "status": "no face", "seconds_read": 0.75},
    ]
    (tmp_path / "aligned").mkdir()
    (tmp_path / "aligned" / "a.jpg").write_bytes(bytes(600))
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), buffer)
    (tmp_path / "prepared.parquet").write_bytes(buffer.getvalue())
    found = measure(tmp_path, memory=5.0)
    assert (found.seconds["read"], found.seconds["encode"], found.seconds["pose"]) == (0.5, 0.25, 0)
    assert (found.face, found.row, found.memory) == (300, len(buffer.getvalue()) / 2, 5.0)


def test_the_page_has_the_measured_numbers():
    page = measure_scale.PAGE.read_text()
    for name, table in measure_scale.tables().items():
        assert f"<!-- {name} -->\n{table}\n<!-- end -->" in page
