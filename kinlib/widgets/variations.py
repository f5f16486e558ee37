"""One thing to turn, and the face that follows: the panel of the notebook on the studio.

panel = dial_studio()                    drawn anew where the head model is, from the bundled steps elsewhere
panel.controls["dial"].value = "hair_red"
panel.controls["position"].value = 2.0
"""

import html
from collections.abc import Callable

import ipywidgets as widgets
from PIL import Image

from kinlib import figures
from kinlib.runtime.errors import KinlibError
from kinlib.studio.lesson import series
from kinlib.studio.lesson.variations import VARIATIONS, Variation
from kinlib.widgets.snapshot import Panel, as_png

__all__ = ["DialStudio", "dial_studio"]

LIVE_SIZE, SHOWN = 128, 256  # pixels: of a picture drawn while somebody waits, and on the page
WIDE = {"layout": {"width": "520px"}, "style": {"description_width": "80px"}}
Draw = Callable[[str, float], Image.Image]


class DialStudio(Panel):
    """A menu of dials, a slider, and two faces: where the dial began, and where it stands.

    Attributes:
        live: whether pictures are drawn anew; else the slider has the bundled steps only.
        controls: `dial` (a name of `VARIATIONS`) and `position` (its value).
        images: `start` and `now`.
        captions: the words below them.
        status: the line of text.
    """

    WORDS = "the panel of dials; run the notebook to use it"

    def __init__(self, live: bool, draw: Draw, dial: str):
        super().__init__()
        self.live, self._draw = live, draw
        self._known: dict[tuple[str, float], bytes] = {}
        self._choosing = False
        menu = [(one.title, name) for name, one in VARIATIONS.items()]
        self.controls = {
            "dial": widgets.Dropdown(options=menu, value=dial, description="dial", **WIDE),
            "position": widgets.SelectionSlider(options=[("0", 0.0)], description="", continuous_update=False, **WIDE),
        }
        self.images = {name: widgets.Image(format="png", width=SHOWN, height=SHOWN) for name in ("start", "now")}
        self.captions = {name: widgets.Label() for name in self.images}
        self.status = widgets.HTML()
        faces = [widgets.VBox([self.images[name], self.captions[name]]) for name in self.images]
        self.children = [*self.controls.values(), widgets.HBox(faces), self.status]
        self._choose()
        self.controls["dial"].observe(lambda change: self._choose(), names="value")
        self.controls["position"].observe(lambda change: self._show(), names="value")

    @property
    def dial(self) -> Variation:
        """The dial in use."""
        return VARIATIONS[self.controls["dial"].value]

    def _choose(self) -> None:
        """Another dial: its own positions, standing in the middle."""
        positions = self.dial.positions() if self.live else self.dial.values
        slider = self.controls["position"]
        middle = positions[len(positions) // 2] if len(self.dial.values) > 3 else positions[0]
        self._choosing = True  # new options move the slider to the first of them, which nobody asked to see
        slider.options = [(f"{value:g}", value) for value in positions]
        slider.value = middle
        self._choosing = False
        slider.description = self.dial.unit.replace("standard deviations", "sd")
        self._show_one("start", middle)
        self._show()

    def _show(self) -> None:
        if not self._choosing:
            self._show_one("now", self.controls["position"].value)

    def _show_one(self, place: str, value: float) -> None:
        name = self.controls["dial"].value
        try:
            if (name, value) not in self._known:
                self._known[name, value] = as_png(_enlarged(self._draw(name, value)))
        except KinlibError as problem:
            self.status.value = html.escape(str(problem))
            return
        self.status.value = "" if self.live else "from the bundled steps; with the head model every position is drawn"
        self.images[place].value = self._known[name, value]
        self.captions[place].value = self.dial.label(value)

    def _snapshot(self) -> bytes:
        """The bundled steps of this dial side by side, as JPEG."""
        row = series.load_series(self.controls["dial"].value)
        return figures.panels(row.pictures, row.labels, columns=5, title=row.title).jpeg()


def dial_studio(live: bool | None = None, dial: str = "hair_red") -> DialStudio:
    """The panel of dials.

    Args:
        live: draw every position anew, which needs the head model; None: if it is there.
        dial: the one to begin with, a name of `kinlib.studio.lesson.variations.VARIATIONS`.

    Raises:
        KinlibError: if there is no such dial.
    """
    if dial not in VARIATIONS:
        raise KinlibError(f"there is no dial '{dial}': choose one of {', '.join(VARIATIONS)}")
    live = series.have_head() if live is None else live
    return DialStudio(live, _drawn if live else _bundled, dial)


def _drawn(name: str, value: float) -> Image.Image:
    return series.render_position(name, value, LIVE_SIZE)


def _bundled(name: str, value: float) -> Image.Image:
    return series.load_series(name).pictures[series.nearest(name, value)]


def _enlarged(picture: Image.Image) -> Image.Image:
    return picture.resize((SHOWN, SHOWN), Image.Resampling.LANCZOS)
