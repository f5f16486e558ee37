"""BiSeNet on ResNet-18 as face-parsing.PyTorch has it, written from its architecture: for `kinlib.faces.bisenet`.

Yu et al. 2018, but for two things: the features at 1/8 of the side stand in for the spatial path, and what the
attention refines is enlarged by repeating pixels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.reference.plain_layers import normalise, stretch

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's red, green and blue, from 0 to 1
ORDER = (
    *("background", "skin", "l_brow", "r_brow", "l_eye", "r_eye", "eye_g", "l_ear", "r_ear", "ear_r"),
    *("nose", "mouth", "u_lip", "l_lip", "neck", "neck_l", "cloth", "hair", "hat"),
)


def unit(state: dict, name: str, x: Tensor) -> Tensor:
    weight = state[f"{name}.conv.weight"]
    return normalise(state, f"{name}.bn", F.conv2d(x, weight, padding=weight.shape[-1] // 2)).clamp(min=0)


def block(state: dict, name: str, x: Tensor, stride: int) -> Tensor:
    y = F.conv2d(x, state[f"{name}.conv1.weight"], stride=stride, padding=1)
    y = normalise(state, f"{name}.bn1", y).clamp(min=0)
    y = normalise(state, f"{name}.bn2", F.conv2d(y, state[f"{name}.conv2.weight"], padding=1))
    if f"{name}.downsample.0.weight" in state:
        x = F.conv2d(x, state[f"{name}.downsample.0.weight"], stride=stride)
        x = normalise(state, f"{name}.downsample.1", x)
    return (x + y).clamp(min=0)


def resnet(state: dict, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Features at 1/8, 1/16 and 1/32 of the side."""
    x = F.conv2d(x, state["cp.resnet.conv1.weight"], stride=2, padding=3)
    x = F.max_pool2d(normalise(state, "cp.resnet.bn1", x).clamp(min=0), 3, stride=2, padding=1)
    features = []
    for layer in (1, 2, 3, 4):
        x = block(state, f"cp.resnet.layer{layer}.0", x, stride=1 if layer == 1 else 2)
        x = block(state, f"cp.resnet.layer{layer}.1", x, stride=1)
        features.append(x)
    return features[1], features[2], features[3]


def refine(state: dict, name: str, x: Tensor) -> Tensor:
    """Attention refinement: channels weighted by their average over the picture."""
    x = unit(state, f"{name}.conv", x)
    gate = F.conv2d(x.mean(dim=(2, 3), keepdim=True), state[f"{name}.conv_atten.weight"])
    return x * torch.sigmoid(normalise(state, f"{name}.bn_atten", gate))


def twice(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def fuse(state: dict, detail: Tensor, context: Tensor) -> Tensor:
    x = unit(state, "ffm.convblk", torch.cat([detail, context], dim=1))
    gate = F.conv2d(x.mean(dim=(2, 3), keepdim=True), state["ffm.conv1.weight"]).clamp(min=0)
    return x + x * torch.sigmoid(F.conv2d(gate, state["ffm.conv2.weight"]))


def logits(state: dict, images: Tensor) -> Tensor:
    """Pictures in [-1, 1] -> the first of three outputs, [B, 19, H, W], in the file's own order of classes."""
    mean, deviation = (torch.tensor(three).view(1, 3, 1, 1).to(images) for three in (MEAN, DEVIATION))
    eighth, sixteenth, thirtysecond = resnet(state, ((images + 1) / 2 - mean) / deviation)
    everywhere = unit(state, "cp.conv_avg", thirtysecond.mean(dim=(2, 3), keepdim=True))
    context = twice(refine(state, "cp.arm32", thirtysecond) + everywhere)
    context = unit(state, "cp.conv_head32", context) + refine(state, "cp.arm16", sixteenth)
    context = unit(state, "cp.conv_head16", twice(context))
    x = unit(state, "conv_out.conv", fuse(state, eighth, context))
    return stretch(F.conv2d(x, state["conv_out.conv_out.weight"]), *images.shape[2:])
