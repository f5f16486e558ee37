"""Quality of a generator-encoder pair on held-out people."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from kinlib.evaluation.groups import by_group, groups_of
from kinlib.evaluation.realism import detection_rate, frechet_distance
from kinlib.faces.parsing import Parser, parse
from kinlib.gan.encoder import Encoder, RefiningEncoder
from kinlib.gan.generator import Generator
from kinlib.io.face_labels import CLASSES
from kinlib.io.images import write_image
from kinlib.studio.datasets.renders import FaceSet

__all__ = ["attribute_retention", "measure_pair", "measure_passes", "reconstruct", "sample_sheet", "write_grid"]

FEW_PEOPLE = 100  # for a curve over passes, whose points are compared with each other only
MORE_PASSES = 2  # beyond those an encoder takes, to see what further ones would bring
MOST_PEOPLE = 500  # to measure on: with more no digit that the cards show would change


def _pictures(faces: FaceSet, rows: np.ndarray, size: int) -> Tensor:
    """uint8 pictures of a set -> [N, 3, size, size] in [-1, 1]."""
    images = faces.images[torch.from_numpy(np.flatnonzero(rows))].float() / 127.5 - 1
    return F.interpolate(images, (size, size), mode="bilinear", antialias=True)


@torch.no_grad()
def reconstruct(generator: Generator, encoder: Encoder, images: Tensor, batch: int = 50) -> Tensor:
    """Pictures through encoder and generator, clipped to [-1, 1]."""
    device = generator.latent_avg.device
    parts = [generator.synthesis(encoder(part.to(device))).clamp(-1, 1).cpu() for part in images.split(batch)]
    return torch.cat(parts)


@torch.no_grad()
def measure_pair(generator: Generator, encoder: Encoder, identity, parser: Parser, held_out: FaceSet) -> dict:
    """Quality of the reconstructions of one picture of every held-out person, 500 people at most.

    Returns:
        PSNR in dB, SSIM, cosine of the identity embeddings, rate at which the nearest of all originals is the right
        one (same picture; and another picture of the person), rate at which MTCNN finds a face (pictures enlarged to
        256 px) in originals, reconstructions, blends of two people and random samples; Frechet distances to the
        originals in the identity network's embeddings: of reconstructions, of random samples, and, for comparison, of
        other pictures of the same people; agreement of hair and glasses, see `attribute_retention`. Under `groups`, the
        metrics of single pictures, by group.
    """
    people = held_out.table.person.unique()[:MOST_PEOPLE]
    view = held_out.table["view"].where(held_out.table.person.isin(people), -1).to_numpy()
    images = _pictures(held_out, view == 0, generator.resolution)
    other = _pictures(held_out, view == 1, generator.resolution)
    codes = torch.cat([encoder(part) for part in images.split(50)])  # [N, L, 512]
    generated = generator.synthesis(codes, batch_size=50).clamp(-1, 1)
    mine, same, second = identity(generated), identity(images), identity(other)  # [N, D] each
    each = _fidelity(generated, images) | _likeness(mine, same, second)
    return {
        "people": len(images),
        **{name: float(values.mean()) for name, values in each.items()},
        "mtcnn_originals": detection_rate(images),
        "mtcnn_reconstructions": detection_rate(generated),
        "frechet_reconstructions": frechet_distance(mine, same),
        "frechet_other_view": frechet_distance(second, same),
        **_plausibility(generator, codes, identity, same),
        **attribute_retention(parser, images, generated),
        "groups": by_group(groups_of(held_out.table[view == 0]), **each),
    }


@torch.no_grad()
def measure_passes(encoder: RefiningEncoder, identity, held_out: FaceSet) -> list[dict]:
    """What each pass of an encoder brings, over `FEW_PEOPLE` held-out people.

    Returns:
        One row for each number of passes: PSNR in dB, mean cosine of the identity embeddings, rate at which the nearest
        of all originals, by another picture, is the right one, and the mean distance of a code from the first one.
    """
    size, views = encoder.generator.resolution, held_out.table["view"].to_numpy()
    images, other = (_pictures(held_out, views == view, size)[:FEW_PEOPLE] for view in (0, 1))
    same, second = identity(images), identity(other)  # [N, D] each
    codes = first = encoder(images, passes=0)  # [N, L, 512]
    offsets, rows = torch.zeros_like(first), []
    for passes in range(encoder.passes + MORE_PASSES + 1):
        if passes:
            offsets = encoder.correction(codes, images, offsets)
            codes = codes + offsets
        generated = encoder.generator.synthesis(codes, batch_size=50).clamp(-1, 1)
        each = _fidelity(generated, images) | _likeness(identity(generated), same, second)
        each["moved"] = (codes - first).norm(dim=2).mean(dim=1)  # [N, L, 512] -> [N]
        names = ("psnr_db", "identity_cosine", "identification_rate_other_view", "moved")
        rows.append({"passes": passes, **{name: round(float(each[name].mean()), 4) for name in names}})
    return rows


def _fidelity(generated: Tensor, images: Tensor) -> dict[str, Tensor]:
    """PSNR and SSIM of reconstructions and originals, both [N, 3, S, S] in [-1, 1]: float [N] each."""
    from torchmetrics.functional.image import peak_signal_noise_ratio as psnr
    from torchmetrics.functional.image import structural_similarity_index_measure as ssim

    return {
        "psnr_db": torch.stack(
            [psnr(a[None], b[None], data_range=2.0) for a, b in zip(generated, images, strict=True)]
        ),
        "ssim": ssim(generated, images, data_range=2.0, reduction="none"),
    }


def _likeness(mine: Tensor, same: Tensor, second: Tensor) -> dict[str, Tensor]:
    """Identity metrics from embeddings [N, D] of reconstructions, originals and other pictures: float [N] each."""
    return {
        "identity_cosine": (mine * same).sum(dim=1),
        "identification_rate": _nearest_is_right(mine, same),
        "identification_rate_other_view": _nearest_is_right(mine, second),
        "identification_rate_other_view_of_originals": _nearest_is_right(same, second),
    }


def _plausibility(generator: Generator, codes: Tensor, identity, originals: Tensor) -> dict[str, float]:
    """Metrics of pictures without an original: blends of pairs of codes [N, L, D], and as many random samples."""
    blends = generator.synthesis((codes + codes.roll(1, 0)) / 2, batch_size=50)
    z = torch.randn(len(codes), generator.style_dim, generator=torch.Generator().manual_seed(1))
    random = generator.broadcast(generator.mapping(z))
    samples = generator.synthesis(random, batch_size=50).clamp(-1, 1)
    return {
        "mtcnn_blends": detection_rate(blends),
        "mtcnn_random": detection_rate(generator.synthesis(generator.truncate(random, 0.8), batch_size=50)),
        "frechet_random": frechet_distance(identity(samples), originals),
    }


def attribute_retention(parser: Parser, originals: Tensor, generated: Tensor) -> dict[str, float]:
    """Agreement of hair and glasses in reconstructions with the originals, both [N, 3, S, S], by a parser.

    Returns:
        `hair_iou`, intersection over union of the hair in originals and reconstructions, all pictures together; and
        `glasses_contrast`, the share of the glasses' contrast that the reconstructions have, 0 where there is skin
        instead (left out where nobody wears any). The second parses the originals only: a parser that was a loss in
        training finds glasses that others do not see.
    """
    before, after = (torch.from_numpy(parse(images, parser=parser).classes) for images in (originals, generated))
    hair, glasses = (before == CLASSES.index("hair")), (before == CLASSES.index("eye_g"))
    again = after == CLASSES.index("hair")
    kept = {"hair_iou": float((hair & again).sum() / (hair | again).sum())}
    if glasses.any():
        worn = glasses.unsqueeze(1).expand_as(generated)
        wanted, found = (_fine(images)[worn] for images in (originals, generated))
        kept["glasses_contrast"] = float((wanted * found).sum() / wanted.square().sum())
    return kept


def _fine(images: Tensor, reach: int = 4) -> Tensor:
    """The difference from the local mean of 9 x 9 pixels: what is thin, whatever the light."""
    return images - F.avg_pool2d(images, 2 * reach + 1, 1, reach, count_include_pad=False)


def _nearest_is_right(probes: Tensor, gallery: Tensor) -> Tensor:
    """1 for each of the embeddings [N, D] whose nearest in the gallery [N, D] has the same row, else 0: float [N]."""
    return ((probes @ gallery.t()).argmax(dim=1) == torch.arange(len(probes))).float()


@torch.no_grad()
def sample_sheet(generator: Generator, encoder: Encoder, faces: FaceSet, path: Path, columns: int = 12) -> None:
    """Rows of originals, reconstructions, halfway blends of neighbours, and random samples, as one PNG."""
    training = encoder.training, generator.training
    encoder.eval(), generator.eval()
    images = _pictures(faces, faces.table["view"].to_numpy() == 0, generator.resolution)
    columns = min(columns, len(images))
    images = images[: len(images) // columns * columns][: 2 * columns]
    codes = encoder(images.to(generator.latent_avg.device))
    blends = generator.synthesis((codes + codes.roll(1, 0)) / 2)
    z = torch.randn(columns, generator.style_dim, generator=torch.Generator().manual_seed(1)).to(codes)
    rows = [*images.split(columns), *generator.synthesis(codes).cpu().split(columns), blends[:columns].cpu()]
    rows.append(generator(z, psi=0.8).cpu())
    write_grid(torch.cat(rows), path, columns)
    encoder.train(training[0]), generator.train(training[1])


def write_grid(images: Tensor, path: Path, columns: int = 12) -> None:
    """Pictures [N, 3, S, S] as one PNG, twice their size, `columns` in a row; N is a multiple of `columns`."""
    sheet = torch.cat([torch.cat(list(row), dim=2) for row in images.split(columns)], dim=1)
    pixels = ((sheet.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    write_image(Image.fromarray(pixels).resize((pixels.shape[1] * 2, pixels.shape[0] * 2)), path)
