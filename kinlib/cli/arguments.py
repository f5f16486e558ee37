"""Command lines from dataclasses, by tyro, with its framed messages made one line.

tyro explains wrong arguments in boxes of a dozen lines and leaves the program. Our commands answer everything that is
wrong with one sentence, so the box is caught here and boiled down to what it says.
"""

import contextlib
import io
import re

import tyro

from kinlib.runtime.errors import KinlibError

__all__ = ["parse"]

REPEATED = ("For full helptext", "Argument helptext", "Got errors")  # parts of tyro's messages that say no more
FRAME = r"[╭╰├+─-].*[╮╯┤+─-]|─*"  # lines around and between the parts
TITLE = r"[A-Z][a-z]+( [a-z]+){0,2}"  # of a box; without colours and frames it stands on a line of its own


def parse(kind: type, arguments: list[str], prog: str):
    """The dataclass that the arguments describe; None if they ask for help, which is then printed.

    Raises:
        KinlibError: if they cannot be understood.
    """
    box = io.StringIO()
    try:
        with contextlib.redirect_stderr(box):
            return tyro.cli(kind, args=arguments, prog=prog)
    except SystemExit as stop:
        if not stop.code:
            return None
        raise KinlibError(f"{_unboxed(box.getvalue())}; see `{prog} --help`") from stop


def _unboxed(box: str) -> str:
    """What tyro has to say of wrong arguments, on one line instead of in a framed box."""
    lines = [re.sub(r"[│|]", "", line).strip() for line in box.splitlines()]
    sections: list[list[str]] = [[]]
    for line in lines:
        if re.fullmatch(FRAME, line):
            sections.append([])
        else:
            sections[-1].append(line)
    texts = [" ".join(filter(None, section)) for section in sections]
    texts = [_shorter(text) for text in texts if not text.startswith(REPEATED) and not re.fullmatch(TITLE, text)]
    return "; ".join(filter(None, texts)) or "these options cannot be understood"


def _shorter(text: str) -> str:
    """One of tyro's paragraphs without the help texts and types it repeats."""
    if text.startswith("Missing from") and (names := re.findall(r"--[a-z][a-z-]*", text)):
        return f"missing: {', '.join(names)}"
    if found := re.match(r"Error parsing (\S+):.*?'(.*?)'", text):
        return f"{found[1]} cannot be '{found[2]}'"
    return (text[:1].lower() + text[1:]).rstrip(".")
