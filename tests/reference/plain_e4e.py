"""The official encoder of e4e and pSp, written from its architecture: the yardstick for `kinlib.gan.encoder`.

IR-SE 50 (Deng et al. 2019, with squeeze and excitation) without its last layers; three levels of features, taken where
the stages end that leave the picture at 1/4, 1/8 and 1/16 of its side; each coarser level stretched and added to the
next finer one (Richardson et al. 2021, section 3); one head for each code.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.reference.plain_layers import normalise, stretch

STAGES = (3, 4, 14, 3)  # residual units; the first of each stage halves the side
COARSE, MIDDLE = range(0, 3), range(3, 7)  # codes read off the coarse and the middle level
SLOPE = 0.01  # of the heads' leaky ReLU


def prelu(state: dict, name: str, x: Tensor) -> Tensor:
    slope = state[f"{name}.weight"].view(1, -1, 1, 1)
    return torch.where(x > 0, x, slope * x)


def excite(state: dict, name: str, x: Tensor) -> Tensor:
    squeezed = x.flatten(2).mean(dim=2)
    hidden = (squeezed @ state[f"{name}.fc1.weight"].flatten(1).T).clamp(min=0)
    gate = 1 / (1 + torch.exp(-hidden @ state[f"{name}.fc2.weight"].flatten(1).T))
    return x * gate[:, :, None, None]


def unit(state: dict, name: str, x: Tensor, stride: int) -> Tensor:
    y = normalise(state, f"{name}.res_layer.0", x)
    y = F.conv2d(y, state[f"{name}.res_layer.1.weight"], padding=1)
    y = prelu(state, f"{name}.res_layer.2", y)
    y = F.conv2d(y, state[f"{name}.res_layer.3.weight"], stride=stride, padding=1)
    y = excite(state, f"{name}.res_layer.5", normalise(state, f"{name}.res_layer.4", y))
    shortcut = x[:, :, ::stride, ::stride]
    if f"{name}.shortcut_layer.0.weight" in state:  # the number of channels changes
        shortcut = F.conv2d(shortcut, state[f"{name}.shortcut_layer.0.weight"])
        shortcut = normalise(state, f"{name}.shortcut_layer.1", shortcut)
    return y + shortcut


def levels(state: dict, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Features at 1/4, 1/8 and 1/16 of the side."""
    x = F.conv2d(images, state["input_layer.0.weight"], padding=1)
    x = prelu(state, "input_layer.2", normalise(state, "input_layer.1", x))
    ends, number = [], 0
    for count in STAGES:
        for place in range(count):
            x = unit(state, f"body.{number}", x, stride=2 if place == 0 else 1)
            number += 1
        ends.append(x)
    return ends[1], ends[2], ends[3]


def added(state: dict, name: str, coarse: Tensor, fine: Tensor) -> Tensor:
    lateral = F.conv2d(fine, state[f"{name}.weight"], state[f"{name}.bias"])
    return stretch(coarse, *fine.shape[2:]) + lateral


def head(state: dict, name: str, x: Tensor) -> Tensor:
    index = 0
    while f"{name}.convs.{index}.weight" in state:
        layer = f"{name}.convs.{index}"
        x = F.conv2d(x, state[f"{layer}.weight"], state[f"{layer}.bias"], stride=2, padding=1)
        x = torch.where(x > 0, x, SLOPE * x)
        index += 2
    weight = state[f"{name}.linear.weight"]
    return x[:, :, 0, 0] @ weight.T / math.sqrt(weight.shape[1]) + state[f"{name}.linear.bias"]


def psp_codes(state: dict, images: Tensor) -> Tensor:
    """GradualStyleEncoder: every head gives the code of one layer, without the average."""
    fine, middle, coarse = levels(state, images)
    middle = added(state, "latlayer1", coarse, middle)
    fine = added(state, "latlayer2", middle, fine)
    codes, number = [], 0
    while f"styles.{number}.linear.weight" in state:
        level = coarse if number in COARSE else middle if number in MIDDLE else fine
        codes.append(head(state, f"styles.{number}", level))
        number += 1
    return torch.stack(codes, dim=1)


def e4e_codes(state: dict, images: Tensor) -> Tensor:
    """Encoder4Editing after its training: the first head gives a code for all layers, the others what is added."""
    codes = psp_codes(state, images)
    return torch.cat([codes[:, :1], codes[:, :1] + codes[:, 1:]], dim=1)
