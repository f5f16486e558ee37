"""Rendering of the reference set: couples of founders, their true children by meiosis, and measures of all portraits.

All children are rendered at the same age, in the same light and pose, so that siblings differ only by inheritance, sex
and environment noise. The children's pictures are measured and discarded; the parents' are kept as input for methods of
inheritance. Interrupted work resumes with the next couple.

`write_album` adds freely taken photographs of the same parents: nobody sends a method portraits in one light and pose.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from kinlib.checkpoints import weights
from kinlib.evaluation.embedding import embed_pictures
from kinlib.evaluation.heredity.measures import measure_all
from kinlib.evaluation.heredity.reference import FACTS, NUM_SIBLINGS, album_name, write_reference
from kinlib.evaluation.heredity.reference_set import Provenance, Reference
from kinlib.io.files import make_folder, write_bytes, write_whole
from kinlib.io.resume import is_complete, open_work
from kinlib.runtime.worker_pool import spread
from kinlib.studio.datasets.encoding import array_to_jpeg
from kinlib.studio.datasets.kin_couples import (
    CHILD_AGE,
    PARENT_AGES,
    REFERENCE,
    album_picture,
    family,
    plain_portrait,
)
from kinlib.studio.genetics import Genomes, concatenate, phenotypes
from kinlib.studio.head.model import load_head
from kinlib.studio.person import NUM_SHAPE, Person
from kinlib.studio.render import VERSION, warm_up

__all__ = ["NUM_COUPLES", "ReferencePlan", "couple_name", "plan", "siblings", "write", "write_album"]

NUM_COUPLES = 32
AGES, ALBUM = 13, 14  # further streams of random numbers, which keep people, ages and album shots independent
SIZE, PARENT_SIZE = 128, 192  # px: what the networks see; parents as photographs, with room around the face
PARENT_QUALITY = 88  # of JPEG


@dataclass(frozen=True)
class ReferencePlan:
    """Which couples, and how many of their children."""

    seed: int
    num_couples: int = NUM_COUPLES
    num_siblings: int = NUM_SIBLINGS

    @property
    def num_people(self) -> int:
        """People of one couple: father, mother, children."""
        return self.num_siblings + 2

    @property
    def num_pictures(self) -> int:
        """Pictures to render in all."""
        return self.num_couples * self.num_people


@dataclass(frozen=True)
class _Portrait:
    """A portrait to render; of parents a photograph as well."""

    person: Person
    age: float
    is_parent: bool


@dataclass(frozen=True)
class _Measured:
    """What is kept of a portrait: its embedding [D], what was measured, and of a parent the photograph as JPEG."""

    embedding: np.ndarray
    measured: pd.Series
    photo: bytes | None


def plan(seed: int = 0) -> ReferencePlan:
    """The bundled set's plan."""
    return ReferencePlan(seed)


def siblings(plan: ReferencePlan, couple: int) -> tuple[Genomes, Genomes, Genomes]:
    """Father, mother, and the true children of one couple."""
    return family(plan.seed, REFERENCE, couple, plan.num_siblings)


def write(plan: ReferencePlan, out: Path, workers: int | None = None) -> Iterator[int]:
    """Write the set into the folder `out`; yields the number of pictures done so far.

    Raises:
        KinlibError: if the head model or the identity network is missing, or the folder cannot be written to or holds
            another set.
    """
    out, provenance = Path(out), _provenance(plan)
    settings = vars(provenance)  # another seed, network or renderer is another set, which is not resumed
    if is_complete(out, FACTS, settings):
        yield plan.num_pictures
        return
    load_head()
    work = open_work(out, settings)  # a folder of parts, one for each couple that is done
    missing = [couple for couple in range(plan.num_couples) if not _part(work, couple).exists()]
    done = plan.num_pictures - len(missing) * plan.num_people
    yield done
    if missing:
        warm_up()  # compiles before worker processes start, instead of once in each
    portraits = spread(_measure, (wanted for couple in missing for wanted in _portraits(plan, couple)), workers)
    for couple in missing:
        found = []
        # `spread` keeps the order: the next people are this couple's.
        for taken in islice(portraits, plan.num_people):
            found.append(taken)
            if len(found) == plan.num_people:  # before the yield: a caller that stops there loses no couple
                _keep(couple, found, out, work)
            done += 1
            yield done
    write_reference(out, _collect(plan, work, provenance))
    shutil.rmtree(work)  # last: until then the parts are what is resumed from


def write_album(plan: ReferencePlan, out: Path, workers: int | None = None) -> Iterator[int]:
    """Write a freely taken photograph of each parent into the folder `out` of a set; yields the number so far.

    Those that are there are kept.

    Raises:
        KinlibError: if the head model is missing, or the folder cannot be written to.
    """
    jobs = [(plan, couple, role) for couple in range(plan.num_couples) for role in ("father", "mother")]
    missing = [job for job in jobs if not (out / album_name(couple_name(job[1]), job[2])).exists()]
    done = len(jobs) - len(missing)
    yield done
    if not missing:
        return
    load_head()
    warm_up()
    make_folder((out / album_name(couple_name(0), "father")).parent)
    for (_, couple, role), photo in zip(missing, spread(_album_photo, missing, workers), strict=True):
        write_bytes(out / album_name(couple_name(couple), role), photo)
        done += 1
        yield done


def _album_photo(job: tuple[ReferencePlan, int, str]) -> bytes:
    """A freely taken photograph of one parent as JPEG."""
    plan, couple, role = job
    father, mother, _ = siblings(plan, couple)
    rng = np.random.default_rng([plan.seed, ALBUM, couple, 1 + (role == "mother")])
    person = phenotypes(father if role == "father" else mother).person(0)
    return array_to_jpeg(album_picture(person, rng, PARENT_SIZE, "photo").image, PARENT_QUALITY)


def _provenance(plan: ReferencePlan) -> Provenance:
    network = weights.sha256(weights.path("studio_identity"))
    extra = {"num_couples": plan.num_couples, "num_siblings": plan.num_siblings, "child_age": CHILD_AGE}
    return Provenance(plan.seed, network, str(VERSION), extra)


def _part(work: Path, couple: int) -> Path:
    return work / f"{couple:03d}.npz"


def couple_name(couple: int) -> str:
    """The name of a couple, counted from 0, in the set."""
    return f"couple_{couple + 1:02d}"


def _picture(couple: int, role: str) -> str:
    """A parent's photograph, relative to the set's folder."""
    return f"parents/{couple_name(couple)}_{role}.jpg"


def _portraits(plan: ReferencePlan, couple: int) -> Iterator[_Portrait]:
    """Father, mother, children."""
    father, mother, young = siblings(plan, couple)
    ages = np.random.default_rng([plan.seed, AGES, couple]).uniform(*PARENT_AGES, 2)
    for parent, age in zip((father, mother), ages, strict=True):
        yield _Portrait(phenotypes(parent).person(0), float(age), True)
    looks = phenotypes(young)
    for i in range(len(young)):
        yield _Portrait(looks.person(i), CHILD_AGE, False)


def _measure(wanted: _Portrait) -> _Measured:
    """Render and measure one portrait."""
    aligned = plain_portrait(wanted.person, wanted.age, SIZE).image
    photo = plain_portrait(wanted.person, wanted.age, PARENT_SIZE, "photo").image if wanted.is_parent else None
    jpeg = None if photo is None else array_to_jpeg(photo, PARENT_QUALITY)
    return _Measured(embed_pictures([aligned])[0], measure_all([aligned]).iloc[0], jpeg)


def _keep(couple: int, taken: list[_Measured], out: Path, work: Path) -> None:
    """Write the parents' photographs, then what was measured from all portraits: the sign that the couple is done."""
    make_folder(out / "parents")
    for role, parent in zip(("father", "mother"), taken, strict=False):
        write_bytes(out / _picture(couple, role), parent.photo)
    measured = pd.DataFrame([one.measured for one in taken])  # one row a person: father, mother, children
    embeddings = np.stack([one.embedding for one in taken])
    arrays = {"embeddings": embeddings, "measured": measured.to_numpy(), "names": list(measured.columns)}
    write_whole(_part(work, couple), lambda file: np.savez(file, **arrays))


def _collect(plan: ReferencePlan, work: Path, provenance: Provenance) -> Reference:
    """The whole set from the parts that were measured and the traits that follow from the seed."""
    embeddings, measured, true = [], [], []
    for couple in range(plan.num_couples):
        with np.load(_part(work, couple)) as part:
            embeddings.append(part["embeddings"])
            numbers = pd.DataFrame(part["measured"], columns=[str(name) for name in part["names"]])
        keys = _keys(plan, couple)
        measured.append(pd.concat([keys, numbers.astype(np.float32)], axis=1))
        true.append(pd.concat([keys, _true_traits(plan, couple)], axis=1))
    # [couples, people, 512]
    stacked, couples = np.stack(embeddings), range(plan.num_couples)
    return Reference(
        couples=tuple(couple_name(couple) for couple in couples),
        children=stacked[:, 2:],  # [couples, siblings, 512]
        fathers=stacked[:, 0],
        mothers=stacked[:, 1],
        true=pd.concat(true, ignore_index=True),
        measured=pd.concat(measured, ignore_index=True),
        father_pictures=tuple(_picture(couple, "father") for couple in couples),
        mother_pictures=tuple(_picture(couple, "mother") for couple in couples),
        provenance=provenance,
    )


def _keys(plan: ReferencePlan, couple: int) -> pd.DataFrame:
    roles = ["father", "mother"] + ["child"] * plan.num_siblings
    return pd.DataFrame({"couple": couple_name(couple), "role": roles, "number": [0, 0, *range(plan.num_siblings)]})


def _true_traits(plan: ReferencePlan, couple: int) -> pd.DataFrame:
    """All traits but the head model's coefficients, which have no names and follow from the seed."""
    table = phenotypes(concatenate(siblings(plan, couple))).to_frame()
    table = table.drop(columns=[f"shape_{i:02d}" for i in range(NUM_SHAPE)])
    numbers = table.select_dtypes("floating").columns
    return table.astype(dict.fromkeys(numbers, np.float32))
