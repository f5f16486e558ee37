"""Panels that leave a plain picture of themselves in a stored notebook."""

import base64
import io

import ipywidgets as widgets
from PIL import Image

__all__ = ["Panel", "as_jpeg", "as_png"]


class Panel(widgets.VBox):
    """A box of controls and pictures.

    Attributes:
        private: whether it shows people who did not agree to be published; then no picture is left behind.
    """

    WORDS = "a panel; run the notebook to use it"
    private = False

    def _snapshot(self) -> bytes:
        """What a stored notebook shows, as JPEG; every panel has its own."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs):
        """Beside the live panel a plain picture, which is all that a stored notebook can show."""
        inherited = getattr(super(), "_repr_mimebundle_", None)  # ipywidgets 7 has none and displays itself
        bundle = inherited(**kwargs) if inherited else None
        if isinstance(bundle, dict) and not self.private:
            bundle["text/plain"] = self.WORDS
            bundle["image/jpeg"] = base64.b64encode(self._snapshot()).decode()
        return bundle


def as_png(picture: Image.Image) -> bytes:
    """For the page, without loss and at once."""
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def as_jpeg(picture: Image.Image, quality: int = 88) -> bytes:
    """For a stored notebook."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return stream.getvalue()
