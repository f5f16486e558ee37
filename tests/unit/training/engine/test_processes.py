"""Training through accelerate: gradient scaling, several processes, and their end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from kinlib.runtime.errors import KinlibError
from kinlib.training.engine.loop import Run
from kinlib.training.engine.processes import TERMINATED, accelerator_for, launch, mixed_precision_of, step
from kinlib.training.engine.settings import TrainSettings

ROOT = Path(__file__).resolve().parents[4]


def settings_for(folder: Path, **more) -> TrainSettings:
    return TrainSettings(folder, folder, run=folder / "run", **more)


# ---- mixed precision ------------------------------------------------------------------------------------------------


def test_precision_suits_the_device():
    assert mixed_precision_of(torch.device("cpu")) == ("bf16" if torch.backends.mkldnn.is_available() else "no")
    accelerator = accelerator_for("cpu", "bf16")
    with accelerator.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    with accelerator_for("cpu", "no").autocast():  # another precision in the same process
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def scaled(accelerator, scaler):
    """A weight of 0 with its optimizer, whose gradients the scaler scales."""
    accelerator.scaler = scaler
    weight = torch.nn.Parameter(torch.zeros((), device=accelerator.device))
    return weight, accelerator.prepare(torch.optim.SGD([weight], lr=1.0))


def check_scaling(accelerator, weight, optimizer) -> None:
    """Gradients that float16 cannot hold arrive; a step that overflows is left out, and the next one is taken."""
    # On its way to the weight a gradient of 2^-30 passes through float16, whose smallest positive number is 2^-24.
    accelerator.backward((weight.half() * 2.0**-20).float() * 2.0**-10)
    step(accelerator, optimizer)
    assert weight.item() == -(2.0**-30)
    optimizer.zero_grad()
    scale = accelerator.scaler.get_scale()
    accelerator.backward(weight * 3e38)  # times the scale: infinite
    before = weight.item()
    step(accelerator, optimizer)
    assert weight.item() == before and optimizer.step_was_skipped
    assert accelerator.scaler.get_scale() == scale / 2
    optimizer.zero_grad()
    accelerator.backward(weight * 0.5)
    step(accelerator, optimizer)
    assert weight.item() == pytest.approx(before - 0.5) and not optimizer.step_was_skipped


def test_gradients_are_scaled_and_overflow_is_survived():
    """On a CPU, with PyTorch's scaler for it; accelerate makes one for cards only."""
    accelerator = accelerator_for("cpu", "no")
    check_scaling(accelerator, *scaled(accelerator, torch.amp.GradScaler("cpu", init_scale=2.0**16)))


@pytest.mark.parametrize("scale", [None, 2.0**16])
def test_gradients_are_clipped_as_they_are_without_the_scale(scale):
    accelerator = accelerator_for("cpu", "no")
    scaler = None if scale is None else torch.amp.GradScaler("cpu", init_scale=scale)
    weight, optimizer = scaled(accelerator, scaler)
    for slope, moved in ((0.5, 0.5), (8.0, 1.0)):  # below and above the largest norm
        before = weight.item()
        optimizer.zero_grad()
        accelerator.backward(weight * slope)
        step(accelerator, optimizer, max_norm=1.0)
        assert before - weight.item() == pytest.approx(moved, rel=1e-5)
    if scaler is not None:
        before = weight.item()
        optimizer.zero_grad()
        accelerator.backward(weight * 3e38)  # times the scale: infinite
        step(accelerator, optimizer, max_norm=1.0)
        assert weight.item() == before and optimizer.step_was_skipped


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_float16_on_a_card_comes_with_a_scaler():
    accelerator = accelerator_for("cuda", "fp16")
    assert accelerator.scaler is not None
    with accelerator.autocast():
        assert (torch.ones(2, 2, device="cuda") @ torch.ones(2, 2, device="cuda")).dtype == torch.float16
    check_scaling(accelerator, *scaled(accelerator, accelerator.scaler))


def test_the_scale_is_part_of_a_checkpoint(tmp_path):
    accelerator = accelerator_for("cpu", "no")
    _, optimizer = scaled(accelerator, torch.amp.GradScaler("cpu", init_scale=8.0))
    run = Run(tmp_path, accelerator, minutes=1.0, total_steps=0)
    run.restore(optimizer=optimizer)
    assert not run.going()
    accelerator = accelerator_for("cpu", "no")
    _, optimizer = scaled(accelerator, torch.amp.GradScaler("cpu", init_scale=2.0))
    Run(tmp_path, accelerator, minutes=1.0).restore(optimizer=optimizer)
    assert accelerator.scaler.state_dict()["scale"] == 8.0


# ---- several processes ----------------------------------------------------------------------------------------------


def fit_plane(settings: TrainSettings, accelerator) -> None:
    """Ten steps of AdamW on eight samples, which the processes share; the main one writes the losses."""
    torch.manual_seed(0)
    x, net = torch.randn(8, 3), torch.nn.Linear(3, 1)
    y = x.sum(dim=1, keepdim=True)
    optimizer = accelerator.prepare(torch.optim.AdamW(net.parameters(), 0.1))
    rank, count = accelerator.process_index, accelerator.num_processes
    losses = []
    for _ in range(10):
        loss = (net(x[rank::count]) - y[rank::count]).square().mean()
        optimizer.zero_grad()
        accelerator.backward(loss)
        step(accelerator, optimizer)
        losses.append(accelerator.reduce(loss.detach(), "mean").item())
    (settings.out / f"losses-{rank}-of-{count}.json").write_text(json.dumps(losses))


@pytest.mark.slow
def test_two_processes_give_the_losses_of_one(tmp_path):
    for workers in (1, 2):
        launch(fit_plane, settings_for(tmp_path, workers=workers))
    names = ("losses-0-of-1", "losses-0-of-2", "losses-1-of-2")
    alone, first, second = (json.loads((tmp_path / f"{name}.json").read_text()) for name in names)
    assert first == second and alone[-1] < 0.5 * alone[0]
    assert first == pytest.approx(alone, rel=1e-4)
    assert "LOCAL_RANK" not in os.environ and "WORLD_SIZE" not in os.environ


@pytest.mark.slow
def test_processes_of_accelerate_launch_are_used(tmp_path):
    """It starts processes on cards by `torch.distributed.run`, as is done here on a CPU; `workers` is ignored then."""
    code = f"""
from pathlib import Path
from kinlib.training.engine.processes import launch
from {__name__} import fit_plane, settings_for
launch(fit_plane, settings_for(Path({str(tmp_path)!r}), workers=3))
"""
    (tmp_path / "plane.py").write_text(code)
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(tmp_path / "plane.py")]
    subprocess.run([sys.executable, *command], env=environment(), check=True, timeout=300)
    assert sorted(path.name for path in tmp_path.glob("losses*")) == ["losses-0-of-2.json", "losses-1-of-2.json"]


def refuse(settings: TrainSettings, accelerator) -> None:
    raise KinlibError(f"'{settings.data}' holds nothing to train on")


@pytest.mark.slow
def test_an_error_in_a_process_arrives_as_one_sentence(tmp_path):
    with pytest.raises(KinlibError, match="holds nothing to train on"):
        launch(refuse, settings_for(tmp_path, workers=2))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there are cards")
def test_more_workers_than_cards_are_refused(tmp_path):
    with pytest.raises(KinlibError, match="there are 0 cards for 2 workers"):
        launch(refuse, settings_for(tmp_path, workers=2, device="cuda"))


# ---- how they end ---------------------------------------------------------------------------------------------------


def train_for_ever(settings: TrainSettings, accelerator) -> None:
    run = Run(settings.run, accelerator, minutes=5.0)
    run.restore(net=torch.nn.Linear(2, 2))
    begun = settings.out / f"process-{accelerator.process_index}.part"
    begun.write_text(str(os.getpid()))
    begun.rename(begun.with_suffix(""))
    while run.going():
        time.sleep(0.05)
        run.advance()


def environment() -> dict[str, str]:
    """So that another process imports this module."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent), *sys.path])}


def started(folder: Path, workers: int, background: bool) -> tuple[subprocess.Popen, list[int]]:
    """A process that trains for ever with two workers, and their process ids."""
    code = f"""
import signal, sys
from pathlib import Path
from kinlib.training.engine.processes import launch
from {__name__} import settings_for, train_for_ever
signal.signal(signal.SIGINT, signal.SIG_IGN if {background} else signal.default_int_handler)
try:
    launch(train_for_ever, settings_for(Path({str(folder)!r}), workers={workers}))
except KeyboardInterrupt:
    sys.exit(130)
"""
    starter = subprocess.Popen([sys.executable, "-c", code], env=environment(), start_new_session=True)
    files = [folder / f"process-{rank}" for rank in range(workers)]
    wait_until(lambda: all(file.exists() for file in files))
    return starter, [int(file.read_text()) for file in files]


def wait_until(holds, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize("background", [False, True])
def test_processes_end_when_their_starter_is_killed(tmp_path, background):
    """Or they would train on unseen, and write over what a second start writes.

    PyTorch interrupts them then; but interrupts are ignored by what a shell has started in the background.
    """
    starter, pids = started(tmp_path, 2, background)
    starter.kill()
    starter.wait()
    wait_until(lambda: not any(map(is_alive, pids)))
    assert torch.load(tmp_path / "run" / "state.pt", weights_only=True)["step"] > 0


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "to_all", "code"),
    [(signal.SIGINT, True, 130), (signal.SIGINT, False, 130), (signal.SIGTERM, False, TERMINATED)],
)
def test_a_signal_ends_all_processes_with_a_checkpoint(tmp_path, number, to_all, code):
    """Ctrl-C in a terminal reaches all of them, `kill` the first one only."""
    starter, pids = started(tmp_path, 2, background=False)
    (os.killpg if to_all else os.kill)(starter.pid, number)
    assert starter.wait(120) == code
    assert not any(map(is_alive, pids))
    assert torch.load(tmp_path / "run" / "state.pt", weights_only=True)["step"] > 0
    assert not (tmp_path / "run" / "state.pt.part").exists()
