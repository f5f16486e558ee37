"""Crossover and mutation: the equations, what is drawn, names of regions, and children of two encoded parents."""

import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from kinlib.checkpoints.checksums import sha256
from kinlib.cli.children import ChildCommand, with_method_options
from kinlib.inheritance import registry
from kinlib.inheritance.genes import GeneDecoder, GeneEncoder, Genes, load_genes
from kinlib.inheritance.genes.crossover import Weights, crossover, decode_child, draw_mutated, draw_weights
from kinlib.inheritance.genes.files import gene_state
from kinlib.inheritance.genes.methods import GeneMethod
from kinlib.inheritance.genes.networks import STUDIO, Components
from kinlib.inheritance.genes.pool import AGES, SEXES, load_pool, save_pool
from kinlib.inheritance.genes.regions import GROUPS, check_shares, region_indices
from kinlib.inheritance.notes import gathered_notes
from kinlib.io.face_labels import REGIONS
from kinlib.kinship.kinship import Kinship
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets import sample_parents

SIZES = replace(STUDIO, num_layers=12, gene_dim=8, components=12, encoder_depth=1, head_depth=1, decoder_depth=1)
IRIS, NOSE_TIP = REGIONS.index("iris"), REGIONS.index("nose tip")


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def people(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 12, 512, generator=rng(seed))


@pytest.fixture(scope="module")
def networks() -> tuple[GeneEncoder, GeneDecoder]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        components = Components(SIZES.components, 12 * 512)
        components.fit(people(40))
        return GeneEncoder(SIZES, components).eval(), GeneDecoder(SIZES, components).eval()


@pytest.fixture(scope="module")
def pool_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("pool") / "gene_pool.safetensors"
    labels = {"age": ["20-29"] * 10 + ["3-9"] * 5, "sex": ["male"] * 12 + ["female"] * 3, "group": ["amber"] * 15}
    save_pool(path, people(15, 7), labels, {"age": AGES, "sex": SEXES, "group": ("amber", "birch")})
    return path


def test_coins_give_each_group_to_one_parent():
    weights = draw_weights(200, rng(), "coins")
    assert set(weights.father.unique().tolist()) == {0.0, 1.0} and not weights.pool.any()
    for names in GROUPS.values():
        group = weights.father[:, [REGIONS.index(name) for name in names]]
        assert (group == group[:, :1]).all() and 0.35 < group.mean() < 0.65
    eyes, nose = (weights.father[:, region_indices(name)[0]] for name in ("eyes", "nose"))
    assert 0.35 < (eyes == nose).float().mean() < 0.65  # of each other they know nothing
    assert check_shares("coins") == check_shares(" coins ") == "coins"


def random_genes(count: int, seed: int) -> Genes:
    return Genes(*torch.randn(2, count, 1, len(REGIONS), 8, generator=rng(seed)))


def test_equations_9_and_10_by_hand():
    father, mother, pool = random_genes(1, 1), random_genes(1, 2), random_genes(3, 3)
    weights = draw_weights(3, rng(), {IRIS: 1.0, NOSE_TIP: 0.25}, gamma=0.4)
    assert torch.allclose(weights.father[:, NOSE_TIP], torch.tensor(0.15)) and (weights.pool == 0.4).all()
    mutated = torch.zeros(3, 34, dtype=torch.bool)
    mutated[1, 5] = True
    found = crossover(father, mother, weights.mutate(mutated), pool)
    for i in range(2):
        wanted = 0.6 * father[i][0, :, IRIS] + 0.4 * pool[i][2, :, IRIS]
        torch.testing.assert_close(found[i][2, :, IRIS], wanted)
        wanted = 0.15 * father[i][0, :, NOSE_TIP] + 0.45 * mother[i][0, :, NOSE_TIP] + 0.4 * pool[i][0, :, NOSE_TIP]
        torch.testing.assert_close(found[i][0, :, NOSE_TIP], wanted)
        torch.testing.assert_close(found[i][1, :, 5], pool[i][1, :, 5])


def test_weights_are_uniform_and_of_each_child():
    weights = draw_weights(400, rng(), gamma=0.5)
    share = weights.father / 0.5
    torch.testing.assert_close(weights.father + weights.mother, torch.full((400, 34), 0.5))
    assert share.min() >= 0 and share.max() <= 1 and abs(share.mean() - 0.5) < 0.01 and abs(share.std() - 0.289) < 0.01
    assert torch.equal(draw_weights(2, rng(3)).father, draw_weights(2, rng(3)).father)
    assert not torch.equal(weights.father[0], weights.father[1])


def test_a_share_eta_of_the_regions_mutates():
    mutated = draw_mutated(500, 0.4, rng(), kept=(IRIS,))
    assert (mutated.sum(dim=1) == 14).all() and not mutated[:, IRIS].any()
    often = mutated.float().mean(dim=0)[torch.arange(34) != IRIS]
    assert (often - 14 / 33).abs().max() < 0.09
    assert draw_mutated(2, 1.0, rng()).all() and not draw_mutated(2, 0.0, rng()).any()
    assert draw_mutated(1, 1.0, rng(), kept=(0, 1)).sum() == 32


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((0.5, 0.4, 0.2), "the weights of the region 'background' sum to 1.1, not to 1"),
        ((1.2, -0.2, 0.0), "a weight of the region 'background' is below 0"),
        ((float("nan"), 0.5, 0.5), "sum to nan"),
    ],
)
def test_weights_that_do_not_sum_are_refused(parts: tuple, message: str):
    with pytest.raises(KinlibError, match=message):
        Weights(*(torch.full((1, 34), value) for value in parts))


def test_other_wrong_numbers_are_refused():
    with pytest.raises(KinlibError, match=r"must all be \[B, R\]"):
        Weights(torch.ones(1, 34), torch.zeros(1, 33), torch.zeros(1, 34))
    with pytest.raises(KinlibError, match=r"gamma must be a number from 0 to 1, not 1\.5"):
        draw_weights(1, rng(), gamma=1.5)
    with pytest.raises(KinlibError, match="eta must be a number from 0 to 1, not -1"):
        draw_mutated(1, -1, rng())
    with pytest.raises(KinlibError, match="there is no region 40"):
        draw_weights(1, rng(), {40: 0.5})
    with pytest.raises(KinlibError, match="weights of 33 regions for genes of 34"):
        crossover(random_genes(1, 1), random_genes(1, 2), draw_weights(1, rng(), regions=33))
    with pytest.raises(KinlibError, match="mutation needs a gene pool"):
        crossover(random_genes(1, 1), random_genes(1, 2), draw_weights(1, rng(), gamma=0.1))


def test_layers_beyond_the_kept_are_the_parents_mean(networks):
    father, mother = people(1, 1), people(1, 2)
    genes = random_genes(3, 1).mean
    codes = decode_child(networks[1], genes, father, mother, kept_layers=8)
    torch.testing.assert_close(codes[:, :8], networks[1](genes)[:, :8])
    torch.testing.assert_close(codes[:, 8:], ((father + mother) / 2)[:, 8:].expand(3, -1, -1))
    torch.testing.assert_close(decode_child(networks[1], genes, father, mother, 18), networks[1](genes))


def test_every_region_has_one_group():
    grouped = [region for group in GROUPS.values() for region in group]
    assert sorted(["background", *grouped]) == sorted(REGIONS)


def test_names_of_regions():
    assert region_indices("nose tip") == region_indices("nose_tip") == region_indices("nose-tip") == (NOSE_TIP,)
    assert {REGIONS[i] for i in region_indices("mouth")} == set(GROUPS["mouth"])
    assert len(region_indices("nose")) == 5  # the group
    assert check_shares("random") == {}
    found = check_shares("iris=0.5,eyes=1")  # the region replaces what its group says, in either order
    assert found[IRIS] == 0.5 and found[REGIONS.index("pupil")] == 1.0 and len(found) == 7
    assert check_shares({"iris": 1, "chin": 0}) == {IRIS: 1.0, REGIONS.index("chin"): 0.0}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("beak=1", "unknown region 'beak': choose from hair, eyes"),
        ("iris=2", "the father's share of the region 'iris' must be a number from 0 to 1, not 2"),
        ("iris", "must be a number from 0 to 1, not None"),
        ({"iris": "much"}, "from 0 to 1, not much"),
        ({3: 1.0}, "unknown region 3"),
        (0.5, "must be given as eyes=1,nose=0.3, not 0.5"),
    ],
)
def test_wrong_shares_of_regions_are_refused(given, message: str):
    with pytest.raises(KinlibError, match=message) as caught:
        check_shares(given)
    assert "\n" not in str(caught.value)


OPTIONS = {"region_shares": {}, "kept_layers": 8, "gene_spread": 1.0}


def test_forty_children_in_one_call_are_as_one_by_one_in_law(networks):
    """With the given shares and without noise nothing is random, so that the batch is each child by itself."""
    method = GeneMethod(*networks)
    father, mother = people(1, 1), people(1, 2)
    options = OPTIONS | {"region_shares": dict.fromkeys(range(34), 0.7), "gene_spread": 0.0}
    one = method.cross(father, mother, rng(), **options)
    many = method.cross(father.expand(40, -1, -1), mother.expand(40, -1, -1), rng(), **options)
    torch.testing.assert_close(many, one.expand(40, -1, -1))
    drawn = method.cross(father.expand(40, -1, -1), mother.expand(40, -1, -1), rng(), **OPTIONS)
    assert drawn.shape == (40, 12, 512) and len(drawn[:, :8].flatten(1).unique(dim=0)) == 40
    again = method.cross(father.expand(40, -1, -1), mother.expand(40, -1, -1), rng(), **OPTIONS)
    assert torch.equal(drawn, again)


@pytest.mark.parametrize("with_pool", [False, True])
def test_children_with_a_generator_each_are_those_of_one_by_one(networks, pool_file, with_pool: bool):
    method = GeneMethod(*networks, load_pool(pool_file) if with_pool else None)
    options = OPTIONS | ({"eta": 0.4, "gamma": 0.47} if with_pool else {})
    father, mother = people(1, 1), people(1, 2)
    alone = torch.cat([method.cross(father, mother, rng(seed), **options) for seed in range(5)])
    sources = [rng(seed) for seed in range(5)]
    together = method.cross(father.expand(5, -1, -1), mother.expand(5, -1, -1), sources, **options)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)
    assert len(together.flatten(1).unique(dim=0)) == 5


def test_couples_of_a_batch_keep_their_own_genes(networks):
    method = GeneMethod(*networks)
    options = OPTIONS | {"region_shares": dict.fromkeys(range(34), 1.0), "gene_spread": 0.0, "kept_layers": 12}
    father, mother = people(3, 1), people(3, 2)
    found = method.cross(father, mother, rng(), **options)
    encoder, decoder = networks
    torch.testing.assert_close(found, decoder(encoder(father).mean))


def test_mutation_takes_genes_from_the_pool(networks, pool_file):
    method = GeneMethod(*networks, load_pool(pool_file))
    father, mother = people(1, 1), people(1, 2)
    wanted = {"eta": 1.0, "gamma": 0.0, "pool_age": "3-9", "pool_sex": "male", "pool_group": "amber"}
    seen = {}
    method.decoder = lambda genes: seen.setdefault("genes", genes).new_zeros(len(genes), 12, 512)
    method.cross(father.expand(6, -1, -1), mother.expand(6, -1, -1), rng(), **OPTIONS | {"gene_spread": 0.0}, **wanted)
    allowed = networks[0](load_pool(pool_file).codes(torch.tensor([10, 11]))).mean  # the boys
    near = (seen["genes"][:, None] - allowed[None]).abs().amax(dim=(2, 4))  # [6, 2, R]
    taken = near.amin(dim=1) < 1e-5
    assert taken[:, 1:].all() and not taken[:, 0].any()  # but for the background
    assert (near.argmin(dim=1) == 0).any() and (near.argmin(dim=1) == 1).any()


def test_an_empty_group_is_told(networks, pool_file):
    method = GeneMethod(*networks, load_pool(pool_file))
    father, mother = people(1, 1), people(1, 2)
    with pytest.warns(UserWarning, match="the gene pool has nobody of age 20-29, sex male, group birch"):
        method.cross(
            father, mother, rng(), **OPTIONS, eta=0.5, gamma=0.2, pool_age="20-29", pool_sex="male", pool_group="birch"
        )
    with gathered_notes() as notes:
        for seed in range(2):
            wanted = {"pool_age": "20-29", "pool_sex": "male", "pool_group": "birch"}
            method.cross(father, mother, rng(seed), **OPTIONS, eta=0.5, gamma=0.2, **wanted)
    assert len(notes) == 1 and "nobody of age 20-29, sex male, group birch" in notes[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        method.cross(father, mother, rng(), **OPTIONS, eta=0.5, gamma=0.2, pool_age="20-29", pool_sex="male")


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch, networks, pool_file) -> Path:
    """Bundled data with trained genes and a pool."""
    shutil.copytree(config.data_dir(), tmp_path / "data")
    monkeypatch.setenv("KINLIB_DATA", str(tmp_path / "data"))
    folder = tmp_path / "data" / "weights" / "studio"
    save_file(gene_state(*networks), folder / "genes.safetensors")
    shutil.copy(pool_file, folder / "gene_pool.safetensors")
    records = json.loads((folder / "manifest.json").read_text())
    for name in ("genes.safetensors", "gene_pool.safetensors"):
        records[name] = {"sha256": sha256(folder / name), "size": (folder / name).stat().st_size}
    (folder / "manifest.json").write_text(json.dumps(records))
    return folder


def test_without_weights_the_methods_are_not_available(bundled):
    for name in ("genes.safetensors", "gene_pool.safetensors"):
        (bundled / name).unlink()
    assert not {"genes", "genes_pool"} & set(registry.available("studio"))
    assert {"genes", "genes_pool"} <= set(registry.names())
    with pytest.raises(KinlibError, match="the weights 'studio_genes' are not here"):
        registry.create("genes")
    with pytest.raises(KinlibError, match="has no weights for the role 'genes'"):
        registry.create("genes", "ffhq")


def test_with_weights_the_registry_has_both_methods(bundled):
    assert registry.names()[-2:] == ["genes", "genes_pool"] and {"genes", "genes_pool"} <= {
        *registry.available("studio")
    }
    fields = with_method_options(ChildCommand).__dataclass_fields__
    assert {"region_shares", "kept_layers", "eta", "gamma", "pool", "pool_group"} <= fields.keys()
    father, mother = people(2, 1), people(2, 2)
    for name, options in (("genes", {"region_shares": "eyes=1"}), ("genes_pool", {"eta": 0.2, "pool_age": "20-29"})):
        inherit = registry.create(name, **options)
        child = inherit(father, mother, rng())
        assert child.shape == father.shape and torch.equal(child, inherit(father, mother, rng()))


def test_the_whole_way_tells_what_the_pool_lacks(bundled):
    kin = Kinship.load("studio", device="cpu")
    faces = [kin.encode(photo) for photo in sample_parents.couple(1)]
    options = {"method": "genes_pool", "pool_age": "3-9", "pool_group": "birch", "eta": 0.2}
    child = kin.children(*faces, 2, **options)[1]
    assert any("nobody of age 3-9, group birch" in note for note in child.notes)
    assert not any("gene pool" in note for note in kin.child(*faces, method="genes", region_shares={"eyes": 1}).notes)


def test_a_pool_of_ones_own(bundled, pool_file, tmp_path: Path):
    father, mother = people(1, 1), people(1, 2)
    options = {"eta": 1.0, "gamma": 0.0, "gene_spread": 0.0, "kept_layers": 12}
    own = tmp_path / "own.safetensors"
    save_pool(
        own, people(1, 9), {"age": ["3-9"], "sex": ["male"], "group": ["x"]}, {"age": AGES, "sex": SEXES, "group": "x"}
    )
    found = registry.create("genes_pool", pool=str(own), **options)(father, mother, rng())
    encoder, decoder = load_genes(bundled / "genes.safetensors")
    codes = people(1, 9).half().float()
    expected = [encoder(code).mean for code in (codes, father, mother)]
    share = draw_weights(1, rng()).father[:, :1]  # of the background, which is both parents'
    expected[0][:, :, 0] = share * expected[1][:, :, 0] + (1 - share) * expected[2][:, :, 0]
    torch.testing.assert_close(found, decoder(expected[0]))
    assert not torch.allclose(found, registry.create("genes_pool", **options)(father, mother, rng()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kept_layers": 2.5}, "must be a whole number from 0 to 18, not 2.5"),
        ({"kept_layers": 19}, "must be a number from 0 to 18, not 19"),
        ({"gene_spread": 2}, "the spread of genes must be a number from 0 to 1, not 2"),
        ({"pool_age": 7}, "given by name, not as 7"),
        ({"pool": "absent"}, "there is no gene pool 'absent': make one with `kinlib pool`"),
    ],
)
def test_wrong_options_are_refused(bundled, options: dict, message: str):
    with pytest.raises(KinlibError, match=message):
        registry.create("genes_pool", **options)
    with pytest.raises(KinlibError, match="unknown age '90' of a gene pool: choose from 0-2"):
        registry.create("genes_pool", pool_age="90")(people(1), people(1), rng())
