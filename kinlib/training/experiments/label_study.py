"""How many labelled pictures a label head on the generator's features needs (`kinlib.gan.label_head`).

    python -m kinlib.training.experiments.label_study --data FACES --record

measures on a folder of renders and keeps the numbers beside the bundled data.

Nobody has labelled what a generator synthesises. Renders have exact label maps: they are encoded, their reconstructions
are taken for labelled pictures, and the render's map for the label. A reconstruction is not the render to the pixel, so
that even a perfect head would not agree with that map everywhere. The bundled parser, which was trained on thousands of
renders, is measured on the same reconstructions against the same maps as what can be reached, and on the renders
themselves.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kinlib import figures
from kinlib.checkpoints import weights
from kinlib.faces.parsing import Parser, load_parser, probabilities
from kinlib.figures import Plot
from kinlib.gan.encoder import load_encoder
from kinlib.gan.generator import Generator, load_generator
from kinlib.gan.label_head import LabelHead, fit, pixel_features
from kinlib.io.face_labels import CLASSES, REGIONS
from kinlib.io.files import write_json
from kinlib.io.images import resize
from kinlib.io.resume import read_record
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.training.data.label_maps import LabelledFaces, load_labelled
from kinlib.training.recipes.parsing import confusion

__all__ = ["COUNTS", "Pictures", "StudySettings", "mean_iou", "plot", "record_path", "recorded", "study"]

COUNTS = (1, 2, 5, 10, 20, 40)  # labelled pictures
KINDS = {"classes": CLASSES, "regions": REGIONS}
ENCODED = 256  # px, what encoders take
APART = 3  # every third row and column of a picture is tested: 43 x 43 of 128 x 128 pixels


@dataclass(frozen=True)
class StudySettings:
    """Sizes of the study.

    Attributes:
        people: to choose the labelled ones from, one picture each.
        held_out: people who are tested, one picture each, on whom neither generator nor encoder was trained.
        draws: of labelled people, for each count.
        members, hidden, steps: of a head and its training.
        pixels: of a labelled picture that are trained on.
        seed: of everything.
    """

    people: int = 60
    held_out: int = 30
    draws: int = 3
    members: int = 3
    hidden: tuple[int, int] = (64, 32)
    steps: int = 200
    pixels: int = 2048
    seed: int = 0


@dataclass(frozen=True)
class Pictures:
    """Reconstructions of renders at some of their pixels.

    Attributes:
        features: float16 [N, P, D].
        labels: uint8 [N, 2, P]: the class and the region of the render there.
    """

    features: Tensor
    labels: Tensor


def study(folder: Path, settings: StudySettings, counts: tuple[int, ...] = COUNTS) -> dict:
    """Mean intersection over union on held-out people by the number of labelled pictures.

    Args:
        folder: what `kinlib render` wrote.
        settings: sizes.
        counts: of labelled pictures, none above `settings.people`.

    Returns:
        `classes` and `regions`, each with `curve` (`pictures`, `mean`, and the least and the largest of the draws as
        `low` and `high`), and `parser` and `parser_on_renders`, the bundled parser's.

    Raises:
        KinlibError: if the folder holds too few people.
    """
    generator = load_generator(weights.path("studio_generator"))
    rng = torch.Generator().manual_seed(settings.seed)
    shown, tested = (one_each(folder, held, num) for held, num in ((False, settings.people), (True, settings.held_out)))
    codes = [_encode(faces) for faces in (shown, tested)]
    size = generator.resolution
    chosen = torch.stack([torch.randperm(size**2, generator=rng)[: settings.pixels] for _ in range(len(shown))])
    grid = _grid(size).expand(len(tested), -1)
    seen = _pictures(generator, codes[0], shown, chosen)
    test = _pictures(generator, codes[1], tested, grid)
    found: dict = {"people": settings.people, "held_out": settings.held_out, "draws": settings.draws}
    for place, (kind, names) in enumerate(KINDS.items()):
        curve: dict[str, list[float]] = {name: [] for name in ("pictures", "mean", "low", "high")}
        for count in counts:
            ious = list(_draws(seen, test, count, place, len(names), settings))
            row = (count, float(np.mean(ious)), min(ious), max(ious))
            for name, value in zip(curve, row, strict=True):
                curve[name].append(value if name == "pictures" else round(value, 4))
            print(kind, row, flush=True)
        found[kind] = {"curve": curve} | _ceilings(generator, codes[1], tested, place, len(names))
    return found


def one_each(folder: Path, held_out: bool, num: int) -> LabelledFaces:
    """The first picture of each of `num` people.

    Raises:
        KinlibError: if there are fewer.
    """
    faces = load_labelled(folder, held_out, pictures=8 * num)
    first = np.sort(np.unique(faces.person.numpy(), return_index=True)[1])[:num]
    if len(first) < num:
        raise KinlibError(f"'{folder}' holds {len(first)} people of the {num} that are needed: render more")
    return LabelledFaces(*(field[torch.from_numpy(first)] for field in faces.fields))


def mean_iou(found: Tensor, truth: Tensor, count: int) -> float:
    """Mean intersection over union over the labels that occur; labels are [N, P], below `count`."""
    table = confusion(found[..., None], truth[..., None], count).sum(dim=0)  # [C, C]
    right, true = table.diag(), table.sum(dim=1)
    return float((right / (table.sum(dim=0) + true - right))[true > 0].mean())


def record_path() -> Path:
    """Where the numbers are kept, beside the bundled data."""
    return config.data_dir() / "studio" / "label_study.json"


def recorded() -> dict:
    """The numbers that were kept.

    Raises:
        KinlibError: if they are missing or damaged.
    """
    return read_record(record_path(), *KINDS)


def plot(found: dict) -> Plot:
    """The curves of both kinds of labels, with the bundled parser's lines."""
    names = {"parser": "parser, same pictures", "parser_on_renders": "parser, renders"}
    titles = {kind: f"{len(names)} {kind}" for kind, names in KINDS.items()}
    curves = {
        titles[kind]: pd.DataFrame(found[kind]["curve"]).rename(columns={"pictures": "labelled pictures"})
        for kind in KINDS
    }
    levels = {titles[kind]: {name: found[kind][key] for key, name in names.items()} for kind in KINDS}
    return figures.learning_curve_plot(curves, levels, "labelled pictures", "mean IoU, held-out people")


@torch.inference_mode()
def _encode(faces: LabelledFaces) -> Tensor:
    """Codes with all corrections, as users' photographs get them: [N, L, 512]."""
    encoder = load_encoder(weights.path("studio_encoder"))
    pictures = (resize(some.float() / 127.5 - 1, ENCODED) for some in faces.images.split(4))
    return torch.cat([encoder(some).float() for some in pictures])


def _grid(size: int) -> Tensor:
    """Indices of every `APART`-th pixel of every `APART`-th row: [1, P]."""
    rows = torch.arange(APART // 2, size, APART)
    return (rows[:, None] * size + rows).flatten()[None]


def _pictures(generator: Generator, codes: Tensor, faces: LabelledFaces, pixels: Tensor) -> Pictures:
    features = [
        pixel_features(generator, code, index).half()
        for code, index in zip(codes.split(1), pixels.split(1), strict=True)
    ]
    labels = faces.labels.flatten(2).gather(2, pixels[:, None].expand(-1, 2, -1))  # [N, 2, S S] -> [N, 2, P]
    return Pictures(torch.cat(features), labels)


def _draws(
    seen: Pictures, test: Pictures, count: int, place: int, classes: int, settings: StudySettings
) -> Iterator[float]:
    """The mean IoU of a head for each draw of `count` labelled pictures."""
    for draw in range(settings.draws):
        rng = torch.Generator().manual_seed(1000 * settings.seed + draw)
        index = torch.randperm(len(seen.features), generator=rng)[:count]
        torch.manual_seed(draw)
        head = LabelHead(seen.features.shape[2], classes, settings.members, settings.hidden)
        features, truth = seen.features[index].flatten(0, 1), seen.labels[index, place].flatten().long()
        for _ in fit(head, features, truth, settings.steps, rng):
            pass
        found = head.label(test.features.flatten(0, 1)).view(len(test.features), -1)
        yield mean_iou(found, test.labels[:, place], classes)


@torch.inference_mode()
def _ceilings(generator: Generator, codes: Tensor, faces: LabelledFaces, place: int, classes: int) -> dict[str, float]:
    """Mean IoU of the bundled parser on reconstructions and on the renders, at the same pixels."""
    grid, parser = _grid(generator.resolution).expand(len(faces), -1), load_parser("studio")
    truth = faces.labels[:, place].flatten(1).gather(1, grid)
    pictures = {
        "parser": torch.cat([generator.synthesis(code).clamp(-1, 1) for code in codes.split(4)]),
        "parser_on_renders": faces.images.float() / 127.5 - 1,
    }
    return {
        name: round(mean_iou(_parsed(parser, some, place).flatten(1).gather(1, grid), truth, classes), 4)
        for name, some in pictures.items()
    }


def _parsed(parser: Parser, pictures: Tensor, place: int) -> Tensor:
    return torch.cat([probabilities(parser, some)[place].argmax(dim=1).byte() for some in pictures.split(8)])


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and keep the numbers if asked."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that `kinlib render` wrote")
    parser.add_argument("--draws", type=int, default=StudySettings.draws, help="of labelled people, for each count")
    parser.add_argument("--record", action="store_true", help="keep the numbers beside the bundled data")
    given = parser.parse_args(arguments)
    found = study(given.data, StudySettings(draws=given.draws))
    print(found)
    if given.record:
        write_json(record_path(), found)


if __name__ == "__main__":
    main()
