"""The page in a real browser: what a visitor does, and what the page must never do."""

import base64
import io

import numpy as np
from PIL import Image

PHONE = (390, 844)  # px, of a common telephone


def upload(page, role: str, *files) -> None:
    page.set_input_files(f"#kin-{role}-photo input[type=file]", *files)


def pictures(page, place: str) -> list[Image.Image]:
    """The pictures that a part of the page shows."""
    found = page.eval_on_selector_all(f"{place} img", "all => all.map(one => one.src)")
    assert all(link.startswith("data:image/") for link in found)  # no address under which others could ask for them
    return [Image.open(io.BytesIO(base64.b64decode(link.partition(",")[2]))) for link in found]


def choose_couple(page, number: int) -> None:
    before = page.inner_html("#kin-children")
    page.click(f"#kin-samples button >> nth={number - 1}")
    page.wait_for_function("before => document.querySelector('#kin-children').innerHTML !== before", arg=before)
    page.wait_for_selector("#kin-children button[data-number]")


def saved(page, click: str) -> Image.Image:
    with page.expect_download() as waiting:
        page.click(click)
    return Image.open(waiting.value.path())


def test_two_photographs_make_children_who_can_be_saved(visitor, server, photographs, kin):
    page = visitor()
    for role, photograph in zip(("father", "mother"), photographs, strict=True):
        upload(page, role, photograph)
        page.wait_for_selector(f"#kin-{role} img")
    page.wait_for_selector("#kin-children button[data-number]")
    assert not list(server.uploads.path.rglob("*.*"))  # what was uploaded is gone as soon as it is read
    for role, photograph in zip(("father", "mother"), photographs, strict=True):
        aligned, drawn = pictures(page, f"#kin-{role}")
        assert np.array_equal(aligned, kin.separate().encode(photograph).aligned) and drawn.size == aligned.size

    page.fill("#kin-count input[type=number]", "3")
    page.get_by_label("Another way").first.check()
    page.click("#kin-make")
    page.wait_for_selector("#kin-children button[data-number='2']")
    _, _, *children = pictures(page, "#kin-children")
    assert len(children) == 3 and len({child.tobytes() for child in children}) == 3
    assert np.array_equal(saved(page, "#kin-children figure:has([data-number='1']) a"), children[1])
    sheet = saved(page, "#kin-save-sheet")
    assert sheet.width > 1000

    page.click("#kin-children button[data-number='2']")
    page.wait_for_selector("#kin-children [data-number='2'][aria-pressed=true]")
    page.get_by_text("How it was made").click()
    assert page.locator("#kin-made tbody tr").count() == kin.num_layers
    assert "--method per_layer --seed 2" in page.inner_text("#kin-made")
    outside = [url for url in page.requested if not url.startswith((server.address, "data:", "blob:"))]
    assert not outside  # no script, style, font or count of visitors comes from elsewhere
