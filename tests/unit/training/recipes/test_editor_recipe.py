"""The editing networks' recipe: each loss teaches what it should, and a run is written, resumed and measured."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from kinlib.cli import main
from kinlib.editing import losses
from kinlib.editing.losses import Weights, generator_total
from kinlib.editing.masks import DUMMY
from kinlib.editing.networks import Discriminator, Edit, Generator, load_editor
from kinlib.editing.rules import ATTRIBUTES
from kinlib.evaluation.edits.true_edits import EditPairs
from kinlib.studio.datasets.encoding import array_to_png
from kinlib.training.data.edit_faces import BITS, EditBatch, EditFaces, guides
from kinlib.training.recipes import editor as recipe
from kinlib.training.recipes.editor import discriminator_loss, generator_losses, true_edit_losses

BLOND, PALE = ATTRIBUTES.index("Blond_Hair"), ATTRIBUTES.index("Pale_Skin")
NONE = Weights(**dict.fromkeys(Weights.__dataclass_fields__, 0.0))


def faces(count: int = 48, seed: int = 0) -> EditFaces:
    """64 px: hair above, striped if it is blond; skin below, striped if it is pale; a coat at the right."""
    rng = torch.Generator().manual_seed(seed)
    attributes = torch.zeros(count, len(ATTRIBUTES))
    attributes[:, [BLOND, PALE]] = torch.randint(0, 2, (count, 2), generator=rng).float()
    images, masks = torch.zeros(count, 3, 64, 64), torch.zeros(count, 64, 64, dtype=torch.uint8)
    stripes = torch.tensor([0.0, 1.0]).repeat_interleave(4).repeat(8)  # along the columns: [64]
    for number, attribute, rows in ((0, BLOND, slice(0, 32)), (1, PALE, slice(32, 64))):
        images[:, :, rows] = 60 + 150 * attributes[:, attribute, None, None, None] * stripes
        masks[:, rows] = list(BITS.values())[number]
    images[..., 48:] = 200
    masks[..., 48:] = BITS["clothing"]
    images = (images + 6 * torch.randn(images.shape, generator=rng)).clamp(0, 255).byte()
    return EditFaces(images, attributes, masks, torch.ones(count, dtype=torch.bool), count)


def batch_of(some: EditFaces, wanted: torch.Tensor) -> EditBatch:
    """All faces, unmirrored, with wanted attributes."""
    masks = guides(some.masks, some.segmented, wanted - some.attributes)
    return EditBatch(some.pictures(torch.arange(len(some))), some.attributes, wanted, *masks)


def toggled(some: EditFaces, attribute: int) -> torch.Tensor:
    """The attributes of faces after one of them has changed in all."""
    wanted = some.attributes.clone()
    wanted[:, attribute] = 1 - wanted[:, attribute]
    return wanted


def networks(seed: int = 0) -> tuple[Generator, Discriminator]:
    torch.manual_seed(seed)
    return Generator(len(ATTRIBUTES), 4), Discriminator(len(ATTRIBUTES), 4, 64)


def learn(
    weights: dict[str, float], steps: int, draw: Callable[[torch.Generator], EditBatch], lr: float = 5e-3
) -> tuple:
    """Train a generator by some terms of its loss alone; returns it and the terms before and after."""
    generator, discriminator = networks()
    discriminator.requires_grad_(False)
    optimizer = torch.optim.Adam(generator.parameters(), lr, betas=(0.5, 0.999))
    rng = torch.Generator().manual_seed(1)
    first: dict = {}
    for _ in range(steps):
        terms = generator_losses(generator, discriminator, draw(rng))
        first = first or terms
        optimizer.zero_grad()
        generator_total(terms | {"realness": torch.zeros(())}, Weights(**{**vars(NONE), **weights})).backward()
        optimizer.step()
    return generator, first, terms


@pytest.mark.parametrize("term", ["reconstruction", "dual", "attention_identity", "nontarget"])
def test_reconstructions_and_attention_in_wrong_places_fall(term):
    some = faces()
    some.attributes[::2, ATTRIBUTES.index("Young")] = 1  # for which skin is no more than an upper bound
    _, first, last = learn({term: 1.0}, 15, lambda rng: some.batch(torch.randperm(48, generator=rng)[:16], rng))
    assert last[term] < 0.6 * first[term]


def test_attention_turns_to_its_guide_masks_and_clothing_to_its_own():
    def draw(rng: torch.Generator) -> EditBatch:
        """The hair of four new faces changes, and the skin of four others."""
        new = faces(8, seed=int(torch.randint(10**6, (), generator=rng)))
        return batch_of(new, torch.cat([toggled(new, BLOND)[:4], toggled(new, PALE)[4:]]))

    def preferences(generator: Generator) -> list[float]:
        """How much more attention hair gets than skin where hair changes, and skin than hair where skin changes."""
        batch = draw(torch.Generator().manual_seed(9))
        # One batch, as in training: batch normalisation takes out what is the same in all of its samples.
        attention = generator(batch.images, batch.difference).attention[..., :48]
        lead = (attention[:, :, :32].mean(dim=(1, 2, 3)) - attention[:, :, 32:].mean(dim=(1, 2, 3))).tolist()
        return [sum(lead[:4]) / 4, -sum(lead[4:]) / 4]

    assert max(preferences(networks()[0])) < 0.05
    generator, _, _ = learn({"target": 1.0, "clothing": 1.0}, 100, draw, lr=2e-2)
    assert min(preferences(generator)) > 0.5
    some = faces(16, seed=5)
    clothing = generator(some.pictures(torch.arange(16)), torch.zeros(16, len(ATTRIBUTES))).clothing
    assert clothing[..., 48:].mean() > 0.8 and clothing[..., :48].mean() < 0.2


def test_samples_without_masks_teach_no_masks():
    some = faces()
    some.segmented[:] = False
    generator, discriminator = networks()
    batch = some.batch(torch.arange(16), torch.Generator().manual_seed(0))
    assert (batch.guide == DUMMY).all()
    terms = generator_losses(generator, discriminator, batch)
    assert all(terms[name] == 0 for name in ("target", "nontarget", "clothing"))
    sum(terms[name] for name in ("target", "nontarget", "clothing")).backward()
    assert all(not p.grad.any() for p in generator.parameters() if p.grad is not None)


def test_the_discriminator_reads_attributes_and_tells_edits_from_photographs_and_the_generator_follows():
    """What the discriminator reads in photographs, edits learn to show, and what it holds for real they approach."""
    some, (generator, discriminator) = faces(), networks()
    optimizer = torch.optim.Adam(discriminator.parameters(), 5e-3, betas=(0.5, 0.999))
    rng = torch.Generator().manual_seed(1)
    for _ in range(40):
        batch = some.batch(torch.randperm(48, generator=rng)[:16], rng)
        with torch.no_grad():
            fakes = recipe._edited(generator, batch.images, batch.difference)[1]
        optimizer.zero_grad()
        discriminator_loss(discriminator, batch, fakes, 10.0).backward()
        optimizer.step()
    test = faces(16, seed=5)
    batch = batch_of(test, toggled(test, BLOND))
    fakes = recipe._edited(generator, batch.images, batch.difference)[1].detach()
    real, read = discriminator(batch.images)
    assert ((read[:, [BLOND, PALE]] > 0.5) == batch.present[:, [BLOND, PALE]].bool()).all()
    assert real.mean() > discriminator(fakes)[0].mean() + 0.5
    norm = losses.gradient_penalty(lambda images: discriminator(images)[0], batch.images, fakes).sqrt()
    assert norm < 0.5  # of the distance of the gradient's norm from 1
    before = {name: value.item() for name, value in generator_losses(generator, discriminator, batch).items()}
    discriminator.requires_grad_(False)
    for term, better in (("attributes", -1), ("realness", 1)):
        torch.manual_seed(0)
        learner = Generator(len(ATTRIBUTES), 4)
        teacher = torch.optim.Adam(learner.parameters(), 5e-3, betas=(0.5, 0.999))
        for _ in range(15):
            terms = generator_losses(learner, discriminator, batch)
            teacher.zero_grad()
            (terms[term] * -better).backward()
            teacher.step()
        assert better * (terms[term].item() - before[term]) > 0.3


def coloured_pairs(count: int = 16) -> EditPairs:
    """Grey pictures whose upper half gets stripes where hair becomes blond."""
    before = torch.zeros(count, 3, 64, 64) + 0.1 * torch.randn(count, 3, 64, 64, generator=torch.Generator())
    after, changed = before.clone(), torch.zeros(count, 1, 64, 64, dtype=torch.bool)
    after[:, :, :32, ::8] = 1.0
    changed[:, :, :32] = True
    difference = torch.zeros(count, len(ATTRIBUTES))
    difference[:, BLOND] = 1
    return EditPairs(before, after, changed, difference, pd.DataFrame(index=range(count)))


def test_true_edits_teach_the_edit_and_its_region():
    pairs, (generator, _) = coloured_pairs(), networks()
    optimizer = torch.optim.Adam(generator.parameters(), 5e-3, betas=(0.5, 0.999))
    parts = pairs.images, pairs.edited, pairs.changed.float(), pairs.difference
    first = true_edit_losses(generator, *parts)
    for _ in range(30):
        found = true_edit_losses(generator, *parts)
        optimizer.zero_grad()
        sum(found.values()).backward()
        optimizer.step()
    assert all(found[name] < 0.5 * first[name] for name in ("true_edit", "true_region"))
    attention = generator(pairs.images, pairs.difference).attention
    assert attention[:, :, :32].mean() > attention[:, :, 32:].mean() + 0.5


def test_the_region_that_changes_counts_as_much_as_the_rest():
    pairs = coloured_pairs(2)

    def untouched(images, _):
        mask = torch.full_like(images[:, :1], 0.5)
        return Edit(images, mask, mask, images)

    found = true_edit_losses(untouched, pairs.images, pairs.edited, pairs.changed.float(), pairs.difference)
    inside = (pairs.images - pairs.edited)[:, :, :32].abs().mean()
    assert found["true_edit"].item() == pytest.approx(inside.item() / 2, rel=1e-4)
    assert found["true_region"].item() == pytest.approx(np.log(2), rel=1e-5)


@pytest.fixture
def celebamask(tmp_path) -> Path:
    """Twelve pictures in CelebAMask-HQ's layout, the last two held out: a dark or bright band of hair over a face."""
    root = tmp_path / "data"
    (root / "CelebA-HQ-img").mkdir(parents=True)
    (root / "CelebAMask-HQ-mask-anno" / "0").mkdir(parents=True)
    lines, links = ["12", " ".join(ATTRIBUTES)], ["idx orig_idx orig_file"]
    for number in range(12):
        picture = np.full((256, 256, 3), 150, np.uint8)
        picture[:100] = 40 + 160 * (number % 2)
        Image.fromarray(picture).save(root / "CelebA-HQ-img" / f"{number}.jpg")
        hair = np.zeros((512, 512), np.uint8)
        hair[:200], skin = 255, np.zeros((512, 512), np.uint8)
        skin[200:450] = 255  # background below
        for name, mask in (("hair", hair), ("skin", skin)):
            Image.fromarray(mask).save(root / "CelebAMask-HQ-mask-anno" / "0" / f"{number:05d}_{name}.png")
        values = ["1" if name == "Blond_Hair" and number % 2 else "-1" for name in ATTRIBUTES]
        lines.append(f"{number}.jpg " + " ".join(values))
        original = number + 1 if number < 10 else 180_000 + number
        links.append(f"{number} {original - 1} {original:06d}.jpg")
    (root / "CelebAMask-HQ-attribute-anno.txt").write_text("\n".join(lines))
    (root / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(links))
    return root


SMALL = ("--width", "2", "--critic-width", "2", "--critic-steps", "2", "--batch", "4", "--minutes", "5")


def test_a_run_is_written_resumed_and_measured(celebamask, tmp_path):
    where = ("--data", str(celebamask), "--out", str(tmp_path / "out"), "--run", str(tmp_path / "run"))
    assert main(["train", "editor", *where, *SMALL, "--steps", "4"]) == 0
    net = load_editor(tmp_path / "out" / "editor.safetensors")
    assert net.edit.weight.shape[0] == 3 * 2 and net.num_attributes == 13
    record = json.loads((tmp_path / "out" / "editor.json").read_text())
    assert record["recipe"]["steps_done"] == 4 and record["recipe"]["pictures_used"] == 10
    assert 5 < record["metrics"]["background_psnr_db"] < 90 and record["metrics"]["pictures"] == 2
    assert (tmp_path / "run" / "final.png").exists()
    assert main(["train", "editor", *where, *SMALL, "--steps", "6", "--share", "0.5"]) == 0
    calls = json.loads((tmp_path / "out" / "editor.json").read_text())["calls"]
    assert [call["step"] for call in calls] == [0, 4] and calls[1]["share"] == 0.5


def test_a_run_learns_from_rendered_pairs_and_without_parts_of_the_network(celebamask, tmp_path):
    pairs = tmp_path / "pairs"
    pairs.mkdir()
    grey, white = (array_to_png(np.full((64, 64, 3), level, np.uint8)) for level in (90, 200))
    known = dict.fromkeys(ATTRIBUTES, False)
    row = {"person": 0, "attribute": "Pale_Skin", "change": 1, "image": grey, "edited": white}
    row |= {"changed": array_to_png(np.full((64, 64), 255, np.uint8)), "attributes": json.dumps(known)}
    row |= {"edited_attributes": json.dumps(known | {"Pale_Skin": True})}
    pd.DataFrame([row] * 4).to_parquet(pairs / "part-00000.parquet")
    where = ("--data", str(celebamask), "--out", str(tmp_path / "out"), "--run", str(tmp_path / "run"))
    plain = ("--no-units", "--no-attention", "--no-clothing-mask")
    learned = ("--pairs", str(pairs), "--pair-batch", "2", "--edits", str(pairs), "--steps", "2")
    assert main(["train", "editor", *where, *SMALL, *learned, *plain]) == 0
    net = load_editor(tmp_path / "out" / "editor.safetensors")
    assert net.attention is None and net.clothing is None and net.injected == len(ATTRIBUTES)
    assert json.loads((tmp_path / "out" / "editor.json").read_text())["metrics"]["pairs"] == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--data", "nowhere"), "no *.parquet file"),
        (("--data", "data", "--size", "32"), "--size must be a multiple of 32 and 64 at least, not 32"),
        (("--data", "data", "--size", "100"), "not 100"),
        (("--data", "data", "--critic-steps", "0"), "--critic-steps must be 1 at least, not 0"),
        (("--data", "data", "--batch", "64"), "batches of 64 from 10 pictures"),
        (("--data", "data", "--edits", "nowhere"), "no *.parquet file with edits in 'nowhere'"),
        (("--data", "data", "--pairs", "nowhere"), "no *.parquet file with edits in 'nowhere'"),
    ],
)
def test_refused_in_one_sentence(celebamask, tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "editor", "--out", "out", *arguments]) == 2
    assert words in capsys.readouterr().err
