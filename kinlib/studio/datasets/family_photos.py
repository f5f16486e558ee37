"""Rendering of one person's photographs for the family data set, with the ground truth of each."""

import json
from dataclasses import dataclass

import cv2
import numpy as np

from kinlib.studio.appearance.looks import random_look, random_shot
from kinlib.studio.colour import to_srgb
from kinlib.studio.datasets.encoding import array_to_jpeg, array_to_png
from kinlib.studio.datasets.family_plan import FamilyPlan, PlannedPhoto
from kinlib.studio.person import Person
from kinlib.studio.render import Picture, render
from kinlib.studio.rendering import backdrop

__all__ = ["HEIGHT", "WIDTH", "PersonJob", "person_jobs", "render_person_photos", "render_photo"]

HEIGHT, WIDTH = 150, 120  # pixels, as in Family101
QUALITY = 85  # of JPEG
LARGE_YAW_SHARE, FRONTAL_YAW, MAX_YAW = 0.15, 28.0, 50.0  # share of pictures with a larger yaw; degrees
COARSE = 10  # reduction of the pixelated picture


@dataclass(frozen=True)
class PersonJob:
    """A worker's job: the photographs of one person."""

    seed: int
    person: Person
    row: int
    family: str
    name: str
    photos: tuple[PlannedPhoto, ...]


def person_jobs(plan: FamilyPlan) -> list[PersonJob]:
    """One job per person with photographs, in the order of the pedigree."""
    people, looks = plan.pedigree.people, plan.pedigree.phenotypes
    of_person: dict[int, list[PlannedPhoto]] = {}
    for photo in plan.photos:
        of_person.setdefault(photo.person, []).append(photo)
    return [
        PersonJob(plan.seed, looks.person(row), row, people["family"][row], people["name"][row], tuple(photos))
        for row, photos in of_person.items()
    ]


def render_person_photos(job: PersonJob) -> list[tuple[bytes, dict]]:
    """All photographs of a job as JPEG, each with its row of ground truth."""
    return [
        _render_faceless(job, photo) if photo.fault == "faceless" else _render_person(job, photo)
        for photo in job.photos
    ]


def _render_person(job: PersonJob, photo: PlannedPhoto) -> tuple[bytes, dict]:
    """A photograph of the person, with its planted fault if it has one."""
    picture = render_photo(job, photo)
    truth = {
        **{"yaw": picture.yaw, "pitch": picture.pitch, "roll": picture.roll},
        "landmarks": picture.landmarks.ravel().round(2),
        "attributes": json.dumps(picture.attributes),
        "mask": array_to_png(picture.classes) if photo.masked else None,
        "regions": array_to_png(picture.regions) if photo.masked else None,
    }
    return array_to_jpeg(_degrade(picture.image, photo.fault), QUALITY), _facts(job, photo) | truth


def _render_faceless(job: PersonJob, photo: PlannedPhoto) -> tuple[bytes, dict]:
    """A background without a person (the fault "faceless"); the row has no pose and no landmarks."""
    shot = random_shot(np.random.default_rng([job.seed, 8, job.row]))
    empty = (to_srgb(backdrop.draw(shot, HEIGHT, WIDTH)) * 255 + 0.5).astype(np.uint8)
    return array_to_jpeg(empty, QUALITY), _facts(job, photo)


def _facts(job: PersonJob, photo: PlannedPhoto) -> dict:
    """Columns that every photograph has."""
    file = f"{job.family}/{job.name}/{photo.number:02d}.jpg"
    return {"file": file, "family": job.family, "name": job.name, "age": photo.age, "fault": photo.fault}


def render_photo(job: PersonJob, photo: PlannedPhoto, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Picture:
    """The picture without its fault; `size` (height, width) may be any size of the same aspect ratio."""
    rng = np.random.default_rng([job.seed, 7, job.row, photo.number])
    look = random_look(job.person, photo.age, rng)
    shot = random_shot(rng, MAX_YAW if rng.random() < LARGE_YAW_SHARE else FRONTAL_YAW, photo.age)
    return render(job.person, look, shot, size)


def _degrade(image: np.ndarray, fault: str | None) -> np.ndarray:
    """A picture uint8 [H, W, 3] with its planted fault: grey [H, W], pixelated, or unchanged."""
    if fault == "grey":
        return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if fault == "pixelated":
        small = cv2.resize(image, (WIDTH // COARSE, HEIGHT // COARSE), interpolation=cv2.INTER_AREA)
        return cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
    return image
