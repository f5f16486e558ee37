"""Age, sex, origin and emotion of an aligned face, as a table with DeepFace's columns.

| column | |
|---|---|
| age | years |
| dominant_gender; gender.Woman, gender.Man | "Woman" or "Man"; percent |
| dominant_race; race.NAME | the likeliest group; percent |
| dominant_emotion; emotion.NAME | angry, disgust, fear, happy, sad, surprise, neutral; percent |

All numbers are float64. These are the columns that `pandas.json_normalize` makes of what DeepFace itself answers, but
for `region.*` and `face_confidence`, which are left out: no face is looked for, since the picture is the face.

The `ffhq` preset asks DeepFace (Serengil and Ozpinar, 2021); its six groups are asian, indian, black, white, middle
eastern and latino hispanic. In the `studio` preset a small network answers, and the studio's five founder populations
(amber, birch, cedar, dune, ember) take the groups' place: they are invented, stand for no people of the world, and say
nothing about a photograph of a real person.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from kinlib.checkpoints import weights
from kinlib.checkpoints.state_dicts import load_state
from kinlib.checkpoints.weights import open_checkpoint
from kinlib.faces.identity import ResidualUnit
from kinlib.io.images import resize, to_tensor, to_uint8
from kinlib.runtime import config, memory
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AGES", "EMOTIONS", "GENDERS", "POPULATIONS", "DemographyNet", "analyse", "expected_age", "load_demography"]

AGES = 101  # years from 0 to 100
GENDERS = ("Woman", "Man")
POPULATIONS = ("amber", "birch", "cedar", "dune", "ember")
EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
HEADS = {"age": AGES, "gender": len(GENDERS), "race": len(POPULATIONS), "emotion": len(EMOTIONS)}
SMALLEST = 16  # px


class DemographyNet(nn.Module):
    """Aligned faces [B, 3, H, W] in [-1, 1] -> logits by name, [B, count] as in `HEADS`.

    Args:
        widths: channels at 1/4, 1/8, 1/16 and 1/32 of the size.
        hidden: numbers from which all answers are read.
        input_size: side of the pictures it works on; others are resized.
    """

    def __init__(self, widths: tuple[int, ...] = (32, 64, 112, 144), hidden: int = 128, input_size: int = 128):
        super().__init__()
        self.input_size = input_size
        first = widths[0]
        self.stem = nn.Sequential(nn.Conv2d(3, first, 3, 2, 1, bias=False), nn.BatchNorm2d(first), nn.PReLU(first))
        self.stages = nn.Sequential(
            *(
                nn.Sequential(ResidualUnit(a, b, 2), ResidualUnit(b, b, 1))
                for a, b in zip((first, *widths), widths, strict=False)
            )
        )
        self.join = nn.Sequential(nn.Linear(2 * widths[-1], hidden), nn.BatchNorm1d(hidden), nn.PReLU(hidden))
        self.heads = nn.ModuleDict({name: nn.Linear(hidden, count) for name, count in HEADS.items()})

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        x = self.stages(self.stem(resize(images, self.input_size)))
        x = self.join(torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1))
        return {name: head(x) for name, head in self.heads.items()}


def expected_age(logits: Tensor) -> Tensor:
    """Mean of the distribution over ages (Rothe et al. 2015): logits [B, 101] -> years [B]."""
    return logits.float().softmax(dim=1) @ torch.arange(AGES, dtype=torch.float32, device=logits.device)


@lru_cache(maxsize=2)
def load_demography(path: str | Path | None = None) -> DemographyNet:
    """The bundled network, or the one in `path`.

    Raises:
        KinlibError: if the file is missing or does not fit.
    """
    path = Path(path) if path else weights.path("studio_demography")
    with torch.random.fork_rng(devices=[]):  # initialising draws random numbers; the caller's stay
        net = DemographyNet()
    load_state(net, open_checkpoint(path), path, optional=("num_batches_tracked",))
    return net.float().eval().requires_grad_(False)


def analyse(
    images: Tensor | Image.Image | np.ndarray | Sequence[Image.Image | np.ndarray],
    preset: str = "studio",
    batch: int = 64,
    device: str | torch.device | None = None,
    net: DemographyNet | None = None,
    dtype: str | torch.dtype | None = None,
) -> "pd.DataFrame":
    """Age, sex, origin and emotion of aligned faces.

    Args:
        images: FFHQ crops of one size, at least 16 px: a tensor [B, 3, H, W] in [-1, 1], PIL pictures or arrays.
        preset: "studio" or "ffhq".
        batch: pictures at once.
        device: where the networks compute, which are there only meanwhile; None picks the best.
        net: another network than the studio's bundled one, from `load_demography`.
        dtype: "float32", "float16" or "bfloat16" (or PyTorch's own), what the studio's network computes in; None is
            float32, in which DeepFace computes in any case.

    Returns:
        One row a picture, with the columns above.

    Raises:
        KinlibError: if the pictures, the device or the type cannot be used, or the preset's weights are absent.
    """
    pictures = images if isinstance(images, Tensor) else to_tensor(images)
    if pictures.ndim != 4 or pictures.shape[1] != 3 or min(pictures.shape[-2:]) < SMALLEST or not len(pictures):
        raise KinlibError(f"faces must be [B, 3, H, W] and at least {SMALLEST} px, not {list(pictures.shape)}")
    place = config.pick_device(device)
    dtype = memory.pick_dtype(dtype, place)
    if config.check_preset(preset) == "ffhq" and net is None:
        from kinlib.faces.deepface_analysis import analyse_with_deepface

        return analyse_with_deepface(to_uint8(pictures), device=place)
    with memory.on_device(net or load_demography(), place) as lent:
        return as_table(answers(lent, pictures, batch, dtype))


@torch.no_grad()
def answers(
    net: DemographyNet, images: Tensor, batch: int = 64, dtype: torch.dtype = torch.float32
) -> dict[str, Tensor]:
    """Years "age" [B], and shares "gender" [B, 2], "race" [B, 5] and "emotion" [B, 7] that sum to 1; on the CPU.

    Each is the mean over the picture and its mirror image. The network computes in `dtype`, what follows in float32.
    """
    place = next(net.parameters()).device
    parts = []
    for part in images.split(batch):
        with memory.autocast(place, dtype):
            both = [net(view) for view in (part.to(place).float(), part.to(place).float().flip(3))]
        found = {name: sum(one[name].float().softmax(dim=1) for one in both) / 2 for name in HEADS if name != "age"}
        found["age"] = sum(expected_age(one["age"]) for one in both) / 2
        parts.append({name: value.cpu() for name, value in found.items()})
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def as_table(found: dict[str, Tensor]) -> "pd.DataFrame":
    """What `answers` gives, with DeepFace's columns."""
    import pandas as pd

    columns: dict[str, np.ndarray | list] = {"age": found["age"].double().numpy()}
    for kind, names in (("gender", GENDERS), ("race", POPULATIONS), ("emotion", EMOTIONS)):
        shares = found[kind].double().numpy()
        columns[f"dominant_{kind}"] = [names[i] for i in shares.argmax(axis=1)]
        columns |= {f"{kind}.{name}": 100 * shares[:, i] for i, name in enumerate(names)}
    return pd.DataFrame(columns)
