"""Peak memory of the stages of a child, each in a process of its own.

    python -m kinlib.benchmark.footprint encode --batch 8 --dtype bfloat16

prints one JSON object. On a CPU it is the memory of the process, which is why each stage needs one of its own: memory
that is freed stays with the process. On a graphics card it is the memory of PyTorch's tensors.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from kinlib.runtime.errors import KinlibError

__all__ = ["STAGES", "measure"]

STAGES = ("load", "encode", "refine", "synthesise")
MB = 1e6
KIB = 1024  # the "kB" of /proc
REFINE_STEPS = 2  # the peak is reached in the first; a second makes sure that nothing grows


def measure(
    stage: str,
    batch: int = 1,
    dtype: str = "float32",
    memory_efficient: bool = False,
    preset: str = "studio",
    device: str = "cpu",
) -> dict[str, float]:
    """Peak memory of one stage.

    Args:
        stage: one of `STAGES`: load the networks; encode pictures, all corrections included; refine a code; synthesise.
        batch: pictures at a time, 1 or more; "load" and "refine" take one.
        dtype: what the networks compute in: "float32", "float16" or "bfloat16".
        memory_efficient: move networks to the device only while they compute; matters on graphics cards.
        preset: "studio" or "ffhq".
        device: "cpu" or "cuda".

    Returns:
        `megabytes`, above what the libraries take once they are imported, and `seconds` of the stage.

    Raises:
        KinlibError: if the stage is unknown, the batch is not positive, or the process ends with an error.
    """
    if stage not in STAGES:
        raise KinlibError(f"unknown stage '{stage}': choose one of {', '.join(STAGES)}")
    if batch < 1:
        raise KinlibError(f"the batch must be 1 or more, not {batch}")
    command = [sys.executable, "-m", "kinlib.benchmark.footprint", stage, "--batch", str(batch), "--dtype", dtype]
    command += ["--preset", preset, "--device", device, *(["--memory-efficient"] if memory_efficient else [])]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
        raise KinlibError(f"measuring the memory of '{stage}' failed: {last}")
    return json.loads(ended.stdout.splitlines()[-1])


def _peak(device: str) -> float:
    """Megabytes at most so far, of this process or of PyTorch's tensors on a card."""
    import torch

    if device == "cuda":
        return torch.cuda.max_memory_allocated() / MB
    status = Path("/proc/self/status")
    if status.exists():  # `ru_maxrss` of a new process begins at what its parent used
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * KIB / MB
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB  # macOS counts bytes


def _run(stage: str, batch: int, dtype: str, memory_efficient: bool, preset: str, device: str) -> dict[str, float]:
    import time

    import torch

    from kinlib import Kinship
    from kinlib.io import images
    from kinlib.runtime import memory
    from kinlib.studio.datasets import sample_parents

    father, _ = sample_parents.couple(1)
    base = _peak(device)
    kin = Kinship.load(preset, device, memory_efficient, dtype)
    encoder, generator = kin.encoder, kin.generator
    face = kin.encode(father) if stage == "refine" else None
    picture = images.to_tensor(images.read_photo(father).resize((256, 256)))
    codes = generator.latent_avg[None].repeat(batch, 1, 1)
    begun = time.perf_counter()
    with torch.inference_mode(), memory.autocast(kin.device, kin.dtype):
        if stage == "encode":
            with memory.on_device(encoder, kin.device) as net:
                net(picture.repeat(batch, 1, 1, 1).to(kin.device))
        elif stage == "synthesise":
            with memory.on_device(generator, kin.device) as net:
                net.synthesis(codes.to(kin.device))
    if face is not None:
        kin.encode(face.image, refine_steps=REFINE_STEPS)
    return {"megabytes": round(_peak(device) - base, 1), "seconds": round(time.perf_counter() - begun, 3)}


def main(arguments: list[str] | None = None) -> None:
    """Measure one stage in this process, and print the result as JSON."""
    parser = argparse.ArgumentParser(prog="python -m kinlib.benchmark.footprint", description=main.__doc__)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--memory-efficient", action="store_true")
    parser.add_argument("--preset", default="studio")
    parser.add_argument("--device", default="cpu")
    print(json.dumps(_run(**vars(parser.parse_args(arguments)))))


if __name__ == "__main__":
    main()
