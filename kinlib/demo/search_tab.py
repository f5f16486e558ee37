"""The tab of the face search: click the faces that are like the one you remember, and more like them appear."""

from collections.abc import Sequence

import gradio as gr

from kinlib.demo import markup
from kinlib.demo.parts import Parts, html_part
from kinlib.demo.visits import Visit
from kinlib.demo.words import attribute_words
from kinlib.io.images import to_pil
from kinlib.kinship.kinship import Kinship
from kinlib.runtime.errors import KinlibError
from kinlib.search.regions import REGIONS
from kinlib.search.session import FaceSearch
from kinlib.search.spaces import SearchSpace, load_space

__all__ = ["SearchTab", "has_search"]

SPACE = "w"  # of the bundled generator, whose faces are sharper than the autoencoder's
COUNT = 12  # faces on a screen, which a telephone shows in six rows
MOST = 2.0  # of a slider, in lengths of an attribute's vector
ADVICE = (
    "Describe the face with the sliders. Click the faces that look right, the best first, then **Next faces**. Lock "
    "what is right already, and move the sliders again when nothing gets better. The composite is a likeness, no "
    "evidence."
)
BUTTONS = {"next": "Next faces", "more": "More of these", "back": "Back", "undo": "Undo"}


def has_search(kin: Kinship) -> bool:
    """Whether there is a space to search in: that of the bundled networks, with the preset that they belong to."""
    return kin.preset == "studio"


class SearchTab:
    """Layout of the tab over `kinlib.search.session.FaceSearch`."""

    def __init__(self, parts: Parts, events: Sequence):
        """Make the tab; each of `events` shows the screen: that the tab is opened, or the page with it."""
        self.parts = parts
        self.space: SearchSpace = load_space(SPACE)
        gr.Markdown(ADVICE)
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=320):
                self.screen = html_part("", elem_id="kin-search-screen")
                with gr.Row():
                    self.buttons = {
                        name: gr.Button(
                            words, min_width=130, variant="primary" if name == "next" else "secondary",
                            elem_id=f"kin-search-{name}",
                        )
                        for name, words in BUTTONS.items()
                    }  # fmt: skip
            with gr.Column(scale=2, min_width=320):
                self.composite = html_part("", elem_id="kin-search-composite")
                self.notice = html_part(markup.message(""))
                self.inner = gr.Checkbox(False, label="Blur what is outside of the face")
                with gr.Row():
                    self.region = gr.Dropdown(list(REGIONS), value=REGIONS[0], label="Region", min_width=120)
                    self.lock = gr.Button("Lock, as in the best pick", min_width=120)
                    self.unlock = gr.Button("Unlock", min_width=80)
                with gr.Accordion("Describe the face", open=False):
                    self.describe = gr.Button("Begin anew with these attributes")
                    self.sliders = {
                        name: gr.Slider(-MOST, MOST, value=0, step=0.25, label=attribute_words(name))
                        for name in sorted(self.space.attributes)
                    }
        self.outputs = [self.screen, self.composite, self.notice]
        self._wire(events)

    def _wire(self, events: Sequence) -> None:
        def wire(event, action, inputs=(), moving=(), picked: bool = False) -> None:
            """`action(search, *values)` changes the search; sliders in `moving` are then set to where it is."""
            sliders = list(moving)

            def handler(visit: Visit, *values) -> list:
                *given, inner = values
                search = self._search(visit)
                words = action(search, *given)
                return [*self._shown(search, words, inner), *(search.sliders.get(name, 0.0) for name in sliders)]

            outputs = [*self.outputs, *(self.sliders[name] for name in sliders)]
            self.parts.wire(event, handler, [*inputs, self.inner], outputs, picked)

        for event in events:
            wire(event, lambda search: "Click the faces that look right, the best first.")
        wire(self.inner.input, lambda search: "")
        wire(self.screen.select, _toggle, picked=True)
        wire(self.buttons["next"].click, _told(FaceSearch.next_screen, "The next generation."))
        wire(self.buttons["more"].click, _told(FaceSearch.another_screen, "More faces of this generation."))
        for name, method, words in (
            ("back", FaceSearch.back, "The generation before."),
            ("undo", FaceSearch.undo, "Taken back."),
        ):
            wire(self.buttons[name].click, _told(method, words), moving=self.sliders)
        wire(self.lock.click, _lock, [self.region])
        wire(self.unlock.click, _told(FaceSearch.unlock, "Free again."), [self.region])
        wire(self.describe.click, self._described, list(self.sliders.values()))
        for name, slider in self.sliders.items():
            wire(slider.release, _mover(name), [slider])

    def _search(self, visit: Visit) -> FaceSearch:
        if visit.search is None:
            visit.search = FaceSearch(self.space, COUNT)
        return visit.search

    def _described(self, search: FaceSearch, *values: float) -> str:
        search.describe({name: float(value) for name, value in zip(self.sliders, values, strict=True) if value})
        return "Faces that fit the description."

    def _shown(self, search: FaceSearch, words: str, inner: bool) -> list:
        first = search.numbers.start
        names = [_name(search, number) for number in search.numbers]
        picked = [number - first for number in search.picks]
        faces = markup.choices(to_pil(search.screen(inner)), names, picked)
        composite = markup.strip([markup.figure(to_pil(search.picture())[0], "Composite", save_as="composite")])
        held = f" Locked: {', '.join(search.locked)}." if search.locked else ""
        state = f"Generation {search.generation}, {search.viewed} faces seen.{held}"
        return [faces, composite, markup.message(f"{words} {state}".strip())]


def _name(search: FaceSearch, number: int) -> str:
    picks = search.picks
    return f"Face {number + 1}, pick {picks.index(number) + 1}" if number in picks else f"Face {number + 1}"


def _toggle(search: FaceSearch, place: int) -> str:
    if place >= len(search.numbers):
        raise KinlibError("that face is no longer on the screen")
    number = search.numbers[place]
    others = [one for one in search.picks if one != number]
    search.pick(others if number in search.picks else [*others, number])
    return "Picked." if number in search.picks else "No longer picked."


def _lock(search: FaceSearch, region: str) -> str:
    if not search.picks:
        raise KinlibError("nothing is picked: what is locked is taken from the best pick")
    search.lock(region, search.picks[0])
    return "Locked, as in the best pick."


def _mover(name: str):
    def move(search: FaceSearch, value: float) -> str:
        search.set_attribute(name, float(value))
        return f"{attribute_words(name)} moved."

    return move


def _told(method, words: str):
    """A method of a search that returns what to say."""

    def told(search: FaceSearch, *values) -> str:
        method(search, *values)
        return words

    return told
