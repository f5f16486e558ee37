"""Age, sex, origin and emotion: the rules behind the truth, the table, the training, and DeepFace kept in check."""

import importlib
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from bad_weights import write_bad_file

from kinlib.checkpoints import weights
from kinlib.faces import deepface_analysis, demography
from kinlib.faces.deepface_analysis import ACTIONS, analyse_with_deepface, flatten, prepare
from kinlib.faces.demography import AGES, GENDERS, DemographyNet, analyse, expected_age, load_demography
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.studio.appearance import emotions
from kinlib.studio.appearance.emotions import EMOTIONS, emotion
from kinlib.studio.appearance.shots import random_expression
from kinlib.studio.datasets.encoding import array_to_png
from kinlib.studio.datasets.renders import FaceSet, load_faces
from kinlib.studio.datasets.sampling import member_genome
from kinlib.studio.genetics.populations import POPULATIONS
from kinlib.training.recipes.demography import (
    DemographySettings,
    Labels,
    emotion_weights,
    evaluate,
    labels_of,
    populations_of,
)
from kinlib.training.recipes.registry import train

SEED = 5


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Two pictures of each of eight people, whose brightness tells the sex; persons 0 and 18 are held out."""
    folder = tmp_path_factory.mktemp("crowd")
    rows = []
    for person in (0, 18, 1, 2, 3, 4, 5, 6):
        for view in (0, 1):
            shown = {"mouthSmile_L": 0.6, "mouthSmile_R": 0.5} if view else {}
            record = {"male": person % 2 == 1, "age": 10.0 + 5 * person + view, "expression": shown}
            picture = np.full((128, 128, 3), 200 if record["male"] else 60, np.uint8)
            row = {
                "person": person,
                "view": view,
                "image": array_to_png(picture),
                "mask": array_to_png(np.ones_like(picture[..., 0])),
            }
            rows.append(row | {"attributes": json.dumps(record | {"hair_colour": "black", "grey": 0.0})})
    pd.DataFrame(rows).to_parquet(folder / "part-00000.parquet")
    (folder / "render.json").write_text(json.dumps({"seed": SEED}))
    return folder


@pytest.fixture(scope="module")
def net() -> DemographyNet:
    """A network that has learnt nothing, with running averages as a trained one has them."""
    torch.manual_seed(0)
    net = DemographyNet(widths=(8, 8, 8, 8), hidden=16)
    for _ in range(3):
        net(torch.randn(4, 3, 128, 128))
    return net.eval().requires_grad_(False)


def both(**strengths: float) -> dict[str, float]:
    return {f"{name}_{side}": value for name, value in strengths.items() for side in "LR"}


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ({}, "neutral"),
        ({"jawOpen": 0.3}, "neutral"),
        (both(mouthSmile=0.2), "neutral"),
        (both(mouthSmile=0.5), "happy"),
        (both(browDown=0.4, mouthFrown=0.2), "angry"),
        (both(browInnerUp=0.4, mouthFrown=0.3), "sad"),
        (both(browInnerUp=0.4, browOuterUp=0.4, eyeWide=0.3), "surprise"),
        (both(browInnerUp=0.4, eyeWide=0.3, mouthStretch=0.5), "fear"),
        (both(noseSneer=0.6), "disgust"),
        ({"mouthSmile_L": 0.5}, "neutral"),  # one corner alone is a smirk
        (both(mouthSmile=0.9, browDown=0.3), "happy"),
    ],
)
def test_emotions_by_rule(shown, expected):
    assert emotion(shown) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("neutral", {"neutral"}),
        ("slight smile", {"neutral", "happy"}),
        ("smile", {"happy"}),
        ("laugh", {"happy"}),
        ("talking", {"neutral"}),
        ("surprised", {"surprise"}),
        ("frown", {"angry"}),
    ],
)
def test_every_kind_of_picture_shows_its_emotion(kind, expected):
    rng = np.random.default_rng(0)
    shown = [emotion(random_expression(rng, kind=kind)) for _ in range(100)]
    # Brows rest a little raised at random, which turns one frown in a hundred into sadness.
    assert sum(one in expected for one in shown) >= 98
    assert expected <= set(shown)


def test_signs_are_expressions_of_the_head_model():
    known = {
        "browDown",
        "noseSneer",
        "browInnerUp",
        "browOuterUp",
        "eyeWide",
        "mouthStretch",
        "mouthSmile",
        "mouthFrown",
    }
    assert {sign for signs in emotions.SIGNS.values() for sign in signs} <= known
    assert set(emotions.SIGNS) | {"neutral"} == set(EMOTIONS)


def test_network_and_studio_name_things_alike():
    assert demography.EMOTIONS == EMOTIONS and demography.POPULATIONS == POPULATIONS


def test_labels_are_deepfaces(cache, monkeypatch):
    pytest.importorskip("deepface")
    monkeypatch.setenv("DEEPFACE_HOME", str(cache))
    from deepface.models.demography.DemographyUtils import EMOTION_LABELS, GENDER_LABELS

    assert tuple(EMOTION_LABELS) == EMOTIONS and tuple(GENDER_LABELS) == GENDERS


def test_bundled_network_is_small():
    assert sum(parameter.numel() for parameter in DemographyNet().parameters()) <= 1.5e6


def test_table_has_deepfaces_columns(net):
    pictures = torch.rand(5, 3, 64, 64) * 2 - 1
    table = analyse(pictures, net=net, batch=2)
    found = {
        "age": 31,
        "gender": dict.fromkeys(GENDERS, 50.0),
        "dominant_gender": "Man",
        "race": dict.fromkeys(POPULATIONS, 20.0),
        "dominant_race": "dune",
        "emotion": dict.fromkeys(EMOTIONS, 1.0),
        "dominant_emotion": "sad",
        "region": {"x": 0, "y": 0, "w": 9, "h": 9},
        "face_confidence": 0,
    }
    pd.testing.assert_series_equal(table.dtypes, pd.DataFrame([flatten(found)]).dtypes)
    assert len(table) == 5 and table.age.between(0, 100).all()
    for kind, names in (("gender", GENDERS), ("race", POPULATIONS), ("emotion", EMOTIONS)):
        shares = table[[f"{kind}.{name}" for name in names]]
        np.testing.assert_allclose(shares.sum(axis=1), 100, rtol=1e-4)
        assert (shares.idxmax(axis=1).str.split(".").str[1] == table[f"dominant_{kind}"]).all()


def test_mirrored_picture_and_other_batches_give_the_same_answer(net):
    pictures = torch.rand(3, 3, 100, 100) * 2 - 1
    table = analyse(pictures, net=net)
    pd.testing.assert_frame_equal(table, analyse(pictures.flip(3), net=net), rtol=1e-3)
    pd.testing.assert_frame_equal(table, analyse(pictures, net=net, batch=1), rtol=1e-3)


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 1, 64, 64), (1, 3, 8, 64), (0, 3, 64, 64)])
def test_what_cannot_be_analysed_is_refused(net, shape):
    with pytest.raises(KinlibError, match=r"must be \[B, 3, H, W\]"):
        analyse(torch.zeros(shape), net=net)


def test_expected_age_is_the_mean_of_the_distribution():
    logits = torch.full((2, AGES), -50.0)
    logits[0, 30], logits[1, 20], logits[1, 40] = 0.0, 0.0, 0.0
    torch.testing.assert_close(expected_age(logits), torch.tensor([30.0, 30.0]))


def test_population_follows_from_seed_and_number(data, tmp_path):
    people = np.array([3, 7, 3, 12])
    found = populations_of(data, people)
    assert found[0] == found[2]
    for person, index in zip(people, found, strict=True):
        assert member_genome(SEED, int(person)).ancestry[0, index] == 1
    assert len(set(populations_of(data, np.arange(40)))) == len(POPULATIONS)
    for content in (None, "{}", "not json"):
        if content:
            (tmp_path / "render.json").write_text(content)
        with pytest.raises(KinlibError, match=r"no render\.json with the seed"):
            populations_of(tmp_path, people)


def test_truth_of_a_set(data):
    faces = load_faces(data)
    truth = labels_of(faces, data)
    assert truth.gender.tolist() == [p % 2 for p in faces.table.person]
    assert [EMOTIONS[i] for i in truth.emotion[:2]] == ["neutral", "happy"]
    assert truth.age[:2].tolist() == [10.0, 11.0]


def test_training_goes_on_and_leaves_a_network(data, tmp_path):
    for steps in (1, 2):
        train("demography", DemographySettings(data, tmp_path, run=tmp_path / "run", steps=steps, batch=4))
    report = json.loads((tmp_path / "demography.json").read_text())
    assert report["recipe"]["steps_done"] == 2 and [call["step"] for call in report["calls"]] == [0, 1]
    assert report["metrics"]["people"] == 2 and report["metrics"]["pictures"] == 4
    table = analyse(torch.zeros(2, 3, 64, 64), net=load_demography(tmp_path / "demography.safetensors"))
    assert table.notna().all().all()


def test_rare_emotions_count_more():
    weights = emotion_weights(torch.tensor([3] * 16 + [6] * 4))
    assert weights[6] == pytest.approx(2 * float(weights[3])) and not weights[[0, 1, 2, 4, 5]].any()
    assert 16 * weights[3] + 4 * weights[6] == pytest.approx(20)


class Oracle(torch.nn.Module):
    """Tells the sex from the brightness, is eight years off, and calls everybody amber and happy."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, images):
        male = (images.mean(dim=(1, 2, 3)) > 0).long()
        answers = {
            "age": (male * 0 + 28, AGES),
            "gender": (male, 2),
            "race": (male * 0, 5),
            "emotion": (male * 0 + 3, 7),
        }
        return {name: torch.nn.functional.one_hot(*answer) * 60.0 for name, answer in answers.items()}


def test_figures_are_what_they_say(data):
    faces: FaceSet = load_faces(data)
    race = torch.tensor([0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 0, 0, 1, 1])
    gender = torch.from_numpy(faces.table.male.to_numpy(np.int64))
    truth = Labels(torch.full((16,), 20.0), gender, race, torch.tensor([6, 3] * 8))
    figures = evaluate(Oracle(), faces, truth)
    assert figures["age_mae"] == pytest.approx(8) and figures["sex_accuracy"] == 1
    assert figures["population_accuracy"] == figures["population_accuracy_per_person"] == 3 / 8
    assert figures["emotion_accuracy"] == 0.5 and figures["guess"]["emotion_accuracy"] == 0.5
    assert figures["emotion_accuracy_mean"] == 0.5
    groups = figures["groups"]
    assert groups["happy"]["emotion_accuracy"] == 1 and groups["neutral"]["emotion_accuracy"] == 0
    assert groups["amber"]["pictures"] == 6 and groups["amber"]["population_accuracy"] == 1
    assert "0 to 17 years" not in groups and groups["18 to 39 years"]["pictures"] == 16


def test_absent_weights_say_how_to_get_them(cache, tmp_path, monkeypatch):
    with pytest.raises(KinlibError, match="kinlib weights fetch deepface_age"):
        analyse(torch.zeros(1, 3, 64, 64), preset="ffhq")
    assert not (cache / "deepface").exists()
    monkeypatch.setenv("KINLIB_DATA", str(tmp_path))
    load_demography.cache_clear()
    with pytest.raises(KinlibError, match="kinlib train demography"):
        analyse(torch.zeros(1, 3, 64, 64))
    with pytest.raises(KinlibError, match="unknown preset"):
        analyse(torch.zeros(1, 3, 64, 64), preset="cartoon")


def test_deepface_gets_its_files_from_our_cache_and_its_colours_in_order(cache, monkeypatch):
    """The real DeepFace with an emotion model in its layout; what it answers is what the model says of the picture."""
    pytest.importorskip("deepface")
    for name in ("DEEPFACE_HOME", "DEEPFACE_BACKEND_ENGINE"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("DEEPFACE_HOME", str(cache))
    from deepface.models.demography.pytorch.Emotion import EmotionModel

    torch.manual_seed(0)
    model = EmotionModel().eval()
    for parameter in model.parameters():
        parameter.data *= 2.5  # so that answers differ between pictures
    file = cache / "weights" / "facial_expression_model_weights.pth"
    file.parent.mkdir(parents=True)
    torch.save(model.state_dict(), file)

    side = 224
    pictures = np.zeros((2, side, side, 3), np.uint8)
    pictures[0, :, :, 0] = np.linspace(0, 255, side)  # red, then blue, both from dark to light
    pictures[1, :, :, 2] = np.linspace(0, 255, side)
    table = analyse_with_deepface(pictures, ("emotion",))
    assert os.environ["DEEPFACE_HOME"] == str(config.cache_dir() / "deepface")
    linked = config.cache_dir() / "deepface" / ".deepface" / "weights" / file.name
    assert linked.samefile(file)
    assert list(table.columns) == ["dominant_emotion", *(f"emotion.{name}" for name in EMOTIONS)]
    for row, (channel, share) in enumerate(((0, 0.299), (2, 0.114))):
        grey = torch.from_numpy(pictures[row, :, :, channel] / 255 * share).float()[None, None]
        small = torch.nn.functional.interpolate(grey, (48, 48), mode="bilinear", align_corners=False)
        with torch.no_grad():
            wanted = 100 * model(small)[0].numpy()
        np.testing.assert_allclose(table.loc[row].to_numpy()[1:].astype(float), wanted, atol=0.1)
    assert not np.allclose(table.iloc[0, 1:].astype(float), table.iloc[1, 1:].astype(float), atol=0.2)


FILES = {action: weights.find(f"deepface_{action}").file for action in ACTIONS}


@pytest.fixture
def deepface_weights(cache, monkeypatch) -> Path:
    """The folder where DeepFace's files belong, and an environment that `prepare` may change."""
    pytest.importorskip("deepface")
    monkeypatch.setenv("DEEPFACE_HOME", str(cache))
    monkeypatch.setenv("DEEPFACE_BACKEND_ENGINE", "pytorch")
    folder = cache / "weights"
    folder.mkdir(parents=True)
    from deepface.modules import modeling

    monkeypatch.setattr(modeling, "cached_models", {name: {} for name in modeling.AVAILABLE_MODELS}, raising=False)
    return folder


def layout(action: str, **changes) -> dict[str, torch.Tensor]:
    """Names and shapes of a model of DeepFace, from one number each: half a gigabyte's layout in a few kilobytes."""
    module = importlib.import_module(f"deepface.models.demography.pytorch.{action.capitalize()}")
    with torch.device("meta"):
        net = module.base_model()
    state = {name: torch.zeros(()).expand(value.shape) for name, value in net.state_dict().items()}
    return {name: value for name, value in (state | changes).items() if value is not None}


def test_a_replaced_file_reaches_deepface(deepface_weights):
    file = deepface_weights / FILES["emotion"]
    for number in (1.0, 2.0):
        torch.save(layout("emotion", **{"fc_3.bias": torch.full((7,), number)}), file)
        home = prepare(("emotion",))
        linked = torch.load(home / ".deepface" / "weights" / file.name)
        assert float(linked["fc_3.bias"][0]) == number
        file.unlink()


def test_all_four_models_are_taken(deepface_weights):
    for action, file in FILES.items():
        torch.save(layout(action), deepface_weights / file)
    folder = prepare() / ".deepface" / "weights"
    assert {path.name for path in folder.iterdir()} == set(FILES.values())


def test_models_are_lent(deepface_weights):
    """On the device without memory the work ends when its result is fetched; DeepFace has its model back by then."""
    torch.save(layout("emotion"), deepface_weights / FILES["emotion"])
    pictures = np.full((1, 224, 224, 3), 99, np.uint8)
    here = analyse_with_deepface(pictures, ("emotion",), "cpu")
    from deepface.modules import modeling

    client, seen = modeling.build_model("facial_attribute", "Emotion"), []
    places = [parameter.data_ptr() for parameter in client.model.parameters()]
    hook = client.model.register_forward_pre_hook(
        lambda net, given: seen.append({given[0].device.type, net.fc_3.weight.device.type, client.device.type})
    )
    with pytest.raises(NotImplementedError, match="meta"):  # PyTorch's own, of the device without memory
        analyse_with_deepface(pictures, ("emotion",), "meta")
    hook.remove()
    assert seen == [{"meta"}] and client.device == torch.device("cpu")
    assert [parameter.data_ptr() for parameter in client.model.parameters()] == places
    pd.testing.assert_frame_equal(analyse_with_deepface(pictures, ("emotion",), "cpu"), here)


def test_models_that_deepface_puts_on_a_card_come_home(deepface_weights, monkeypatch):
    """Without a card: a model that says it is there, and notes where it is sent."""
    from deepface.modules import modeling

    torch.save(layout("emotion"), deepface_weights / FILES["emotion"])
    built, sent = Said(np.float32([0.4, *[0.1] * 6])), []
    built.device = torch.device("cuda", 0)
    monkeypatch.setattr(built.model, "to", lambda device: sent.append(device) or built.model)
    monkeypatch.setattr(modeling, "build_model", lambda task, model_name: built)
    analyse_with_deepface(np.zeros((1, 64, 64, 3), np.uint8), ("emotion",), "cpu")
    assert sent == ["cpu"] and built.device == torch.device("cpu")


def test_the_device_reaches_deepface(monkeypatch):
    asked = []
    monkeypatch.setattr(deepface_analysis, "analyse_with_deepface", lambda *given, **options: asked.append(options))
    analyse(torch.zeros(1, 3, 64, 64), "ffhq", device="meta")
    assert asked == [{"device": torch.device("meta")}]
    with pytest.raises(KinlibError, match="is not available here"):
        analyse(torch.zeros(1, 3, 64, 64), "ffhq", device="cuda:77")
    assert len(asked) == 1


class Said:
    """One of DeepFace's models, with an answer that does not depend on the picture."""

    def __init__(self, answer):
        self.answer, self.model, self.device = answer, torch.nn.Identity(), torch.device("cpu")

    def predict(self, picture):
        assert picture.shape == (1, 224, 224, 3) or picture.shape == (224, 224, 3)
        return self.answer


def test_columns_are_those_of_deepface_itself(deepface_weights, monkeypatch, net):
    """The real DeepFace.analyze around models that answer at once, flattened by pandas."""
    for action, file in FILES.items():
        torch.save(layout(action), deepface_weights / file)
    from deepface import DeepFace
    from deepface.modules import modeling

    answers = {
        "Age": np.float64(31.2),
        "Gender": np.float32([0.25, 0.75]),
        "Race": np.float32([0.1, 0.1, 0.1, 0.5, 0.1, 0.1]),
        "Emotion": np.float32([0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.4]),
    }
    monkeypatch.setattr(modeling, "build_model", lambda task, model_name: Said(answers[model_name]))
    picture = np.full((64, 64, 3), 99, np.uint8)
    ours = analyse_with_deepface(picture[None])
    found = DeepFace.analyze(picture, ACTIONS, detector_backend="skip", align=False, silent=True)
    theirs = pd.json_normalize(found)

    left_out = {name for name in theirs if name.startswith("region.")} | {"face_confidence"}
    assert set(ours) == set(theirs) - left_out and len(left_out) >= 5
    for name in ours:
        assert ours[name].dtype == (theirs[name].dtype if name.startswith("dominant_") else np.float64)
        assert ours[name][0] == theirs[name][0]
    studio = analyse(torch.zeros(1, 3, 64, 64), net=net)
    races = [name for name in ours if name.startswith("race.")]
    invented = [f"race.{name}" for name in POPULATIONS]
    assert [name for name in ours if name not in races] == [name for name in studio if name not in invented]
    assert all(studio[name].dtype == ours[name].dtype for name in studio if name not in invented)


@pytest.mark.slow
def test_deepface_s_age_model_at_full_size(deepface_weights):
    """All 16 layers of VGG-Face on seeded weights, half a gigabyte of them; DeepFace wants blue first, from 0 to 1."""
    from deepface.models.demography.pytorch.Age import AgeModel

    torch.manual_seed(0)
    model = AgeModel().eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        parameter *= 1 if name.endswith("bias") else 2.6  # or nothing of the picture would be left after 16 layers
    picture = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
    picture[..., 0] //= 4  # little red, so that the order of colours matters
    pixels = torch.from_numpy(picture / 255).float().permute(2, 0, 1)
    shares = model(torch.stack([pixels.flip(0), pixels]))
    wanted, turned = (shares * torch.arange(101)).sum(dim=1).tolist()
    torch.save(model.state_dict(), deepface_weights / FILES["age"])
    del model
    table = analyse_with_deepface(picture[None], ("age",), "cpu")
    assert list(table.columns) == ["age"] and table.age[0] == int(wanted)  # DeepFace tells whole years
    assert int(turned) != int(wanted) != 50


def spoil(way: str, action: str, file: Path, victim: Path) -> None:
    """Put into DeepFace's place what users find there."""
    if way in ACTIONS:
        torch.save(layout(way), file)
    elif way == "another network":
        torch.save({"predictions.weight": torch.zeros(7, 3)}, file)
    elif way == "wrapped":
        torch.save({"state_dict": layout(action)}, file)
    else:
        write_bad_file(way, file, victim, layout(action))


@pytest.mark.parametrize("action", ["age", "emotion"])
@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("json", "not a file of weights"),
        ("page", "web page"),
        ("lfs", "note of Git LFS"),
        ("code in zip", "could run code"),
        ("truncated", "damaged"),
        ("gender", "holds DeepFace's model for gender, not the one for {}: delete it and run"),
        ("race", "holds DeepFace's model for race, not the one for {}: delete it and run"),
        ("another network", "holds no model of DeepFace, not the one for {}: delete it and run"),
        ("wrapped", "holds no model of DeepFace"),
    ],
)
def test_what_is_not_deepfaces_model_is_refused(deepface_weights, tmp_path, monkeypatch, action, way, reason):
    file = deepface_weights / FILES[action]
    spoil(way, action, file, tmp_path / "code-was-run")
    asked = []
    monkeypatch.setattr("deepface.DeepFace.analyze", lambda *given, **options: asked.append(given))
    with pytest.raises(KinlibError, match=reason.format(action)) as caught:
        analyse_with_deepface(np.zeros((1, 64, 64, 3), np.uint8), (action,))
    assert str(file) in str(caught.value) and "\n" not in str(caught.value)
    assert not asked and not (tmp_path / "code-was-run").exists()
    assert not (config.cache_dir() / "deepface").exists()  # nothing was handed over


@pytest.mark.parametrize("changes", [{"conv_3.weight": None}, {"conv_3.bias": torch.zeros(3)}, {"more": torch.ones(1)}])
def test_layers_that_do_not_fit_are_told_in_one_sentence(deepface_weights, changes):
    torch.save(layout("emotion", **changes), deepface_weights / FILES["emotion"])
    with pytest.raises(KinlibError, match=r"DeepFace cannot use .*kinlib weights fetch deepface_emotion") as caught:
        analyse_with_deepface(np.zeros((1, 64, 64, 3), np.uint8), ("emotion",))
    assert "\n" not in str(caught.value)
