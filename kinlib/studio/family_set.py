"""The family data set on disk: Family101's layout and format, the truth beside it, and the portraits of six couples.

    families/FAMILY101.txt              who is whose
    families/<FAMILY>/<Person>/NN.jpg   photographs, 120 x 150
    truth.parquet                       one row a photograph: age, pose, landmarks, attributes, genome; masks of some
    people.parquet                      one row a person: pedigree and traits
    faults.json                         the faults planted on purpose
    parents/couple_N_father.jpg, ...    portraits, 256 x 256; couples.parquet holds their genomes
    studio.json                         seed, counts, version of the renderer

Everything follows from one seed. Work that was stopped goes on where it stopped.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from kinlib.errors import KinlibError
from kinlib.files import make_folder, write_bytes, write_json, write_whole
from kinlib.studio import backdrop
from kinlib.studio.batch import as_jpeg, as_png
from kinlib.studio.colour import to_srgb
from kinlib.studio.faults import Fault, faulty_text, plant
from kinlib.studio.genetics import Genomes, phenotypes
from kinlib.studio.looks import random_look, random_shot
from kinlib.studio.pedigree import Pedigree, photograph_years, simulate
from kinlib.studio.person import Person
from kinlib.studio.portraits import portrait, portrait_couples
from kinlib.studio.render import VERSION, Picture, render, warm_up
from kinlib.studio.workers import spread

__all__ = ["HEIGHT", "WIDTH", "FamilyPlan", "plan", "write"]

HEIGHT, WIDTH = 150, 120
FEWEST, MOST = 8, 10  # photographs of a person
TURNED, FRONTAL_YAW, MAX_YAW = 0.15, 28.0, 50.0  # share of the pictures turned further; degrees
QUALITY = 82
MASKED_FAMILIES = 6  # whose photographs come with masks
WORK = ".work"
COARSE = 10  # times fewer pixels in the pixelated picture


@dataclass(frozen=True)
class Photo:
    """One photograph to take: of whom (row of the pedigree), its number from 1, the age, and a fault of the picture."""

    person: int
    number: int
    age: float
    fault: str | None
    masked: bool


@dataclass(frozen=True)
class FamilyPlan:
    """All that follows from the seed before anything is drawn."""

    seed: int
    pedigree: Pedigree
    faults: list[Fault]
    photos: list[Photo]

    @cached_property
    def portraits(self) -> Genomes:
        """Genomes of the portrayed couples: father, mother, father, ..."""
        return portrait_couples(self.seed)


@dataclass(frozen=True)
class _Job:
    """The photographs of one person, with all that a worker needs."""

    seed: int
    out: Path
    person: Person
    row: int
    folder: str
    photos: tuple[Photo, ...]


def plan(seed: int = 0, num_families: int = 26, num_people: int = 160) -> FamilyPlan:
    """Simulate the families, plant the faults, and plan every photograph."""
    pedigree = simulate(num_families, num_people, seed)
    faults = plant(pedigree, seed)
    return FamilyPlan(seed, pedigree, faults, _plan_photos(pedigree, faults, seed))


def _plan_photos(pedigree: Pedigree, faults: list[Fault], seed: int) -> list[Photo]:
    rng = np.random.default_rng([seed, 6])
    people = pedigree.people
    absent = {fault.person for fault in faults if fault.kind == "missing_folder"}
    spoilt = {(fault.person, fault.picture): fault.kind for fault in faults if fault.picture}
    masked = set(people["family"].unique()[:MASKED_FAMILIES])
    years = photograph_years(people["birth_year"].to_numpy(), MOST, rng)
    photos = []
    for row, person in enumerate(people.itertuples()):
        count = 0 if person.name in absent else int(rng.integers(FEWEST, MOST + 1))
        chosen = np.sort(rng.permutation(MOST)[:count])
        for number, year in enumerate(years[row, chosen], 1):
            age = float(year - person.birth_year + rng.random())
            fault = spoilt.get((person.name, number))
            photos.append(Photo(row, number, age, fault, person.family in masked and fault is None))
    return photos


def write(plan: FamilyPlan, out: Path, workers: int | None = None) -> Iterator[int]:
    """Render all that is missing in the folder `out`; yields the number of pictures done so far.

    Raises:
        KinlibError: if the folder cannot be written to, or holds families made from another seed or renderer.
    """
    out = make_folder(Path(out))
    _check_folder(plan, out)
    make_folder(out / WORK)
    write_json(out / WORK / "begun.json", _settings(plan))
    done = 0
    for job, count in zip(_jobs(plan, out), spread(_photograph, _jobs(plan, out), workers, warm_up), strict=True):
        done += count
        yield done
        del job
    for _ in spread(_portray, [(plan.seed, out, i) for i in range(len(plan.portraits))], workers, warm_up):
        done += 1
        yield done
    _finish(plan, out)


def _settings(plan: FamilyPlan) -> dict:
    people, houses = plan.pedigree.people, plan.pedigree.houses
    counts = {"families": int(people["family"].nunique()), "houses": len(houses), "people": len(people)}
    counts |= {"photographs": len(plan.photos), "portraits": len(plan.portraits), "planted_faults": len(plan.faults)}
    return {"seed": plan.seed, "renderer": VERSION, **counts}


def _check_folder(plan: FamilyPlan, out: Path) -> None:
    for path in (out / "studio.json", out / WORK / "begun.json"):
        if path.exists() and json.loads(path.read_text()) != _settings(plan):
            raise KinlibError(
                f"'{out}' holds families of another seed or renderer: choose another folder, or delete it"
            )
    if (out / "families").exists() and not (out / "studio.json").exists() and not (out / WORK).exists():
        raise KinlibError(f"'{out / 'families'}' was not made here: choose another folder")


def _jobs(plan: FamilyPlan, out: Path) -> Iterator[_Job]:
    people, looks = plan.pedigree.people, plan.pedigree.phenotypes
    of_person: dict[int, list[Photo]] = {}
    for photo in plan.photos:
        of_person.setdefault(photo.person, []).append(photo)
    for row, photos in of_person.items():
        folder = f"{people['family'][row]}/{people['name'][row]}"
        yield _Job(plan.seed, out, looks.person(row), row, folder, tuple(photos))


def _photograph(job: _Job) -> int:
    """Take and write the photographs of one person, then their rows of the truth; nothing if that was done before."""
    rows_path = job.out / WORK / f"{job.row:05d}.parquet"
    if not rows_path.exists():
        folder = make_folder(job.out / "families" / job.folder)
        rows = []
        for photo in job.photos:
            picture = _take(job, photo)
            write_bytes(folder / f"{photo.number:02d}.jpg", as_jpeg(_spoil(picture.image, photo, job.seed), QUALITY))
            rows.append(_row(job, photo, picture))
        write_whole(rows_path, lambda file: pd.DataFrame(rows).to_parquet(file, index=False))
    return len(job.photos)


def _take(job: _Job, photo: Photo) -> Picture:
    rng = np.random.default_rng([job.seed, 7, job.row, photo.number])
    look = random_look(job.person, photo.age, rng)
    shot = random_shot(rng, MAX_YAW if rng.random() < TURNED else FRONTAL_YAW, photo.age)
    return render(job.person, look, shot, (HEIGHT, WIDTH))


def _spoil(image: np.ndarray, photo: Photo, seed: int) -> np.ndarray:
    """The picture with its planted fault, if it has one."""
    if photo.fault == "grey":
        return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if photo.fault == "pixelated":
        small = cv2.resize(image, (WIDTH // COARSE, HEIGHT // COARSE), interpolation=cv2.INTER_AREA)
        return cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
    if photo.fault == "faceless":
        shot = random_shot(np.random.default_rng([seed, 8, photo.person]))
        return (to_srgb(backdrop.draw(shot, HEIGHT, WIDTH)) * 255 + 0.5).astype(np.uint8)
    return image


def _row(job: _Job, photo: Photo, picture: Picture) -> dict:
    family, name = job.folder.split("/")
    return {
        "file": f"{job.folder}/{photo.number:02d}.jpg",
        **{"family": family, "name": name, "age": round(photo.age, 2), "fault": photo.fault},
        **{"yaw": picture.yaw, "pitch": picture.pitch, "roll": picture.roll},
        "landmarks": picture.landmarks.astype(np.float16).ravel(),
        "attributes": json.dumps(picture.attributes),
        "mask": as_png(picture.classes) if photo.masked else None,
        "regions": as_png(picture.regions) if photo.masked else None,
    }


def _portray(job: tuple[int, Path, int]) -> None:
    seed, out, number = job
    role = ("father", "mother")[number % 2]
    path = make_folder(out / "parents") / f"couple_{number // 2 + 1}_{role}.jpg"
    if not path.exists():
        person = phenotypes(portrait_couples(seed)[number]).person(0)
        write_bytes(path, as_jpeg(portrait(person, number, 256).image, 92))


def _finish(plan: FamilyPlan, out: Path) -> None:
    """Write the tables and the list of people when all pictures are there."""
    parts = sorted((out / WORK).glob("*.parquet"))
    truth = pd.concat([pd.read_parquet(part) for part in parts], ignore_index=True)
    genomes = dict(zip(plan.pedigree.people["name"], pack(plan.pedigree.genomes), strict=True))
    truth["genome"] = truth["name"].map(genomes)  # Parquet keeps each person's once
    people = pd.concat([plan.pedigree.people, plan.pedigree.phenotypes.to_frame().drop(columns="sex")], axis=1)
    couples = phenotypes(plan.portraits).to_frame()
    couples.insert(
        0, "picture", [f"couple_{i // 2 + 1}_{('father', 'mother')[i % 2]}.jpg" for i in range(len(couples))]
    )
    couples["genome"] = pack(plan.portraits)
    for name, table in {"truth": truth, "people": _compact(people), "parents/couples": _compact(couples)}.items():
        write_whole(
            out / f"{name}.parquet", lambda file, table=table: table.to_parquet(file, index=False, compression="zstd")
        )
    write_bytes(out / "families" / "FAMILY101.txt", faulty_text(plan.pedigree, plan.faults).encode())
    for fault in plan.faults:
        if fault.kind == "hidden_file":
            write_bytes(out / "families" / fault.family / fault.person / ".DS_Store", b"\0\0\0\1Bud1" + bytes(64))
    write_json(out / "faults.json", [fault.record() for fault in plan.faults])
    write_json(out / "studio.json", _settings(plan))
    shutil.rmtree(out / WORK)


def pack(genomes: Genomes) -> list[bytes]:
    """Each person's alleles, eight to a byte: `numpy.unpackbits` gives [2 * L] back, the father's copy first."""
    return [np.packbits(person.reshape(-1)).tobytes() for person in genomes.alleles]


def _compact(table: pd.DataFrame) -> pd.DataFrame:
    """Numbers in half the digits; nobody needs more of a trait."""
    numbers = table.select_dtypes("floating").columns
    return table.astype(dict.fromkeys(numbers, np.float32)).round(dict.fromkeys(numbers, 4))
