"""The page, served in this process, and a headless Chromium that visits it."""

import time
from collections.abc import Callable, Iterator

import pytest

from kinlib.kinship.kinship import Kinship
from kinlib.studio.datasets import sample_parents

STEPS = 3  # of fitting a photograph's code: that it is done, not how well
PATIENCE = 300_000  # ms; a busy machine is no failure


@pytest.fixture(scope="session")
def kin() -> Kinship:
    return Kinship.load("studio", "cpu")


@pytest.fixture(scope="session")
def server(kin, tmp_path_factory) -> Iterator:
    pytest.importorskip("gradio", reason="the page needs gradio")
    from kinlib.demo.server import PageServer

    with PageServer(kin, refine=STEPS, folder=tmp_path_factory.mktemp("uploads")) as server:
        yield server


@pytest.fixture
def visitor(browser, server) -> Iterator[Callable]:
    """A function that opens the page for a new visitor, at the size that it is given."""
    contexts = []

    def visit(width: int = 1280, height: int = 900, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.requested = []
        page.on("request", lambda request: page.requested.append(request.url))
        page.goto(server.address)
        page.wait_for_selector("#kin-samples button")
        return page

    yield visit
    for context in contexts:
        context.close()
    eventually(lambda: len(server.visits) == 0)


@pytest.fixture(scope="session")
def photographs() -> list[str]:
    """Paths of two bundled people who are no couple."""
    return [str(sample_parents.couple(2)[0]), str(sample_parents.couple(3)[1])]


def eventually(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "that did not happen in time"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def wait_until() -> Callable:
    return eventually
