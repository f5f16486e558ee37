"""Whether heads that read a finer grid make a better encoder, alone and before the passes of correction.

    python -m kinlib.training.experiments.encoder_study --data FACES --run DIR --record

The heads of pSp and e4e read maps of 16, 32 and 64 px; those of the bundled encoder read a grid of 4 x 4 cells. Its
heads of the middle and the fine level are given 8 x 8, with weights that at first compute the same (Net2Net), and both
encoders are trained on for as many steps, with e4e's losses and the generator fixed. Measured on held-out people.
"""

from collections.abc import Iterator
from pathlib import Path

import torch

from kinlib.checkpoints import weights
from kinlib.evaluation.quality import measure_pair
from kinlib.faces.identity import load_identity
from kinlib.faces.parsing import load_parser
from kinlib.gan.encoder import Encoder, RefiningEncoder, load_encoder
from kinlib.io.files import write_json
from kinlib.io.resume import read_record
from kinlib.runtime import config
from kinlib.studio.datasets.renders import FaceSet, load_faces
from kinlib.training.engine import record
from kinlib.training.engine.net2net import refine_heads
from kinlib.training.engine.network_sizes import studio_encoder
from kinlib.training.experiments.arguments import study_parser
from kinlib.training.recipes.encoder import EncoderSettings, encoder_state, train

__all__ = ["GRIDS", "MEASURES", "record_path", "recorded", "study"]

GRIDS = (4, 8)  # cells along a side; with 16 the fine head alone would be larger than the whole encoder
MEASURES = ("psnr_db", "ssim", "identity_cosine", "identification_rate_other_view", "hair_iou", "glasses_contrast")
LR = 3e-4  # a third of the recipe's: the encoder is trained already


def study(data: Path, run: Path, steps: int, batch: int = 8, seed: int = 0) -> Iterator[tuple[str, dict]]:
    """(name, measures) of the bundled encoder and of both that were trained on.

    Args:
        data: what `kinlib render` wrote.
        run: folder of the trainings; those that are finished there are not repeated.
        steps, batch: of each training.
        seed: of everything.

    Yields:
        The name of a line, and {"alone": {measure: value}, "corrected": {...}}: without and with passes.
    """
    bundled = load_encoder(weights.path("studio_encoder"))
    held_out = load_faces(data).split()[1]
    yield "bundled", _measure(bundled, bundled, held_out)
    for grid in GRIDS:
        folder = run / f"grid-{grid}"
        if not (folder / "encoder.safetensors").exists():
            settings = EncoderSettings(
                data=data,
                out=folder,
                generator=weights.path("studio_generator"),
                start=_start(bundled, grid, folder / "start"),
                run=folder / "run",
                steps=steps,
                batch=batch,
                lr=LR,
                minutes=600.0,
                open_every=0.0,  # all offsets from the start: they are trained already
                seed=seed,
            )
            train(settings)
        yield f"grid of {grid}", _measure(load_encoder(folder / "encoder.safetensors"), bundled, held_out)


def _start(bundled: Encoder, grid: int, folder: Path) -> Path:
    """The bundled encoder in one whose heads read that grid, as a file."""
    encoder = studio_encoder(bundled.backbone.input_size, bundled.num_layers, grid)
    refine_heads(encoder, bundled)
    return record.write(encoder_state(encoder), folder, "encoder", {}, {})


@torch.no_grad()
def _measure(first: Encoder, bundled: RefiningEncoder, held_out: FaceSet) -> dict[str, dict[str, float]]:
    """`MEASURES` of an encoder alone, and with the bundled corrections after it."""
    generator, identity, parser = bundled.generator, load_identity(), load_parser()
    alone = Encoder(first.backbone, first.kind, *first.latent_avg.shape)
    alone.latent_avg.copy_(first.latent_avg)
    corrected = RefiningEncoder(first, bundled.residual, generator, bundled.passes)
    found = {}
    for name, encoder in (("alone", alone), ("corrected", corrected)):
        measured = measure_pair(generator, encoder.eval(), identity, parser, held_out)
        found[name] = {measure: round(float(measured[measure]), 4) for measure in MEASURES}
    return found


def record_path() -> Path:
    """Where the results lie that the notebook shows."""
    return config.data_dir() / "studio" / "encoder_study.json"


def recorded() -> dict:
    """The results that were recorded last: `steps`, `batch`, `people` and `lines`.

    Raises:
        KinlibError: if the file is missing or damaged.
    """
    return read_record(record_path(), "lines")


def main(arguments: list[str] | None = None) -> None:
    """Train what is not trained yet, print the measures, and keep them if asked."""
    parser = study_parser(main.__doc__)
    parser.add_argument("--steps", type=int, default=1000, help="of each training")
    parser.add_argument("--batch", type=int, default=8, help="pictures in a step")
    given = parser.parse_args(arguments)
    lines = {}
    for name, measures in study(given.data, given.run, given.steps, given.batch):
        lines[name] = measures
        print(name, measures, flush=True)
    if given.record:
        people = int(load_faces(given.data).split()[1].table.person.nunique())
        write_json(record_path(), {"steps": given.steps, "batch": given.batch, "people": people, "lines": lines})


if __name__ == "__main__":
    main()
