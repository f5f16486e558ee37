"""Synthesis at 1024 px against the plain reference path: `make bench`.

The reference does what the official code does without its compiled extensions. It runs twice: in this process, where it
gains from the huge pages that kinlib asks PyTorch for, and in one without them, as the official code would run. The
ratios are asserted, the seconds are printed: they belong to the machine. Weights are random, since the arithmetic does
not depend on them.

How much is left to gain is told by the share of the machine's arithmetic: floating-point operations of the network
(counted by `torch.utils.flop_counter`: convolutions and matrix products) in a second, over those of a large matrix
product in float32, measured in the same run.
"""

import os
import resource
import subprocess
import sys
import time
from functools import partial

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from kinlib.gan.encoder import IRSE50, Encoder
from kinlib.gan.generator import Generator
from kinlib.kinship.kinship import Kinship
from kinlib.studio.datasets.sample_parents import couple
from tests.reference import plain_stylegan2 as plain

LEAST_RATIO = 1.5  # to the same arithmetic with the same memory settings
MOST_DRAWINGS_A_PASS = 5  # a pass takes the time of about three
LEAST_RATIO_AS_IS = 3.0  # to the reference as the official code would run

AS_IS = """
import time, torch
from kinlib.gan.generator import Generator
from tests.reference import plain_stylegan2 as plain
state, w_plus = Generator(1024).requires_grad_(False).state_dict(), torch.randn(1, 18, 512)
with torch.inference_mode():
    for _ in range(2):
        begun = time.perf_counter()
        plain.synthesis(state, w_plus)
print(time.perf_counter() - begun)
"""


def seconds(function, repeats: int = 3) -> float:
    """The best of a few runs after one to warm up: other work on the machine only ever adds time."""
    function()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        function()
        times.append(time.perf_counter() - begun)
    return min(times)


def matrix_product(size: int = 2048) -> float:
    """Floating-point operations a second of a product of two float32 matrices [size, size]."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    return 2 * size**3 / seconds(lambda: a @ b)


def arithmetic(function, needed: float) -> str:
    """What `function` computes in `needed` seconds, in words, beside a matrix product of the same machine."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():  # within inference_mode nothing would be counted
        function()
    count, most = counter.get_total_flops(), matrix_product()
    rate = count / needed
    assert 0 < rate < 1.5 * most  # else something was counted, or timed, wrongly
    words = f"{count / 1e9:.1f} GFLOP, {rate / 1e9:.0f} GFLOP/s"
    return f"{words}, {rate / most:.0%} of the {most / 1e9:.0f} GFLOP/s of a matrix product"


@pytest.fixture(scope="module")
def large() -> Generator:
    torch.manual_seed(0)
    return Generator(1024).eval().requires_grad_(False)


def test_synthesis_at_1024_px(large):
    w_plus = torch.randn(1, 18, 512)
    state = large.state_dict()
    with torch.inference_mode():
        fast = seconds(lambda: large.synthesis(w_plus))
        slow = seconds(lambda: plain.synthesis(state, w_plus), repeats=1)
    environment = os.environ | {"THP_MEM_ALLOC_ENABLE": "0", "PYTHONPATH": "."}
    command = [sys.executable, "-c", AS_IS]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    as_is = float(run.stdout)
    print(f"\n1024 px, one picture, {torch.get_num_threads()} threads: {fast:.2f} s, plain path {slow:.2f} s, ", end="")
    print(f"ratio {slow / fast:.1f}; without huge pages {as_is:.2f} s, ratio {as_is / fast:.1f}")
    print("ours:", arithmetic(lambda: large.synthesis(w_plus), fast))
    print("plain path without huge pages:", arithmetic(lambda: plain.synthesis(state, w_plus), as_is))
    assert slow / fast >= LEAST_RATIO
    assert as_is / fast >= LEAST_RATIO_AS_IS


def test_encoding_with_corrections_against_the_first_code():
    """A pass draws every picture, and carries its error back: together about three times the drawing."""
    kin = Kinship.load("studio", device="cpu")
    faces = torch.rand(16, 3, 256, 256) * 2 - 1
    with torch.inference_mode():
        drawing = seconds(lambda: kin.generator.synthesis(kin.encoder.latent_avg.expand(len(faces), -1, -1)))
        needed = {n: seconds(partial(kin.encoder, faces, n)) for n in (0, 1, kin.encoder.passes)}
    first, one, refined = needed.values()
    speeds = ", ".join(f"{n}: {len(faces) / time:.1f}" for n, time in needed.items())
    print(f"\nencoding, pictures a second by passes of correction: {speeds}; ", end="")
    print(f"a pass takes {(one - first) / drawing:.1f} drawings")
    assert refined - first <= MOST_DRAWINGS_A_PASS * kin.encoder.passes * drawing
    # Passes cost the same each: five take no more than five times one, and half as much again for noise.
    assert refined - first <= 1.5 * kin.encoder.passes * (one - first)


def test_memory_of_a_batch_is_that_of_one(large):
    """Four pictures at 1024 px, one at a time inside: the peak may grow by what they themselves need, not more."""
    w_plus = torch.randn(4, 18, 512)
    with torch.inference_mode():
        large.synthesis(w_plus[:1])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        pictures = large.synthesis(w_plus, batch_size=1)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    needed = 2 * pictures.numel() * 4 / 2**20  # the pieces and the whole that they are joined into
    print(f"\nfour pictures at 1024 px: the peak grew by {grown:.0f} MB, the pictures are {needed / 2:.0f} MB")
    assert grown < needed + 64


def test_official_encoder_design():
    torch.manual_seed(0)
    encoder = Encoder(IRSE50(18), "e4e", 18).eval()
    images = torch.randn(1, 3, 256, 256)
    with torch.inference_mode():
        needed = seconds(lambda: encoder(images))
    print(f"\ne4e, one face of 256 px: {needed:.2f} s; {arithmetic(lambda: encoder(images), needed)}")


def test_studio_child():
    kin = Kinship.load("studio", "cpu")
    father, mother = (kin.encode(photo) for photo in couple(1))
    drawn = seconds(lambda: kin.child(father, mother, method="mask"))
    begun = time.perf_counter()
    Kinship.load("studio", "cpu").encode(couple(1)[0])
    print(f"\nstudio: a child of two encoded parents {drawn:.3f} s; loading and encoding a photograph ", end="")
    print(f"{time.perf_counter() - begun:.2f} s")
    assert drawn < 1.0
