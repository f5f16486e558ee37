"""Two thresholds, and the photographs that pass them: the panel of the notebook on keypoints and pose.

panel = PhotoSieve(pictures, scores, yaws, good)
panel.controls["score"].value = 0.97                      what a hand does with a slider, code can do as well
panel.kept.sum()
"""

import io
from collections.abc import Sequence

import ipywidgets as widgets
import numpy as np
from PIL import Image, ImageOps

from kinlib.runtime.errors import KinlibError
from kinlib.widgets.snapshot import GREY, Panel, as_jpeg

__all__ = ["PhotoSieve"]

TILE = (60, 75)  # pixels of a picture on the page
COLUMNS, ROWS = 10, 2
LEAST_SCORE, MOST_YAW = 0.5, 60.0  # where sliders begin and end
WIDE = {"layout": {"width": "520px"}, "style": {"description_width": "190px"}}


class PhotoSieve(Panel):
    """Sliders for the detector's score and for yaw; what stays, what goes, and how many of those are good faces.

    Attributes:
        kept: bool [N], which photographs pass.
        controls: `score` (at least) and `yaw` (degrees to either side, at most).
        images: `stays` and `goes`, the pictures nearest to the thresholds.
        captions: the words above them.
    """

    WORDS = "photographs that stay, above those that go; run the notebook to move the thresholds"

    def __init__(
        self,
        pictures: Sequence[Image.Image],
        scores: np.ndarray,
        yaws: np.ndarray,
        good: np.ndarray | None = None,
        private: bool = False,
    ):
        """Begin with a score of 0.9 and 30 degrees.

        Args:
            pictures: N photographs.
            scores: float [N], the detector's, 0 where it found no face.
            yaws: float [N], degrees; NaN where they are unknown, which never passes.
            good: bool [N], whether a photograph truly shows a usable face; None where nobody knows.
            private: of people who did not agree to be published; then a stored notebook shows no picture.

        Raises:
            KinlibError: if there are no pictures, or not as many of the rest.
        """
        super().__init__()
        self._pictures, self.private = list(pictures), private
        self._scores, self._yaws = np.asarray(scores, dtype=np.float64), np.abs(np.asarray(yaws, dtype=np.float64))
        self._good = None if good is None else np.asarray(good, dtype=bool)
        columns = [self._pictures, self._scores, self._yaws, *([] if good is None else [self._good])]
        if len({len(column) for column in columns}) > 1 or not self._pictures:
            raise KinlibError("the sieve needs photographs, and a score, a yaw and a truth for each of them")
        self._thumbnails: dict[int, Image.Image] = {}
        self.controls = {
            "score": _slider("detector's score, at least", 0.9, LEAST_SCORE, 1.0, 0.005, ".3f"),
            "yaw": _slider("yaw in degrees, at most", 30.0, 5.0, MOST_YAW, 1.0, ".0f"),
        }
        self.images = {name: widgets.Image(format="jpeg") for name in ("stays", "goes")}
        self.captions = {name: widgets.HTML() for name in self.images}
        boxes = [widgets.VBox([self.captions[name], self.images[name]]) for name in self.images]
        self.children = [*self.controls.values(), *boxes]
        for control in self.controls.values():
            control.observe(lambda change: self._show(), names="value")
        self._show()

    def _show(self) -> None:
        score, yaw = (self.controls[name].value for name in ("score", "yaw"))
        self.kept = (self._scores >= score) & (self._yaws <= yaw)  # comparisons with NaN are false
        margin = np.minimum((self._scores - score) / (1 - LEAST_SCORE), (yaw - self._yaws) / MOST_YAW)
        order = np.argsort(np.abs(np.nan_to_num(margin, nan=-1.0)), kind="stable")
        for name, chosen in (("stays", self.kept), ("goes", ~self.kept)):
            self.captions[name].value = self._caption(name, chosen)
            self.images[name].value = as_jpeg(self._sheet(order[chosen[order]]))

    def _caption(self, name: str, chosen: np.ndarray) -> str:
        text = f"<b>{name}</b>: {chosen.sum():,} of {len(chosen):,} photographs"
        if self._good is None:
            return text
        good = int((chosen & self._good).sum())
        return f"{text}, {good:,} of them good faces" + ("" if name == "stays" else " lost")

    def _sheet(self, indices: np.ndarray) -> Image.Image:
        """The first of some photographs in rows."""
        sheet = Image.new("RGB", (COLUMNS * TILE[0], ROWS * TILE[1]), GREY)
        for place, index in enumerate(indices[: COLUMNS * ROWS].tolist()):
            if index not in self._thumbnails:
                self._thumbnails[index] = ImageOps.pad(self._pictures[index].convert("RGB"), TILE, color=GREY)
            sheet.paste(self._thumbnails[index], (place % COLUMNS * TILE[0], place // COLUMNS * TILE[1]))
        return sheet

    def _snapshot(self) -> bytes:
        """Both sheets, what stays above what goes, as JPEG."""
        sheets = [Image.open(io.BytesIO(self.images[name].value)) for name in ("stays", "goes")]
        gap = TILE[1] // 4
        both = Image.new("RGB", (sheets[0].width, 2 * sheets[0].height + gap), "white")
        for place, sheet in enumerate(sheets):
            both.paste(sheet, (0, place * (sheet.height + gap)))
        return as_jpeg(both)


def _slider(text: str, value: float, least: float, most: float, step: float, form: str) -> widgets.FloatSlider:
    return widgets.FloatSlider(
        value=value, min=least, max=most, step=step, description=text, readout_format=form, **WIDE
    )
