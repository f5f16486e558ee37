"""Two upscaling methods side by side in one picture, with a divider to move: the panel of notebook 04.

panel = UpscalePanel(load_originals())
panel.controls["right"].value = "esrgan"          code can use the menus as well
panel.controls["divider"].value = 0.3
"""

import html
from collections.abc import Sequence

import ipywidgets as widgets
from PIL import Image, ImageDraw

from kinlib.evaluation.preprocessing.upscaling import UnpairedPhotograph, fidelity
from kinlib.faces.upscale import FACTORS, METHODS, upscale
from kinlib.figures import close_up
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.originals import Original
from kinlib.widgets.snapshot import GREY, Panel, as_jpeg, as_png, switch, wide

__all__ = ["UpscalePanel", "divided"]

ORIGINAL = "original"
SHOWN = 480  # pixels on the page
WIDE = wide(420, 80)
SWITCH = switch(420, 80)


class UpscalePanel(Panel):
    """Menus of photographs and methods, a switch for the factor, and a divider.

    Attributes:
        originals: the photographs.
        controls: `photo` (number), `factor`, `left` and `right` (methods, or "original" where there are originals) and
            `divider` (0 to 1).
        image: the face, PNG.
        status: the method on either side, with its PSNR.
    """

    WORDS = "one photograph, enlarged in two ways, left and right of the line; run the notebook to move it"

    def __init__(
        self,
        originals: Sequence[Original | UnpairedPhotograph],
        photo: int = 0,
        factor: int = 2,
        preset: str | None = None,
        private: bool = False,
    ):
        """Show one of the photographs.

        Args:
            originals: photographs with their originals, or without.
            photo: number of the first.
            factor: 2 or 4.
            preset: whose networks are used; None takes the one named by `KINLIB_PRESET`.
            private: of people who did not agree to be published.

        Raises:
            KinlibError: if there is no such photograph, or none at all.
        """
        super().__init__()
        self.private = private
        if not len(originals):
            raise KinlibError("the panel needs at least one photograph")
        if not 0 <= photo < len(originals):
            raise KinlibError(f"there is no photograph {photo}: choose one from 0 to {len(originals) - 1}")
        self.originals, self._preset = list(originals), preset or config.default_preset()
        self._known: dict[tuple[int, str, int], tuple[Image.Image, float | None]] = {}
        self._picture = Image.new("RGB", (SHOWN, SHOWN), GREY)
        people = [(one.name.replace("_", " "), number) for number, one in enumerate(self.originals)]
        known = all(isinstance(one, Original) for one in self.originals)
        ways = [*METHODS, *([ORIGINAL] if known else [])]
        self.controls = {
            "photo": widgets.Dropdown(options=people, value=photo, description="photograph", **WIDE),
            "factor": widgets.ToggleButtons(options=FACTORS, value=factor, description="times", **SWITCH),
            "left": widgets.Dropdown(options=ways, value="bicubic", description="left", **WIDE),
            "right": widgets.Dropdown(options=ways, value="real-esrgan", description="right", **WIDE),
            "divider": widgets.FloatSlider(value=0.5, min=0.0, max=1.0, step=0.01, description="divider", **WIDE),
        }
        self.image = widgets.Image(format="png", width=SHOWN, height=SHOWN)
        self.status = widgets.HTML()
        self.children = [*self.controls.values(), self.image, self.status]
        for control in self.controls.values():
            control.observe(lambda change: self._show(), names="value")
        self._show()

    def _show(self) -> None:
        try:
            (left, left_db), (right, right_db) = (self._view(self.controls[side].value) for side in ("left", "right"))
        except KinlibError as problem:
            self.status.value = html.escape(str(problem))
            return
        self._picture = divided(left, right, self.controls["divider"].value)
        self.image.value = as_png(self._picture)
        sides = zip(("left", "right"), (left_db, right_db), strict=True)
        self.status.value = " | ".join(f"{side}: {self.controls[side].value}{_in_db(value)}" for side, value in sides)

    def _view(self, method: str) -> tuple[Image.Image, float | None]:
        """The face as one method shows it, and its PSNR."""
        number, factor = self.controls["photo"].value, self.controls["factor"].value
        if (number, method, factor) not in self._known:
            one = self.originals[number]
            large = one.larger(factor)
            picture = large if method == ORIGINAL else upscale(one.small, factor, method, self._preset)
            unknown = method == ORIGINAL or large is None
            decibels = None if unknown else float(fidelity([picture], [large])["psnr_db"].iloc[0])
            self._known[number, method, factor] = close_up(picture, one.landmarks_in(picture.width), SHOWN), decibels
        return self._known[number, method, factor]

    def _snapshot(self) -> bytes:
        return as_jpeg(self._picture)


def divided(left: Image.Image, right: Image.Image, share: float) -> Image.Image:
    """The left `share` (0 to 1) of one picture and the rest of another of the same size, with a line between them."""
    whole, edge = right.copy(), round(share * right.width)
    whole.paste(left.crop((0, 0, edge, left.height)), (0, 0))
    if 0 < edge < whole.width:
        ImageDraw.Draw(whole).line([edge, 0, edge, whole.height], fill="white", width=2)
    return whole


def _in_db(value: float | None) -> str:
    return "" if value is None else f", {value:.1f} dB"
