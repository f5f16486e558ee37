"""The tab of edits: a face, two ways to change it, and a slider for each attribute that a way can change."""

from collections.abc import Iterator, Sequence
from itertools import islice

import gradio as gr

from kinlib.demo import markup
from kinlib.demo.child_tab import shown_children
from kinlib.demo.edit_ways import ByCode, Edited, WithinMask, edit_ways
from kinlib.demo.parts import Parts, html_part
from kinlib.demo.visits import Visit
from kinlib.demo.words import plain
from kinlib.kinship.kinship import Child, Face
from kinlib.runtime.errors import KinlibError
from kinlib.session import ROLES

__all__ = ["EditsTab"]

NOBODY = "Choose two parents in the first tab: there is nobody to edit yet."


class EditsTab:
    """Who is edited, how, that way's controls, and the face before and after.

    Each way keeps its sliders where they are when the other one is chosen, so that both can be compared.
    """

    def __init__(self, parts: Parts, tab: gr.Tab):
        self.parts = parts
        kinds = edit_ways(parts.visits.kin)
        self.ways: dict[str, ByCode | WithinMask] = {}
        groups = []
        with gr.Row(equal_height=False):
            with gr.Column(min_width=320):
                people = [("The chosen child", "child"), *((role.capitalize(), role) for role in ROLES)]
                self.who = gr.Dropdown(people, value="child", label="Whose face")
                self.way = gr.Radio(
                    [(kind.WORDS, kind.NAME) for kind in kinds],
                    value=kinds[0].NAME,
                    label="What changes",
                    visible=len(kinds) > 1,
                    elem_id="kin-edit-way",
                )
                for kind in kinds:
                    with gr.Column(visible=kind is kinds[0]) as group:
                        self.ways[kind.NAME] = kind(parts.visits.kin)
                    groups.append(group)
                self.reset = gr.Button("Back to the beginning", size="sm", elem_id="kin-edit-reset")
            with gr.Column(min_width=320, elem_classes="kin-sticky"):
                self.faces = html_part("", elem_id="kin-edit-faces")
                self.notice = html_part(markup.message(""), elem_id="kin-edit-notice")
        self._wire(tab, groups)

    def _wire(self, tab: gr.Tab, groups: list[gr.Column]) -> None:
        wire, controls = self.parts.wire, [control for way in self.ways.values() for control in way.controls.values()]
        inputs, outputs = [self.who, self.way, *controls], [self.faces, self.notice]
        for event in (tab.select, self.who.input, self.reset.click):
            wire(event, self._begun, inputs, [*outputs, *controls])
        for event in (self.way.input, *(control.input for control in controls)):
            wire(event, self._edited, inputs, outputs, last=True)
        self.way.change(
            lambda way: [gr.update(visible=name == way) for name in self.ways],
            self.way,
            groups,
            api_visibility="private",
            queue=False,
        )

    def _begun(self, visit: Visit, who: str, way: str, *values) -> list:
        """The face as it is, with the controls of all ways at their beginning."""
        found = _subject(visit, who)
        if found is None:
            return [*_nobody(), *(gr.skip() for _ in values)]
        values = [value for name, kept in self._by_way(values) for value in self.ways[name].begin(found, kept)]
        return [*self._edited(visit, who, way, *values), *values]

    def _edited(self, visit: Visit, who: str, way: str, *values) -> list:
        """The face edited; what is refused is said below the pictures, which stay as they were."""
        found = _subject(visit, who)
        if found is None:
            return _nobody()
        try:
            return _shown(self.ways[way].edit(visit.session.kin, found, dict(self._by_way(values))[way]))
        except KinlibError as problem:
            return [gr.skip(), markup.message(plain(str(problem)), fault=True)]

    def _by_way(self, values: Sequence) -> Iterator[tuple[str, Sequence]]:
        """The values of each way's controls."""
        rest = iter(values)
        for name, way in self.ways.items():
            yield name, list(islice(rest, len(way.controls)))


def _subject(visit: Visit, who: str) -> Face | Child | None:
    if who in ROLES:
        return visit.session.faces.get(who)
    children = shown_children(visit.session)
    return children[min(visit.chosen, len(children) - 1)] if children else None


def _shown(edited: Edited) -> list:
    cells = [
        markup.figure(picture, caption, save_as="edited" if caption == "After" else "")
        for caption, picture in edited.pictures.items()
    ]
    return [markup.strip(cells), markup.message(edited.told)]


def _nobody() -> list:
    return ["", markup.message(NOBODY, fault=True)]
