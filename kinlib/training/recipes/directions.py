"""Attribute directions of the studio preset, from codes of labelled renders.

InterFaceGAN (Shen et al. 2020) takes the normal of a separating plane and removes what two attributes share by
projection. Exact labels allow a more direct way: a regression of the codes on all attributes at once. The coefficient
of an attribute is the change of codes per unit of it, the others held fixed. A second regression, of the attribute on
the codes, gives the probe that reads it.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kinlib.evaluation.edits.labelled import LONG_HAIR
from kinlib.evaluation.edits.latent_models import steps_held_fixed
from kinlib.evaluation.groups import by_group, groups_of
from kinlib.gan.encoder import Encoder, load_encoder
from kinlib.gan.generator import Generator, load_generator
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.renders import FaceSet, load_faces
from kinlib.training.engine import record
from kinlib.training.engine.settings import RecipeSettings

__all__ = ["DirectionSettings", "attribute_table", "train"]

CHECKED = 100  # held-out people whose codes are moved, to see how much of an edit the encoder reads back


@dataclass(kw_only=True)
class DirectionSettings(RecipeSettings):
    """Fit the attribute directions."""

    encoder: Path
    """the encoder whose codes are used"""
    generator: Path
    """the generator, to measure whether the encoder sees an edit"""
    ridge: float = 0.003
    """strength of the ridge penalty of the probes, as a share of the codes' total variance"""
    components: int = 200
    """principal components of the codes that the probes use"""


def attribute_table(table: pd.DataFrame) -> pd.DataFrame:
    """Numeric attributes of every picture: years, degrees, or from 0 to 1.

    Returns:
        One column for each of age, sex (1 male), skin (1 dark), smile, yaw, pitch, glasses, beard, hair_length,
        hair_light (1 white), mouth_open.
    """
    numbers = {
        "age": table["age"],
        "sex": table["male"],
        "skin": table["melanin"],
        "smile": table["smile"],
        "yaw": table["yaw"],
        "pitch": table["pitch"],
        "glasses": table["glasses"],
        "beard": table["beard"] != "none",
        "hair_length": table["hair_style"].isin(LONG_HAIR),
        "hair_light": table["hair_light"],
        "mouth_open": table["mouth_open"],
    }
    return pd.DataFrame(numbers).astype(float)


def _varying(attributes: pd.DataFrame) -> pd.DataFrame:
    """The attributes that pictures differ in: of others, no direction can be learned."""
    constant = attributes.columns[attributes.nunique() < 2]
    for name in {"age", "sex"}.intersection(constant):
        raise KinlibError(f"all pictures show the same {name}: render people of more than one")
    return attributes.drop(columns=constant)


@torch.no_grad()
def encode_all(encoder: Encoder, faces: FaceSet, batch: int = 256) -> Tensor:
    """W+ codes of all pictures, [N, L, 512]."""
    return torch.cat([encoder(part.float() / 127.5 - 1) for part in faces.images.split(batch)])


def train(settings: DirectionSettings) -> None:
    """Fit all directions, measure the probes on held-out people, and write them.

    An attribute that is the same in all pictures is left out.

    Raises:
        KinlibError: if that is age or sex, or there are fewer pictures than principal components.
    """
    encoder, generator = load_encoder(settings.encoder), load_generator(settings.generator)
    training, held_out = load_faces(settings.data).split()
    if len(training) < settings.components:
        raise KinlibError(
            f"{len(training)} training pictures are fewer than the {settings.components} principal components of the "
            "probes: render more people, or set --components"
        )
    codes, test_codes = encode_all(encoder, training), encode_all(encoder, held_out)
    attributes, test = _varying(attribute_table(training.table)), attribute_table(held_out.table)
    steps = steps_held_fixed(codes, attributes.to_numpy())  # [attributes, L, 512]
    checked = test_codes[:CHECKED]
    before = _encode_synthesised(generator, encoder, checked)
    tensors, metrics, readings = {}, {}, {}
    for i, name in enumerate(attributes):
        values = torch.tensor(attributes[name].to_numpy(), dtype=torch.float32)
        probe, offset = _probe(codes, values, settings)
        # A step must change the probe's reading by one unit, else setting an attribute to a value would miss it. It is
        # lengthened five times at most: an attribute that the probe hardly reads would leave the distribution of codes.
        step = steps[i] / (steps[i] * probe).sum().clamp_min(0.2)
        # The attribute's range without outliers.
        low, high = torch.quantile(values, torch.tensor([0.01, 0.99])).tolist()
        scale = float(probe.abs().max())  # half precision would lose small coefficients
        tensors |= {
            f"{name}.step": step,
            f"{name}.probe": probe / scale,
            f"{name}.range": torch.tensor([low, high, offset, scale]),
        }
        readings[name] = (test_codes * probe).sum(dim=(1, 2)).numpy() + offset  # [N, L, 512] -> [N]
        metrics[name] = _quality(readings[name], test[name].to_numpy())
        move = (high - low) / 2  # half the range, added to codes of held-out people
        after = _encode_synthesised(generator, encoder, checked + move * step)
        # The change of the probe's reading, [N] -> scalar, in the attribute's unit.
        seen = ((after - before) * probe).sum(dim=(1, 2)).mean()
        metrics[name]["share_of_edit_seen"] = round(float(seen / move), 4)
    metrics["groups"] = _by_group(held_out.table, readings, test)
    recipe = asdict(settings) | {"pictures": len(training), "people": training.table.person.nunique()}
    record.write(tensors, settings.out, "directions", recipe, metrics)


def _probe(codes: Tensor, values: Tensor, settings: DirectionSettings) -> tuple[Tensor, float]:
    """Ridge regression of an attribute on the codes, within their principal components: ([L, 512], offset)."""
    flat = codes.flatten(1)  # [N, L 512]
    mean = flat.mean(dim=0)
    # The decomposition is randomised (Halko et al. 2011); the caller's random state is left as it was.
    generator_state = torch.random.get_rng_state()
    torch.manual_seed(0)
    u, s, v = torch.pca_lowrank(flat, q=settings.components, center=True, niter=2)  # [N, q], [q], [L * 512, q]
    torch.random.set_rng_state(generator_state)
    centred = values - values.mean()
    # Ridge regression in the basis of the principal components: each singular value s becomes s / (s^2 + penalty).
    shrunk = s / (s.square() + settings.ridge * s.square().sum() / len(s))
    probe = v @ (shrunk * (u.t() @ centred))
    return probe.view(codes.shape[1:]), float(values.mean() - mean @ probe)


def _quality(read: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Correlation and mean absolute error of a probe's readings [N] on held-out people."""
    varies = read.std() > 0 and truth.std() > 0
    return {
        "correlation": round(float(np.corrcoef(read, truth)[0, 1]), 4) if varies else 0.0,
        "mean_absolute_error": round(float(np.abs(read - truth).mean()), 4),
    }


def _by_group(table: pd.DataFrame, readings: dict[str, np.ndarray], truth: pd.DataFrame) -> dict[str, dict[str, float]]:
    """How well age and sex are read off the codes of each group."""
    return by_group(
        groups_of(table),
        age_mae=np.abs(readings["age"] - truth["age"]),
        sex_accuracy=(readings["sex"] > 0.5) == (truth["sex"] > 0.5),
    )


@torch.no_grad()
def _encode_synthesised(generator: Generator, encoder: Encoder, codes: Tensor) -> Tensor:
    """What the encoder reads off the pictures of codes, both [N, L, 512]."""
    return encoder(generator.synthesis(codes, batch_size=50).clamp(-1, 1))
