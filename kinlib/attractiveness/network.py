"""ComboNet (Xu and Xiang, ICASSP 2020): a residual backbone with a regression and a classification branch.

The large backbones are torchvision's, SE-ResNeXt50 with squeeze and excitation after the last convolution of each block
(Hu et al. 2018). Its names are those of torchvision and timm, so that timm's ImageNet weights fit; the released network
has pytorchcv's, which are translated.
"""

import re
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import resnet
from torchvision.ops import SqueezeExcitation

from kinlib.checkpoints.state_dicts import build, load_state
from kinlib.checkpoints.weights import open_checkpoint
from kinlib.runtime.errors import KinlibError

__all__ = ["BACKBONES", "SMALL", "ComboNet", "SmallBackbone", "load_backbone", "load_combonet", "normalise"]

# Of ImageNet's pictures, in [0, 1]; torchvision's constants.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class SEBottleneck(resnet.Bottleneck):
    """torchvision's bottleneck block with squeeze and excitation before the sum."""

    def __init__(self, inplanes: int, planes: int, *args, **kwargs):
        super().__init__(inplanes, planes, *args, **kwargs)
        channels = planes * self.expansion
        self.se = SqueezeExcitation(channels, channels // 16)  # 16: reduction of the paper

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        return self.relu(self.se(self.bn3(self.conv3(out))) + shortcut)  # [B, C, H / stride, W / stride]


class SEBlock(resnet.BasicBlock):
    """torchvision's basic block with squeeze and excitation before the sum."""

    def __init__(self, inplanes: int, planes: int, *args, **kwargs):
        super().__init__(inplanes, planes, *args, **kwargs)
        self.se = SqueezeExcitation(planes, planes // 8)  # 8: a sixteenth of few channels would be too few

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(self.se(out) + shortcut)  # [B, C, H / stride, W / stride]


class SmallBackbone(nn.Sequential):
    """The studio's backbone: three blocks with squeeze and excitation at 16, 8 and 4 px; 0.17 million parameters.

    Pictures [B, 3, H, W] of any size are resized to `input_size` first.
    """

    input_size = 64
    widths = (16, 32, 48, 96)  # channels at 32, 16, 8 and 4 px

    def __init__(self):
        first, *widths = self.widths
        layers: dict[str, nn.Module] = {"stem": nn.Conv2d(3, first, 3, 2, 1, bias=False), "bn": nn.BatchNorm2d(first)}
        layers["relu"] = nn.ReLU(inplace=True)
        for number, (inside, outside) in enumerate(zip((first, *widths), widths, strict=False), 1):
            shortcut = nn.Sequential(nn.Conv2d(inside, outside, 1, 2, bias=False), nn.BatchNorm2d(outside))
            layers[f"block{number}"] = SEBlock(inside, outside, 2, shortcut)
        layers |= {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
        super().__init__(OrderedDict(layers))
        self.features = widths[-1]

    def forward(self, images: Tensor) -> Tensor:
        """Normalised pictures [B, 3, H, W] to features [B, 96]."""
        size = (self.input_size, self.input_size)
        if images.shape[-2:] != size:
            images = F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
        return super().forward(images)


SMALL = "small"

# 3, 4, 6, 3 and 2, 2, 2, 2: blocks at 56, 28, 14 and 7 px; 32 x 4d: 32 groups of 4 channels in the first of them.
BACKBONES: dict[str, Callable[[], nn.Module]] = {
    "seresnext50": partial(resnet.ResNet, SEBottleneck, [3, 4, 6, 3], groups=32, width_per_group=4),
    "resnet18": partial(resnet.ResNet, resnet.BasicBlock, [2, 2, 2, 2]),
    SMALL: SmallBackbone,
}


class ComboNet(nn.Module):
    """Scores and levels of pictures.

    Args:
        backbone: a key of `BACKBONES`, or a network that gives [B, features].
        num_classes: levels.
        features: what the backbone gives; only for a network of one's own.

    Raises:
        KinlibError: for an unknown backbone.
    """

    def __init__(self, backbone: str | nn.Module = "seresnext50", num_classes: int = 5, features: int | None = None):
        super().__init__()
        if isinstance(backbone, str):
            if backbone not in BACKBONES:
                raise KinlibError(f"there is no backbone '{backbone}': {', '.join(BACKBONES)}")
            name, backbone = backbone, BACKBONES[backbone]()
            if name == SMALL:
                features = backbone.features
            else:
                features, backbone.fc = backbone.fc.in_features, nn.Identity()
        self.backbone = backbone
        self.regression_branch = nn.Linear(features, 1)
        self.classification_branch = nn.Linear(features, num_classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images [B, 3, 224, 224], normalised as ImageNet's (`normalise`), to scores [B] and logits [B, C].

        The small backbone takes images of any size.
        """
        features = self.backbone(images)  # [B, features]
        return self.regression_branch(features).squeeze(1), self.classification_branch(features)


def normalise(images: Tensor) -> Tensor:
    """Images [B, 3, H, W] in [-1, 1], as everywhere in kinlib, to what networks trained on ImageNet take."""
    mean, std = (images.new_tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return ((images + 1) / 2 - mean) / std


def load_backbone(net: ComboNet, path: str | Path) -> None:
    """Fill a large backbone with ImageNet weights, in timm's or torchvision's names; their classifier is left out.

    Args:
        net: with the backbone "seresnext50" or "resnet18"; it is changed in place.
        path: .pth or .safetensors: timm's seresnext50_32x4d, or torchvision's resnet18.

    Raises:
        KinlibError: if the file is missing, damaged, or holds another network.
    """
    state = {name: tensor for name, tensor in open_checkpoint(path).items() if not str(name).startswith("fc.")}
    load_state(net.backbone, state, path, optional=("num_batches_tracked",))


def load_combonet(path: str | Path) -> ComboNet:
    """Load ComboNet, in evaluation mode, from the released layout or from ours.

    Released files hold `module.backbone.*` in pytorchcv's names for SE-ResNeXt50 and in torchvision's for ResNet-18,
    with the ImageNet classifier left in. The backbone is recognised by its names.

    Args:
        path: .pth or .safetensors.

    Raises:
        KinlibError: if the file is missing, damaged, or holds another network.
    """
    checkpoint = open_checkpoint(path)
    state = checkpoint["state_dict"] if isinstance(checkpoint.get("state_dict"), dict) else checkpoint
    # DataParallel puts `module.` before every name.
    state = {str(name).removeprefix("module."): tensor for name, tensor in state.items()}
    branch = state.get("classification_branch.weight")
    if not isinstance(branch, Tensor) or branch.ndim != 2:
        raise KinlibError(f"{path} holds no ComboNet: it has no classification_branch")
    state = {_ours(name): tensor for name, tensor in state.items() if not name.startswith("backbone.fc.")}
    backbone = SMALL if "backbone.stem.weight" in state else "resnet18"
    if "backbone.layer1.0.se.fc1.weight" in state:
        backbone = "seresnext50"
    net = build(lambda: ComboNet(backbone, num_classes=len(branch)), state, path, optional=("num_batches_tracked",))
    return net.eval().requires_grad_(False)


def _ours(name: str) -> str:
    """A name of pytorchcv's SE-ResNeXt50 in torchvision's; all others stay."""
    if match := re.fullmatch(r"backbone\.init_block\.conv\.(conv|bn)\.(.+)", name):
        return f"backbone.{match[1]}1.{match[2]}"
    match = re.fullmatch(r"backbone\.stage(\d)\.unit(\d)\.(.+)", name)
    if match is None:
        return name
    rest = re.sub(r"^body\.conv(\d)\.(conv|bn)\.", r"\2\1.", match[3])
    rest = re.sub(r"^se\.conv", "se.fc", rest)
    rest = rest.replace("identity_conv.conv.", "downsample.0.").replace("identity_conv.bn.", "downsample.1.")
    return f"backbone.layer{match[1]}.{int(match[2]) - 1}.{rest}"  # units count from 1, blocks from 0
