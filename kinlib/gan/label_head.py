"""Label maps of what a generator synthesises, from its own features and a few labelled pictures.

After Zhang et al. (2021), "DatasetGAN": the features of all convolutions, enlarged to the picture's size and
concatenated, describe each pixel; an ensemble of small networks reads the label off them. Trained on pictures that a
person has labelled, or whose labels are known, it labels every picture of the same generator, so that no network has
to be trained on labelled photographs.

    head = train_head(generator, codes, labels, classes=19)          # a few codes and their label maps
    head.parse(generator, other_codes)                               # uint8 [B, R, R]

Every pixel of a labelled picture is one example. The published ensemble has ten networks with hidden layers of 128 and
32 numbers (256 and 128 for many labels), and takes the vote of the ten; here their probabilities are averaged.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinlib.gan.generator import Generator
from kinlib.runtime.errors import KinlibError

__all__ = ["LabelHead", "fit", "pixel_features", "train_head"]

PIXELS = 2048  # of each labelled picture that are trained on
STEPS, BATCH, LR = 400, 256, 2e-3


class LabelHead(nn.Module):
    """An ensemble of networks from the features of a pixel to its label: [P, D] -> logits [M, P, K].

    Args:
        features: D, channels of all convolutions together.
        classes: K.
        members: M.
        hidden: widths of the two hidden layers.
    """

    def __init__(self, features: int, classes: int, members: int = 10, hidden: tuple[int, int] = (128, 32)):
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        sizes = (features, *hidden, classes)
        pairs = list(zip(sizes[:-1], sizes[1:], strict=True))
        # All members in one batched product, [M, in, out]; initialised as `nn.Linear` with a gain for ReLU.
        self.weights = nn.ParameterList(torch.randn(members, n, m) * (2 / n) ** 0.5 for n, m in pairs)
        self.biases = nn.ParameterList(torch.zeros(members, 1, m) for _, m in pairs)

    @property
    def classes(self) -> int:
        """K."""
        return self.weights[-1].shape[2]

    def forward(self, features: Tensor) -> Tensor:
        """Logits [M, P, K] of pixels [P, D], or of [M, P, D]: others for each member."""
        x = (features - self.mean) / self.scale
        x = x.expand(len(self.weights[0]), *x.shape[-2:])  # [M, P, D]
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, F.relu(x) if i else x, weight)  # [M, P, in] -> [M, P, out]
        return x

    @torch.no_grad()
    def label(self, features: Tensor, part: int = 16384) -> Tensor:
        """The most probable label of pixels [P, D]: uint8 [P]; the members' probabilities are averaged."""
        found = [self(some.float()).softmax(dim=2).mean(dim=0).argmax(dim=1) for some in features.split(part)]
        return torch.cat(found).byte()

    @torch.no_grad()
    def parse(self, generator: Generator, codes: Tensor) -> Tensor:
        """Label maps of the pictures of codes W+ [B, L, 512]: uint8 [B, R, R].

        Raises:
            KinlibError: if the head was trained on another generator's features.
        """
        return torch.stack([self._parse(generator.features(code), generator.resolution) for code in codes.split(1)])

    def _parse(self, levels: list[Tensor], size: int) -> Tensor:
        """Label map [R, R] from the features [1, C, r, r] of all convolutions.

        The first layer is linear, and so is bilinear enlargement, whose weights sum to 1: their order does not matter.
        What is enlarged is then the hidden layer and not the features, of which a 1024 px picture would have 23 GB.
        """
        channels = [level.shape[1] for level in levels]
        if sum(channels) != len(self.mean):
            sizes = f"{sum(channels)} features instead of {len(self.mean)}"
            raise KinlibError(f"the label head was trained on another generator, which has {sizes}")
        parts = list(zip(levels, self.mean.split(channels), self.scale.split(channels), strict=True))
        votes = torch.zeros(size * size, self.classes, device=self.mean.device)
        for member in range(len(self.weights[0])):
            first = self.weights[0][member].split(channels)  # [C, H] each
            hidden = self.biases[0][member].view(1, -1, 1, 1)
            for (level, mean, scale), weight in zip(parts, first, strict=True):
                x = (level.to(self.mean) - mean.view(1, -1, 1, 1)) / scale.view(1, -1, 1, 1)
                small = torch.einsum("bchw,cd->bdhw", x, weight)  # [1, H, r, r]
                hidden = hidden + F.interpolate(small, (size, size), mode="bilinear", align_corners=False)
            y = hidden.flatten(2)[0].t()  # [1, H, R, R] -> [R R, H]
            for weight, bias in list(zip(self.weights, self.biases, strict=True))[1:]:
                y = F.relu(y) @ weight[member] + bias[member]
            votes += y.softmax(dim=1)
        return votes.argmax(dim=1).byte().view(size, size)


@torch.no_grad()
def pixel_features(generator: Generator, codes: Tensor, pixels: Tensor | None = None) -> Tensor:
    """Features of all convolutions at pixels of the pictures of codes, interpolated bilinearly.

    Args:
        generator: of R pixels.
        codes: W+ [B, L, 512].
        pixels: indices of pixels in a row by row picture, [B, P]; None for all R R.

    Returns:
        [B, P, D], float32; D is the number of channels of all convolutions.
    """
    size = generator.resolution
    if pixels is None:
        pixels = torch.arange(size**2, device=codes.device).expand(len(codes), -1)
    places = torch.stack([pixels % size, pixels // size], dim=2)  # x and y, [B, P, 2]
    grid = ((places + 0.5) * 2 / size - 1).unsqueeze(2)  # pixel centres in [-1, 1], [B, P, 1, 2]
    found = []
    for code, place in zip(codes.split(1), grid.split(1), strict=True):  # one by one, to spare memory
        columns = [
            F.grid_sample(level.float(), place.to(level.device), padding_mode="border", align_corners=False)
            for level in generator.features(code)
        ]  # [1, C, P, 1] each
        found.append(torch.cat(columns, dim=1).squeeze(3).transpose(1, 2))  # [1, D, P] -> [1, P, D]
    return torch.cat(found)


def train_head(
    generator: Generator,
    codes: Tensor,
    labels: Tensor,
    classes: int,
    *,
    members: int = 10,
    hidden: tuple[int, int] = (128, 32),
    steps: int = STEPS,
    seed: int = 0,
) -> LabelHead:
    """Train a head on labelled pictures of a generator.

    Args:
        generator: any StyleGAN2.
        codes: W+ [N, L, 512] of the labelled pictures.
        labels: their label maps, whole numbers below `classes`, [N, R, R].
        classes: K.
        members, hidden: of the ensemble.
        steps: of training.
        seed: of everything.

    Raises:
        KinlibError: if there are no pictures, or the label maps do not fit them.
    """
    size = generator.resolution
    if not len(codes) or labels.shape != (len(codes), size, size):
        wanted = f"[{len(codes)}, {size}, {size}]"
        raise KinlibError(f"the label maps of {len(codes)} pictures must be {wanted}, not {list(labels.shape)}")
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise KinlibError(f"labels must be from 0 to {classes - 1}, not {int(labels.min())} to {int(labels.max())}")
    rng = torch.Generator().manual_seed(seed)
    count = min(PIXELS, size**2)
    pixels = torch.stack([torch.randperm(size**2, generator=rng)[:count] for _ in codes])  # [N, P]
    features = pixel_features(generator, codes, pixels.to(codes.device)).flatten(0, 1)  # [N P, D]
    truth = labels.cpu().flatten(1).gather(1, pixels).flatten().long()  # [N P]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = LabelHead(features.shape[1], classes, members, hidden)
    for _ in fit(head.to(features.device), features, truth.to(features.device), steps, rng):
        pass
    return head


def fit(head: LabelHead, features: Tensor, truth: Tensor, steps: int, rng: torch.Generator) -> Iterator[float]:
    """Train a head by cross-entropy on pixels [P, D] with labels int64 [P]; yields the loss of each step.

    Every member is shown pixels of its own, which is what sets the members apart.
    """
    head.mean.copy_(features.float().mean(dim=0))
    head.scale.copy_(features.float().std(dim=0).clamp_min(1e-3))
    members = len(head.weights[0])
    optimizer = torch.optim.Adam(head.parameters(), LR)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
    for _ in range(steps):
        index = torch.randint(len(features), (members, BATCH), generator=rng).to(features.device)
        logits = head(features[index].float())  # [M, B, D] -> [M, B, K]
        loss = F.cross_entropy(logits.flatten(0, 1), truth[index].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        yield float(loss.detach())
    head.requires_grad_(False)
