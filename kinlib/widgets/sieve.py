"""Thresholds of detection score and yaw, and the photographs that pass them: the panel of notebook 03.

panel = PhotoSieve(pictures, scores, yaws, good)
panel.controls["score"].value = 0.97                      code can move the sliders as well
panel.kept.sum()
"""

import io
from collections.abc import Sequence

import ipywidgets as widgets
import numpy as np
from PIL import Image, ImageOps

from kinlib.runtime.errors import KinlibError
from kinlib.widgets.snapshot import GREY, Panel, as_jpeg, wide

__all__ = ["PhotoSieve"]

TILE = (60, 75)  # pixels of a picture on the page
COLUMNS, ROWS = 10, 2
SHEET = {"width": f"{COLUMNS * TILE[0]}px"}  # its own size: a box would stretch it
LEAST_SCORE, MOST_YAW = 0.5, 60.0  # ends of the sliders; degrees
WIDE = wide(520, 190)


class PhotoSieve(Panel):
    """Sliders for the detector's score and for yaw; the photographs kept and discarded, and how many are usable.

    Attributes:
        kept: bool [N], which photographs pass.
        controls: `score` (at least) and `yaw` (degrees to either side, at most).
        images: `kept` and `discarded`, the pictures nearest to the thresholds.
        captions: the text above them.
    """

    WORDS = "photographs that are kept, above those that are discarded; run the notebook to move the thresholds"

    def __init__(
        self,
        pictures: Sequence[Image.Image],
        scores: np.ndarray,
        yaws: np.ndarray,
        good: np.ndarray | None = None,
        private: bool = False,
    ):
        """Thresholds of 0.9 and 30 degrees to begin with.

        Args:
            pictures: N photographs.
            scores: float [N], the detector's, 0 where it found no face.
            yaws: float [N], degrees; NaN where unknown, which never passes.
            good: bool [N], ground truth: whether a photograph shows a usable face; None where unknown.
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
            raise KinlibError("the panel needs photographs, and as many scores, yaws and truths")
        self._thumbnails: dict[int, Image.Image] = {}
        self.controls = {
            "score": _slider("detector's score, at least", 0.9, LEAST_SCORE, 1.0, 0.005, ".3f"),
            "yaw": _slider("yaw in degrees, at most", 30.0, 5.0, MOST_YAW, 1.0, ".0f"),
        }
        self.images = {name: widgets.Image(format="jpeg", layout=SHEET) for name in ("kept", "discarded")}
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
        for name, chosen in (("kept", self.kept), ("discarded", ~self.kept)):
            self.captions[name].value = self._caption(name, chosen)
            self.images[name].value = as_jpeg(self._sheet(order[chosen[order]]))

    def _caption(self, name: str, chosen: np.ndarray) -> str:
        text = f"<b>{name}</b>: {chosen.sum():,} of {len(chosen):,} photographs"
        if self._good is None:
            return text
        good = int((chosen & self._good).sum())
        return f"{text}, {good:,} of them usable faces" + ("" if name == "kept" else " lost")

    def _sheet(self, indices: np.ndarray) -> Image.Image:
        """The first 20 photographs of a list, in rows."""
        sheet = Image.new("RGB", (COLUMNS * TILE[0], ROWS * TILE[1]), GREY)
        for place, index in enumerate(indices[: COLUMNS * ROWS].tolist()):
            if index not in self._thumbnails:
                self._thumbnails[index] = ImageOps.pad(self._pictures[index].convert("RGB"), TILE, color=GREY)
            sheet.paste(self._thumbnails[index], (place % COLUMNS * TILE[0], place // COLUMNS * TILE[1]))
        return sheet

    def _snapshot(self) -> bytes:
        """Both sheets, kept above discarded, as JPEG."""
        sheets = [Image.open(io.BytesIO(self.images[name].value)) for name in ("kept", "discarded")]
        gap = TILE[1] // 4
        both = Image.new("RGB", (sheets[0].width, 2 * sheets[0].height + gap), "white")
        for place, sheet in enumerate(sheets):
            both.paste(sheet, (0, place * (sheet.height + gap)))
        return as_jpeg(both)


def _slider(text: str, value: float, least: float, most: float, step: float, form: str) -> widgets.FloatSlider:
    return widgets.FloatSlider(
        value=value, min=least, max=most, step=step, description=text, readout_format=form, **WIDE
    )
