"""The two ways in which the tab of edits changes a face, each with its controls: by its code, or within a mask."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import gradio as gr
from PIL import Image

from kinlib.demo.words import attribute_words, plain
from kinlib.editing.names import editable_attributes
from kinlib.gan.directions import Direction
from kinlib.kinship.kinship import Child, Face, Kinship
from kinlib.kinship.presets import PRESETS
from kinlib.kinship.selective import edit_selectively

__all__ = ["ByCode", "Edited", "WithinMask", "edit_ways"]

REACH = 5.0  # steps of a published direction, as far as e4e's authors show
WIDE = 10.0  # of a range; wider ones are in years or degrees, the others shares
STEP = 0.05  # of an intensity from -1 to 1
NOTHING = "Nothing is set: move a slider."


@dataclass(frozen=True)
class Edited:
    """What an edit has made, to be shown.

    Attributes:
        pictures: by their captions, of which "After" is the result.
        told: what was set, and notes.
    """

    pictures: dict[str, Image.Image]
    told: str


class ByCode:
    """Moves a face's code along latent directions: the generator synthesises the whole picture anew.

    A slider begins where the attribute is read off the code. Only those that were moved are set, so that an attribute
    nobody has touched is not pinned to its reading.

    Attributes:
        controls: sliders by the names of the preset's directions.
    """

    NAME, WORDS = "directions", "The whole face, through its code"

    def __init__(self, kin: Kinship):
        self.directions = dict(sorted(kin.directions.items()))
        self.controls = {name: _slider_of(name, direction) for name, direction in self.directions.items()}

    def begin(self, found: Face | Child, values: Sequence) -> list:
        """The controls' values for a face that is not edited."""
        return list(self._readings(found).values())

    def edit(self, kin: Kinship, found: Face | Child, values: Sequence) -> Edited:
        """The face with the controls at `values`."""
        edits = self._moved(found, values)
        edited = kin.edit(found, edits)
        before = kin.synthesise(found.latent)[0]  # not the photograph, which no edit of a code begins from
        told = ", ".join(f"{attribute_words(name)} {value:.2f}" for name, value in edits.items())
        return Edited({"Before": before, "After": edited.image}, _told(told, found, edited))

    def _moved(self, found: Face | Child, values: Sequence[float]) -> dict[str, float]:
        """The attributes whose sliders are not where they began."""
        began = self._readings(found)
        at = zip(self.directions.items(), map(float, values), strict=True)
        return {name: value for (name, direction), value in at if abs(value - began[name]) > _range(direction)[2] / 2}

    def _readings(self, found: Face | Child) -> dict[str, float]:
        readings = {}
        for name, direction in self.directions.items():
            low, high, step = _range(direction)
            value = 0.0 if direction.probe is None else float(direction.read(found.latent))
            readings[name] = round(min(max(round(value / step) * step, low), high), 2)
        return readings


class WithinMask:
    """Changes the photograph itself, or a child's picture, within an attention mask: all else stays to the pixel.

    Attributes:
        controls: sliders by the names of the attributes, and the boxes `even_so` and `mask`.
    """

    NAME, WORDS = "attention", "Only where it must change"

    def __init__(self, kin: Kinship):
        gr.Markdown("1 adds, −1 removes, and what lies between changes less. Several may be moved at once.")
        self.labels = {one.name: one.label for one in editable_attributes()}
        with gr.Row():
            shown = gr.Checkbox(False, label="Show where: the attention mask", min_width=200, elem_id="kin-mask")
            even_so = gr.Checkbox(False, label="Change what seems so already", min_width=200, elem_id="kin-even-so")
        with gr.Row():
            sliders = {
                name: gr.Slider(
                    -1, 1, value=0, step=STEP, label=label.capitalize(), min_width=200, elem_id=f"kin-change-{name}"
                )
                for name, label in self.labels.items()
            }
        self.controls = {**sliders, "even_so": even_so, "mask": shown}

    def begin(self, found: Face | Child, values: Sequence) -> list:
        """The controls' values for a face that is not edited; whether the mask is shown stays as it is."""
        return [*(0 for _ in self.labels), False, values[-1]]

    def edit(self, kin: Kinship, found: Face | Child, values: Sequence) -> Edited:
        """The face with the controls at `values`.

        Raises:
            KinlibError: if changes contradict each other.
        """
        *intensities, even_so, shown = values
        at = zip(self.labels, (round(float(value), 2) for value in intensities), strict=True)
        changes = {name: value for name, value in at if value}
        present = {name: float(value < 0) for name, value in changes.items()} if even_so else None
        edit = edit_selectively(kin, found, changes, present)
        told = ", ".join(f"{self.labels[name]} {value:+g}" for name, value in changes.items())
        pictures = {"Before": found.image, "After": edit.face.image}
        return Edited(pictures | ({"Where": edit.mask} if shown else {}), _told(told, found, edit.face))


def edit_ways(kin: Kinship) -> list[type[ByCode] | type[WithinMask]]:
    """The ways that a preset has the networks for."""
    return [ByCode, *([WithinMask] if "editor" in PRESETS[kin.preset].sources else [])]


def _told(what: str, before: Face | Child, after: Face | Child) -> str:
    """What was set, and what is new among the notes, as sentences."""
    notes = [plain(note) for note in after.notes if note not in before.notes]
    return " ".join([plain(what) if what else NOTHING, *notes])


def _range(direction: Direction) -> tuple[float, float, float]:
    """Ends and step of a slider, within the range of the training data; whole years and degrees."""
    if direction.probe is None:
        return -REACH, REACH, 0.1
    if direction.high - direction.low > WIDE:
        return math.ceil(direction.low), math.floor(direction.high), 1.0
    return math.ceil(100 * direction.low) / 100, math.floor(100 * direction.high) / 100, 0.01


def _slider_of(name: str, direction: Direction) -> gr.Slider:
    low, high, step = _range(direction)
    return gr.Slider(low, high, value=low, step=step, label=attribute_words(name), elem_id=f"kin-edit-{name}")
