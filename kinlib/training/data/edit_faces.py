"""Faces to learn editing from: pictures, attributes of the editing document, and guide masks where parts are known.

Renders and CelebAMask-HQ have all of it, CelebA has no parts. A batch has the wanted attributes as well, and for each
sample the guide mask and the gates of the losses on masks. Samples without parts have dummy masks, and so have changes
that no part can guide.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from kinlib.editing.attribute_sets import DOCUMENT, AttributeSet
from kinlib.editing.masks import DUMMY, classes_of, guide_masks
from kinlib.io.images import resize
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.renders import FaceSet, load_faces, with_celeba_names
from kinlib.training.data.celeba import is_celeba, read_celeba, read_identities, read_pictures
from kinlib.training.data.celebamask import SIDE, is_celebamask, read_celebamask, read_parts

__all__ = ["EditBatch", "EditFaces", "guides", "join", "load_edit_faces", "pack"]

PART = 1000  # pictures resized at once, which bounds the memory
BITS = {"hair": 1, "skin": 2, "eye_g": 4, "clothing": 8}  # of packed guide masks; the others follow from these


@dataclass
class EditBatch:
    """A batch; attributes are 0 or 1, gates 1 where a sample has what the loss needs.

    Attributes:
        images: [B, 3, S, S] in [-1, 1].
        present, wanted: attributes before and after the edit, [B, A].
        guide, clothing: masks [B, 1, S, S], 0 or 1, or `DUMMY`.
        target, nontarget, segmented: gates [B] of Eq 14, 15 and 16.
    """

    images: Tensor
    present: Tensor
    wanted: Tensor
    guide: Tensor
    clothing: Tensor
    target: Tensor
    nontarget: Tensor
    segmented: Tensor

    @property
    def difference(self) -> Tensor:
        """Eq 7: [B, A]."""
        return self.wanted - self.present

    def to(self, device: torch.device) -> "EditBatch":
        """The batch on a device."""
        return EditBatch(*(getattr(self, field.name).to(device) for field in fields(self)))


@dataclass
class EditFaces:
    """Faces of one set; 4 bytes a pixel, 16 KB a face of 64 px.

    Attributes:
        images: uint8 [N, 3, S, S].
        attributes: float32 [N, A], 0 or 1, in the order of `attribute_set`.
        masks: uint8 [N, S, S], packed guide masks (see `pack`); 0 in the background.
        segmented: bool [N], whether `masks` are known.
        people: how many there are; None where that is unknown.
        attribute_set: which attributes they are.
    """

    images: Tensor
    attributes: Tensor
    masks: Tensor
    segmented: Tensor
    people: int | None
    attribute_set: AttributeSet = DOCUMENT

    def __len__(self) -> int:
        return len(self.images)

    def pictures(self, index: Tensor) -> Tensor:
        """Pictures of a batch of indices, [B, 3, S, S] in [-1, 1]."""
        return self.images[index].float() / 127.5 - 1

    def batch(self, index: Tensor, rng: torch.Generator, single: float = 0.0) -> EditBatch:
        """A batch, half of it mirrored; the attributes of its pictures, in another order, are the wanted ones.

        Args:
            index: rows, int64 [B].
            rng: of what is mirrored, and of the changes.
            single: share of samples in which a random attribute changes alone instead.
        """
        mirrored = (torch.rand(len(index), generator=rng) < 0.5)[:, None, None]
        images, masks = self.pictures(index), self.masks[index]
        images = torch.where(mirrored[..., None], images.flip(-1), images)
        masks = torch.where(mirrored, masks.flip(-1), masks)  # no guide mask knows left and right
        present = self.attributes[index]
        wanted = present[torch.randperm(len(index), generator=rng)]
        for row in (torch.rand(len(index), generator=rng) < single).nonzero()[:, 0].tolist():
            attribute = self.attribute_set.columns[int(torch.randint(len(self.attribute_set), (), generator=rng))]
            wanted[row] = torch.tensor(self.attribute_set.toggle(present[row].tolist(), attribute))
        return EditBatch(
            images, present, wanted, *guides(masks, self.segmented[index], wanted - present, self.attribute_set)
        )

    def keep_parts(self, share: float, seed: int) -> "EditFaces":
        """The same faces, of which only a share in 0..1 keep their guide masks."""
        kept = torch.rand(len(self), generator=torch.Generator().manual_seed(seed)) < share
        return replace(self, segmented=self.segmented & kept)


def pack(masks: dict[str, Tensor]) -> Tensor:
    """The masks of `guide_masks` as bits of one uint8 tensor of their shape."""
    return torch.stack([masks[name].byte() * bit for name, bit in BITS.items()]).sum(dim=0, dtype=torch.uint8)


def guides(
    packed: Tensor, segmented: Tensor, difference: Tensor, known: AttributeSet = DOCUMENT
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """What guides the masks of each sample: Tables 3 to 6, and dummies where parts are unknown.

    Args:
        packed: guide masks, uint8 [B, S, S].
        segmented: bool [B], whether they are known.
        difference: changes of the attributes, [B, A].
        known: the attributes.

    Returns:
        guide and clothing mask, [B, 1, S, S]; gates of the losses on the target region, outside of it, and on
        clothing, [B].
    """
    masks = {name: (packed & bit > 0).float() for name, bit in BITS.items()}  # [B, S, S] each
    masks |= {"person": torch.maximum(masks["hair"], masks["skin"]), "zero": torch.zeros(packed.shape)}
    masks["unknown"] = torch.full(packed.shape, DUMMY)
    rules = [known.select(dict(zip(known.columns, row, strict=True))) for row in difference.tolist()]
    parts = segmented.float()
    gates = [parts * torch.tensor([float(loss == name) for _, loss in rules]) for name in ("target", "nontarget")]
    guide = torch.stack([masks[name][number] for number, (name, _) in enumerate(rules)])
    guide, clothing = (
        torch.where(segmented[:, None, None], mask, DUMMY).unsqueeze(1) for mask in (guide, masks["clothing"])
    )
    return guide, clothing, *gates, parts


def load_edit_faces(
    folder: Path, size: int, limit: int | None = None, known: AttributeSet = DOCUMENT
) -> tuple[EditFaces, EditFaces]:
    """(training set, held-out set) of a folder of renders, of CelebAMask-HQ or of CelebA, at `size` px.

    Of renders, people are held out; of the others, what CelebA's partition keeps for validation and test.

    Args:
        folder: what `kinlib render` wrote, or the folder of a data set.
        size: side of the pictures, px.
        limit: most pictures of either set to read.
        known: the attributes to read.

    Raises:
        KinlibError: if the folder holds none of them, its files cannot be read, or it knows nothing of an attribute.
    """
    if is_celebamask(folder):
        sets, read = _split(read_celebamask(folder)), _of_celebamask
    elif is_celeba(folder):
        sets, read = _split(read_celeba(folder)), _of_celeba
    else:
        sets, read = load_faces(folder).split(), _of_renders
    if not all(len(one) for one in sets):
        raise KinlibError(f"'{folder}' holds too few people to train and to test on")
    return tuple(read(folder, one, size, limit, known) for one in sets)


def join(first: EditFaces, second: EditFaces) -> EditFaces:
    """The faces of two sets. Their people are unknown, since CelebAMask-HQ shows people of CelebA."""
    parts = [torch.cat([getattr(first, name), getattr(second, name)]) for name in ("images", "attributes", "masks")]
    return EditFaces(*parts, torch.cat([first.segmented, second.segmented]), None, first.attribute_set)


def _split(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return tuple(table[table.held_out == held_out].reset_index(drop=True) for held_out in (False, True))


def _of_renders(_, faces: FaceSet, size: int, limit: int | None, known: AttributeSet) -> EditFaces:
    faces = faces.select(np.arange(len(faces)) < (limit or len(faces)))
    parts = [resize(part.float(), size).round().clamp(0, 255).byte() for part in faces.images.split(PART)]
    labels = _small(faces.labels, size)
    masks = [pack(guide_masks(classes_of(part), tuple(part.shape))) for part in labels.split(PART)]
    return EditFaces(
        torch.cat(parts),
        _attributes(with_celeba_names(faces.table, known.columns), known),
        torch.cat(masks),
        torch.ones(len(faces), dtype=torch.bool),
        faces.table.person.nunique(),
        known,
    )


def _of_celeba(folder: Path, table: pd.DataFrame, size: int, limit: int | None, known: AttributeSet) -> EditFaces:
    table = table.iloc[:limit]
    people = read_identities(folder, [file.name for file in table.file])
    masks = torch.zeros(len(table), size, size, dtype=torch.uint8)
    return EditFaces(
        torch.from_numpy(read_pictures(list(table.file), size)),
        _attributes(table, known),
        masks,
        torch.zeros(len(table), dtype=torch.bool),
        None if people is None else len(np.unique(people)),
        known,
    )


def _of_celebamask(folder: Path, table: pd.DataFrame, size: int, limit: int | None, known: AttributeSet) -> EditFaces:
    table = table.iloc[:limit]

    def read(row) -> tuple[Tensor, Tensor]:
        try:
            with Image.open(row.file) as picture:
                small = picture.convert("RGB").resize((size, size), Image.Resampling.LANCZOS)
        except OSError as error:
            raise KinlibError(f"'{row.file}' cannot be read: {error}") from error
        masks = pack(guide_masks(read_parts(folder, row.number), (SIDE, SIDE)))
        return torch.from_numpy(np.array(small)).permute(2, 0, 1), _small(masks[None], size)[0]

    with ThreadPoolExecutor() as pool:  # Pillow decodes without holding the interpreter's lock
        images, masks = zip(*pool.map(read, table.itertuples()), strict=True)
    segmented = torch.ones(len(table), dtype=torch.bool)
    return EditFaces(torch.stack(images), _attributes(table, known), torch.stack(masks), segmented, None, known)


def _attributes(table: pd.DataFrame, known: AttributeSet) -> Tensor:
    missing = [name for name in known.columns if name not in table]
    if missing:
        raise KinlibError(f"these pictures have no attribute '{missing[0]}'")
    return torch.tensor(table[list(known.columns)].to_numpy(dtype="float32"))


def _small(labels: Tensor, size: int) -> Tensor:
    """Labels uint8 [N, H, W] at `size` px."""
    return F.interpolate(labels[:, None], (size, size), mode="nearest-exact")[:, 0]  # [N, 1, H, W] -> [N, S, S]
