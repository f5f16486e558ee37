"""The sampler's recipe: a proper score, axes that hold the codes, and a run that learns what couples pass on."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from kinlib.inheritance.sampler import Sampler, load_sampler
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.kin_couples import KIN, family
from kinlib.studio.genetics import phenotypes
from kinlib.training.data.kin_codes import KinCodes
from kinlib.training.data.kin_parents import child_components, one_picture
from kinlib.training.recipes import sampler as recipe
from kinlib.training.recipes.sampler import SamplerSettings, energy_score, fit_axes, loss_weights

LAYERS, AXES, CHILDREN = 2, 4, 2


def synthetic(couples: int, seed: int = 0) -> KinCodes:
    """Codes that hold skin, hair shade, sex and age, each along a direction of its own; album shots with noise."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.normal(size=(LAYERS * 512, AXES)))[0].T * np.array([[30.0], [20], [10], [5]])
    rows, codes = [], []
    for couple in range(couples):
        father, mother, young = family(seed, KIN, couple, CHILDREN)
        for role, people, kinds in (("father", father, 2), ("mother", mother, 2), ("child", young, 1)):
            traits = phenotypes(people).to_frame()
            for number in range(len(people)):
                for view in range(kinds):
                    kind, age = ("album", 50.0) if view else ("portrait", 21.0)
                    facts = {"couple": couple, "role": role, "number": number, "kind": kind, "view": view, "age": age}
                    rows.append(facts | traits.iloc[number].to_dict())
                    seen = rows[-1]
                    told = [seen["melanin"], seen["hair_shade"] / 3, seen["sex"] == "male", age / 30]
                    codes.append((np.array(told) + view * 0.1 * rng.normal(size=AXES)) @ directions)
    table = pd.DataFrame(rows)
    found = torch.tensor(np.stack(codes)).reshape(-1, LAYERS, 512).half()
    parents = found[torch.tensor((table.role != "child").tolist())]
    return KinCodes(table, found, parents[:, None] + 0.01 * torch.randn(len(parents), 1, LAYERS, 512).half(), seed)


def embed(codes: torch.Tensor, progress=None) -> torch.Tensor:
    """In place of networks, which take codes of another size: a fixed projection, of unit length."""
    onto = torch.randn(LAYERS * 512, 16, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.normalize(codes.float().flatten(1) @ onto, dim=1)


@pytest.fixture(autouse=True)
def projected(monkeypatch):
    monkeypatch.setattr(recipe, "embed_codes", embed)
    monkeypatch.setattr(recipe, "encode_corrections", lambda folder: torch.zeros(2, LAYERS, 512))


@pytest.fixture(scope="module")
def kin() -> KinCodes:
    return synthetic(60)


def test_the_score_is_least_for_the_true_spread():
    rng = torch.Generator().manual_seed(0)
    truth = torch.randn(4000, 1, 2, generator=rng)
    noise = torch.randn(4000, 8, 2, generator=rng)
    scores = {spread: float(energy_score(spread * noise, truth).mean()) for spread in (0.0001, 0.5, 1.0, 2.0)}
    assert min(scores, key=scores.get) == 1.0
    shifted = float(energy_score(noise + 0.5, truth).mean())
    assert shifted > scores[1.0]


def test_the_score_by_hand():
    samples, truth = torch.tensor([[[0.0], [2.0]]]), torch.tensor([[[1.0], [4.0]]])
    # mean of |0-1|, |0-4|, |2-1|, |2-4| is 2; half of |0-2| is 1
    assert energy_score(samples, truth).tolist() == [1.0]


def test_the_score_has_finite_gradients_where_samples_agree():
    samples = torch.zeros(1, 3, 2, requires_grad=True)
    energy_score(samples, torch.ones(1, 1, 2)).sum().backward()
    assert torch.isfinite(samples.grad).all()


def test_axes_hold_the_codes(kin):
    net = Sampler(AXES, LAYERS * 512, hidden=8, genes=4, noise=2)
    fit_axes(net, kin)
    child = torch.tensor((kin.table.role == "child").tolist())
    codes = kin.codes[~child].float()
    found = (codes.flatten(1) - net.mean) @ net.axes.t()
    again = net.mean + found @ net.axes
    assert (again - codes.flatten(1)).square().mean() < 0.01 * codes.var()
    assert torch.allclose(net.axes @ net.axes.t(), torch.eye(AXES), atol=1e-3)
    assert loss_weights(net).square().mean().item() == pytest.approx(1, rel=1e-4)


def test_a_run_learns_what_couples_pass_on_and_is_written(kin, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(recipe, "encode_set", lambda folder: iter([(1, 1)]))
    monkeypatch.setattr(recipe, "load_codes", lambda folder: kin)
    out = tmp_path / "out"
    settings = SamplerSettings(data=tmp_path, out=out, run=tmp_path / "run", steps=150, batch=64, minutes=2.0, lr=5e-3)
    settings.components, settings.hidden, settings.pairs, settings.samples = AXES, 32, 400, 4
    recipe.train(settings)
    report = json.loads((out / "sampler.json").read_text())
    metrics = report["metrics"]
    assert metrics["couples"] == 3 and metrics["energy_score_album_sampler"] < metrics["energy_score_album_mask"]
    assert metrics["energy_score_portrait_sampler"] < metrics["energy_score_portrait_average"]
    assert 0 <= metrics["right_album_sampler"] <= 1 and metrics["right_siblings"] > 1 / 3
    net = load_sampler(out / "sampler.safetensors")
    parents = {
        kind: [one_picture(kin, role, kind, np.arange(60)) for role in ("father", "mother")]
        for kind in ("portrait", "album")
    }
    rng = torch.Generator().manual_seed(0)
    sexes = ((kin.table.sex[kin.table.role == "child"] == "male").to_numpy(), child_components(net, _children(kin)))
    assert sexes[0].any()
    sons, daughters = (net.sample(*parents["portrait"], rng, sex=sex).flatten(1) for sex in ("male", "female"))
    male = torch.from_numpy(sexes[0])
    axis = sexes[1][male].mean(dim=0) - sexes[1][~male].mean(dim=0)  # from daughters to sons
    apart = (sons - daughters) @ net.axes.t() / net.scale @ axis
    assert (apart > 0).float().mean() > 0.9
    for codes in parents.values():
        drawn = torch.stack([net.sample(*codes, rng) for _ in range(8)]).mean(dim=0)
        skin = ((drawn.flatten(1) - net.child_mean) @ net.axes.t())[:, 0]
        middle = sum((code.flatten(1) - net.mean) @ net.axes.t() for code in codes)[:, 0]
        assert np.corrcoef(skin, middle)[0, 1] > 0.8  # the parents decide, not the seed


def _children(kin: KinCodes) -> torch.Tensor:
    return kin.codes[torch.tensor((kin.table.role == "child").tolist())]


def test_too_few_couples(tmp_path, monkeypatch):
    monkeypatch.setattr(recipe, "encode_set", lambda folder: iter([(1, 1)]))
    monkeypatch.setattr(recipe, "load_codes", lambda folder: synthetic(5))
    with pytest.raises(KinlibError, match="has 5 couples with codes: render 40 or more"):
        recipe.train(SamplerSettings(data=tmp_path, out=tmp_path / "out", run=tmp_path / "run"))
