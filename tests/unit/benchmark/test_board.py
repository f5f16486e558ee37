"""The recorded results, the place of an entry, and how both are shown."""

import json

import numpy as np
import pytest

from kinlib.benchmark import show
from kinlib.benchmark.measure import SEED, VARIANTS
from kinlib.evaluation import heredity
from kinlib.evaluation.heredity import Children, board
from kinlib.evaluation.heredity.baselines import hold_out
from kinlib.evaluation.heredity.board import FLOOR, HEADS
from kinlib.inheritance import registry
from kinlib.runtime.errors import KinlibError


@pytest.fixture(scope="module")
def perfect():
    reference, children = hold_out(heredity.load_reference())
    return heredity.score(children, reference, method="mine", num_bootstrap=50)


def test_every_method_is_recorded_and_none_beats_the_floor():
    entries = board.recorded()
    assert entries.keys() == {FLOOR, *registry.available("studio"), *VARIANTS}
    assert next(iter(entries)) == FLOOR
    values = [row["energy_distance"][0] for row in entries.values()]
    assert values == sorted(values)
    for row in entries.values():
        assert set(HEADS) <= row.keys() <= {*HEADS, "right"}
        assert all(low <= value <= high for value, low, high in row.values())


def test_one_recorded_result_is_that_of_its_method():
    """Of the first couples only; the average has no randomness but rounding."""
    from kinlib import Kinship
    from kinlib.benchmark.entries import encode_parents, generate

    reference, kin = heredity.load_reference(), Kinship.load("studio", device="cpu")
    children = {
        couple: heredity.describe(found)
        for couple, found in generate(kin, "average", encode_parents(kin, reference, reference.couples[:3]), 2, SEED)
    }
    report = heredity.score(children, reference, num_bootstrap=10)
    # The same children over and over: their number does not matter, the couples do.
    recorded = board.recorded()["average"]["energy_distance"]
    assert report.summary.loc["spread", "value"] == pytest.approx(0, abs=1e-6)
    assert 0.5 * recorded[0] < report.summary.loc["energy_distance", "value"] < 2 * recorded[0]


def test_true_children_come_first(perfect):
    rank, among = board.place(perfect)
    assert (rank, among) == (1, len(board.recorded()))


def test_equal_children_come_last():
    reference = heredity.load_reference()
    far = {
        couple: Children(np.repeat(-reference.fathers[row][None], 2, 0)) for row, couple in enumerate(reference.couples)
    }
    rank, among = board.place(heredity.score(far, reference, num_bootstrap=10, method="mine"))
    assert rank == among


def test_the_table_marks_the_entry(perfect):
    entries = board.recorded() | {"mine": board.summarise(perfect)}
    lines = show.table(entries, "mine").splitlines()
    assert len(lines) == 1 + len(entries)
    assert lines[1].startswith("> mine") and sum(line.startswith(">") for line in lines) == 1
    value, low, high = entries["mine"]["energy_distance"]
    assert f"{value:.3f} [{low:.3f}, {high:.3f}]" in lines[1]


def test_an_entry_of_embeddings_only_has_no_traits():
    reference, children = hold_out(heredity.load_reference())
    bare = {couple: child.embeddings for couple, child in children.items()}
    summary = board.summarise(heredity.score(bare, reference, num_bootstrap=10))
    assert "traits_energy_distance" not in summary
    assert " - " in show.table({"mine": summary}, "mine")


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_plot_is_written(perfect, tmp_path, suffix):
    path = tmp_path / f"place{suffix}"
    show.write_plot(show.plot(board.recorded() | {"mine": board.summarise(perfect)}, "mine"), path)
    assert path.stat().st_size > 5000


def test_a_damaged_record_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "benchmark.json"
    monkeypatch.setattr(board, "record_path", lambda: path)
    for content in (None, {}, {"entries": {"mask": {}}}):
        if content is not None:
            path.write_text(json.dumps(content))
        with pytest.raises(KinlibError, match="restore it"):
            board.recorded()
