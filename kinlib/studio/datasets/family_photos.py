"""One person's photographs as they lie in the family data set, with the truth about each."""

import json
from dataclasses import dataclass

import cv2
import numpy as np

from kinlib.studio.appearance.looks import random_look, random_shot
from kinlib.studio.colour import to_srgb
from kinlib.studio.datasets.encoding import as_jpeg, as_png
from kinlib.studio.datasets.family_plan import FamilyPlan, Photo
from kinlib.studio.person import Person
from kinlib.studio.render import Picture, render
from kinlib.studio.rendering import backdrop

__all__ = ["HEIGHT", "WIDTH", "Album", "albums", "photograph", "take_photo"]

HEIGHT, WIDTH = 150, 120
QUALITY = 85  # of JPEG
TURNED, FRONTAL_YAW, MAX_YAW = 0.15, 28.0, 50.0  # share of the pictures turned further; degrees
COARSE = 10  # times fewer pixels across in the pixelated picture


@dataclass(frozen=True)
class Album:
    """The photographs to take of one person, with all that a worker needs."""

    seed: int
    person: Person
    row: int
    family: str
    name: str
    photos: tuple[Photo, ...]


def albums(plan: FamilyPlan) -> list[Album]:
    """Everybody's photographs, in the order of the pedigree; people without any are left out."""
    people, looks = plan.pedigree.people, plan.pedigree.phenotypes
    of_person: dict[int, list[Photo]] = {}
    for photo in plan.photos:
        of_person.setdefault(photo.person, []).append(photo)
    return [
        Album(plan.seed, looks.person(row), row, people["family"][row], people["name"][row], tuple(photos))
        for row, photos in of_person.items()
    ]


def photograph(album: Album) -> list[tuple[bytes, dict]]:
    """Every photograph as JPEG, with its row of the truth."""
    return [_nobody(album, photo) if photo.fault == "faceless" else _somebody(album, photo) for photo in album.photos]


def _somebody(album: Album, photo: Photo) -> tuple[bytes, dict]:
    picture = take_photo(album, photo)
    truth = {
        **{"yaw": picture.yaw, "pitch": picture.pitch, "roll": picture.roll},
        "landmarks": picture.landmarks.ravel().round(2),
        "attributes": json.dumps(picture.attributes),
        "mask": as_png(picture.classes) if photo.masked else None,
        "regions": as_png(picture.regions) if photo.masked else None,
    }
    return as_jpeg(_spoil(picture.image, photo.fault), QUALITY), _about(album, photo) | truth


def _nobody(album: Album, photo: Photo) -> tuple[bytes, dict]:
    """A place without a person, about which there is little to say."""
    shot = random_shot(np.random.default_rng([album.seed, 8, album.row]))
    empty = (to_srgb(backdrop.draw(shot, HEIGHT, WIDTH)) * 255 + 0.5).astype(np.uint8)
    return as_jpeg(empty, QUALITY), _about(album, photo)


def _about(album: Album, photo: Photo) -> dict:
    file = f"{album.family}/{album.name}/{photo.number:02d}.jpg"
    return {"file": file, "family": album.family, "name": album.name, "age": photo.age, "fault": photo.fault}


def take_photo(album: Album, photo: Photo, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Picture:
    """The picture itself, without its fault; `size` (height, width) may be another of the same proportions."""
    rng = np.random.default_rng([album.seed, 7, album.row, photo.number])
    look = random_look(album.person, photo.age, rng)
    shot = random_shot(rng, MAX_YAW if rng.random() < TURNED else FRONTAL_YAW, photo.age)
    return render(album.person, look, shot, size)


def _spoil(image: np.ndarray, fault: str | None) -> np.ndarray:
    """The picture with its planted fault, if it has one."""
    if fault == "grey":
        return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if fault == "pixelated":
        small = cv2.resize(image, (WIDTH // COARSE, HEIGHT // COARSE), interpolation=cv2.INTER_AREA)
        return cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
    return image
