"""The simulated witness: what it remembers, picks and forgets."""

import pytest
import torch
import torch.nn.functional as F

from kinlib.runtime.errors import KinlibError
from kinlib.search.witness import Witness, WitnessFaults


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


PERFECT = WitnessFaults(clarity=1, forgetting=0, error=0)


def test_a_perfect_witness_picks_the_nearest_in_order():
    seen, screen = unit(32), unit(16, 32, seed=1)
    expected = (screen @ seen).argsort(descending=True)[:4].tolist()
    assert list(Witness(seen, unit(32, seed=2), PERFECT).pick(screen, 4)) == expected


@pytest.mark.parametrize("clarity", [0.0, 0.6, 1.0])
def test_clarity_is_the_cosine_to_the_face_seen(clarity):
    seen = unit(32)
    witness = Witness(seen, unit(32, seed=2), WitnessFaults(clarity=clarity))
    assert float(witness.memory @ seen) == pytest.approx(clarity, abs=1e-5)
    assert float(witness.memory.norm()) == pytest.approx(1, abs=1e-5)


def test_faces_viewed_overwrite_the_memory():
    seen, screen = unit(32), unit(1, 32, seed=1).expand(16, 32)
    faded = Witness(seen, unit(32, seed=2), WitnessFaults(1, 0.05, 0))
    kept = Witness(seen, unit(32, seed=2), PERFECT)
    for witness in (faded, kept):
        witness.pick(screen, 1)
    assert float(kept.memory @ seen) == pytest.approx(1, abs=1e-5)
    assert float(faded.memory @ seen) < 0.9 and float(faded.memory @ screen[0]) > float(seen @ screen[0])


def test_errors_come_at_their_rate_and_never_pick_twice():
    seen, screen = unit(32), unit(16, 32, seed=1)
    best = int((screen @ seen).argmax())
    witness = Witness(seen, unit(32, seed=2), WitnessFaults(1, 0, 0.3), seed=0)
    picks = [witness.pick(screen, 4) for _ in range(600)]
    assert all(len(set(some)) == 4 for some in picks)
    wrong = sum(some[0] != best for some in picks) / 600
    assert wrong == pytest.approx(0.3, abs=0.06)


def test_what_cannot_be_is_refused():
    with pytest.raises(KinlibError, match="cannot pick 5 of 4"):
        Witness(unit(8), unit(8, seed=1)).pick(unit(4, 8), 5)
    with pytest.raises(KinlibError, match="error of a witness"):
        WitnessFaults(error=1.5)
