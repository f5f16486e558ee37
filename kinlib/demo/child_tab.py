"""The first tab: two parents, and the children that they could have."""

import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import gradio as gr
from PIL import Image

from kinlib import figures
from kinlib.demo import markup
from kinlib.demo.made import made
from kinlib.demo.parts import Parts, html_part
from kinlib.demo.visits import Visit
from kinlib.demo.words import CLOSELY, EXPRESSIONS, METHODS, plain, plain_all
from kinlib.inheritance import registry
from kinlib.kinship.kinship import Kinship
from kinlib.runtime.errors import KinlibError
from kinlib.session import AGES, ROLES, SHARES, Session, Settings
from kinlib.studio.datasets import sample_parents

__all__ = ["ChildTab", "expressions", "shown_children"]

UNIFORM, LEARNED, OTHER = "average", "neural", "other"
INHERITED = "as inherited"
THUMBNAIL = 96  # px of a bundled parent in the row of couples
SEEDS = 9999

_DRAWING = threading.Lock()  # matplotlib keeps its settings for the whole process


class ChildTab:
    """Layout of the tab, and what its controls do.

    Attributes:
        outputs: cards of the parents, what to know, the children, and how the chosen one was made.
    """

    def __init__(self, parts: Parts):
        self.parts = parts
        kin = parts.visits.kin
        with gr.Row(equal_height=False):
            with gr.Column(min_width=320):
                self._parents()
            with gr.Column(min_width=320):
                self.controls = _controls(kin, parts.limits.children)
                self.make = gr.Button("Make children", variant="primary", elem_id="kin-make")
                self.notice = html_part(markup.message(""), elem_id="kin-notice")
                self.children = html_part("", elem_id="kin-children")
                self.sheet_button = gr.Button("Save all in one picture", size="sm", elem_id="kin-save-sheet")
        self.sheet = html_part("", elem_id="kin-sheet", elem_classes="kin-hidden")
        with gr.Accordion("How it was made", open=False):
            self.made = html_part("<p>Make a child first.</p>", elem_id="kin-made")
        self.outputs = [*self.cards.values(), self.notice, self.children, self.made]
        self._wire()

    def _parents(self) -> None:
        couples = sample_parents.couples()
        gr.Markdown("### Parents")
        self.samples = html_part(
            markup.choices([_beside(pair) for pair in couples], [f"Couple {i + 1}" for i in range(len(couples))]),
            elem_id="kin-samples",
            elem_classes="kin-samples",
        )
        self.cards, self.uploads = {}, {}
        with gr.Row(equal_height=False):
            for role in ROLES:
                with gr.Column(min_width=150):
                    self.cards[role] = html_part(_empty_card(role), elem_id=f"kin-{role}")
                    self.uploads[role] = self.parts.photograph(f"{role.capitalize()}’s photo", f"kin-{role}-photo")
        self.closely = gr.Checkbox(True, label=CLOSELY, info="A closer likeness; takes some seconds.")

    def _wire(self) -> None:
        settings = list(self.controls.values())
        wire = self.parts.wire
        wire(
            self.samples.select, self._sample_chosen, settings, self.outputs, picked=True, shown_on=self.cards["father"]
        )
        for role, upload in self.uploads.items():
            taken = partial(self._photo_taken, role)
            wire(
                upload.input,
                taken,
                [upload, self.closely, *settings],
                [upload, *self.outputs],
                shown_on=self.cards[role],
            )
        wire(self.make.click, self._made, settings, self.outputs, shown_on=self.children)
        wire(self.children.select, self._child_chosen, [], [self.children, self.made], picked=True)
        saved = wire(self.sheet_button.click, self._sheet, [], [self.sheet], shown_on=self.sheet_button)
        saved.then(None, js="() => { document.querySelector('#kin-sheet a')?.click(); }")
        self.controls["age"].input(None, None, self.controls["aged"], js="() => true")  # who moves it wants it
        self.controls["weights"].change(
            lambda weights: gr.update(visible=weights == OTHER),
            self.controls["weights"],
            self.controls["method"],
            api_visibility="private",
            queue=False,
        )

    # ---- what the controls do ----

    def _sample_chosen(self, visit: Visit, number: int, *values) -> list:
        return self._parents_changed(visit, visit.session.choose_couple(number + 1), values)

    def _photo_taken(self, role: str, visit: Visit, path: str | None, closely: bool, *values) -> list:
        if path is None:  # the field was emptied
            return [None, *self._shown(visit)]
        name, content = self.parts.uploads.take(path)
        visit.session.refine = self.parts.refine if closely else 0
        taken = visit.session.choose_upload(role, name, content, self.parts.limits.photo_side)
        visit.forget_photographs()
        return [None, *self._parents_changed(visit, taken, values)]

    def _made(self, visit: Visit, *values) -> list:
        succeeded = visit.session.generate(self._settings(visit.session, values))
        visit.chosen = 0
        return self._shown(visit, not succeeded)

    def _child_chosen(self, visit: Visit, number: int) -> list:
        visit.chosen = min(number, len(visit.session.children) - 1)
        return self._shown(visit)[-2:]

    def _sheet(self, visit: Visit) -> list:
        children = shown_children(visit.session)
        if not children:
            raise KinlibError("there are no children yet: choose two parents first")
        drawn = [visit.session.pictures[f"{role}_reconstruction"] for role in ROLES]
        with _DRAWING:
            return [markup.save_link(figures.family_picture(children, drawn), "family")]

    def _parents_changed(self, visit: Visit, succeeded: bool, values: Sequence[Any]) -> list:
        session = visit.session
        if succeeded and all(role in session.faces for role in ROLES):
            succeeded = session.refresh(self._settings(session, values))
            visit.chosen = 0
        return self._shown(visit, not succeeded)

    def _settings(self, session: Session, values: Sequence[Any]) -> Settings:
        at = dict(zip(self.controls, values, strict=True))
        return Settings(
            **{name: float(at[name]) for name in SHARES},
            method=at["method"] if at["weights"] == OTHER else at["weights"],
            seed=int(at["seed"] or 0),
            age=float(at["age"]) if at.get("aged") else None,
            sex=None if at["sex"] == INHERITED else at["sex"],
            n=min(int(at["n"]), self.parts.limits.children),
            edits=expressions(session.kin).get(at["expression"], {}),
        )

    def _shown(self, visit: Visit, fault: bool = False) -> list:
        """The values of `outputs`."""
        session, children = visit.session, shown_children(visit.session)
        notice = markup.message(plain_all(session.message), fault)
        if not children:
            return [*(_card(session, role) for role in ROLES), notice, "", "<p>Make a child first.</p>"]
        fitted = 0 if session.bundled else session.refine
        origin = made(children[min(visit.chosen, len(children) - 1)], session.settings, fitted)
        return [*(_card(session, role) for role in ROLES), notice, _family(visit, children), origin]


def shown_children(session: Session) -> list:
    """A session's children; of a method with one child for each couple, that one."""
    children = session.children
    if len(children) > 1 and bool((children[0].latent == children[-1].latent).all()):
        return children[:1]
    return children


def expressions(kin: Kinship) -> dict[str, dict[str, float]]:
    """The expressions that a preset's directions can set, with values in the range of the training data."""
    found = {}
    for name, wanted in EXPRESSIONS.items():
        known = {attribute: kin.directions[attribute] for attribute in wanted if attribute in kin.directions}
        if "smile" in known and all(direction.probe is not None for direction in known.values()):
            found[name] = {
                attribute: min(max(wanted[attribute], direction.low), direction.high)
                for attribute, direction in known.items()
            }
    return found


def _controls(kin: Kinship, most: int) -> dict[str, gr.components.Component]:
    """All controls that `Settings` are made from, by name, for up to `most` children."""
    methods = registry.available(kin.preset)
    chief = {"Uniform weights: half of each": UNIFORM, "Learned weights: a network sets them": LEARNED}
    weights = [(words, name) for words, name in chief.items() if name in methods]
    others = [(METHODS.get(name, name), name) for name in methods if name not in chief.values()]
    gr.Markdown("### Children")
    controls: dict[str, gr.components.Component] = {
        "weights": gr.Radio([*weights, ("Another way", OTHER)], value=UNIFORM, label="How the parents are combined"),
        "method": gr.Dropdown(others, value=others[0][1], label="Another way", visible=False),
    }
    with gr.Row():
        controls["n"] = gr.Slider(
            1, most, value=1, step=1, label="Number of children", min_width=140, elem_id="kin-count"
        )
        controls["seed"] = gr.Number(
            0, label="Seed", precision=0, minimum=0, maximum=SEEDS, min_width=100, elem_id="kin-seed"
        )
    with gr.Row():
        has = {name: name in kin.directions for name in ("age", "sex")}
        controls["aged"] = gr.Checkbox(False, label="Set the age", interactive=has["age"], min_width=120)
        controls["age"] = gr.Slider(*AGES, value=8, step=1, label="Age, years", interactive=has["age"], min_width=140)
    with gr.Row():
        controls["sex"] = gr.Dropdown(
            [INHERITED, "female", "male"], value=INHERITED, label="Sex", interactive=has["sex"], min_width=140
        )
        controls["expression"] = gr.Dropdown(
            [INHERITED, *expressions(kin)], value=INHERITED, label="Expression", min_width=140
        )
    with gr.Accordion("Father’s share by layers", open=False):
        for name, words in SHARES.items():
            controls[name] = gr.Slider(0, 1, value=0.5, step=0.05, label=words.capitalize())
    return controls


def _card(session: Session, role: str) -> str:
    """A parent's crop and reconstruction, or an empty place."""
    if role not in session.faces:
        return _empty_card(role)
    cells = [
        markup.figure(session.pictures[role], role.capitalize(), small=True),
        markup.figure(session.pictures[f"{role}_reconstruction"], "as the generator draws it", small=True),
    ]
    notes = "".join(markup.message(plain(note)) for note in session.faces[role].notes)
    return markup.strip(cells) + notes


def _empty_card(role: str) -> str:
    return f'<div class="kin-empty">{role.capitalize()}: nobody yet</div>'


def _family(visit: Visit, children: list) -> str:
    """Both parents, and their children to click on."""
    session = visit.session
    parents = [markup.figure(session.pictures[role], role.capitalize(), small=True) for role in ROLES]
    names = [f"Child {i + 1}" for i in range(len(children))]
    grid = markup.choices([child.image for child in children], names, [visit.chosen], savable=True)
    return f'<div class="kin-family">{markup.strip(parents)}{grid}</div>'


def _beside(pair) -> Image.Image:
    """A bundled couple as one small picture."""
    both = Image.new("RGB", (2 * THUMBNAIL, THUMBNAIL))
    for place, path in enumerate(pair):
        with Image.open(path) as photo:
            both.paste(photo.convert("RGB").resize((THUMBNAIL, THUMBNAIL)), (place * THUMBNAIL, 0))
    return both
