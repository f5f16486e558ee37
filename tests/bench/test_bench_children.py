"""Eight children in one call against eight calls with one child each: `make bench`.

On a CPU pictures are generated one by one in either case, so that rounding does not depend on how many are wanted: for
encoded parents one call saves next to nothing, and must not cost anything. What it saves is encoding photographs, which
sessions that remember nothing do again for each child. The ratios are of one run; the seconds are printed.
"""

import time
from collections.abc import Callable

import pytest

from kinlib.kinship.kinship import Kinship
from kinlib.studio.datasets.sample_parents import couple

NUM = 8
MOST_FOR_ENCODED = 1.15  # one call over eight calls, for encoded parents: the same work, and noise
LEAST_RATIO = 3.0  # eight calls over one call, from photographs


@pytest.fixture(scope="module")
def kin() -> Kinship:
    return Kinship.load("studio", "cpu")


def in_turn(first: Callable, second: Callable, repeats: int = 3) -> tuple[float, float]:
    """The best seconds of two functions that take turns, so that other work on the machine disturbs both alike."""
    times: tuple[list[float], list[float]] = [], []
    for _ in range(repeats + 1):
        for function, kept in zip((first, second), times, strict=True):
            begun = time.perf_counter()
            function()
            kept.append(time.perf_counter() - begun)
    return min(times[0][1:]), min(times[1][1:])  # without the first round, which warms up


@pytest.mark.parametrize("method", ["average", "mask"])
def test_encoded_parents(kin: Kinship, method: str):
    faces = [kin.encode(photo) for photo in couple(1)]
    together, apart = in_turn(
        lambda: kin.children(*faces, n=NUM, method=method),
        lambda: [kin.child(*faces, method=method, seed=seed) for seed in range(NUM)],
    )
    words = f"one call {together:.2f} s, {NUM} calls {apart:.2f} s, ratio {apart / together:.2f}"
    print(f"\n{method}, encoded parents: {words}")
    assert together <= MOST_FOR_ENCODED * apart


def test_photographs(kin: Kinship):
    together, apart = in_turn(
        lambda: kin.separate().children(*couple(1), n=NUM, method="mask"),
        lambda: [kin.separate().child(*couple(1), method="mask", seed=seed) for seed in range(NUM)],
        repeats=1,
    )
    print(f"\nphotographs: one call {together:.2f} s, {NUM} calls {apart:.2f} s, ratio {apart / together:.1f}")
    assert apart >= LEAST_RATIO * together
