"""BiSeNet (Yu et al., 2018) as face-parsing.PyTorch trained it on CelebAMask-HQ: the `ffhq` preset's parser.

Two things set its file apart. The classes stand in another order than CelebAMask-HQ's own, so the logits are put into
that of `kinlib.io.face_labels.CLASSES`; and published label maps do not agree on whose left is meant, so the parts at
the image's right become the person's left, whatever they were called.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinlib.checkpoints.state_dicts import load_state
from kinlib.checkpoints.weights import open_checkpoint
from kinlib.io.face_labels import CLASSES, MIRRORED_CLASSES

__all__ = ["BISENET_ORDER", "BiSeNet", "load_bisenet"]

BISENET_ORDER = (
    *("background", "skin", "l_brow", "r_brow", "l_eye", "r_eye", "eye_g", "l_ear", "r_ear", "ear_r"),
    *("nose", "mouth", "u_lip", "l_lip", "neck", "neck_l", "cloth", "hair", "hat"),
)
"""Classes in the order of the published file."""

MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, for pictures in [0, 1]


class ConvBNReLU(nn.Module):
    """Convolution, normalisation, ReLU."""

    def __init__(self, in_channels: int, channels: int, kernel: int = 3):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x)).relu()


class BasicBlock(nn.Module):
    """Residual block of ResNet-18."""

    def __init__(self, in_channels: int, channels: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1 or in_channels != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        return (self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())) + shortcut).relu()


class ResNet18(nn.Module):
    """Features at 1/8, 1/16 and 1/32 of the size: 128, 256 and 512 channels."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        for number, (before, after) in enumerate(((64, 64), (64, 128), (128, 256), (256, 512)), start=1):
            blocks = BasicBlock(before, after, 1 if number == 1 else 2), BasicBlock(after, after, 1)
            self.add_module(f"layer{number}", nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = F.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, 2, 1)
        eighth = self.layer2(self.layer1(x))
        sixteenth = self.layer3(eighth)
        return eighth, sixteenth, self.layer4(sixteenth)


class AttentionRefinement(nn.Module):
    """Features weighted channel by channel by what the whole picture holds."""

    def __init__(self, in_channels: int, channels: int):
        super().__init__()
        self.conv = ConvBNReLU(in_channels, channels)
        self.conv_atten = nn.Conv2d(channels, channels, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x * self.bn_atten(self.conv_atten(F.adaptive_avg_pool2d(x, 1))).sigmoid()


class ContextPath(nn.Module):
    """The backbone and the way back to 1/8 of the size."""

    def __init__(self):
        super().__init__()
        self.resnet = ResNet18()
        self.arm16 = AttentionRefinement(256, 128)
        self.arm32 = AttentionRefinement(512, 128)
        self.conv_head32 = ConvBNReLU(128, 128)
        self.conv_head16 = ConvBNReLU(128, 128)
        self.conv_avg = ConvBNReLU(512, 128, kernel=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        eighth, sixteenth, thirtysecond = self.resnet(x)
        low = self.arm32(thirtysecond) + self.conv_avg(F.adaptive_avg_pool2d(thirtysecond, 1))
        low = self.conv_head32(F.interpolate(low, sixteenth.shape[-2:]))
        middle = self.arm16(sixteenth) + low
        return eighth, self.conv_head16(F.interpolate(middle, eighth.shape[-2:]))


class FeatureFusion(nn.Module):
    """Detail and context together, weighted channel by channel."""

    def __init__(self, channels: int):
        super().__init__()
        self.convblk = ConvBNReLU(channels, channels, kernel=1)
        self.conv1 = nn.Conv2d(channels, channels // 4, 1, bias=False)
        self.conv2 = nn.Conv2d(channels // 4, channels, 1, bias=False)

    def forward(self, detail: Tensor, context: Tensor) -> Tensor:
        x = self.convblk(torch.cat([detail, context], dim=1))
        return x + x * self.conv2(self.conv1(F.adaptive_avg_pool2d(x, 1)).relu()).sigmoid()


class Output(nn.Module):
    """From features to logits."""

    def __init__(self, in_channels: int, channels: int):
        super().__init__()
        self.conv = ConvBNReLU(in_channels, channels)
        self.conv_out = nn.Conv2d(channels, len(BISENET_ORDER), 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_out(self.conv(x))


class BiSeNet(nn.Module):
    """Aligned faces [B, 3, H, W] in [-1, 1] -> logits [B, 19, 512, 512] in the order of `CLASSES`.

    Names and shapes of the weights are those of 79999_iter.pth. Two of its three outputs only helped the training.
    """

    input_size = 512

    def __init__(self):
        super().__init__()
        self.cp = ContextPath()
        self.ffm = FeatureFusion(256)
        self.conv_out = Output(256, 256)
        self.conv_out16 = Output(128, 64)
        self.conv_out32 = Output(128, 64)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor(SPREAD).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        size = (self.input_size, self.input_size)
        if tuple(images.shape[-2:]) != size:
            images = F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
        detail, context = self.cp(((images + 1) / 2 - self.mean) / self.spread)
        logits = F.interpolate(self.conv_out(self.ffm(detail, context)), size, mode="bilinear", align_corners=True)
        return _with_the_persons_sides(logits[:, [BISENET_ORDER.index(name) for name in CLASSES]])


def _with_the_persons_sides(logits: Tensor) -> Tensor:
    """Swap left and right in those pictures where eyes and brows called left lie left in the image."""
    shares = logits.softmax(dim=1)
    columns = torch.linspace(-1, 1, logits.shape[-1], device=logits.device)
    middle = {}
    for side in "lr":
        weight = sum(shares[:, CLASSES.index(f"{side}_{part}")] for part in ("eye", "brow"))
        middle[side] = (weight * columns).sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp(min=1e-6)
    swapped = logits[:, list(MIRRORED_CLASSES)]
    return torch.where((middle["l"] < middle["r"])[:, None, None, None], swapped, logits)


def load_bisenet(path: str | Path) -> BiSeNet:
    """The parser in a file of the layout of 79999_iter.pth.

    Raises:
        KinlibError: if the file is missing or does not fit.
    """
    net = BiSeNet()
    load_state(net, open_checkpoint(path), path, optional=("num_batches_tracked",))
    return net.float().eval().requires_grad_(False)
