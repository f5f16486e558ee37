"""One inherited or grown property to vary, and the face that follows: the panel of the notebook on the studio.

panel = variation_panel()                rendered live where the head model is, from the bundled steps elsewhere
panel.controls["variation"].value = "hair_red"
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
from kinlib.widgets.pictures import named_picture, picture_widget
from kinlib.widgets.snapshot import WRAPPED, Panel, as_png, wide

__all__ = ["VariationPanel", "variation_panel"]

LIVE_SIZE, SHOWN = 128, 256  # pixels: of a live rendering, and as displayed
WIDE = wide(520, 80)
Render = Callable[[str, float], Image.Image]


class VariationPanel(Panel):
    """A menu of variations, a slider, and two faces: at the start, and at the slider's position.

    Attributes:
        live: whether pictures are rendered live; else the slider has the bundled steps only.
        controls: `variation` (a name of `VARIATIONS`) and `position` (its value).
        images: `start` and `now`.
        captions: the words below them.
        status: the line of text.
    """

    WORDS = "the panel of variations; run the notebook to use it"

    def __init__(self, live: bool, render: Render, variation: str):
        super().__init__()
        self.live, self._render = live, render
        self._known: dict[tuple[str, float], bytes] = {}
        self._choosing = False
        menu = [(one.title, name) for name, one in VARIATIONS.items()]
        self.controls = {
            "variation": widgets.Dropdown(options=menu, value=variation, description="variation", **WIDE),
            "position": widgets.SelectionSlider(options=[("0", 0.0)], description="", continuous_update=False, **WIDE),
        }
        self.images = {name: picture_widget(SHOWN) for name in ("start", "now")}
        self.captions = {name: widgets.Label() for name in self.images}
        self.status = widgets.HTML()
        faces = [named_picture(self.images[name], self.captions[name]) for name in self.images]
        self.children = [*self.controls.values(), widgets.HBox(faces, layout=WRAPPED), self.status]
        self._choose()
        self.controls["variation"].observe(lambda change: self._choose(), names="value")
        self.controls["position"].observe(lambda change: self._show(), names="value")

    @property
    def variation(self) -> Variation:
        """The variation in use."""
        return VARIATIONS[self.controls["variation"].value]

    def _choose(self) -> None:
        """Take the positions of another variation and start in their middle."""
        positions = self.variation.positions() if self.live else self.variation.values
        slider = self.controls["position"]
        middle = positions[len(positions) // 2] if len(self.variation.values) > 3 else positions[0]
        self._choosing = True  # new options move the slider to the first of them, which need not be rendered
        slider.options = [(f"{value:g}", value) for value in positions]
        slider.value = middle
        self._choosing = False
        slider.description = self.variation.unit.replace("standard deviations", "sd")
        self._show_one("start", middle)
        self._show()

    def _show(self) -> None:
        if not self._choosing:
            self._show_one("now", self.controls["position"].value)

    def _show_one(self, place: str, value: float) -> None:
        name = self.controls["variation"].value
        try:
            if (name, value) not in self._known:
                self._known[name, value] = as_png(_enlarged(self._render(name, value)))
        except KinlibError as problem:
            self.status.value = html.escape(str(problem))
            return
        self.status.value = (
            "" if self.live else "from the bundled steps; with the head model every position is rendered"
        )
        self.images[place].value = self._known[name, value]
        self.captions[place].value = self.variation.label(value)

    def _snapshot(self) -> bytes:
        """The bundled steps of this variation side by side, as JPEG."""
        row = series.load_series(self.controls["variation"].value)
        return figures.panels(row.pictures, row.labels, columns=5, title=row.title).jpeg()


def variation_panel(live: bool | None = None, variation: str = "hair_red") -> VariationPanel:
    """The panel of variations.

    Args:
        live: render every position live, which needs the head model; None: if it is there.
        variation: the one to begin with, a name of `kinlib.studio.lesson.variations.VARIATIONS`.

    Raises:
        KinlibError: if there is no such variation.
    """
    if variation not in VARIATIONS:
        raise KinlibError(f"there is no variation '{variation}': choose one of {', '.join(VARIATIONS)}")
    live = series.have_head() if live is None else live
    return VariationPanel(live, _rendered if live else _bundled, variation)


def _rendered(name: str, value: float) -> Image.Image:
    return series.render_position(name, value, LIVE_SIZE)


def _bundled(name: str, value: float) -> Image.Image:
    return series.load_series(name).pictures[series.nearest(name, value)]


def _enlarged(picture: Image.Image) -> Image.Image:
    return picture.resize((SHOWN, SHOWN), Image.Resampling.LANCZOS)
