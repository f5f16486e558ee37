"""`kinlib demo`: the web page, on this machine only."""

import importlib.util
from dataclasses import dataclass

from kinlib.cli.machine import check_device
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

__all__ = ["DemoCommand", "open_page"]

LARGEST_PORT = 65_535


@dataclass(kw_only=True)
class DemoCommand:
    """Open the web page: children, facial genes, edits and a search for a face, by clicks."""

    port: int = 7860
    """to listen at, of 127.0.0.1; 0 takes a free one"""
    preset: str = "studio"
    """studio (bundled) or ffhq (downloaded weights)"""
    device: str | None = None
    """cpu or cuda; the best there is by default"""
    browser: bool = False
    """also open the page in the browser"""

    def run(self) -> None:
        open_page(self.port, self.preset, self.device, self.browser)


def open_page(
    port: int, preset: str = "studio", device: str | None = None, browser: bool = False, begin: str = "children"
) -> None:
    """Serve the page until Ctrl-C, and say where it is.

    Args:
        port: to listen at; 0 takes a free one.
        preset: "studio" or "ffhq".
        device: where the networks compute; None picks the best there is.
        browser: open it in the browser as well.
        begin: the tab that is open at first, one of `kinlib.demo.page.TABS`.

    Raises:
        KinlibError: if gradio is not installed, the networks cannot be loaded, or the port is taken.
    """
    if not 0 <= port <= LARGEST_PORT:
        raise KinlibError(f"--port must be from 0 to {LARGEST_PORT}, not {port}")
    config.check_preset(preset)
    check_device(device)
    if importlib.util.find_spec("gradio") is None:
        raise KinlibError("the page needs gradio: run `pip install gradio`")
    from kinlib.demo.server import PageServer
    from kinlib.kinship.kinship import Kinship

    with PageServer(Kinship.load(preset, device), port, begin=begin) as server:
        print(f"the page is at {server.address} (on this machine only; Ctrl-C ends it)", flush=True)
        if browser:
            import webbrowser

            webbrowser.open(server.address)
        server.wait()
