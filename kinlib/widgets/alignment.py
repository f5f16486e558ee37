"""A photograph, the points found in it, and the crop that they lead to: the panel of notebook 05.

panel = AlignPanel(pictures, names, landmarks)
panel.controls["points"].value = "5"
"""

import html
from collections.abc import Sequence

import ipywidgets as widgets
import numpy as np
from PIL import Image

from kinlib.evaluation.preprocessing.alignment import CROP, crop_error
from kinlib.faces import landmarks as shape
from kinlib.faces.keypoints import Keypoints, detect
from kinlib.figures import mark_crop
from kinlib.io.crop import cut_quad
from kinlib.io.photos import to_rgb
from kinlib.runtime.errors import KinlibError
from kinlib.widgets.snapshot import GREY, WRAPPED, Panel, as_jpeg, as_png, switch, wide

__all__ = ["AlignPanel"]

TRUTH = "truth"
MOST = 0.5  # face scales; end of the slider
SHOWN = 360  # pixels of height on the page
WIDE = wide(420, 110)
SWITCH = switch(420, 110)


class AlignPanel(Panel):
    """A menu of photographs and a switch of points; the photograph with the square, and the crop.

    Attributes:
        controls: `photo` (number), `points` ("68", "5", or "truth" where it is known) and `limit`: 68 points that
            disagree more with the five are not believed, in face scales.
        images: `photo` and `crop`, PNG.
        status: how far off the crop is, or why there is none.
    """

    WORDS = "a photograph with its points and square, and the crop; run the notebook to choose another"

    def __init__(
        self,
        pictures: Sequence[Image.Image],
        names: Sequence[str],
        truths: Sequence[np.ndarray] | None = None,
        predictor: "shape.Predictor" = None,
        private: bool = False,
    ):
        """Show the first photograph.

        Args:
            pictures: RGB.
            names: one each.
            truths: the true landmarks [68, 2] of each, where they are known.
            predictor: of the 68 landmarks; a loaded one, a path, or None for the bundled one.
            private: of people who did not agree to be published.

        Raises:
            KinlibError: if there are no photographs, or not as many names or landmarks.
        """
        super().__init__()
        if not len(pictures) or len(names) != len(pictures) or (truths is not None and len(truths) != len(pictures)):
            raise KinlibError("the panel needs photographs, with a name and (if any) landmarks for each of them")
        self.private, self._pictures = private, [to_rgb(picture) for picture in pictures]
        self._truths, self._predictor = truths, predictor
        self._faces: dict[int, Keypoints | None] = {}
        ways = ["68", "5", *([] if truths is None else [TRUTH])]
        menu = [(name, number) for number, name in enumerate(names)]
        self.controls = {
            "photo": widgets.Dropdown(options=menu, value=0, description="photograph", **WIDE),
            "points": widgets.ToggleButtons(options=ways, value="68", description="points", **SWITCH),
            "limit": widgets.FloatSlider(
                value=shape.PLAUSIBLE, min=0.0, max=MOST, step=0.01, description="68 may differ", **WIDE
            ),
        }
        self.images = {name: widgets.Image(format="png") for name in ("photo", "crop")}
        self.status = widgets.HTML()
        self.children = [*self.controls.values(), widgets.HBox(list(self.images.values()), layout=WRAPPED), self.status]
        for control in self.controls.values():
            control.observe(lambda change: self._show(), names="value")
        self._show()

    def _show(self) -> None:
        number, way = self.controls["photo"].value, self.controls["points"].value
        picture = self._pictures[number]
        try:
            points, quad, note = self._points(number, way)
            drawn = mark_crop(picture, quad, points), cut_quad(picture, quad, CROP)
            words = f"square of {np.hypot(*(quad[3] - quad[0])):.0f} px{note}"
            if self._truths is not None and way != TRUTH:
                words += f"; the face lies {crop_error(quad, self._truths[number]):.1f} px off in the crop of {CROP} px"
        except KinlibError as problem:
            drawn, words = (picture, Image.new("RGB", (CROP, CROP), GREY)), str(problem)
        self._drawn = [_scaled(one) for one in drawn]
        for image, one in zip(self.images.values(), self._drawn, strict=True):
            image.value = as_png(one)
        self.status.value = html.escape(words)

    def _points(self, number: int, way: str) -> tuple[np.ndarray, np.ndarray, str]:
        """Points, the square that follows from them, and a note."""
        if way == TRUTH:
            return self._truths[number], shape.quad_of(self._truths[number]), ""
        if number not in self._faces:
            self._faces[number] = detect(self._pictures[number])[0]
        face = self._faces[number]
        if face is None:
            raise KinlibError("no face found in this photograph: there is nothing to align")
        if way == "5":
            return face.points, shape.face_quad(face), ""
        points = shape.predict(self._pictures[number], face, self._predictor)
        note = f"; 68 points and five differ by {shape.disagreement(points, face):.2f}"
        if not shape.plausible(points, face, self.controls["limit"].value):
            return face.points, shape.face_quad(face), f"{note}, too much: the five are taken"
        return points, shape.quad_of(points), note

    def _snapshot(self) -> bytes:
        """Both pictures beside each other."""
        both = Image.new("RGB", (sum(one.width for one in self._drawn) + 20, SHOWN), "white")
        for left, one in zip((0, self._drawn[0].width + 20), self._drawn, strict=True):
            both.paste(one, (left, 0))
        return as_jpeg(both)


def _scaled(picture: Image.Image) -> Image.Image:
    """At the height that the page shows."""
    return picture.resize((round(picture.width * SHOWN / picture.height), SHOWN), Image.Resampling.LANCZOS)
