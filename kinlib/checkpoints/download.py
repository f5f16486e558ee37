"""Downloads one large file, resuming where a connection dropped.

`Downloader` is what `pooch` calls to get a file; pooch then compares the SHA-256 and gives the file its name. What has
arrived is kept in `<file>.part`, and the next attempt, in the same run or a later one, requests only the rest. A server
that sends something else, a quota page for instance, does not replace what has arrived.
"""

import bz2
import os
import shutil
import time
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path

from kinlib.runtime.errors import KinlibError

__all__ = ["UNREACHABLE", "WRONG_SUM", "Downloader", "WrongContent", "is_web_page", "remove_leftovers", "retrieve"]
__all__ += ["try_mirrors"]

WRONG_SUM = "sent a file with another SHA-256"
UNREACHABLE = "cannot be reached"
CHUNK = 1 << 16  # bytes; less than this is lost when a connection drops


class WrongContent(Exception):
    """The server answered, but with something else than the file."""


def is_web_page(head: bytes) -> bool:
    """Whether a file that begins with `head` is HTML or XML, as quota and error pages are."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype", b"<html", b"<?xml"))


class Downloader:
    """Gets a URL into a file, resuming where it can; a `.bz2` is unpacked on the way.

    Args:
        part: where an incomplete file is kept; `.bz2` is added for a packed one.
        size: bytes of the (unpacked) file if known; anything else is refused early.
        label: shown beside the progress bar; None shows no bar.
        attempts: how often a connection that drops *after* sending something is resumed.
        timeout: seconds without a byte after which a connection counts as dropped.
        wait: seconds before the first new attempt; doubled each time, at most 30.
        check: looks at the complete, unpacked file, for lack of a sum; raises WrongContent to refuse it.
    """

    def __init__(
        self,
        part: Path,
        size: int | None = None,
        label: str | None = None,
        attempts: int = 10,
        timeout: float = 30,
        wait: float = 1,
        check: Callable[[Path], None] | None = None,
    ):
        self.plain_part = Path(part)
        self.size = size
        self.label = label
        self.attempts = attempts
        self.timeout = timeout
        self.wait = wait
        self.check = check
        self.resumed_at = 0  # bytes that were there before this download began
        self.arrived: list[Path] = []  # files that are complete, until `forget`

    def __call__(self, url: str, output_file: str, pooch=None, check_only: bool = False) -> None:
        """Download `url` into `output_file` (the signature is pooch's).

        Raises:
            WrongContent: the server sent a web page, a file of another size, or one that `check` refuses.
            requests.RequestException: it cannot be reached or dropped the connection too often.
        """
        packed = url.endswith(".bz2")
        part = self.plain_part.with_name(self.plain_part.name + ".bz2") if packed else self.plain_part
        self.resumed_at = _bytes_in(part)
        self._get_all(url, part, None if packed else self.size)
        self.arrived = [part]
        if packed:
            self.arrived.append(self.plain_part.with_name(self.plain_part.name + ".unpacked"))
            self._unpack(*self.arrived)
        _give_name(self.arrived[-1], Path(output_file))
        if self.check:
            try:
                self.check(Path(output_file))
            except WrongContent:
                self.forget()
                raise

    def forget(self) -> None:
        """Remove what has arrived."""
        for path in self.arrived:
            path.unlink(missing_ok=True)

    def _get_all(self, url: str, part: Path, size: int | None) -> None:
        import requests

        for attempt in range(self.attempts):
            before = _bytes_in(part)
            try:
                return self._get(url, part, size)
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
                if attempt + 1 == self.attempts or _bytes_in(part) <= before:
                    raise
                time.sleep(min(self.wait * 2**attempt, 30))

    def _get(self, url: str, part: Path, size: int | None, resume: bool = True) -> None:
        """One request for what is missing, appended to `part`; without `resume`, for all of it."""
        import requests

        have = _bytes_in(part) if resume else 0
        if size is not None and have >= size:  # complete already, or left over from something else
            if have == size:
                return
            part.unlink()
            have = 0
        # Without "identity" a server may compress, and then neither the length nor the range means what we think.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with requests.get(url, headers=headers, stream=True, timeout=self.timeout) as answer:
            if answer.status_code == 416 and have:  # there is nothing after what we have
                if size is None and answer.headers.get("Content-Range", "").endswith(f"/{have}"):
                    return
                return self._get(url, part, size, resume=False)
            answer.raise_for_status()
            start = have if _continues(answer, have) else 0
            self._store(answer, part, start, size)

    def _store(self, answer, part: Path, start: int, size: int | None) -> None:
        """Write what is sent from byte `start` on; an answer that cannot be the file leaves `part` as it was."""
        import requests
        from tqdm.auto import tqdm

        length = answer.headers.get("Content-Length")
        total = start + int(length) if length else None
        chunks = answer.iter_content(CHUNK)
        first = next(chunks, b"")
        _check_beginning(first, start, total, size)
        position = start
        bar = tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=self.label, disable=self.label is None)
        with bar, part.open("ab" if start else "wb") as file:  # "wb" forgets what has arrived, so the check comes first
            for chunk in chain([first], chunks):
                position += len(chunk)
                if size is not None and position > size:
                    break
                file.write(chunk)
                bar.update(len(chunk))
        if size is not None and position > size:
            part.unlink()
            raise WrongContent(f"sent more than {size:,} bytes")
        if total is not None and position < total:
            raise requests.ConnectionError("the connection was closed early")

    def _unpack(self, part: Path, output: Path) -> None:
        """Unpack `part`; stop as soon as more comes out than there should be. A bad archive is deleted."""
        try:
            with bz2.open(part) as source, output.open("wb") as target:
                if self.size is None:
                    shutil.copyfileobj(source, target, CHUNK)
                    return
                while chunk := source.read(CHUNK):
                    if target.tell() + len(chunk) > self.size:
                        raise WrongContent(f"sent an archive of more than {self.size:,} bytes")
                    target.write(chunk)
        except WrongContent:
            self.forget()
            raise
        except (OSError, EOFError) as error:
            if getattr(error, "errno", None):  # a full disk, not a bad archive
                output.unlink(missing_ok=True)
                raise
            self.forget()
            raise WrongContent("sent a damaged bz2 archive") from error


def remove_leftovers(place: Path) -> None:
    """Remove what kills have left beside a file that is whole now: other names of it, and empty temporary files."""
    for path in (
        *place.parent.glob(f"{place.name}.part*"),
        *place.parent.glob("tmp????????"),
    ):  # the second are pooch's
        if path.name.endswith(".part.bz2") or path.samefile(place) or not path.stat().st_size:
            path.unlink(missing_ok=True)


def _give_name(path: Path, name: Path) -> None:
    """Give a file a second name, so that the first is still there if a kill takes the second; or move it, at worst."""
    name.unlink(missing_ok=True)
    try:
        os.link(path, name)
    except OSError:  # file systems without links
        os.replace(path, name)


def _bytes_in(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _continues(answer, have: int) -> bool:
    """Whether the answer goes on at byte `have`; servers without ranges start again."""
    return bool(have) and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")


def _check_beginning(chunk: bytes, start: int, total: int | None, size: int | None) -> None:
    """Refuse what shows from its first bytes, which lie at `start` of the file, and its length that it is another."""
    if start == 0 and not chunk:
        raise WrongContent("sent nothing")
    if start == 0 and is_web_page(chunk[:200]):
        raise WrongContent("sent a web page instead of the file")
    if size is not None and total is not None and total != size:
        raise WrongContent(f"offers {total:,} bytes instead of {size:,}")


def retrieve(url: str, sha256: str | None, place: Path, loader: Downloader) -> str | None:
    """Download one file with pooch and check its SHA-256, if known; None when it worked, else why not, in words.

    Raises:
        KinlibError: if the file cannot be written here.
    """
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")  # our bar and our sentences are enough
    arrived = place if sha256 else place.with_name(place.name + ".new")  # without a sum, pooch keeps what is there
    try:
        pooch.retrieve(url, sha256, fname=arrived.name, path=place.parent, downloader=loader)
        os.replace(arrived, place)
        loader.forget()
        remove_leftovers(place)
        return None
    except (requests.ConnectionError, requests.Timeout):
        return UNREACHABLE
    except requests.HTTPError as error:
        return f"answered {error.response.status_code}"
    except requests.RequestException:
        return "dropped the connection"
    except WrongContent as error:
        return str(error)
    except ValueError:
        loader.forget()
        return WRONG_SUM
    except OSError as error:
        raise KinlibError(f"cannot write {place}: {error.strerror or error}") from error


def try_mirrors(urls: Iterable[str], attempt: Callable[[str], str | None]) -> str | None:
    """Try one mirror after the other; None when one worked, else why none did, in words for the middle of a sentence.

    Args:
        urls: where the same file lies, on one server or several.
        attempt: gets one URL and answers as `retrieve` does: None when it worked, else the reason why not.
    """
    reasons: dict[str, str] = {}
    for url in urls:
        reason = attempt(url)
        if reason is None:
            return None
        reasons.setdefault(url.split("/")[2], reason)
    if set(reasons.values()) == {UNREACHABLE}:
        return "no network connection to " + ", ".join(reasons)
    return "; ".join(f"{host} {reason}" for host, reason in reasons.items())
