"""What each loss of the gene networks is for: an ablation (StyleGene's Table 5, and what the paper lacks).

    python -m kinlib.training.experiments.gene_study --data FACES --run DIR --steps 600 [--record]

trains every line of `LINES` for the same number of steps from the same start, and measures

- on held-out people of the set: how much of the codes survives, and control (`kinlib.evaluation.control`);
- on the reference couples: the distance from their true children, kinship verification, and diversity among siblings,
  without and with the gene pool.

Each training is kept in DIR, so that a study that was stopped is resumed. `--record` keeps the results beside the
bundled data, where the notebook reads them (`recorded`).
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kinlib import Kinship, families
from kinlib.checkpoints import weights
from kinlib.evaluation import heredity
from kinlib.evaluation.control import gene_command, measure_control, summarise_control
from kinlib.evaluation.cross_dataset import pairs_of
from kinlib.evaluation.diversity import diversity
from kinlib.evaluation.family_embeddings import embed_families
from kinlib.evaluation.heredity import Children, Reference
from kinlib.evaluation.heredity.board import summarise
from kinlib.evaluation.kinship import Verifier, sample_pairs, verify
from kinlib.inheritance.genes import load_genes
from kinlib.inheritance.genes.methods import GeneMethod
from kinlib.inheritance.genes.pool import load_pool
from kinlib.inheritance.method_options import GENE_OPTIONS, POOL_OPTIONS
from kinlib.io.files import write_json
from kinlib.io.resume import read_record
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.renders import HELD_OUT_EVERY
from kinlib.training.data.kin_codes import load_codes
from kinlib.training.experiments.arguments import study_parser
from kinlib.training.recipes.genes import GeneSettings, train

__all__ = ["LINES", "Protocol", "held_out_couples", "record_path", "recorded", "study"]

LINES: dict[str, dict[str, Any]] = {
    "codes only": {"image_encoder": False, "direct": 1.0},
    "paper": {},
    "paper, joint": {"joint": True},
    "direct": {"direct": 1.0},
    "direct, cycle": {"direct": 1.0, "cycle": 0.1},
    "direct, regional": {"direct": 1.0, "regional": 30.0},
}
"""By name: what differs from the defaults of `kinlib train genes`."""

Described = dict[str, Children]  # of each couple
Measures = dict[str, list[float]]  # value, lower and upper end of its interval

CHILDREN, SEED = 8, 0  # of each reference couple
PAIRS = 48  # of held-out people whose regions are swapped


@dataclass(frozen=True)
class Protocol:
    """What methods are measured by, made once.

    Attributes:
        kin: the preset's networks.
        reference: couples with true children.
        couples: those of them that are looked at.
        fathers, mothers: their codes, [C, L, 512].
        verifier: of kinship, trained on other families.
    """

    kin: Kinship
    reference: Reference
    couples: list[str]
    fathers: Tensor
    mothers: Tensor
    verifier: Verifier

    @classmethod
    def prepare(
        cls, preset: str = "studio", couples: int | None = None, family_photos: int = 2, seed: int = SEED
    ) -> "Protocol":
        """Encode the reference couples, and train the verifier on the studio's family albums.

        Args:
            preset: of the networks.
            couples: how many, the first ones; None takes all.
            family_photos: of each person, that the verifier is trained on.
            seed: of their choice.
        """
        kin, reference = Kinship.load(preset), heredity.load_reference()
        names = list(reference.couples[:couples])
        codes = [
            torch.cat([kin.encode(reference.picture(couple, role)).latent for couple in names])
            for role in ("father", "mother")
        ]
        albums = embed_families(families.read(config.families_dir()), family_photos, seed=seed)
        return cls(kin, reference, names, *codes, Verifier.fit(pairs_of(albums, seed=seed)))

    def describe(self, inherit: Callable[..., Tensor], children: int = CHILDREN, seed: int = SEED) -> Described:
        """Children of every couple, as the identity network and the measures of traits see them.

        Args:
            inherit: `(father, mother, generator) -> child`, codes [B, L, 512] of the children of a couple at once.
            children: of each couple.
            seed: couple k has the seed `seed + k`.
        """
        described = {}
        for number, couple in enumerate(self.couples):
            parents = [codes[number].expand(children, -1, -1) for codes in (self.fathers, self.mothers)]
            codes = inherit(*parents, torch.Generator().manual_seed(seed + number))
            described[couple] = heredity.describe(self.kin.synthesise(codes))
        return described

    def measure(self, described: Described, seed: int = SEED) -> Measures:
        """Distance from the true children (`board.HEADS`), verification and diversity of described children."""
        embeddings = {couple: one.embeddings for couple, one in described.items()}
        return summarise(heredity.score(described, self.reference)) | self.verify(embeddings, seed)

    def verify(self, embeddings: dict[str, np.ndarray], seed: int = SEED) -> Measures:
        """Accuracy and AUC of kinship verification, and diversity among siblings.

        Args:
            embeddings: [n, 512] of the children of each couple.
            seed: of the pairs.
        """
        rows = [self.reference.row(couple) for couple in self.couples]
        parents = np.stack([self.reference.fathers[rows], self.reference.mothers[rows]], axis=1)
        pairs = sample_pairs(parents, [embeddings[couple] for couple in self.couples], seed=seed)
        verified = verify(self.verifier, pairs, seed)
        found = {"accuracy": verified.loc["accuracy"], "auc": verified.loc["auc"], "diversity": diversity(embeddings)}
        return {name: [float(row[part]) for part in ("value", "low", "high")] for name, row in found.items()}


def held_out_couples(folder: Path, count: int = PAIRS) -> tuple[Tensor, Tensor]:
    """Codes of held-out people of a set of renders, one picture each, two by two: [C, L, 512] each.

    Raises:
        KinlibError: if there are fewer than two people.
    """
    found = load_codes(folder)
    first = found.table[found.table.person % HELD_OUT_EVERY == 0].drop_duplicates("person").index[: 2 * count]
    codes = found.codes[torch.tensor(first.to_numpy())].float()
    if len(codes) < 2:
        raise KinlibError(f"'{folder}' shows no two held-out people: render {2 * HELD_OUT_EVERY} people or more")
    return codes[: len(codes) // 2 * 2 : 2], codes[1::2]


def study(data: Path, run: Path, steps: int, lines: Sequence[str] = tuple(LINES), seed: int = SEED) -> Iterator[tuple]:
    """(name, measures) of each line, trained in a folder of its own.

    Args:
        data: what `kinlib render` wrote, as `kinlib train genes` takes it.
        run: folder of the trainings.
        steps: of each.
        lines: of `LINES`.
        seed: of everything.
    """
    protocol, couples = Protocol.prepare(seed=seed), held_out_couples(data)
    synthesis, parser = protocol.kin.generator, protocol.kin.network("parsing")
    pictures = tuple(synthesis.synthesis(codes, batch_size=16).clamp(-1, 1) for codes in couples)
    pool = load_pool(weights.path(weights.for_role("studio", "gene_pool").name))
    options = {option.name: option.check(option.default) for option in GENE_OPTIONS}
    mutation = {option.name: option.check(option.default) for option in POOL_OPTIONS if option.name != "pool"}

    def measure(method: GeneMethod, chosen: dict[str, Any]) -> Measures:
        return protocol.measure(protocol.describe(partial(method.cross, **chosen), seed=seed), seed)

    for name in lines:
        folder = run / name.replace(", ", "-").replace(" ", "-")
        settings = GeneSettings(data=data, out=folder, run=folder / "run", steps=steps, seed=seed, **LINES[name])
        if not (folder / "genes.safetensors").exists():
            train(settings)
        networks = load_genes(folder / "genes.safetensors")
        command = gene_command(GeneMethod(*networks), synthesis, options["kept_layers"])
        control = summarise_control(measure_control(command, couples, pictures, parser, (seed,)), seed)
        trained = json.loads((folder / "genes.json").read_text())
        yield (
            name,
            {
                "options": LINES[name],
                "metrics": trained["metrics"],
                "control": control.to_dict("records"),
                "crossover": measure(GeneMethod(*networks), options),
                "with the pool": measure(GeneMethod(*networks, pool), options | mutation),
            },
        )


def record_path() -> Path:
    """Where the results lie that the notebook shows."""
    return config.data_dir() / "studio" / "gene_study.json"


def recorded() -> dict:
    """The results of the last recorded study.

    Raises:
        KinlibError: if the file is missing or damaged.
    """
    return read_record(record_path(), "lines")


def main(arguments: list[str] | None = None) -> None:
    """Train and measure every line, print it, and keep the numbers if asked."""
    parser = study_parser(main.__doc__)
    parser.add_argument("--steps", type=int, default=600, help="of each line")
    given = parser.parse_args(arguments)
    lines = {}
    for name, found in study(given.data, given.run, given.steps):
        lines[name] = found
        every = found["control"][-1]
        print(
            f"{name}: right {every['right']:.2f}, elsewhere {every['elsewhere']:.2f}, "
            f"energy {found['crossover']['energy_distance'][0]:.3f}",
            flush=True,
        )
    if given.record:
        write_json(record_path(), {"preset": "studio", "steps": given.steps, "children": CHILDREN, "lines": lines})


if __name__ == "__main__":
    main()
