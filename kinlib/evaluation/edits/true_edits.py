"""Edits of attributes against the pictures that should have come out of them.

`kinlib render --edits` renders a person before and after a change. An edit is compared with the true one in the region
that truly changed and in the rest of the picture. To leave the picture as it is makes no error in the rest: in the
region, it is the baseline.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinlib.editing.attribute_sets import DOCUMENT, AttributeSet
from kinlib.editing.networks import Edit
from kinlib.evaluation.quality import write_grid
from kinlib.io.face_labels import CLASSES
from kinlib.io.files import parse_json
from kinlib.io.images import resize, to_tensor
from kinlib.io.tables import decode_picture, read_table
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.renders import with_celeba_names

__all__ = ["EditPairs", "background_psnr", "edit_all", "edit_sheet", "measure_pairs", "read_pairs"]
__all__ += ["region_error"]

BATCH = 50  # pictures at a time
ATTENTIVE = 0.5  # attention from which a pixel counts to the mask
CHANGED = 0.25  # share of a small pixel's area that has changed, from which it counts: rims of glasses are thin
GREYS = 127.5  # levels of 0..255 per unit of [-1, 1]

Network = Callable[[Tensor, Tensor], Edit] | nn.Module


@dataclass
class EditPairs:
    """Pictures before and after a change of one attribute.

    Attributes:
        images, edited: [N, 3, S, S] in [-1, 1].
        changed: bool [N, 1, S, S], where they differ.
        difference: changes of the attributes that the pairs were read with, [N, A].
        table: `person`, `attribute` and `change` of each, and the JSON `attributes` of the first picture.
        labels: classes of the first picture, uint8 [N, S, S], and of the second; None where the folder has none.
    """

    images: Tensor
    edited: Tensor
    changed: Tensor
    difference: Tensor
    table: pd.DataFrame
    labels: tuple[Tensor, Tensor] | None = None

    @property
    def background(self) -> Tensor:
        """bool [N, S, S], what is behind the person in both pictures.

        Raises:
            KinlibError: if classes are unknown.
        """
        before, after = self._labels()
        return (before == 0) & (after == 0)

    @property
    def skin(self) -> Tensor:
        """bool [N, S, S], skin of the face in both pictures.

        Raises:
            KinlibError: if classes are unknown.
        """
        before, after = (labels == CLASSES.index("skin") for labels in self._labels())
        return before & after

    def _labels(self) -> tuple[Tensor, Tensor]:
        if self.labels is None:
            raise KinlibError("the classes of these pictures are unknown: render them with `kinlib render --edits`")
        return self.labels

    def __len__(self) -> int:
        return len(self.images)

    def batch(
        self, index: Tensor, rng: torch.Generator, device: torch.device | str = "cpu"
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(pictures, edited pictures, changed regions in 0..1, differences) of rows [B], to learn from.

        Half of the pairs are mirrored, and half of them go from the edited picture back to the first.
        """
        parts = self.images[index], self.edited[index], self.changed[index].float()
        mirrored = (torch.rand(len(index), generator=rng) < 0.5)[:, None, None, None]
        before, after, changed = (torch.where(mirrored, part.flip(-1), part) for part in parts)
        back = torch.rand(len(index), generator=rng) < 0.5
        turned = back[:, None, None, None]
        difference = torch.where(back[:, None], -self.difference[index], self.difference[index])
        batch = torch.where(turned, after, before), torch.where(turned, before, after), changed, difference
        return tuple(part.to(device) for part in batch)


def read_pairs(folder: Path, size: int, known: AttributeSet = DOCUMENT) -> EditPairs:
    """Read what `kinlib render --edits` wrote, at `size` px: the pairs in which one of the known attributes changes.

    Raises:
        KinlibError: if there is nothing, something else, or a damaged file, or none of the attributes changes.
    """
    parts = sorted(Path(folder).glob("*.parquet"))
    if not parts:
        raise KinlibError(f"there is no *.parquet file with edits in '{folder}': `kinlib render --edits` writes them")
    table = pd.concat([read_table(part) for part in parts], ignore_index=True)
    if "edited" not in table:
        raise KinlibError(f"'{folder}' holds no edits: `kinlib render --edits` renders them")
    table = table[table.attribute.isin(known.columns)].reset_index(drop=True)
    if not len(table):
        raise KinlibError(f"'{folder}' holds no edits of these attributes: {', '.join(known.columns)}")
    images, edited = (resize(_pictures(table[name]), size).clamp(-1, 1) for name in ("image", "edited"))
    masks = np.stack([_open(data) for data in table.changed])[:, None]  # [N, 1, H, W]
    changed = F.interpolate(torch.from_numpy(masks).float() / 255, (size, size), mode="area") >= CHANGED
    difference = _attributes(table.edited_attributes, known) - _attributes(table.attributes, known)
    labels = _labels(table, size) if {"mask", "edited_mask"} <= set(table) else None
    about = table[["person", "attribute", "change", "attributes"]]
    return EditPairs(images, edited, changed, difference, about, labels)


@torch.no_grad()
def edit_all(net: Network, images: Tensor, difference: Tensor) -> Edit:
    """Edit many pictures [N, 3, S, S] by differences [N, A], some at a time; on the CPU."""
    place = next(net.parameters()).device if isinstance(net, nn.Module) else "cpu"
    parts = zip(images.split(BATCH), difference.split(BATCH), strict=True)
    found = [net(some.to(place), change.to(place)) for some, change in parts]
    return Edit(*(torch.cat([getattr(one, name).cpu() for one in found]) for name in Edit._fields))


def measure_pairs(net: Network, pairs: EditPairs) -> dict:
    """Errors against the true edits, as the mean over pairs.

    Returns:
        `error_changed` and `error_rest`, absolute differences in levels of 0..255, in the region that changed and in
        the rest; `error_changed_untouched`, of the picture before the change; `attention_iou`, intersection over union
        of the attention above one half and the region; `pairs`, their number. The same for each attribute under
        `attributes`.
    """
    edit = edit_all(net, pairs.images, pairs.difference)
    attentive = edit.attention > ATTENTIVE
    union = (attentive | pairs.changed).flatten(1).sum(dim=1)
    each = pd.DataFrame(
        {
            "error_changed": region_error(edit.image, pairs.edited, pairs.changed),
            "error_changed_untouched": region_error(pairs.images, pairs.edited, pairs.changed),
            "error_rest": region_error(edit.image, pairs.edited, ~pairs.changed),
            "attention_iou": (attentive & pairs.changed).flatten(1).sum(dim=1) / union.clamp(min=1),
        }
    )
    each = each[pairs.changed.flatten(1).any(dim=1).numpy()]  # at a small size some changes vanish
    groups = each.groupby(pairs.table.attribute.loc[each.index])
    by_attribute = {name: rows.mean().to_dict() | {"pairs": len(rows)} for name, rows in groups}
    return each.mean().to_dict() | {"pairs": len(each), "attributes": by_attribute}


def background_psnr(net: Network, images: Tensor, background: Tensor, difference: Tensor) -> float:
    """Mean PSNR in dB of the background, which no edit should touch, over pictures that show some.

    Args:
        net: the editing network.
        images: [N, 3, S, S] in [-1, 1].
        background: bool [N, S, S].
        difference: changes of the attributes, [N, A].
    """
    background = background.unsqueeze(1)  # [N, 1, S, S]
    seen = background.flatten(1).any(dim=1)
    images, background = images[seen], background[seen]
    squares = (edit_all(net, images, difference[seen]).image - images).square().mean(dim=1, keepdim=True)
    error = (squares * background).flatten(1).sum(dim=1) / background.flatten(1).sum(dim=1)
    # Below a tenth of a grey level nothing can be seen: one picture without any error would make the mean infinite.
    return float((10 * torch.log10(4 / error.clamp(min=(0.1 / GREYS) ** 2))).mean())


def edit_sheet(net: Network, images: Tensor, attributes: Tensor, path: Path, known: AttributeSet = DOCUMENT) -> None:
    """Write a sheet: each photograph, then with each attribute changed; below these, the attention."""
    rows = []
    for image, present in zip(images, attributes, strict=True):
        wanted = torch.tensor([known.toggle(present.tolist(), name) for name in known.columns])
        change = wanted - present  # [A, A], one attribute in each row
        edit = edit_all(net, image.expand(len(change), -1, -1, -1), change)
        masks = edit.attention.expand(-1, 3, -1, -1) * 2 - 1
        rows += [image[None], edit.image, torch.full_like(image, -1)[None], masks]
    write_grid(torch.cat(rows), path, columns=attributes.shape[1] + 1)


def region_error(images: Tensor, wanted: Tensor, region: Tensor) -> Tensor:
    """Mean absolute difference [N] of pictures [N, 3, S, S] in a region [N, 1, S, S], in levels of 0..255."""
    difference = (images - wanted).abs().mean(dim=1, keepdim=True) * region  # [N, 1, S, S]
    return GREYS * difference.flatten(1).sum(dim=1) / region.flatten(1).sum(dim=1).clamp(min=1)


def _labels(table: pd.DataFrame, size: int) -> tuple[Tensor, Tensor]:
    """Classes before and after at `size` px, uint8 [N, S, S] each."""
    return tuple(
        F.interpolate(torch.from_numpy(np.stack([_open(data) for data in table[name]]))[:, None], (size, size))[:, 0]
        for name in ("mask", "edited_mask")  # [N, 1, H, W] -> [N, S, S]
    )


def _attributes(texts: pd.Series, known: AttributeSet) -> Tensor:
    try:
        table = with_celeba_names(pd.DataFrame([parse_json(text) for text in texts]), known.columns)
        return torch.tensor(table[list(known.columns)].to_numpy(dtype="float32"))
    except (ValueError, KeyError, TypeError) as error:
        raise KinlibError("the attributes of a pair are damaged: render the edits again in another folder") from error


def _pictures(files: pd.Series) -> Tensor:
    return to_tensor([_open(data) for data in files])


def _open(data: bytes) -> np.ndarray:
    return decode_picture(data)
