"""One state for each visitor of the page: nothing of it is shared, and nothing outlives the visit.

A visit begins with a visitor's first request and ends when the browser closes or reloads the page, when its connection
breaks, or when nothing has happened for a while. All its photographs, codes and pictures are in the visit, so that they
go with it.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kinlib.demo.limits import Limits
from kinlib.kinship.kinship import Child, Kinship
from kinlib.runtime.errors import KinlibError
from kinlib.search.session import FaceSearch
from kinlib.session import Session

__all__ = ["Report", "Visit", "Visits"]

Report = Callable[[str, float], None]
"""Called with a text and the share that is done, from 0 to 1."""


class Visit:
    """What one visitor has on the page.

    Attributes:
        session: parents and children.
        chosen: number of the child that was clicked.
        gene_child: the child of the tab of facial genes.
        search: the search for a face, once it has begun.
        ended: whether the visitor has left.
    """

    def __init__(self, kin: Kinship):
        self._kin = kin
        self.session = Session(kin.separate())
        self.chosen = 0
        self.gene_child: Child | None = None
        self.search: FaceSearch | None = None
        self.ended = False
        self.lock = threading.Lock()
        self.seen = time.monotonic()

    def forget_photographs(self) -> None:
        """Drop what the networks remember of photographs; the parents that are shown stay."""
        self.session.kin = self._kin.separate()


class Visits:
    """All visits of one server, by the key that gradio gives each page that is open.

    Args:
        kin: loaded networks, shared because they do not change.
        limits: bounds.
    """

    def __init__(self, kin: Kinship, limits: Limits):
        self.kin, self.limits = kin, limits
        self._visits: dict[str, Visit] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._visits)

    @contextmanager
    def use(self, key: str | None, report: Report | None = None) -> Iterator[Visit]:
        """A visitor's state for one request; a second request of the same visitor waits.

        Long computations report to `report`, and end with a sentence when the visitor has left or the time is up.

        Raises:
            KinlibError: if there is no key, or there are too many visitors.
        """
        visit = self._find(key)
        with visit.lock:
            visit.session.report = self._bounded(visit, report or (lambda text, share: None))
            try:
                yield visit
            finally:
                visit.seen = time.monotonic()

    def end(self, key: str | None) -> None:
        """End a visit, if there is one: what computes for it stops at its next step."""
        with self._lock:
            visit = self._visits.pop(key, None)
        if visit is not None:
            visit.ended = True

    def end_idle(self) -> None:
        """End the visits in which nothing has happened for too long."""
        limit = time.monotonic() - self.limits.idle
        with self._lock:
            idle = [key for key, visit in self._visits.items() if visit.seen < limit and not visit.lock.locked()]
        for key in idle:
            self.end(key)

    def all(self) -> list[Visit]:
        """All visits that have not ended."""
        with self._lock:
            return list(self._visits.values())

    def end_all(self) -> None:
        """End all visits."""
        for key in list(self._visits):
            self.end(key)

    def _find(self, key: str | None) -> Visit:
        if not key:
            raise KinlibError("this page has lost its connection: load it again")
        with self._lock:
            if key not in self._visits:
                if len(self._visits) >= self.limits.visitors:
                    raise KinlibError(f"the page already has {self.limits.visitors} visitors: try again later")
                self._visits[key] = Visit(self.kin)
            return self._visits[key]

    def _bounded(self, visit: Visit, report: Report) -> Report:
        """`report` that stops the computation which calls it."""
        end = time.monotonic() + self.limits.seconds

        def step(text: str, share: float) -> None:
            if visit.ended:
                raise KinlibError("the visitor has left")
            if time.monotonic() > end:
                raise KinlibError(f"that took longer than {self.limits.seconds:g} seconds: fit in fewer steps, or none")
            report(text, share)

        return step
