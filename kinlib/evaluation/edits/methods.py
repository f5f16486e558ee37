"""Methods of editing compared on the same pictures: does the edit show, and does all else stay?

A method takes pictures and changes of attributes, and gives an `Edit`. One without masks has NaN in place of them. Each
is measured against the true edited picture, by an attribute network that no method was trained with, and on the
background (the document's section 4.1, and what only rendered pairs allow).
"""

import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from kinlib.editing.attributes import read_attributes
from kinlib.editing.networks import Edit, blend
from kinlib.editing.photographs import edit_photo
from kinlib.editing.rules import ATTRIBUTES
from kinlib.evaluation.bootstrap import mean_interval
from kinlib.evaluation.edits.true_edits import ATTENTIVE, GREYS, EditPairs, edit_all, region_error
from kinlib.evaluation.groups import partitions_of
from kinlib.gan.boundaries import Boundary, fit_boundary
from kinlib.gan.encoder import Encoder
from kinlib.gan.generator import Generator
from kinlib.io.images import resize, to_uint8

__all__ = [
    "COLUMNS",
    "DirectionMethod",
    "at_own_size",
    "fit_boundaries",
    "judged",
    "measure_edits",
    "skin_change",
    "summarise_edits",
]
__all__ += ["skin_by_group", "true_edit", "untouched", "without_clothing"]

Method = Callable[[Tensor, Tensor], Edit]

COLUMNS = ("hit", "error_changed", "error_rest", "iou", "background_psnr", "background_ssim", "skin")
INVISIBLE = 0.1 / GREYS  # an error of a tenth of a level: one picture without any would make the mean PSNR infinite
ENCODED = 16  # pictures encoded at a time


def untouched(images: Tensor, difference: Tensor) -> Edit:
    """The method that does nothing: no error outside of the changed region, and none of the change."""
    nothing = torch.zeros_like(images[:, :1])
    return Edit(images, nothing, nothing, images)


def true_edit(pairs: EditPairs) -> Method:
    """The oracle that gives the true edits of some pairs, in their order: by it, the judge itself is measured."""
    rest = list(zip(pairs.edited, pairs.changed.float(), strict=True))

    def edit(images: Tensor, difference: Tensor) -> Edit:
        some = [rest.pop(0) for _ in images]
        edited, mask = (torch.stack(parts) for parts in zip(*some, strict=True))
        return Edit(edited, mask, torch.zeros_like(mask), edited)

    return edit


def without_clothing(net: nn.Module) -> Method:
    """An editing network without its clothing mask (Eq 9 alone), for one whose mask was not trained."""

    def edit(images: Tensor, difference: Tensor) -> Edit:
        found = net(images, difference)
        return found._replace(image=blend(found.edited, images, found.attention))

    return edit


def at_own_size(net: nn.Module) -> Method:
    """An editing network that edits pictures larger than its own at their size (`kinlib.editing.photographs`)."""

    def edit(images: Tensor, difference: Tensor) -> Edit:
        found = edit_photo(net, images, difference)
        nothing = torch.zeros_like(found.mask)
        return Edit(found.image, found.mask, nothing, found.image)  # clothing is out of the mask already

    return edit


def fit_boundaries(
    codes: Tensor, attributes: pd.DataFrame, people: np.ndarray, seed: int = 0, space: str = "w"
) -> dict[str, Boundary]:
    """InterFaceGAN's planes for the attributes of CelebA.

    Args:
        codes: of training pictures, [N, L, 512].
        attributes: a column of booleans for each of `ATTRIBUTES`.
        people: who is in each picture, [N].
        seed: of the people whose codes are held out.
        space: "w" or "w_plus".
    """
    return {
        name: fit_boundary(codes, attributes[name].to_numpy(dtype=bool), people, space, seed=seed)
        for name in ATTRIBUTES
    }


class DirectionMethod:
    """Edits along InterFaceGAN's directions: a picture is encoded, its code moved, and a new picture generated.

    A code is moved along the normal until it lies as far on the wanted side of the plane as codes do on average (one
    standard deviation of the distance). Several changes are made one after the other.

    Args:
        encoder, generator: they share a latent space.
        boundaries: planes by attribute.
    """

    def __init__(self, encoder: Encoder, generator: Generator, boundaries: Mapping[str, Boundary]):
        self.encoder, self.generator, self.boundaries = encoder, generator, boundaries
        self._codes: dict[bytes, Tensor] = {}  # of pictures already seen: a person has several edits

    @torch.no_grad()
    def __call__(self, images: Tensor, difference: Tensor) -> Edit:
        """Images [N, 3, S, S], differences [N, A]; NaN in place of masks."""
        codes = torch.cat([self._encode(image) for image in images])  # [N, L, 512]
        for number, name in enumerate(ATTRIBUTES):
            plane, wanted = self.boundaries[name], difference[:, number]
            amount = torch.where(wanted == 0, 0.0, wanted * plane.spread - plane.distance(codes))
            codes = codes + amount.view(-1, 1, 1) * plane.normal.to(codes)
        pictures = resize(self.generator.synthesis(codes, batch_size=ENCODED).clamp(-1, 1), images.shape[-1])
        absent = torch.full_like(images[:, :1], torch.nan)
        return Edit(pictures, absent, absent, pictures)

    def along(self, boundaries: Mapping[str, Boundary]) -> "DirectionMethod":
        """The same along other planes, with the codes that are known already."""
        other = DirectionMethod(self.encoder, self.generator, boundaries)
        other._codes = self._codes
        return other

    def reconstruct(self, images: Tensor, difference: Tensor) -> Edit:
        """The same without the move: what encoding alone changes."""
        return self(images, torch.zeros_like(difference))

    def _encode(self, image: Tensor) -> Tensor:
        key = image.numpy().tobytes()
        if key not in self._codes:
            self._codes[key] = self.encoder(resize(image[None], 256))
        return self._codes[key]


def judged(reader: nn.Module, images: Tensor, attributes: Sequence[str], changes: Sequence[int]) -> np.ndarray:
    """Whether pictures show what they were changed to: attribute generation accuracy, before the mean.

    Args:
        reader: an `AttributeNet`.
        images: edited pictures [N, 3, S, S].
        attributes: the one that was changed in each, [N].
        changes: 1 where it was added, -1 where it was removed, [N].

    Returns:
        float [N]: 1 where the attribute is read as wanted, else 0.
    """
    index = [ATTRIBUTES.index(name) for name in attributes]
    shown = read_attributes(images, reader).numpy()[np.arange(len(images)), index] > 0.5
    return (shown == (np.asarray(changes) > 0)).astype(float)


def measure_edits(methods: Mapping[str, Method], pairs: EditPairs, reader: nn.Module) -> pd.DataFrame:
    """Every method on every pair.

    Returns:
        One row each: `method`, `person`, `attribute`, `change` and `COLUMNS`: whether the judge reads the wanted
        attribute; mean absolute error against the true edit, in levels of 0..255, in the changed region and in the
        rest; intersection over union of mask and region; PSNR (dB) and SSIM of the background against the picture
        before; and by how many levels the skin's lightness changed more than in the true edit.
    """
    parts = []
    seen = pairs.changed.flatten(1).any(dim=1).numpy()  # at a small size some changes vanish
    for name, method in methods.items():
        edit = edit_all(method, pairs.images, pairs.difference)
        columns = {
            "hit": judged(reader, edit.image, pairs.table.attribute, pairs.table.change),
            "error_changed": region_error(edit.image, pairs.edited, pairs.changed).numpy(),
            "error_rest": region_error(edit.image, pairs.edited, ~pairs.changed).numpy(),
            "iou": _overlap(edit.attention * (1 - edit.clothing), pairs.changed),
            "background_psnr": _psnr(edit.image, pairs.images, pairs.background),
            "background_ssim": _ssim(edit.image, pairs.images, pairs.background),
            "skin": skin_change(pairs.edited, edit.image, pairs.skin),
        }
        rows = pairs.table[["person", "attribute", "change"]].assign(method=name, **columns)
        parts.append(rows[seen])
    return pd.concat(parts, ignore_index=True)


def summarise_edits(measured: pd.DataFrame, by: tuple[str, ...] = ("method",), seed: int = 0) -> pd.DataFrame:
    """Means with 95% intervals over people.

    Args:
        measured: from `measure_edits`.
        by: columns whose values are told apart.
        seed: of the bootstrap.

    Returns:
        One row for each group and column: those of `by`, `name`, `mean`, `low`, `high` and `pairs`. `accuracy` is the
        mean over attributes of `hit`, in `("method",)` as in the document.
    """
    rows = []
    for key, some in measured.groupby(list(by), sort=False):
        for name in COLUMNS:
            each = some.groupby("person")[name].mean().to_numpy()
            found = mean_interval(each, seed) if np.isfinite(each).any() else dict.fromkeys(("mean", "low", "high"))
            rows.append(dict(zip(by, key, strict=True)) | {"name": name, **found, "pairs": len(some)})
        means = some.groupby("attribute")["hit"].mean()
        rows.append(dict(zip(by, key, strict=True)) | {"name": "accuracy", "mean": float(means.mean())})
    return pd.DataFrame(rows)


def skin_change(before: Tensor, after: Tensor, skin: Tensor) -> np.ndarray:
    """By how much the skin's CIELAB lightness (0 to 100) differs, float [N]; NaN where there is none.

    Args:
        before, after: [N, 3, S, S] in [-1, 1].
        skin: bool [N, S, S].
    """
    from skimage.color import rgb2lab

    first, second = (rgb2lab(to_uint8(images.clamp(-1, 1)))[..., 0] for images in (before, after))  # [N, S, S]
    masks = skin.numpy()
    return np.array(
        [(b - a)[mask].mean() if mask.any() else np.nan for a, b, mask in zip(first, second, masks, strict=True)]
    )


def skin_by_group(method: Method, pairs: EditPairs, attribute: str) -> dict[str, dict[str, dict[str, float]]]:
    """Does changing an attribute change the skin's tone, and whose?

    Every person is edited once: the attribute is added where it is absent, and removed where it is there.

    Args:
        method: an editing method.
        pairs: of whom only the first pictures are used, one a person.
        attribute: one of `ATTRIBUTES`.

    Returns:
        By what divides people ("sex", "age", "skin"), for each group: `mean`, `low`, `high` of the change of lightness
        (0 to 100), and `people`.
    """
    first = ~pairs.table.person.duplicated().to_numpy()
    rows = torch.from_numpy(np.flatnonzero(first))
    table = pairs.table[first].reset_index(drop=True)
    present = torch.tensor(
        [[float(record[name]) for name in ATTRIBUTES] for record in map(json.loads, table.attributes)]
    )
    change = torch.zeros_like(present)
    change[:, ATTRIBUTES.index(attribute)] = 1 - 2 * present[:, ATTRIBUTES.index(attribute)]
    images = pairs.images[rows]
    edited = edit_all(method, images, change).image
    values = skin_change(images, edited, pairs.skin[rows])
    facts = table.drop(columns="person")
    return {
        by: {group: mean_interval(values[mask]) | {"people": int(mask.sum())} for group, mask in groups.items()}
        for by, groups in ({"all": {"all": np.ones(len(values), dtype=bool)}} | partitions_of(facts)).items()
    }


def _overlap(mask: Tensor, region: Tensor) -> np.ndarray:
    """Intersection over union [N] of a mask above one half and a region, [N, 1, S, S] each; NaN for no mask."""
    taken = mask > ATTENTIVE
    union = (taken | region).flatten(1).sum(dim=1)
    found = (taken & region).flatten(1).sum(dim=1) / union.clamp(min=1)
    return torch.where(mask.isnan().flatten(1).any(dim=1), torch.nan, found).numpy()


def _psnr(images: Tensor, wanted: Tensor, region: Tensor) -> np.ndarray:
    """PSNR in dB, [N], over a region [N, S, S]; NaN where it is empty."""
    squares = (images - wanted).square().mean(dim=1) * region  # [N, S, S]
    count = region.flatten(1).sum(dim=1)
    error = squares.flatten(1).sum(dim=1) / count.clamp(min=1)
    found = 10 * torch.log10(4 / error.clamp(min=INVISIBLE**2))
    return torch.where(count > 0, found, torch.nan).numpy()


def _ssim(images: Tensor, wanted: Tensor, region: Tensor) -> np.ndarray:
    """Mean of the map of SSIM over a region [N, S, S], [N]; NaN where it is empty."""
    from torchmetrics.functional.image import structural_similarity_index_measure as ssim

    _, maps = ssim(images, wanted, data_range=2.0, reduction="none", return_full_image=True)  # [N, 3, S, S]
    count = region.flatten(1).sum(dim=1)
    found = (maps.mean(dim=1) * region).flatten(1).sum(dim=1) / count.clamp(min=1)
    return torch.where(count > 0, found, torch.nan).numpy()
