"""What a person chooses region by region, and the options of methods that it becomes."""

import shlex

import pytest
import torch

from kinlib.inheritance import registry
from kinlib.inheritance.genes.choices import REGION_GROUPS, RegionChoices, share_in_words
from kinlib.inheritance.genes.crossover import draw_mutated, draw_weights
from kinlib.inheritance.genes.regions import check_shares, region_indices
from kinlib.io.face_labels import REGIONS
from kinlib.runtime.errors import KinlibError


def weights_of(choices: RegionChoices):
    """The weights of one child that a method draws from the options, [34] each of father, mother and pool."""
    options = {name: value for name, value in choices.options().items() if name != "pool"}
    options = registry.find(choices.method).check(options)
    rng, shares = torch.Generator().manual_seed(0), options["region_shares"]
    drawn = draw_weights(1, rng, shares, options.get("gamma", 0.0))
    drawn = drawn.mutate(draw_mutated(1, options.get("eta", 0.0), rng, tuple(shares)))
    return [part[0] for part in drawn.parts]


def test_groups_hold_every_region_once():
    indices = [index for regions in REGION_GROUPS.values() for name in regions for index in indices_of(name)]
    assert sorted(indices) == list(range(len(REGIONS)))


def indices_of(name: str) -> tuple[int, ...]:
    """The region of that name, even where a group has the same."""
    return tuple(i for i, region in enumerate(REGIONS) if region.replace(" ", "_").replace("-", "_") == name)


def test_shares_arrive_in_their_regions():
    chosen = RegionChoices().with_group("hair", 1.0).with_region("sideburns", 0.0).with_region("hair", 0.25)
    chosen = chosen.with_group("nose", 0.0).with_region("nose", 0.75).with_region("iris", 1.0)
    father, mother, pool = weights_of(chosen)
    wanted = {name: 0.5 for regions in REGION_GROUPS.values() for name in regions}
    wanted |= {"hair": 0.25, "sideburns": 0.0, "moustache": 1.0, "iris": 1.0}
    wanted |= dict.fromkeys(REGION_GROUPS["nose"], 0.0) | {"nose": 0.75}
    for name, share in wanted.items():
        (index,) = indices_of(name)
        assert father[index] == share and mother[index] == 1 - share
    assert chosen.method == "genes" and not pool.any()


def test_the_pool_gets_its_groups_and_no_other():
    chosen = RegionChoices().with_group("jaw", 1.0).with_pool("hair").with_pool("mouth").with_pool("jaw")
    _, _, pool = weights_of(chosen.with_pool("jaw", False))
    own = {*region_indices("hair"), *region_indices("mouth")}
    assert set(pool.nonzero()[:, 0].tolist()) == own and pool.max() == 1
    father, _, _ = weights_of(chosen.with_pool("jaw", False))
    assert father[list(region_indices("jaw"))].eq(1).all()  # what was chosen before comes back
    for group in REGION_GROUPS:
        chosen = chosen.with_pool(group)
    assert weights_of(chosen)[2].eq(1).all()


@pytest.mark.parametrize("pooled", [(), ("hair", "background"), tuple(REGION_GROUPS)])
def test_the_command_says_the_same(pooled):
    chosen = RegionChoices(people={"age": "20-29", "sex": "any", "group": "any"}).with_group("eyes", 0.7)
    for group in pooled:
        chosen = chosen.with_pool(group)
    words = shlex.split(chosen.command(seed=3))
    given = dict(zip(words[2::2], words[3::2], strict=True))
    assert given["--method"] == chosen.method and given["--seed"] == "3"
    assert check_shares(given["--region-shares"]) == check_shares(chosen.options()["region_shares"])
    assert given.get("--pool-age") == ("20-29" if pooled else None) and "--pool-sex" not in given
    assert given.get("--eta") == ("1.0" if pooled else None)


def test_words():
    chosen = RegionChoices()
    assert chosen.in_words() == "all: half of each"
    chosen = chosen.with_group("eyes", 0.7).with_group("nose", 0.2).with_pool("hair").with_region("chin", 1.0)
    assert chosen.in_words() == (
        "hair: the pool; eyes: 70% father; nose: 80% mother; jaw: by region; the rest: half of each"
    )
    assert chosen.common_share("jaw") is None and chosen.common_share("eyes") == 0.7
    assert [share_in_words(share) for share in (1.0, 0.5, 0.0)] == ["father", "half of each", "mother"]


def test_unknown_names_are_refused():
    with pytest.raises(KinlibError, match="no region 'tail': choose from hair, sideburns"):
        RegionChoices().with_region("tail", 1.0)
    for change in (lambda one: one.with_group("ears", 1.0), lambda one: one.with_pool("ears")):
        with pytest.raises(KinlibError, match="no group of regions 'ears': choose from hair, eyes"):
            change(RegionChoices())
