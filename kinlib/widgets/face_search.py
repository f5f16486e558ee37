"""A search for a remembered face by picking: the panel of notebook 12.

    panel = face_search_panel(load_space("w"))
    panel.faces[3].value = True                       the face that is most like the one meant
    panel.controls["next"].click()
    panel.session.picture()                           the composite

The panel is a layout over `kinlib.search.session.FaceSearch`.
"""

import html
from collections.abc import Callable

import ipywidgets as widgets
from PIL import Image

from kinlib.io.images import to_pil
from kinlib.runtime.errors import KinlibError
from kinlib.search.regions import REGIONS
from kinlib.search.session import FaceSearch
from kinlib.search.spaces import SearchSpace
from kinlib.search.steps import Step, genetic_step
from kinlib.widgets.pictures import named_picture, picture_widget
from kinlib.widgets.snapshot import FITTED, WRAPPED, Panel, as_jpeg, as_png, wide

__all__ = ["FaceSearchPanel", "face_search_panel"]

ADVICE = (
    "1. describe the face with the sliders, 2. pick faces that look right, the best first, 3. lock what is right, "
    "4. move the sliders again when nothing gets better"
)
SIDE, COLUMNS = 128, 8  # px of a face on the page, and faces in a row
WIDE = wide(300, 120)


class FaceSearchPanel(Panel):
    """A screen of faces to pick from, sliders of attributes, locks, and the composite.

    Attributes:
        session: the state that the panel shows.
        faces: a toggle for each face on the screen, in the order of its numbers; the order of clicks is that of liking.
        sliders: of the attributes, by name.
        controls: `start`, `next`, `more`, `back`, `undo`, `inner`, `region`, `lock`, `unlock`, `file`, `save`, `load`.
        composite: the picture of what the search has arrived at.
        status: the line of text.
    """

    WORDS = "a search for a face by picking; run the notebook to use it"

    def __init__(self, session: FaceSearch):
        """Show the first screen of a session."""
        super().__init__()
        self.session = session
        self._images = [picture_widget(SIDE, margin=2) for _ in range(session.count)]
        self.faces = [widgets.ToggleButton(layout={"width": f"{SIDE}px"}) for _ in range(session.count)]
        names = sorted(session.space.attributes)
        self.sliders = {name: _slider(name) for name in names}
        self.controls = _controls()
        self.composite, self.status = picture_widget(2 * SIDE, margin=2), widgets.HTML()
        self._showing = False
        self._listen()
        self.children = [widgets.HTML(ADVICE), self._screen_box(), self._controls_box(), self.status]
        self._show("pick the faces that look right, the best first")

    def _listen(self) -> None:
        for place, face in enumerate(self.faces):
            face.observe(lambda change, place=place: self._toggled(place, change.new), names="value")
        for name, slider in self.sliders.items():
            slider.observe(lambda change, name=name: self._slid(name, change.new), names="value")
        at = self.controls
        self._on("start", lambda: self.session.describe(self._described()), "faces that fit the description")
        self._on("next", lambda: self.session.next_screen(), "the next generation")
        self._on("more", lambda: self.session.another_screen(), "more faces of this generation")
        self._on("back", lambda: self.session.back(), "the generation before")
        self._on("undo", lambda: self.session.undo(), "taken back")
        self._on("lock", lambda: self.session.lock(at["region"].value, self._best()), "locked, as in the best pick")
        self._on("unlock", lambda: self.session.unlock(at["region"].value), "free again")
        self._on("save", lambda: self.session.save(at["file"].value), "saved")
        at["load"].on_click(lambda button: self._load())
        at["inner"].observe(lambda change: self._show(), names="value")

    def _on(self, name: str, action: Callable[[], None], done: str) -> None:
        self.controls[name].on_click(lambda button: self._attempt(action, done))

    def _attempt(self, action: Callable[[], None], done: str) -> None:
        try:
            action()
        except KinlibError as problem:
            done = str(problem)
        self._show(done)

    def _load(self) -> None:
        def load() -> None:
            self.session = FaceSearch.load(self.controls["file"].value, self.session.space, self.session.step)

        self._attempt(load, "loaded")

    def _best(self) -> int:
        if not self.session.picks:
            raise KinlibError("nothing is picked: what is locked is taken from the best pick")
        return self.session.picks[0]

    def _described(self) -> dict[str, float]:
        return {name: slider.value for name, slider in self.sliders.items() if slider.value}

    def _toggled(self, place: int, chosen: bool) -> None:
        if self._showing:
            return
        number = self.session.numbers[place]
        others = [one for one in self.session.picks if one != number]
        self._attempt(lambda: self.session.pick([*others, number] if chosen else others), "picked")

    def _slid(self, name: str, value: float) -> None:
        if not self._showing:
            self._attempt(lambda: self.session.set_attribute(name, value), f"{name} moved")

    def _show(self, words: str | None = None) -> None:
        """Show the session's screen, picks, sliders and composite."""
        session, self._showing = self.session, True
        pictures = to_pil(session.screen(self.controls["inner"].value))
        for number, image, face, picture in zip(session.numbers, self._images, self.faces, pictures, strict=True):
            image.value = as_png(picture)
            place = session.picks.index(number) + 1 if number in session.picks else 0
            face.value, face.description = bool(place), f"{number}: pick {place}" if place else str(number)
        for name, slider in self.sliders.items():
            slider.value = session.sliders.get(name, 0.0)
        self.composite.value = as_png(to_pil(session.picture())[0])
        if words is not None:
            state = f"generation {session.generation}, {session.viewed} faces seen"
            held = f", locked: {', '.join(session.locked)}" if session.locked else ""
            self.status.value = html.escape(f"{words} ({state}{held})")
        self._showing = False

    def _screen_box(self) -> widgets.Widget:
        cells = [widgets.VBox(pair) for pair in zip(self._images, self.faces, strict=True)]
        return widgets.HBox(cells, layout={**WRAPPED, "max_width": f"{COLUMNS * (SIDE + 8)}px"})

    def _controls_box(self) -> widgets.Widget:
        at = self.controls
        rows = [("start", "next", "more"), ("back", "undo", "inner"), ("region", "lock", "unlock")]
        rows += [("file",), ("save", "load")]
        left = widgets.VBox([widgets.HBox([at[name] for name in row], layout=WRAPPED) for row in rows])
        middle = widgets.VBox(list(self.sliders.values()))
        right = named_picture(self.composite, widgets.Label("composite"))
        return widgets.HBox([left, middle, right], layout=WRAPPED)

    def _snapshot(self) -> bytes:
        """The screen and the composite, as JPEG."""
        pictures = [one.resize((SIDE, SIDE)) for one in to_pil(self.session.screen())]
        rows = -(-len(pictures) // COLUMNS)  # rounded up
        sheet = Image.new("RGB", ((COLUMNS + rows) * SIDE, rows * SIDE), "white")
        for place, picture in enumerate(pictures):
            sheet.paste(picture, (place % COLUMNS * SIDE, place // COLUMNS * SIDE))
        composite = to_pil(self.session.picture())[0].resize((rows * SIDE, rows * SIDE))
        sheet.paste(composite, (COLUMNS * SIDE, 0))
        return as_jpeg(sheet)


def face_search_panel(space: SearchSpace, count: int = 16, seed: int = 0, step: Step = genetic_step) -> FaceSearchPanel:
    """The panel of a new search; arguments as of `FaceSearch`."""
    return FaceSearchPanel(FaceSearch(space, count, seed, step))


def _controls() -> dict[str, widgets.Widget]:
    buttons = {
        "start": "begin with these attributes",
        **{"next": "next faces", "more": "more of these", "back": "back", "undo": "undo"},
        **{"lock": "lock", "unlock": "unlock", "save": "save", "load": "load"},
    }
    return {
        **{name: widgets.Button(description=words, **FITTED) for name, words in buttons.items()},
        "inner": widgets.Checkbox(value=False, description="blur what is outside of the face", indent=False),
        "region": widgets.Dropdown(options=REGIONS, layout={"width": "120px"}),
        "file": widgets.Text(value="search.json", description="file", **WIDE),
    }


def _slider(name: str) -> widgets.FloatSlider:
    return widgets.FloatSlider(
        value=0.0, min=-2.0, max=2.0, step=0.25, description=name.replace("_", " "), continuous_update=False, **WIDE
    )
