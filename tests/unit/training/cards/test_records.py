"""Whatever networks are bundled: what was recorded of them is sound and holds the project's own targets."""

import json
import math

import pytest

from kinlib.runtime import config

FOLDER = config.data_dir() / "weights" / "studio"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json") if path.name != "manifest.json")
REPORTS = {name: json.loads((FOLDER / f"{name}.json").read_text()) for name in NAMES}

ALL_WEIGHTS = 50e6  # bytes that the bundled networks may take together, when there are no more to come
RESERVED = 0.0  # of these, for networks still to be bundled; lower it by their sizes when they are
ENOUGH_PEOPLE = 500  # an AUC over fewer is too rough to be held against a target


def numbers(value) -> list[float]:
    """All numbers in nested metrics."""
    if isinstance(value, dict):
        return [number for one in value.values() for number in numbers(one)]
    return [value]


def test_something_is_bundled():
    assert {"generator", "encoder", "identity"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_record_is_complete(name):
    report = REPORTS[name]
    assert report["recipe"]["data"] and report["made_with"] and report["metrics"]
    assert all(math.isfinite(number) for number in numbers(report["metrics"]))


@pytest.mark.parametrize("name", NAMES)
def test_groups_say_how_many_pictures_they_rest_on(name):
    groups = REPORTS[name]["metrics"].get("groups", {})
    for values in groups.values():
        assert values["pictures"] >= 1 and len(values) >= 2
    if groups:
        assert groups["women"]["pictures"] + groups["men"]["pictures"] == sum(
            values["pictures"] for name, values in groups.items() if name.endswith("years")
        )


def test_identity_tells_people_apart():
    metrics = REPORTS["identity"]["metrics"]
    if metrics["people"] < ENOUGH_PEOPLE:
        pytest.skip("measured on too few people")
    assert metrics["verification_auc"] >= 0.98


@pytest.mark.skipif("upscaler" not in REPORTS, reason="the upscaler is not bundled")
@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("metric", ["psnr_db", "identity"])
@pytest.mark.parametrize("pictures", ["", "families_"])
def test_upscaler_beats_bicubic_interpolation(factor, metric, pictures):
    """Of held-out renders, and of the families' photographs."""
    metrics, key = REPORTS["upscaler"]["metrics"], f"{pictures}{metric}_x{factor}"
    assert metrics[key] > metrics[f"{key}_bicubic"]


def test_room_is_left_for_networks_to_come():
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    bundled = [path for path in FOLDER.iterdir() if path.suffix != ".json"]
    assert {path.name for path in bundled} == set(manifest)
    assert sum(path.stat().st_size for path in bundled) <= ALL_WEIGHTS - RESERVED
