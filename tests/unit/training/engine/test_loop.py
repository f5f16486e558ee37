"""A training run in its folder: batches, averages, checkpoints, and how it is stopped and resumed."""

import json
import signal
from pathlib import Path

import pytest
import torch

from kinlib.runtime.errors import KinlibError
from kinlib.training.engine.ema import EMA
from kinlib.training.engine.loop import Run, batches, one_cycle
from kinlib.training.engine.processes import accelerator_for, restored_signals


@pytest.fixture
def accelerator():
    return accelerator_for("cpu")


@pytest.fixture(autouse=True)
def signals():
    with restored_signals():
        yield


def start(folder: Path, accelerator, minutes: float = 1.0, **more) -> tuple[Run, torch.nn.Linear]:
    run, net = Run(folder, accelerator, minutes, **more), torch.nn.Linear(2, 2)
    run.restore(net=net)
    return run, net


def test_moving_average_follows_its_network():
    net = torch.nn.Linear(2, 2)
    average = EMA(net, half_life=100.0)
    with torch.no_grad():
        net.weight.add_(1.0)
    before = average.net.weight.clone()
    for _ in range(200):
        average.update(net, 32)
    torch.testing.assert_close(average.net.weight, net.weight, atol=1e-3, rtol=0)
    assert not torch.equal(before, average.net.weight)


def test_a_moving_average_is_restored():
    net, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    average, again = EMA(net, half_life=100.0), EMA(other, half_life=100.0)
    average.update(net, 32)
    again.load_state_dict(average.state_dict())
    assert torch.equal(again.net.weight, average.net.weight) and again.seen == 32


def test_batches_show_every_sample_before_any_again():
    order = batches(10, 3, torch.Generator().manual_seed(0))
    seen = torch.cat([next(order) for _ in range(3)])
    assert len(seen.unique()) == 9


@pytest.mark.parametrize("size", [0, 11])
def test_batches_that_cannot_be_filled_are_refused(size):
    with pytest.raises(KinlibError, match="choose another --batch"):
        next(batches(10, size, torch.Generator()))


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path, accelerator):
    run, _ = start(tmp_path, accelerator, total_steps=0)
    assert not run.going()
    larger = Run(tmp_path, accelerator, 1.0)
    with pytest.raises(KinlibError, match="belongs to other networks"):
        larger.restore(net=torch.nn.Linear(3, 3))
    with pytest.raises(KinlibError, match="belongs to other networks"):
        larger.restore(other=torch.nn.Linear(2, 2))
    state = tmp_path / "state.pt"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(KinlibError, match="damaged"):
        larger.restore(net=torch.nn.Linear(2, 2))


def test_a_run_out_of_time_saves_and_stops(tmp_path, accelerator):
    run, net = start(tmp_path, accelerator, minutes=0.0)
    assert not run.going()
    _, other = start(tmp_path, accelerator)
    assert torch.equal(net.weight, other.weight)


@pytest.mark.parametrize(("number", "end"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_ends_a_run_after_its_step_with_a_checkpoint(tmp_path, accelerator, number, end):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where tests are started in the background
    run, net = start(tmp_path, accelerator)
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    assert run.going()
    signal.raise_signal(number)  # does not break the step
    run.advance()
    with pytest.raises(end):
        run.going()
    resumed, other = start(tmp_path, accelerator)
    assert resumed.step == 1 and torch.equal(net.weight, other.weight)
    assert signal.getsignal(number) is not before[0]


def test_a_second_interrupt_does_not_wait(tmp_path, accelerator):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run, _ = start(tmp_path, accelerator)
    assert run.going()
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_signals_are_as_before_when_a_run_is_over(tmp_path, accelerator):
    """Measuring comes next, and takes minutes."""
    seen = []
    signal.signal(signal.SIGTERM, lambda *_: seen.append("ours"))
    run, _ = start(tmp_path, accelerator, total_steps=0)
    assert not run.going()
    signal.raise_signal(signal.SIGTERM)
    assert seen == ["ours"]


def test_ignored_interrupts_stay_ignored(tmp_path, accelerator):
    """As in what a shell has started in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run, _ = start(tmp_path, accelerator)
    signal.raise_signal(signal.SIGINT)
    assert run.going()


def test_losses_are_logged_now_and_then(tmp_path, accelerator):
    run, _ = start(tmp_path, accelerator)
    for _ in range(100):
        run.advance()
        run.log_losses({"loss": torch.tensor(1 / 3, requires_grad=True)})
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines == [{"step": 50, "loss": 0.33333}, {"step": 100, "loss": 0.33333}]


def test_one_cycle_rises_and_falls():
    shares = [one_cycle(step / 100) for step in range(101)]
    assert shares[0] == pytest.approx(0.04) and max(shares) == pytest.approx(shares[10]) == pytest.approx(1, abs=1e-3)
    assert shares[:11] == sorted(shares[:11]) and shares[10:] == sorted(shares[10:], reverse=True)
    assert 0 < shares[100] < 1e-3
