"""Faces to learn editing from: CelebAMask-HQ's and CelebA's folders, guide masks of samples, and what damage says."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kinlib.editing.masks import DUMMY
from kinlib.editing.rules import ATTRIBUTES
from kinlib.runtime.errors import KinlibError
from kinlib.training.data.celeba import read_identities
from kinlib.training.data.celebamask import is_celebamask, read_celebamask, read_parts
from kinlib.training.data.edit_faces import BITS, EditFaces, guides, join, load_edit_faces, pack

ORIGINALS = (5, 162_770, 162_771, 9)  # numbers of CelebA's pictures; the third is the first held out


def mask(*rows: int) -> Image.Image:
    """White in these bands of 64 rows, of eight."""
    values = np.zeros((512, 512), np.uint8)
    for row in rows:
        values[64 * row : 64 * (row + 1)] = 255
    return Image.fromarray(values)


@pytest.fixture
def celebamask(tmp_path) -> Path:
    """Four pictures; the first has hair, a face and clothes, the others a face only."""
    root = tmp_path / "CelebAMask-HQ"
    (root / "CelebA-HQ-img").mkdir(parents=True)
    (root / "CelebAMask-HQ-mask-anno" / "0").mkdir(parents=True)
    lines, links = ["4", " ".join(("Smiling", *ATTRIBUTES))], ["    idx      orig_idx     orig_file"]
    for number, original in enumerate(ORIGINALS):
        shade = Image.new("RGB", (1024, 1024), (60 * number, 0, 0))
        shade.save(root / "CelebA-HQ-img" / f"{number}.jpg", quality=95)
        lines.append(f"{number}.jpg  -1 " + " ".join("1" if (index + number) % 2 else "-1" for index in range(13)))
        links.append(f"     {number}        {original - 1}     {original:06d}.jpg")
        mask(2, 3, 4).convert("RGB").save(root / "CelebAMask-HQ-mask-anno" / "0" / f"{number:05d}_skin.png")
    palette = mask(0, 1).convert("P")  # white gets another index than 255
    palette.save(root / "CelebAMask-HQ-mask-anno" / "0" / "00000_hair.png")
    mask(4, 5).save(root / "CelebAMask-HQ-mask-anno" / "0" / "00000_cloth.png")
    (root / "CelebAMask-HQ-attribute-anno.txt").write_text("\n".join(lines) + "\n")
    (root / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(links) + "\n")
    return root


def test_celebamask_is_read_by_names(celebamask):
    assert is_celebamask(celebamask) and not is_celebamask(celebamask.parent)
    table = read_celebamask(celebamask)
    assert table.held_out.tolist() == [False, False, True, False] and table.Bald.tolist() == [False, True, False, True]
    parts = read_parts(celebamask, 0)
    assert set(parts) == {"skin", "hair", "cloth"} and parts["hair"][:128].all() and not parts["hair"][128:].any()
    assert set(read_parts(celebamask, 1)) == {"skin"}


def test_celebamask_becomes_faces_with_guide_masks(celebamask):
    training, held_out = load_edit_faces(celebamask, 64)
    assert len(training) == 3 and len(held_out) == 1 and training.segmented.all()
    assert training.images.shape == (3, 3, 64, 64) and abs(int(training.images[1, 0].float().mean()) - 60) < 3
    assert training.attributes[0].tolist() == [0, 1] * 6 + [0]
    rows = {name: (training.masks[0, :, 5] & bit > 0).nonzero()[:, 0] // 8 for name, bit in BITS.items()}
    # Clothes are taken out of the skin (Eq 5); rows are bands of eight pixels here.
    assert {name: sorted(set(found.tolist())) for name, found in rows.items()} == {
        **{"hair": [0, 1], "skin": [2, 3], "eye_g": [], "clothing": [4, 5]}
    }
    assert len(load_edit_faces(celebamask, 64, limit=2)[0]) == 2


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda root: (root / "CelebA-HQ-img" / "1.jpg").unlink(), "1.jpg' is listed"),
        (lambda root: (root / "CelebA-HQ-to-CelebA-mapping.txt").unlink(), "which people are held out"),
        (
            lambda root: (root / "CelebA-HQ-to-CelebA-mapping.txt").write_text("idx orig_idx orig_file\n"),
            "lacks picture",
        ),
        (lambda root: (root / "CelebA-HQ-to-CelebA-mapping.txt").write_text("x"), "mapping.txt' cannot be read"),
        (lambda root: (root / "CelebAMask-HQ-attribute-anno.txt").unlink(), "no CelebAMask-HQ-attribute-anno.txt"),
        (lambda root: (root / "CelebAMask-HQ-attribute-anno.txt").write_text("1\nBald\n0.jpg 1 1\n"), "line 3 of"),
        (lambda root: (root / "CelebAMask-HQ-attribute-anno.txt").write_text("1\nBald\n0.jpg 1\n"), "too few people"),
        (lambda root: (root / "CelebAMask-HQ-mask-anno/0/00000_hair.png").write_bytes(b"x"), "cannot be read"),
        (
            lambda root: mask().crop((0, 0, 9, 8)).save(root / "CelebAMask-HQ-mask-anno/0/00001_hat.png"),
            "9 x 8 px, not",
        ),
        (lambda root: (root / "CelebA-HQ-img" / "1.jpg").write_bytes(b"x"), "1.jpg' cannot be read"),
    ],
)
def test_damage_is_told(celebamask, damage, words):
    damage(celebamask)
    with pytest.raises(KinlibError, match=words):
        load_edit_faces(celebamask, 64)


def test_celeba_has_no_masks_and_joins(celebamask, tmp_path):
    root = tmp_path / "celeba"
    (root / "img_align_celeba").mkdir(parents=True)
    lines, parts, people = ["3", " ".join(ATTRIBUTES)], [], []
    for number in range(1, 4):
        name = f"{number:06d}.jpg"
        Image.new("RGB", (178, 218)).save(root / "img_align_celeba" / name)
        lines.append(name + " 1" * 13)
        parts.append(f"{name} {0 if number < 3 else 1}")
        people.append(f"{name} 77")
    for name, text in (("list_attr_celeba", lines), ("list_eval_partition", parts)):
        (root / f"{name}.txt").write_text("\n".join(text) + "\n")
    assert load_edit_faces(root, 64)[0].people is None
    (root / "identity_CelebA.txt").write_text("\n".join(people) + "\n")
    training, held_out = load_edit_faces(root, 64)
    assert len(training) == 2 and len(held_out) == 1 and not training.segmented.any() and training.people == 1
    both = join(training, load_edit_faces(celebamask, 64)[0])
    assert both.segmented.tolist() == [False] * 2 + [True] * 3 and both.people is None
    with pytest.raises(KinlibError, match=r"identity_CelebA.txt' lacks '000009.jpg'"):
        read_identities(root, ["000009.jpg"])


def change(**changes: float) -> torch.Tensor:
    return torch.tensor([[changes.get(name, 0.0) for name in ATTRIBUTES]])


@pytest.mark.parametrize(
    ("changes", "wanted", "gates"),
    [
        ({"Blond_Hair": 1}, [1, 0, 0, 0], (1, 0)),
        ({"Eyeglasses": -1}, [0, 0, 1, 0], (1, 0)),
        ({"Eyeglasses": 1}, [0, 1, 0, 0], (0, 1)),
        ({"Bangs": 1}, [1, 1, 0, 0], (0, 1)),
        ({}, [0, 0, 0, 0], (0, 0)),
        ({"Mouth_Slightly_Open": 1}, [DUMMY] * 4, (0, 0)),
    ],
)
def test_samples_get_the_masks_of_the_tables(changes, wanted, gates):
    """A picture of four pixels: hair, skin, glasses, clothing."""
    packed = pack({name: torch.eye(4)[number].view(1, 1, 4) for number, name in enumerate(BITS)})
    assert packed.tolist() == [[[1, 2, 4, 8]]]
    guide, clothing, target, nontarget, known = guides(packed, torch.tensor([True]), change(**changes))
    assert guide[0, 0, 0].tolist() == wanted and clothing[0, 0, 0].tolist() == [0, 0, 0, 1]
    assert (target.item(), nontarget.item()) == gates and known.item() == 1


def test_samples_without_parts_have_dummies_and_closed_gates():
    packed = torch.zeros(2, 2, 2, dtype=torch.uint8)
    found = guides(packed, torch.tensor([True, False]), change(Blond_Hair=1).expand(2, -1))
    guide, clothing, *gates = found
    assert (guide[1] == DUMMY).all() and (clothing[1] == DUMMY).all() and not (guide[0] == DUMMY).any()
    assert [gate.tolist() for gate in gates] == [[1, 0], [0, 0], [1, 0]]


def test_batches_mirror_pictures_with_their_masks_and_shuffle_attributes():
    columns = torch.arange(4, dtype=torch.uint8).expand(40, 3, 4, 4)
    masks = torch.tensor([1, 0, 0, 0], dtype=torch.uint8).expand(40, 4, 4)
    attributes = torch.zeros(40, 13)
    attributes[:20, 3] = 1  # blond
    faces = EditFaces(columns, attributes, masks, torch.ones(40, dtype=torch.bool), 40)
    batch = faces.batch(torch.arange(40), torch.Generator().manual_seed(0))
    left = batch.images[:, 0, 0, 0] < batch.images[:, 0, 0, 3]
    assert 8 < left.sum() < 32
    changed = batch.difference[:, 3] != 0
    assert changed.any() and torch.equal(
        batch.guide[changed & left][:, 0, 0, 0], torch.ones(int((changed & left).sum()))
    )
    assert torch.equal(batch.guide[changed & ~left][:, 0, 0, 3], torch.ones(int((changed & ~left).sum())))
    assert batch.wanted.sum() == batch.present.sum() == 20 and not torch.equal(batch.wanted, batch.present)
    assert faces.keep_parts(0.25, 1).segmented.sum() < 20 and faces.keep_parts(1.0, 1).segmented.all()


def test_single_changes_are_of_one_attribute_and_what_it_excludes():
    attributes = torch.zeros(30, 13)
    attributes[:, [2, 10]] = 1  # black hair, no beard
    faces = EditFaces(
        torch.zeros(30, 3, 4, 4, dtype=torch.uint8),
        attributes,
        torch.zeros(30, 4, 4, dtype=torch.uint8),
        torch.ones(30).bool(),
        30,
    )
    changes = faces.batch(torch.arange(30), torch.Generator().manual_seed(0), single=1.0).difference
    assert (changes == faces.batch(torch.arange(30), torch.Generator().manual_seed(0), single=1.0).difference).all()
    named = [{ATTRIBUTES[i]: int(row[i]) for i in row.nonzero()[:, 0]} for row in changes]
    assert all(named) and {"Young": 1} in named
    assert all(found.get("Black_Hair") == -1 for found in named if "Blond_Hair" in found or "Bald" in found)
    assert all(found.get("No_Beard") == -1 for found in named if "Mustache" in found)
    assert max(map(len, named)) == 2
