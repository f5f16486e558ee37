"""The tab of edits: a face, and a slider for each attribute that its code can be moved along."""

import math
from collections.abc import Sequence

import gradio as gr

from kinlib.demo import markup
from kinlib.demo.child_tab import shown_children
from kinlib.demo.parts import Parts, html_part
from kinlib.demo.visits import Visit
from kinlib.demo.words import attribute_words, plain_all
from kinlib.gan.directions import Direction
from kinlib.kinship.kinship import Child, Face
from kinlib.runtime.errors import KinlibError
from kinlib.session import ROLES

__all__ = ["EditsTab"]

REACH = 5.0  # steps of a published direction, as far as e4e's authors show
WIDE = 10.0  # of a range; wider ones are in years or degrees, the others shares


class EditsTab:
    """Who is edited, a slider for each attribute of the preset's directions, and the face before and after.

    A slider begins where the attribute is read off the face's code. Only those that were moved are set, so that an
    attribute nobody has touched is not pinned to its reading.
    """

    def __init__(self, parts: Parts, tab: gr.Tab):
        self.parts = parts
        self.directions = dict(sorted(parts.visits.kin.directions.items()))
        with gr.Row(equal_height=False):
            with gr.Column(min_width=320):
                people = [("The chosen child", "child"), *((role.capitalize(), role) for role in ROLES)]
                self.who = gr.Dropdown(people, value="child", label="Whose face")
                self.sliders = {name: _slider(name, direction) for name, direction in self.directions.items()}
                self.reset = gr.Button("Back to the beginning", size="sm")
            with gr.Column(min_width=320, elem_classes="kin-sticky"):
                self.faces = html_part("", elem_id="kin-edit-faces")
                self.notice = html_part(markup.message(""))
        outputs = [self.faces, self.notice]
        everything = [*outputs, *self.sliders.values()]
        for event in (tab.select, self.who.input, self.reset.click):
            parts.wire(event, self._begun, [self.who], everything)
        for slider in self.sliders.values():
            parts.wire(slider.input, self._edited, [self.who, *self.sliders.values()], outputs, last=True)

    def _begun(self, visit: Visit, who: str) -> list:
        """The face as it is, with the sliders where its attributes are."""
        found = _subject(visit, who)
        if found is None:
            told = markup.message("Choose two parents in the first tab: there is nobody to edit yet.", fault=True)
            return ["", told, *(gr.skip() for _ in self.sliders)]
        return [*self._shown(visit, found, {}), *self._readings(found).values()]

    def _edited(self, visit: Visit, who: str, *values) -> list:
        found = _subject(visit, who)
        if found is None:
            raise KinlibError("there is nobody to edit yet: choose two parents in the first tab")
        return self._shown(visit, found, self._moved(found, values))

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

    def _shown(self, visit: Visit, found: Face | Child, edits: dict[str, float]) -> list:
        kin = visit.session.kin
        edited = kin.edit(found, edits)
        before = kin.synthesise(found.latent)[0]  # not the photograph, which no edit of a code begins from
        cells = [markup.figure(before, "Before"), markup.figure(edited.image, "After", save_as="edited")]
        told = ", ".join(f"{attribute_words(name)} {value:.2f}" for name, value in edits.items())
        notes = plain_all("; ".join(note for note in edited.notes if note not in found.notes))
        return [markup.strip(cells), markup.message(f"{told or 'Nothing is set: move a slider.'} {notes}".strip())]


def _subject(visit: Visit, who: str) -> Face | Child | None:
    if who in ROLES:
        return visit.session.faces.get(who)
    children = shown_children(visit.session)
    return children[min(visit.chosen, len(children) - 1)] if children else None


def _range(direction: Direction) -> tuple[float, float, float]:
    """Ends and step of a slider, within the range of the training data; whole years and degrees."""
    if direction.probe is None:
        return -REACH, REACH, 0.1
    if direction.high - direction.low > WIDE:
        return math.ceil(direction.low), math.floor(direction.high), 1.0
    return math.ceil(100 * direction.low) / 100, math.floor(100 * direction.high) / 100, 0.01


def _slider(name: str, direction: Direction) -> gr.Slider:
    low, high, step = _range(direction)
    return gr.Slider(low, high, value=low, step=step, label=attribute_words(name), elem_id=f"kin-edit-{name}")
