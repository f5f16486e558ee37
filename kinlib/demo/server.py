"""Starting the page: bound to this machine, shared with nobody, telling nobody.

with PageServer(kin, port=0) as server:
    print(server.address)
"""

import os
import socket
import threading
from pathlib import Path

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from kinlib.demo.headers import PrivateHeaders, local_hosts
from kinlib.demo.limits import Limits
from kinlib.demo.page import build_page, look
from kinlib.demo.parts import Parts
from kinlib.demo.uploads import UploadFolder
from kinlib.demo.visits import Visits
from kinlib.kinship.kinship import Kinship
from kinlib.runtime.errors import KinlibError
from kinlib.session import REFINE_STEPS

__all__ = ["ADDRESS", "PageServer"]

ADDRESS = "127.0.0.1"
SWEEP = 10.0  # seconds between two looks for files and visits that nobody needs
SILENT = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


class PageServer:
    """The running page. Used as a context, or ended by `close`.

    Attributes:
        visits: its visitors.
        uploads: the folder through which photographs arrive.
        parts: what its tabs are made with.
        address: for a browser.
    """

    def __init__(
        self,
        kin: Kinship,
        port: int = 0,
        limits: Limits | None = None,
        refine: int = REFINE_STEPS,
        folder: Path | None = None,
        begin: str = "children",
    ):
        """Start it.

        Args:
            kin: loaded networks.
            port: to listen at; 0 takes a free one.
            limits: bounds; None for the usual ones.
            refine: steps of fitting a photograph's code.
            folder: in which the folder of uploads is made; None for the system's.
            begin: the tab that is open at first.

        Raises:
            KinlibError: if the port is taken.
        """
        limits = limits or Limits()
        port = _checked_port(port)
        self.visits, self.uploads = Visits(kin, limits), UploadFolder(folder)
        os.environ.update(SILENT | {"GRADIO_TEMP_DIR": str(self.uploads.path)})  # read by gradio for each page
        self.parts = Parts(self.visits, self.uploads, limits, refine)
        self._page = build_page(self.parts, begin)
        self._page.queue(max_size=limits.waiting)
        _, self.address, _ = self._page.launch(
            server_name=ADDRESS,
            server_port=port,
            share=False,
            inline=False,
            prevent_thread_lock=True,
            quiet=True,
            footer_links=[],
            run_history=False,
            max_file_size=limits.upload_bytes,
            state_session_capacity=limits.visitors,
            enable_monitoring=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            app_kwargs={"middleware": [Middleware(TrustedHostMiddleware, local_hosts()), Middleware(PrivateHeaders)]},
            **look(),
        )
        self._closing = threading.Event()
        threading.Thread(target=self._keep_clean, args=(limits,), daemon=True).start()

    def __enter__(self) -> "PageServer":
        return self

    def __exit__(self, *problem) -> None:
        self.close()

    def wait(self) -> None:
        """Serve until Ctrl-C."""
        self._closing.wait()

    def close(self) -> None:
        """End the page and all visits, and remove the folder of uploads."""
        self._closing.set()
        self._page.close(verbose=False)
        self.visits.end_all()
        self.uploads.remove()

    def _keep_clean(self, limits: Limits) -> None:
        while not self._closing.wait(SWEEP):
            self.uploads.sweep(limits.upload_age)
            self.visits.end_idle()


def _checked_port(port: int) -> int:
    """The port, or a free one for 0."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except (OSError, OverflowError) as error:
            raise KinlibError(f"the port {port} of {ADDRESS} is not free: choose another one with --port") from error
        return probe.getsockname()[1]
