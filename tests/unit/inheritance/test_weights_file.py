"""Blend weights as JSON: what is set replaces what is coarser, and no bad file goes unnoticed."""

import json

import pytest
import torch

from kinlib.inheritance.weights_file import FORMAT, BlendWeights, load_weights, save_weights
from kinlib.runtime.errors import KinlibError

LAYERS = 12


def test_finer_settings_replace_coarser_ones():
    chosen = BlendWeights("studio", LAYERS, {"coarse": 1.0, "fine": 0.0}, {1: 0.25}, {7: 0.75})
    shares = chosen.shares()
    assert shares.shape == (LAYERS, 512)
    assert shares[0, 0] == 1 and shares[5, 0] == 0.5 and shares[11, 0] == 0
    assert (shares[1, :7] == 0.25).all() and (shares[:, 7] == 0.75).all()


def test_blend_takes_the_fathers_share():
    father, mother = torch.ones(2, LAYERS, 512), torch.zeros(2, LAYERS, 512)
    child = BlendWeights("studio", LAYERS, {"middle": 0.3}).blend(father, mother)
    assert child[:, 4:8].unique() == pytest.approx(0.3) and child[:, 0].unique() == 0.5


def test_round_trip(tmp_path):
    chosen = BlendWeights("studio", LAYERS, {"coarse": 0.2}, {3: 1.0}, {500: 0})
    save_weights(tmp_path / "mine.json", chosen)
    assert load_weights(tmp_path / "mine.json", "studio", LAYERS) == chosen


GOOD = {"format": FORMAT, "preset": "studio", "num_layers": LAYERS}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "lacks"),
        ({"preset": "studio"}, "lacks"),
        (GOOD | {"preset": "ffhq", "num_layers": 18}, "belong to 'ffhq' with 18 layers, not to 'studio' with 12"),
        (GOOD | {"num_layers": 18}, "with 18 layers"),
        (GOOD | {"groups": {"rough": 0.1}}, "unknown layer group 'rough': choose from coarse, middle, fine"),
        (GOOD | {"layers": {"12": 0.1}}, "unknown layer 12: choose from 0 to 11"),
        (GOOD | {"layers": {"-1": 0.1}}, "unknown layer '-1'"),
        (GOOD | {"dimensions": {"512": 0.1}}, "unknown dimension 512"),
        (GOOD | {"layers": {"2": 1.01}}, "from 0 .mother. to 1 .father., not 1.01"),
        (GOOD | {"layers": {"2": True}}, "not True"),
        (GOOD | {"layers": {"2": "half"}}, "not 'half'"),
        (GOOD | {"groups": [0.5]}, 'must have an object under "groups"'),
        (GOOD | {"weights": {}}, "unknown entry 'weights'"),
        (GOOD | {"groups": {"fine": float("nan")}}, "not nan"),
    ],
)
def test_bad_files_are_refused(tmp_path, content, words):
    path = tmp_path / "weights.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with pytest.raises(KinlibError, match=words):
        load_weights(path, "studio", LAYERS)


def test_absent_file_is_named(tmp_path):
    with pytest.raises(KinlibError, match=r"none.json' cannot be read"):
        load_weights(tmp_path / "none.json", "studio", LAYERS)
