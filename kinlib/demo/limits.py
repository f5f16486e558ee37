"""How much the page takes: sizes, visitors, requests at once, time."""

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """Bounds of one server.

    Attributes:
        upload_bytes: of a photograph's file; phones make up to 15 MB.
        photo_side: px; larger photographs are scaled down before a face is looked for, because the crop has 256 px.
        children: of one request.
        seconds: of one request, the fitting of a photograph included.
        at_once: requests that compute at the same time; more wait.
        waiting: requests that may wait; further ones are refused.
        visitors: whose faces are in memory at the same time.
        idle: seconds after which the faces of a visitor who does nothing are dropped.
        upload_age: seconds that an uploaded file may lie unread, which it does only if its visitor has gone.
    """

    upload_bytes: int = 20_000_000
    photo_side: int = 1024
    children: int = 8
    seconds: float = 180.0
    at_once: int = 2
    waiting: int = 40
    visitors: int = 40
    idle: float = 1800.0
    upload_age: float = 60.0
