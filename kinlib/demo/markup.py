"""Pictures of faces as HTML.

Pictures are part of the page's text (data addresses), so that no file with a face lies on the server, and there is no
address under which somebody else could ask for it. Everything that is not from this package is escaped.
"""

import base64
import html
import io
from collections.abc import Sequence

from PIL import Image

__all__ = ["ON_CLICK", "address", "choices", "figure", "message", "save_link", "strip"]

LARGEST_PNG = 512  # px; larger pictures are JPEG, a tenth of the size
QUALITY = 95

ON_CLICK = """
element.addEventListener('click', event => {
  const save = event.target.closest('[data-save]');
  if (save) save.href = save.closest('figure').querySelector('img').src;
  const button = event.target.closest('[data-number]');
  if (button) trigger('select', {index: Number(button.dataset.number)});
});
"""
"""For a `gr.HTML`: a button with a number is the event `select` with it; a link to save takes the picture beside it."""


def address(picture: Image.Image) -> str:
    """A picture as a data address."""
    kind = _kind(picture)
    stream = io.BytesIO()
    picture.save(stream, kind, **({"compress_level": 3} if kind == "png" else {"quality": QUALITY}))
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode()}"


def _kind(picture: Image.Image) -> str:
    return "png" if max(picture.size) <= LARGEST_PNG else "jpeg"


def figure(picture: Image.Image, caption: str, small: bool = False, save_as: str = "") -> str:
    """A picture with words below it, and with a link that stores it if it has a name for that (needs `ON_CLICK`)."""
    words, kind = html.escape(caption), "kin-face kin-small" if small else "kin-face"
    save = _save_beside(picture, save_as) if save_as else ""
    return (
        f'<figure class="{kind}"><img src="{address(picture)}" alt="{words}">'
        f"<figcaption><span>{words}</span>{save}</figcaption></figure>"
    )


def save_link(picture: Image.Image, name: str, words: str = "Save") -> str:
    """A link that stores a picture under a name, without an ending."""
    file = html.escape(f"{name}.{_kind(picture)}")
    return f'<a class="kin-save" download="{file}" href="{address(picture)}" aria-label="save {file}">{words}</a>'


def choices(
    pictures: Sequence[Image.Image], names: Sequence[str], chosen: Sequence[int] = (), savable: bool = False
) -> str:
    """Pictures as buttons, of which some are pressed; with links that store them if wanted. Needs `ON_CLICK`."""
    cells = []
    for number, (picture, name) in enumerate(zip(pictures, names, strict=True)):
        words, pressed = html.escape(name), "true" if number in chosen else "false"
        save = _save_beside(picture, name) if savable else ""
        cells.append(
            f'<figure class="kin-face"><button type="button" data-number="{number}" aria-pressed="{pressed}">'
            f'<img src="{address(picture)}" alt="{words}"></button>'
            f"<figcaption><span>{words}</span>{save}</figcaption></figure>"
        )
    return strip(cells)


def _save_beside(picture: Image.Image, name: str) -> str:
    """A link that stores the picture of the same figure; the address is not repeated, `ON_CLICK` copies it."""
    file = html.escape(f"{name.lower().replace(' ', '_')}.{_kind(picture)}")
    return f'<a class="kin-save" href="#" data-save download="{file}" aria-label="save {file}">Save</a>'


def strip(cells: Sequence[str]) -> str:
    """Cells side by side, in as many rows as the page's width needs."""
    return f'<div class="kin-strip">{"".join(cells)}</div>'


def message(text: str, fault: bool = False) -> str:
    """A sentence that screen readers speak when it appears."""
    if not text:
        return '<div role="status" aria-live="polite"></div>'
    kind = "kin-fault" if fault else "kin-note"
    return f'<div role="status" aria-live="polite" class="{kind}">{html.escape(text)}</div>'
