"""The ideas of StyleDNA and ChildPredictor, on couples whose children are known to be the mean of their parents."""

import numpy as np
import pandas as pd
import pytest
import torch

from kinlib.inheritance.genes.networks import Components
from kinlib.runtime.errors import KinlibError
from kinlib.training.data.kin_codes import HELD_OUT_EVERY, KinCodes
from kinlib.training.experiments.kin_baselines import (
    BaselineSettings,
    Couples,
    GeneticFactors,
    SharedGenes,
    couples_of,
    train,
)

LAYERS = 2
SETTINGS = BaselineSettings(components=8, genes=16, hidden=32, steps=300, lr=3e-3)


def coded(*shape: int, seed: int) -> torch.Tensor:
    """Codes that vary along eight axes only."""
    axes = torch.randn(8, LAYERS * 512, generator=torch.Generator().manual_seed(0))
    found = torch.randn(*shape, 8, generator=torch.Generator().manual_seed(seed)) @ axes
    return found.unflatten(-1, (LAYERS, 512))


def couples(count: int, seed: int) -> Couples:
    father, mother = coded(count, seed=seed), coded(count, seed=seed + 1)
    children = ((father + mother) / 2)[:, None] + 0.1 * coded(count, 3, seed=seed + 2)
    return Couples(father, mother, children)


@pytest.fixture(scope="module", params=[SharedGenes, GeneticFactors, "larger"])
def trained(request):
    build = request.param
    if build == "larger":
        build = lambda *parts: SharedGenes(*parts, sampled=False)  # noqa: E731
    return request.param, *train(build, couples(150, 1), couples(20, 11), torch.zeros(1, LAYERS, 512), SETTINGS)


def test_children_of_other_couples_are_found(trained):
    _, net, losses = trained
    assert losses["seen"] < 0.6 and losses["aside"] < 0.7  # of the error of who ignores the parents
    held = couples(30, 21)
    found = net.inherit(held.father, held.mother, torch.Generator().manual_seed(0))
    errors = [(found - held.children[:, 0].roll(by, 0)).square().mean() for by in (0, 1)]
    assert found.shape == held.father.shape and errors[0] < 0.8 * errors[1]


def test_randomness_comes_from_the_generator_alone(trained):
    kind, net, _ = trained
    held = couples(2, 21)
    first, again, other = (
        net.inherit(held.father, held.mother, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again) and torch.equal(first, other) == (kind == "larger")


def test_training_follows_its_seed():
    """Also where others have drawn random numbers in between."""
    few = BaselineSettings(components=8, genes=4, hidden=8, steps=10)
    given = couples(30, 1), couples(5, 11), torch.zeros(1, LAYERS, 512)
    first, _ = train(GeneticFactors, *given, few)
    torch.rand(3)
    state, again = torch.random.get_rng_state(), train(GeneticFactors, *given, few)[0]
    assert all(
        torch.equal(one, other)
        for one, other in zip(first.state_dict().values(), again.state_dict().values(), strict=True)
    )
    assert torch.equal(state, torch.random.get_rng_state())


def test_external_factors_are_what_parents_tell_least_of():
    components = Components(32, LAYERS * 512)
    net = GeneticFactors(components, LAYERS, SETTINGS)
    father, mother = torch.randn(2, 60, 32, generator=torch.Generator().manual_seed(0))
    children = ((father + mother) / 2)[:, None].repeat(1, 2, 1)
    children[..., [3, 20]] = torch.randn(60, 2, 2, generator=torch.Generator().manual_seed(1))
    net.settle(father, mother, children)
    assert net.external.nonzero().flatten().tolist() == [3, 20]
    found = net(father, mother, lambda *shape: torch.full(shape, 0.5))
    torch.testing.assert_close(found[:, 3], net.centre[3].expand(60))


def test_couples_of_a_kin_set():
    rows = [
        {"couple": couple, "role": role, "kind": kind}
        for couple in range(HELD_OUT_EVERY + 1)
        for role, kind in (
            ("father", "portrait"),
            ("father", "album"),
            ("mother", "portrait"),
            ("child", "portrait"),
            ("child", "portrait"),
        )
    ]
    codes = torch.arange(len(rows)).view(-1, 1, 1).expand(-1, LAYERS, 512).half()
    kin = KinCodes(pd.DataFrame(rows), codes, codes[:0, None], 0)
    shown, aside = couples_of(kin)
    assert len(shown) == HELD_OUT_EVERY - 1 and len(aside) == 2
    assert aside.father[:, 0, 0].tolist() == [0, 5 * HELD_OUT_EVERY]
    assert shown.mother[0, 0, 0] == 7 and shown.children[0, :, 0, 0].tolist() == [8, 9]
    few = kin.table.couple < 1
    with pytest.raises(KinlibError, match="1 couples is too small"):
        couples_of(KinCodes(kin.table[few], codes[torch.from_numpy(np.flatnonzero(few))], codes[:0, None], 0))
