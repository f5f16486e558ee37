"""Edits: pictures a second in batches against one by one, small and at their own size.

The network is small, so that most of a single picture's time is the overhead of its layers. At its own size a picture
costs what its pixels cost, which a batch does not save. Weights are random, since the arithmetic does not depend on
them.
"""

import torch
from test_bench_gan import seconds

from kinlib.editing.networks import Generator
from kinlib.editing.photographs import NETWORK_SIZE, edit_photo

COUNT = 64
WIDTH = 8  # of the bundled network
LEAST_RATIO = 1.5


def rates(side: int, count: int) -> tuple[float, float]:
    """Pictures of `side` px a second: (in a batch, one by one)."""
    torch.manual_seed(0)
    net = Generator(width=WIDTH).eval().requires_grad_(False)
    images, changes = torch.rand(count, 3, side, side) * 2 - 1, torch.randn(count, 13).sign()
    pairs = list(zip(images.split(1), changes.split(1), strict=True))
    batched = count / seconds(lambda: edit_photo(net, images, changes), repeats=2)
    return batched, count / seconds(lambda: [edit_photo(net, *pair) for pair in pairs], repeats=1)


def test_small_pictures_a_second(capsys):
    batched, single = rates(NETWORK_SIZE, COUNT)
    with capsys.disabled():
        print(f"\nedits of {NETWORK_SIZE} px: {batched:.0f} pictures a second in batches, {single:.0f} one by one")
    assert batched >= LEAST_RATIO * single


def test_pictures_a_second_at_their_own_size(capsys):
    for side, count in ((256, 16), (1024, 4)):
        batched, single = rates(side, count)
        with capsys.disabled():
            print(f"\nedits of {side} px: {batched:.1f} pictures a second in batches, {single:.1f} one by one")
        assert single > 0.5  # a slider's move has to be seen at once
