"""Base of all panels: in a stored notebook a static picture stands for the live widget."""

import base64
import contextlib
import io
from collections.abc import Callable

import ipywidgets as widgets
from PIL import Image

from kinlib.runtime.errors import KinlibError

__all__ = ["FITTED", "GREY", "WRAPPED", "Panel", "as_jpeg", "as_png", "switch", "wide"]

GREY = (238, 238, 238)  # where there is no picture
QUALITY = 88  # of JPEG
FITTED = {"layout": {"width": "max-content"}}  # of buttons; the default of 148 px cuts long labels off
WRAPPED = {"flex_flow": "row wrap"}  # of boxes whose parts go below each other where the page is narrow


def wide(width: int, label: int, least: int = 180, **layout: str) -> dict[str, dict[str, str]]:
    """Layout and style of a control of `width` px, `label` of them for its description.

    On a narrow page the control shrinks, but `least` px stay beside the description: a slider needs them to be moved.
    """
    limits = {"max_width": "calc(100% - 4px)", "min_width": f"{label + least}px"}  # 2 px of margin on either side
    return {"layout": {"width": f"{width}px", **limits, **layout}, "style": {"description_width": f"{label}px"}}


def switch(width: int, label: int, button: int = 80) -> dict[str, dict[str, str]]:
    """Layout and style of ToggleButtons of `button` px each, which stand beside their description."""
    options = wide(width, label, display="flex")
    return {**options, "style": {**options["style"], "button_width": f"{button}px"}}


class Panel(widgets.VBox):
    """A box of controls and pictures.

    Attributes:
        WORDS: the text of a stored notebook beside the picture.
        private: whether it shows people who did not agree to be published; then no picture is stored.
    """

    WORDS = "a panel; run the notebook to use it"
    private = False
    _snapshot: Callable[[], bytes]  # the static picture, as JPEG; every panel defines its own

    def _repr_mimebundle_(self, **kwargs):
        """The live panel, and the static picture for a stored notebook."""
        inherited = getattr(super(), "_repr_mimebundle_", None)  # ipywidgets 7 has none and displays itself
        bundle = inherited(**kwargs) if inherited else None
        if not isinstance(bundle, dict):
            return bundle
        bundle["text/plain"] = self.WORDS  # its own words would list the menus' entries, such as people's names
        if not self.private:
            with contextlib.suppress(KinlibError):  # the panel itself says what cannot be drawn
                bundle["image/jpeg"] = base64.b64encode(self._snapshot()).decode()
        return bundle


def as_png(picture: Image.Image) -> bytes:
    """PNG for the page: lossless, and compressed quickly, because a slider is waiting."""
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def as_jpeg(picture: Image.Image) -> bytes:
    """JPEG, small enough for a stored notebook."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()
