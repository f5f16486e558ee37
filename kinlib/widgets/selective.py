"""A photograph, an intensity slider for each attribute, and the mask of the edit: the panel of notebook 13.

panel = SelectivePanel(kin, face)
panel.controls["glasses"].value = 1.0          code can move the sliders as well
"""

import html
from pathlib import Path

import ipywidgets as widgets
from PIL import Image

from kinlib.editing.names import editable_attributes
from kinlib.kinship.kinship import Child, Face, Kinship
from kinlib.kinship.selective import edit_selectively, find_editor, find_reader
from kinlib.runtime.errors import KinlibError
from kinlib.widgets.pictures import picture_row, picture_widget
from kinlib.widgets.snapshot import FITTED, Panel, as_jpeg, as_png, wide

__all__ = ["SelectivePanel"]

SHOWN = 256  # pixels of each picture on the page
GAP = 12  # pixels between the pictures of the snapshot
WIDE = wide(420, 150)


class SelectivePanel(Panel):
    """Sliders from -1 (remove) to 1 (add) for all attributes; the picture before, after, and what was edited in it.

    Several may be moved at once. What contradicts itself is refused below, and the pictures stay as they were.

    Attributes:
        kin: the networks.
        face: the face or child that is edited.
        edited: the result of the last edit, a `kinlib.kinship.selective.SelectiveEdit`.
        controls: a slider for each attribute, and `reset`.
        images: `before`, `after` and `mask`, PNG.
        status: what was changed, or why nothing was.
    """

    WORDS = "a face, sliders for its attributes, and the mask of the edit; run the notebook to move them"

    def __init__(
        self,
        kin: Kinship,
        face: Face | Child,
        editor: str | Path | None = None,
        private: bool = False,
        reader: str | Path | None = None,
    ):
        """Show a face.

        Args:
            kin: the networks.
            face: from `Kinship.encode`, or a child.
            editor: a file of `kinlib train editor`, in place of the preset's network.
            private: of people who did not agree to be published.
            reader: a file of `kinlib train edit_attributes` that reads the attributes of `editor`.

        Raises:
            KinlibError: if there is no editing network, or it is for other attributes than are read.
        """
        super().__init__()
        self.kin, self.face, self.private = kin, face, private
        self._net = find_editor(kin, editor)
        self._reader = find_reader(self._net.attribute_set, reader)
        sliders = {
            one.name: widgets.FloatSlider(value=0.0, min=-1.0, max=1.0, step=0.05, description=one.label, **WIDE)
            for one in editable_attributes(self._net.attribute_set)
        }
        self.controls = {**sliders, "reset": widgets.Button(description="reset", **FITTED)}
        self.images = {name: picture_widget(SHOWN) for name in ("before", "after", "mask")}
        self.status = widgets.HTML()
        self.children = [picture_row(self.images), *self.controls.values(), self.status]
        self._busy = False
        for slider in sliders.values():
            slider.observe(lambda change: None if self._busy else self._show(), names="value")
        self.controls["reset"].on_click(lambda button: self.reset())
        self.images["before"].value = as_png(_fitted(face.image))
        self._show()

    @property
    def changes(self) -> dict[str, float]:
        """The attributes whose sliders were moved, with their intensities: what `Kinship.edit` takes."""
        values = {name: round(slider.value, 2) for name, slider in self.controls.items() if name != "reset"}
        return {name: value for name, value in values.items() if value}

    def reset(self) -> None:
        """Bring all sliders back to zero."""
        self._busy = True  # one edit at the end, not one for each slider
        try:
            for name, slider in self.controls.items():
                if name != "reset":
                    slider.value = 0.0
        finally:
            self._busy = False
        self._show()

    def _show(self) -> None:
        try:
            self.edited = edit_selectively(self.kin, self.face, self.changes, editor=self._net, reader=self._reader)
        except KinlibError as problem:
            self.status.value = html.escape(str(problem))
            return
        self.images["after"].value = as_png(_fitted(self.edited.face.image))
        self.images["mask"].value = as_png(_fitted(self.edited.mask))
        changed = ", ".join(f"{name} {value:+g}" for name, value in self.changes.items())
        new = self.edited.face.notes[len(self.face.notes) :]
        self.status.value = html.escape("; ".join([changed or "nothing is changed: move a slider", *new]))

    def _snapshot(self) -> bytes:
        """All pictures beside each other."""
        shown = [self.face.image, self.edited.face.image, self.edited.mask]
        sheet = Image.new("RGB", (len(shown) * (SHOWN + GAP) - GAP, SHOWN), "white")
        for number, picture in enumerate(shown):
            sheet.paste(_fitted(picture).convert("RGB"), (number * (SHOWN + GAP), 0))
        return as_jpeg(sheet)


def _fitted(picture: Image.Image) -> Image.Image:
    """The picture as a square of `SHOWN` px, whole and centred on white."""
    fitted = Image.new("RGB", (SHOWN, SHOWN), "white")
    small = picture.convert("RGB")
    small.thumbnail((SHOWN, SHOWN), Image.Resampling.LANCZOS)
    fitted.paste(small, ((SHOWN - small.width) // 2, (SHOWN - small.height) // 2))
    return fitted
