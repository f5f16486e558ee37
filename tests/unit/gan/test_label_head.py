"""Label maps from a generator's features: what they are, and that a few labelled pictures teach them."""

import pytest
import torch
import torch.nn.functional as F

from kinlib.gan.generator import Generator
from kinlib.gan.label_head import LabelHead, pixel_features, train_head
from kinlib.runtime.errors import KinlibError

SIZE = 16
CHANNELS = {4: 8, 8: 8, 16: 6}


@pytest.fixture(scope="module")
def generator() -> Generator:
    torch.manual_seed(0)
    return Generator(SIZE, n_mlp=1, channels=CHANNELS).eval().requires_grad_(False)


def codes(count: int, seed: int) -> torch.Tensor:
    """Codes about one mean, as those of faces are."""
    mean = torch.randn(6, 512, generator=torch.Generator().manual_seed(9))
    return mean + 0.3 * torch.randn(count, 6, 512, generator=torch.Generator().manual_seed(seed))


def truth(generator: Generator, some: torch.Tensor) -> torch.Tensor:
    """Two regions: where the first of the last features is positive, and elsewhere."""
    return (generator.features(some)[-1][:, 0] > 0).byte()


def test_features_lead_to_the_picture(generator):
    some = codes(2, 0)
    levels = generator.features(some)
    assert [tuple(level.shape[1:]) for level in levels] == [(8, 4, 4), (8, 8, 8), (8, 8, 8), (6, 16, 16), (6, 16, 16)]
    rgb = generator.to_rgb1(levels[0], some[:, 1])
    for i, to_rgb in enumerate(generator.to_rgbs):
        rgb = to_rgb(levels[2 * i + 2], some[:, 2 * i + 3], rgb)
    torch.testing.assert_close(rgb, generator.synthesis(some))
    with pytest.raises(ValueError, match="w_plus must be"):
        generator.features(torch.zeros(1, 3, 512))


def test_pixels_are_those_that_were_asked_for(generator):
    some = codes(3, 1)
    whole = pixel_features(generator, some)
    assert whole.shape == (3, SIZE**2, 8 * 3 + 6 * 2)
    torch.testing.assert_close(whole[..., -6:], generator.features(some)[-1].flatten(2).transpose(1, 2))
    index = torch.tensor([[5, 200], [0, 255], [17, 17]])
    few = pixel_features(generator, some, index)
    torch.testing.assert_close(few, torch.stack([one[at] for one, at in zip(whole, index, strict=True)]))


def test_pixels_between_features_are_interpolated(generator):
    some = codes(2, 5)
    large = [
        F.interpolate(level, (SIZE, SIZE), mode="bilinear", align_corners=False) for level in generator.features(some)
    ]
    torch.testing.assert_close(pixel_features(generator, some), torch.cat(large, dim=1).flatten(2).transpose(1, 2))


def test_a_whole_picture_is_labelled_as_its_pixels_are(generator):
    torch.manual_seed(0)
    head, some = LabelHead(36, 5, members=3, hidden=(8, 6)), codes(2, 6)
    features = pixel_features(generator, some)
    head.mean.copy_(features.mean(dim=(0, 1)))
    head.scale.copy_(features.std(dim=(0, 1)))
    for bias in head.biases:
        torch.nn.init.normal_(bias)
    found = head.parse(generator, some).flatten(1)
    assert found.unique().numel() > 2
    assert (found == head.label(features.flatten(0, 1)).view(2, -1)).float().mean() > 0.999  # ties in rounding


def test_members_see_the_same_pixels_in_their_own_ways():
    torch.manual_seed(0)
    head = LabelHead(5, 3, members=4, hidden=(7, 6))
    x = torch.randn(9, 5)
    logits = head(x)
    assert logits.shape == (4, 9, 3) and head.classes == 3 and not torch.allclose(logits[0], logits[1])
    one = torch.relu(torch.relu(x @ head.weights[0][2]) @ head.weights[1][2]) @ head.weights[2][2]
    torch.testing.assert_close(logits[2], one)
    assert torch.equal(head.label(x, part=4), logits.softmax(2).mean(0).argmax(1).byte())


def test_a_few_labelled_pictures_teach_the_others(generator):
    shown, others = codes(10, 2), codes(6, 3)
    head = train_head(generator, shown, truth(generator, shown), 2, members=2, hidden=(16, 8), steps=300)
    found, wanted = head.parse(generator, others), truth(generator, others)
    assert found.shape == (6, SIZE, SIZE) and found.dtype == torch.uint8
    assert (found == wanted).float().mean() > 0.8 > 0.2 + max(wanted.float().mean(), 1 - wanted.float().mean())
    again = train_head(generator, shown, truth(generator, shown), 2, members=2, hidden=(16, 8), steps=300)
    assert torch.equal(again.parse(generator, others), found)


def test_bad_input_is_refused(generator):
    some = codes(2, 4)
    labels = truth(generator, some)
    with pytest.raises(KinlibError, match=r"must be \[2, 16, 16\], not \[2, 8, 8\]"):
        train_head(generator, some, labels[:, ::2, ::2], 2)
    with pytest.raises(KinlibError, match="from 0 to 1, not 0 to 7"):
        train_head(generator, some, labels * 7, 2)
    with pytest.raises(KinlibError, match=r"\[0, 16, 16\]"):
        train_head(generator, some[:0], labels, 2)
    with pytest.raises(KinlibError, match="another generator, which has 36 features instead of 5"):
        LabelHead(5, 2).parse(generator, some)
