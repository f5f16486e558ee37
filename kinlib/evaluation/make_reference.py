"""Making the reference set: couples of founders, their true children by meiosis, portraits of all, measured and let go.

Every child is portrayed at the same age, in the same light and pose, so that siblings differ by what they inherited, by
their sex and by chance at birth, and by nothing else. The parents' pictures are kept, for methods to start from. Work
that was stopped goes on with the next couple.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kinlib import weights
from kinlib.errors import KinlibError
from kinlib.evaluation.embedding import embed_pictures
from kinlib.evaluation.measures import measure_all
from kinlib.evaluation.reference import NUM_SIBLINGS, write_reference
from kinlib.evaluation.truth import Provenance, Reference
from kinlib.files import make_folder, write_bytes, write_whole
from kinlib.studio.batch import as_jpeg
from kinlib.studio.genetics import POPULATIONS, Genomes, children, concatenate, founders, phenotypes
from kinlib.studio.person import NUM_SHAPE, SEXES, Person
from kinlib.studio.portraits import portrait
from kinlib.studio.render import VERSION, warm_up
from kinlib.studio.workers import spread

__all__ = ["NUM_COUPLES", "ReferencePlan", "plan", "siblings", "write"]

NUM_COUPLES = 32
MIXED = 0.25  # share of couples from two populations
CHILD_AGE = 21.0  # years
PARENT_AGES = (27.0, 40.0)
SIZE, PARENT_SIZE = 128, 192  # pixels; parents are kept as photographs, with room around the face
WORK = ".work"


@dataclass(frozen=True)
class ReferencePlan:
    """Which couples, and how many of their children."""

    seed: int
    num_couples: int = NUM_COUPLES
    num_siblings: int = NUM_SIBLINGS

    @property
    def num_pictures(self) -> int:
        """Pictures to render in all."""
        return self.num_couples * (self.num_siblings + 2)


@dataclass(frozen=True)
class _Sitting:
    """One portrait to make; `keep` names the file of a parent's picture."""

    person: Person
    seed: int
    age: float
    keep: Path | None


def plan(seed: int = 0) -> ReferencePlan:
    """The bundled set's plan."""
    return ReferencePlan(seed)


def siblings(plan: ReferencePlan, couple: int) -> tuple[Genomes, Genomes, Genomes]:
    """Father, mother, and the true children of one couple."""
    rng = np.random.default_rng([plan.seed, 12, couple])
    home = POPULATIONS[couple % len(POPULATIONS)]
    other = str(rng.choice(POPULATIONS)) if rng.random() < MIXED else home
    father = founders(home, 1, rng).with_sex([SEXES.index("male")])
    mother = founders(other, 1, rng).with_sex([SEXES.index("female")])
    return father, mother, children(father, mother, plan.num_siblings, rng)


def write(plan: ReferencePlan, out: Path, workers: int | None = None) -> Iterator[int]:
    """Make the set in the folder `out`; yields the number of pictures done so far.

    Raises:
        KinlibError: if the folder cannot be written to or holds work on another set.
    """
    work = _work_folder(plan, make_folder(Path(out)))
    missing = [couple for couple in range(plan.num_couples) if not _part(work, couple).exists()]
    done = plan.num_pictures - len(missing) * (plan.num_siblings + 2)
    yield done
    sittings = (sitting for couple in missing for sitting in _sittings(plan, couple, Path(out)))
    pictures = spread(_portray, sittings, workers, warm_up)
    for couple in missing:
        found = []
        for _ in range(plan.num_siblings + 2):
            found.append(next(pictures))
            done += 1
            yield done
        _keep(_part(work, couple), found)
    write_reference(out, _collect(plan, work))
    shutil.rmtree(work)


def _work_folder(plan: ReferencePlan, out: Path) -> Path:
    work = out / WORK
    note = work / f"seed-{plan.seed}-{plan.num_couples}x{plan.num_siblings}-renderer-{VERSION}"
    if work.exists() and not note.exists():
        raise KinlibError(f"'{work}' holds work on another reference: delete it first")
    write_bytes(make_folder(work) / note.name, b"")
    return work


def _part(work: Path, couple: int) -> Path:
    return work / f"{couple:03d}.npz"


def _name(couple: int) -> str:
    return f"couple_{couple + 1:02d}"


def _sittings(plan: ReferencePlan, couple: int, out: Path) -> Iterator[_Sitting]:
    """Father, mother, children."""
    father, mother, young = siblings(plan, couple)
    ages = np.random.default_rng([plan.seed, 13, couple]).uniform(*PARENT_AGES, 2)
    for role, parent, age in zip(("father", "mother"), (father, mother), ages, strict=True):
        keep = make_folder(out / "parents") / f"{_name(couple)}_{role}.jpg"
        yield _Sitting(phenotypes(parent).person(0), plan.seed, float(age), keep)
    looks = phenotypes(young)
    for i in range(len(young)):
        yield _Sitting(looks.person(i), plan.seed, CHILD_AGE, None)


def _portray(sitting: _Sitting) -> np.ndarray:
    """The aligned portrait uint8 [S, S, 3]; a parent's photograph is written on the way."""
    if sitting.keep:
        photo = portrait(sitting.person, sitting.seed, PARENT_SIZE, sitting.age)
        write_bytes(sitting.keep, as_jpeg(photo.image, 88))
    return portrait(sitting.person, sitting.seed, SIZE, sitting.age, crop="ffhq").image


def _keep(path: Path, pictures: list[np.ndarray]) -> None:
    """Store what was measured from the pictures of a couple and its children."""
    measured = measure_all(pictures)
    arrays = {"embeddings": embed_pictures(pictures), "measured": measured.to_numpy(), "names": list(measured.columns)}
    write_whole(path, lambda file: np.savez(file, **arrays))


def _collect(plan: ReferencePlan, work: Path) -> Reference:
    embeddings, measured, true = [], [], []
    for couple in range(plan.num_couples):
        with np.load(_part(work, couple)) as part:
            embeddings.append(part["embeddings"])
            numbers = pd.DataFrame(part["measured"], columns=[str(name) for name in part["names"]])
        keys = _keys(plan, couple)
        measured.append(pd.concat([keys, numbers.astype(np.float32)], axis=1))
        true.append(pd.concat([keys, _true_traits(plan, couple)], axis=1))
    stacked = np.stack(embeddings)
    names = [_name(couple) for couple in range(plan.num_couples)]
    network = weights.path("studio_identity")
    return Reference(
        couples=tuple(names),
        children=stacked[:, 2:],
        fathers=stacked[:, 0],
        mothers=stacked[:, 1],
        true=pd.concat(true, ignore_index=True),
        measured=pd.concat(measured, ignore_index=True),
        father_pictures=tuple(f"parents/{name}_father.jpg" for name in names),
        mother_pictures=tuple(f"parents/{name}_mother.jpg" for name in names),
        provenance=Provenance(plan.seed, weights.sha256(network), str(VERSION), {"child_age": CHILD_AGE}),
    )


def _keys(plan: ReferencePlan, couple: int) -> pd.DataFrame:
    roles = ["father", "mother"] + ["child"] * plan.num_siblings
    return pd.DataFrame({"couple": _name(couple), "role": roles, "number": [0, 0, *range(plan.num_siblings)]})


def _true_traits(plan: ReferencePlan, couple: int) -> pd.DataFrame:
    """All traits but the head model's coefficients, which have no names and follow from the seed."""
    table = phenotypes(concatenate(siblings(plan, couple))).to_frame()
    table = table.drop(columns=[f"shape_{i:02d}" for i in range(NUM_SHAPE)])
    numbers = table.select_dtypes("floating").columns
    return table.astype(dict.fromkeys(numbers, np.float32))
