"""A face and sliders for its attributes: the panel of notebook 08.

panel = EditPanel(kin, face)
panel.controls["smile"].value = 0.8          code can move the sliders as well
"""

import html

import ipywidgets as widgets
from PIL import Image

from kinlib.kinship.kinship import Child, Face, Kinship
from kinlib.runtime.errors import KinlibError
from kinlib.widgets.pictures import picture_row, picture_widget
from kinlib.widgets.snapshot import FITTED, Panel, as_jpeg, as_png, wide

__all__ = ["EditPanel"]

SHOWN = 256  # pixels of each picture on the page
GAP = 12  # pixels between the pictures of the snapshot
STEPS = 100  # positions of a slider
REACH = 5.0  # steps of a published direction, as far as e4e's authors show
WIDE = wide(420, 110)


class EditPanel(Panel):
    """Sliders of all attributes with a direction; the picture before and after.

    A slider begins where the probe reads the attribute off the face's code. Only those that were moved are set, so that
    an attribute nobody has touched is not pinned to its reading.

    Attributes:
        kin: the networks.
        face: the face or child that is edited.
        edited: the result of the last edit.
        controls: a slider for each attribute, and `reset`.
        images: `before` and `after`, PNG.
        status: what was set, or why nothing was.
    """

    WORDS = "a face and sliders for its attributes; run the notebook to move them"

    def __init__(self, kin: Kinship, face: Face | Child, private: bool = False):
        """Show a face.

        Args:
            kin: the networks; their preset decides the sliders.
            face: from `Kinship.encode`, or a child.
            private: of people who did not agree to be published.

        Raises:
            KinlibError: if the preset has no directions, or the face was encoded with another one.
        """
        super().__init__()
        if not kin.directions:
            raise KinlibError(
                f"the preset '{kin.preset}' has no directions here: fetch one with `kinlib weights fetch`"
            )
        self.kin, self.face, self.private = kin, face, private
        self.edited = kin.edit(face, {})
        sliders = {name: self._slider(name) for name in sorted(kin.directions)}
        self._start = {name: slider.value for name, slider in sliders.items()}
        self.controls = {**sliders, "reset": widgets.Button(description="reset", **FITTED)}
        self.images = {name: picture_widget(SHOWN) for name in ("before", "after")}
        self.status = widgets.HTML()
        self.children = [picture_row(self.images), *self.controls.values(), self.status]
        self._busy = False
        for slider in sliders.values():
            slider.observe(lambda change: None if self._busy else self._show(), names="value")
        self.controls["reset"].on_click(lambda button: self.reset())
        self._before = kin.synthesise(face.latent, SHOWN)[0]
        self.images["before"].value = as_png(self._before)
        self._show()

    @property
    def edits(self) -> dict[str, float]:
        """The attributes whose sliders were moved, with their values: what `Kinship.edit` takes.

        A browser rounds a slider to its next step as soon as it shows it: that is no move.
        """
        at = {name: self.controls[name] for name in self._start}
        return {name: one.value for name, one in at.items() if abs(one.value - self._start[name]) > 0.51 * one.step}

    def reset(self) -> None:
        """Bring all sliders back to where they began."""
        self._busy = True  # one edit at the end, not one for each slider
        try:
            for name, value in self._start.items():
                self.controls[name].value = value
        finally:
            self._busy = False
        self._show()

    def _slider(self, name: str) -> widgets.FloatSlider:
        direction = self.kin.directions[name]
        if direction.probe is None:
            return widgets.FloatSlider(value=0.0, min=-REACH, max=REACH, step=0.1, description=name, **WIDE)
        low, high = direction.low, direction.high
        value = min(max(float(direction.read(self.face.latent)), low), high)
        return widgets.FloatSlider(
            value=value, min=low, max=high, step=(high - low) / STEPS, description=name.replace("_", " "), **WIDE
        )

    def _show(self) -> None:
        try:
            self.edited = self.kin.edit(self.face, self.edits)
        except KinlibError as problem:
            self.status.value = html.escape(str(problem))
            return
        self._after = self.kin.synthesise(self.edited.latent, SHOWN)[0]
        self.images["after"].value = as_png(self._after)
        set_to = ", ".join(f"{name} {value:.2f}" for name, value in self.edits.items())
        self.status.value = html.escape(f"set: {set_to}" if set_to else "nothing is set: move a slider")

    def _snapshot(self) -> bytes:
        """Both pictures beside each other."""
        both = Image.new("RGB", (2 * SHOWN + GAP, SHOWN), "white")
        for left, picture in ((0, self._before), (SHOWN + GAP, self._after)):
            both.paste(picture.resize((SHOWN, SHOWN), Image.Resampling.LANCZOS), (left, 0))
        return as_jpeg(both)
