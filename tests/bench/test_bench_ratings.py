"""Predicted ratings: pictures a second in batches against one by one.

The bundled network is small, so that most of a single picture's time is the overhead of its layers. Files add decoding,
which a batch does not save.
"""

import torch
from test_bench_gan import seconds

from kinlib.attractiveness.network import ComboNet, load_combonet
from kinlib.attractiveness.prediction import predict, rate_files
from kinlib.checkpoints import weights
from kinlib.studio.datasets.originals import load_originals

COUNT = 128
LEAST_RATIO = 1.5


def test_pictures_a_second(capsys):
    net = load_combonet(weights.path("studio_attractiveness"))
    images = torch.rand(COUNT, 3, 128, 128) * 2 - 1
    batched = COUNT / seconds(lambda: predict(net, images))
    single = COUNT / seconds(lambda: predict(net, images, batch=1), repeats=1)
    with capsys.disabled():
        print(f"\nratings, bundled network: {batched:.0f} pictures a second in batches, {single:.0f} one by one")
    assert batched >= LEAST_RATIO * single


def test_pictures_a_second_of_the_large_network(capsys):
    torch.manual_seed(0)
    net = ComboNet("seresnext50").eval()
    images = torch.rand(4, 3, 224, 224) * 2 - 1
    batched = 4 / seconds(lambda: predict(net, images), repeats=1)
    single = 4 / seconds(lambda: predict(net, images, batch=1), repeats=1)
    with capsys.disabled():
        print(f"\nratings, SE-ResNeXt50: {batched:.1f} pictures a second in batches of four, {single:.1f} one by one")
    assert batched > 0.7 * single  # arithmetic, which a batch does not save


def test_files_a_second(tmp_path, capsys):
    net = load_combonet(weights.path("studio_attractiveness"))
    paths = []
    for number, original in enumerate(load_originals()):
        paths.append(tmp_path / f"{number}.jpg")
        original.image.save(paths[-1])
    needed = seconds(lambda: list(rate_files(net, paths)), repeats=2)
    with capsys.disabled():
        print(f"\nratings of files of 480 x 600 px: {len(paths) / needed:.0f} a second")
    assert len(next(rate_files(net, paths))) == len(paths)
