"""Rendering of pairs before and after an edit: `kinlib render --edits`.

People who are in no other set, each in one picture, and again with one attribute changed: same pose, light, frame and
exposure. A part holds the pairs of some people and is written whole; a later call with the same settings renders the
missing parts. One row per pair:

| column | content |
|---|---|
| person, pair | numbers; a person's pairs share the first picture |
| attribute, change | an attribute of CelebA; 1 if it is added, -1 if it is removed |
| image, edited | JPEG bytes |
| mask, edited_mask | PNG bytes: classes of CelebAMask-HQ |
| changed | PNG bytes: 255 where the pictures differ, before they became JPEG, else 0 |
| yaw, pitch, roll | degrees |
| attributes, edited_attributes | JSON, see `rendering.ground_truth.attributes` |
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.edit_pairs import LEAST_EDITS, changed_region, possible_edits, render_edits, sitter
from kinlib.studio.datasets.encoding import array_to_jpeg, array_to_png
from kinlib.studio.datasets.parts import render_parts, split_evenly
from kinlib.studio.render import LARGEST, SMALLEST

__all__ = ["NOTE", "EditSettings", "render_edit_set"]

PEOPLE_PER_PART = 16
QUALITY = 93  # of JPEG
NOTE = "edits.json"
FRAMES = ("one", "any")  # of glasses


@dataclass(frozen=True)
class EditSettings:
    """Everything that a set of edits depends on.

    Attributes:
        people: how many people.
        pairs: edits of each.
        size: side in pixels.
        seed: of everything.
        frames: of new glasses: "one" for all, or "any". Which one it will be, no picture tells: a network that learns
            from any draws their blurred mean, and none can be compared with a random one.
    """

    people: int = 100
    pairs: int = 4
    size: int = 128
    seed: int = 0
    frames: str = "one"

    def check(self) -> None:
        """Raises KinlibError if a setting is impossible."""
        for name, value, low, high in (
            ("people", self.people, 1, 1_000_000),
            ("pairs", self.pairs, 1, LEAST_EDITS),
            ("size", self.size, SMALLEST, LARGEST),
            ("seed", self.seed, 0, 2**31 - 1),
        ):
            if not low <= value <= high:
                raise KinlibError(f"--{name} must be from {low:,} to {high:,}, not {value}")
        if self.frames not in FRAMES:
            raise KinlibError(f"--frames must be {' or '.join(FRAMES)}, not '{self.frames}'")

    @property
    def num_pairs(self) -> int:
        """Pairs in all."""
        return self.people * self.pairs

    @property
    def parts(self) -> list[range]:
        """The people of each part."""
        return split_evenly(self.people, PEOPLE_PER_PART)


def render_edit_set(
    settings: EditSettings, out: Path, workers: int | None = None, engine: str = "local"
) -> Iterator[int]:
    """Render the missing parts of the folder `out`; yields the number of pairs so far, existing ones included.

    Raises:
        KinlibError: if a setting is impossible, the head model is missing, or `out` cannot be written to or holds
            a set made with other settings. Nothing is written then.
    """
    settings.check()
    note = NOTE, "people", "a set of edits"
    yield from render_parts(settings, Path(out), settings.pairs, _render_person, workers, note, engine)


def _render_person(job: tuple[EditSettings, int]) -> list[dict]:
    """Rows of one person's pairs."""
    settings, number = job
    view, rng = sitter(settings.seed, number), np.random.default_rng([settings.seed, number, 4])
    edits = possible_edits(view, rng, any_frame=settings.frames == "any")
    edits = [edits[index] for index in rng.permutation(len(edits))[: settings.pairs]]
    before, *afterwards = render_edits(view, edits, settings.size)
    shared = {
        "image": array_to_jpeg(before.image, QUALITY),
        "mask": array_to_png(before.classes),
        **{"yaw": before.yaw, "pitch": before.pitch, "roll": before.roll},
        "attributes": json.dumps(before.attributes),
    }
    return [
        {"person": number, "pair": pair, "attribute": edit.attribute, "change": edit.change}
        | shared
        | {
            "edited": array_to_jpeg(after.image, QUALITY),
            "edited_mask": array_to_png(after.classes),
            "changed": array_to_png(changed_region(before, after).astype(np.uint8) * 255),
            "edited_attributes": json.dumps(after.attributes),
        }
        for pair, (edit, after) in enumerate(zip(edits, afterwards, strict=True))
    ]
