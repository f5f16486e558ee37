"""Model cards: what they say is what was recorded, and nothing that was not."""

import json
from importlib import import_module

import pytest

from kinlib.io.face_labels import CLASSES, REGIONS
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.training.cards.model_cards import limits, model_card, model_cards, read_reports
from kinlib.training.catalogue import NETWORKS, cards, settings_of
from kinlib.training.engine.record import scalars, write_report
from kinlib.training.engine.settings import RecipeSettings

MADE = {"kinlib": "0.1.0"}
SET = {"people": 10_000, "images_each": 3, "size": 128, "seed": 1, "crop": "ffhq", "renderer": 1}


def identity(**changed: float) -> dict:
    names = [metric.key for metric in cards()["identity"].metrics]
    metrics = dict.fromkeys(names, 0.99) | {"people": 556} | changed
    metrics["groups"] = {
        "women": {"pictures": 900, "verification_auc": 0.9876},
        "men": {"pictures": 768, "verification_auc": 0.9123, "identification_rate": 0.5},
    }
    recipe = {
        "data": "faces128",
        "steps": 2400,
        "steps_done": 2400,
        "batch": 64,
        "seed": 0,
        "workers": 2,
        "margin": 0.5,
    }
    return {
        "recipe": recipe | {"pictures_used": 28332, "people": 9444},
        "metrics": metrics,
        "made_with": MADE,
        "set": SET,
    }


def parser(earrings: float, necklaces: float) -> dict:
    iou = dict.fromkeys(CLASSES, 0.9) | {"ear_r": earrings, "neck_l": necklaces}
    metrics = {"class_iou_mean": 0.8, "class_iou": iou, "region_iou": dict.fromkeys(REGIONS, 0.7), "people": 5}
    return {"recipe": {"data": "faces128", "pictures_used": 100}, "metrics": metrics, "made_with": MADE}


def test_every_bundled_network_has_a_card():
    text = model_cards()
    for name, report in read_reports().items():
        assert f"### {cards()[name].title}\n" in text
        assert limits(name, report)
        assert model_card(name, report) in text
    names = {path.stem for path in (config.data_dir() / "weights" / "studio").glob("*.json")}
    assert names - {"manifest", "generator"} <= set(cards())


def test_every_entry_of_the_catalogue_has_a_recipe():
    """An entry is all that the command line, the cards and the tables need."""
    for name in NETWORKS:
        assert issubclass(settings_of(name), RecipeSettings)
        assert callable(import_module(settings_of(name).__module__).train)


def test_data_recipe_and_commands():
    text = model_card("identity", identity())
    assert "28,332 renders of 9,444 people (128 px, version 1 of the renderer)" in text
    assert "`kinlib render --people 10000 --images-each 3 --size 128 --seed 1 --crop ffhq --out faces128`" in text
    assert "`kinlib train identity --data faces128 --steps 2400 --workers 2 --margin 0.5 --out DIR`" in text
    assert "2,400 steps, batch 64, seed 0, workers 2" in text and "MIT" in text
    assert "settings changed" not in text
    report = identity()
    report["recipe"]["traits"] = 0.0  # a task left out is shown, though its weight is 0
    assert "--workers 2 --margin 0.5 --traits 0" in model_card("identity", report)
    changed = identity() | {"calls": [{"step": 0}, {"step": 1100, "batch": 32}]}
    assert "after 1,100 steps" in model_card("identity", changed)


def test_people_follow_from_the_set_where_all_of_it_was_used():
    report = identity()
    del report["recipe"]["people"]
    assert "28,332 renders of 9,444 people" in model_card("identity", report)
    report["recipe"]["pictures_used"] = 300
    assert "300 renders (128 px" in model_card("identity", report)


def test_targets_stand_beside_the_metrics():
    text = model_card("identity", identity(verification_auc_turned=0.9712))
    assert "| ... of pairs whose yaw differs by 30 degrees or more | 0.971 | at least 0.98: **missed** |" in text
    assert "| verification AUC, all pairs of pictures | 0.990 | at least 0.98: reached |" in text
    assert "| nearest neighbour, another picture | 99% |  |" in text
    assert "- Misses the target where the yaw differs." in text and "hair has changed" not in text
    keys = [metric.key for metric in cards()["upscaler"].metrics]
    metrics = {key: 30.0 for key in keys} | {"families_pictures": 9}
    metrics |= {f"{key}_bicubic": 29.0 for key in keys} | {"families_psnr_db_x4_bicubic": 30.0}
    text = model_card("upscaler", {"recipe": {"data": "480"}, "metrics": metrics, "made_with": MADE})
    assert "above 29.0 dB: reached" in text and "above 30.0 dB: **missed**" in text


def test_groups_and_the_worst_of_them():
    text = model_card("identity", identity())
    assert "| women | 900 | 0.988 |  |" in text and "| men | 768 | 0.912 | 50% |" in text
    assert "Worst by AUC within the group: men." in text


@pytest.mark.parametrize(("earrings", "necklaces"), [(0.0, 0.3), (0.5, 0.3), (0.5, 0.6)])
def test_limits_are_shown_only_where_the_record_has_them(earrings, necklaces):
    text = model_card("parsing", parser(earrings, necklaces))
    assert ("Does not find earrings." in text) == (earrings < 0.1)
    assert ("Segments necklaces badly." in text) == (necklaces < 0.5)
    assert f"ear_r {earrings:.2f}" in text and "sideburns 0.70" in text


def test_readings_of_photographs_are_shown():
    report = identity() | {
        "photographs": [{"identity": [0.81], "age": [30.1, 28.4]}, {"identity": [0.7], "age": [None, 8]}]
    }
    text = model_card("identity", report)
    assert "| identity | 0.81 | 0.70 |" in text and "| age | 30.10 → 28.40 | ? → 8.00 |" in text


def test_a_damaged_record_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("KINLIB_DATA", str(tmp_path))
    folder = tmp_path / "weights" / "studio"
    folder.mkdir(parents=True)
    assert read_reports() == {}
    (folder / "identity.json").write_text(json.dumps(identity()))
    assert read_reports() == {"identity": identity()}
    (folder / "parsing.json").write_text("{broken")
    with pytest.raises(KinlibError, match=r"parsing\.json is damaged"):
        read_reports()


def test_a_record_tells_of_its_set(tmp_path):
    data = tmp_path / "faces"
    data.mkdir()
    (data / "render.json").write_text(json.dumps(SET))
    report = write_report(tmp_path, "net", {"data": data}, {"error": 0.5, "groups": {}})
    assert report["set"] == SET and report["recipe"]["data"] == "faces"
    assert json.loads((tmp_path / "net.json").read_text()) == report
    assert "set" not in write_report(tmp_path, "net", {"data": tmp_path}, {})
    assert scalars(report["metrics"]) == {"error": 0.5}
