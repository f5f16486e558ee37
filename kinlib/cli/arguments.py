"""Command lines from dataclasses, by tyro, with one sentence in place of tyro's framed messages.

tyro explains wrong arguments in a box of a dozen lines and leaves the program. Before it does so it calls a hook with
an object that says what is wrong, from which the sentence is made. The hook is in a private module of tyro (1.0.17 has
it, 1.0.0 has not). Where it is absent, or an object is of a kind that this module does not know, the sentence only says
that the options cannot be understood. Nothing depends on how the box is drawn.
"""

import contextlib
import dataclasses
import difflib
import io
import os
import shutil
from collections.abc import Iterator

import tyro

from kinlib.runtime.errors import KinlibError

__all__ = ["parse"]

NARROWEST = 40  # columns; in fewer, tyro breaks its help letter by letter, and in one it never ends
MARKERS = (
    tyro.conf.DisallowNone,  # "--age FLOAT", not "--age {None}|FLOAT"
    tyro.conf.FlagCreatePairsOff,  # "--families" without "--no-families"
)


class _RefusedError(Exception):
    """What tyro would have put into a box; not a ValueError, which tyro itself catches."""


def parse(kind: type, arguments: list[str], prog: str):
    """The dataclass that the arguments describe; None if they ask for help, which is then printed.

    Raises:
        KinlibError: if they cannot be understood.
    """
    try:
        # What tyro prints where the hook did not take over is thrown away.
        with _refusing(kind, arguments), _readable_width(), contextlib.redirect_stderr(io.StringIO()):
            return tyro.cli(kind, args=arguments, prog=prog, config=MARKERS)
    except _RefusedError as problem:
        sentence = str(problem)
    except SystemExit as stop:
        if not stop.code:
            return None
        sentence = "these options cannot be understood"
    raise KinlibError(f"{sentence}; see `{prog} --help`")


@contextlib.contextmanager
def _refusing(kind: type, arguments: list[str]) -> Iterator[None]:
    """Within the block, wrong arguments raise `_RefusedError`, if this tyro has the hook."""
    try:
        from tyro._errors import on_parse_error
    except ImportError:
        yield
        return

    def refuse(event) -> None:
        if sentence := _sentence(event, kind, arguments):
            raise _RefusedError(sentence)

    with on_parse_error(refuse):
        yield


def _sentence(event, kind: type, arguments: list[str]) -> str:
    """What tyro's object says, or "" for one that is not known here.

    The class's name and the fields are private to tyro, hence `getattr` throughout.
    """
    event_type = type(event).__name__
    if event_type == "MissingArgs":
        missing = ", ".join(_option(one.arg) for one in event.missing_arguments)
        unknown = getattr(event, "unrecognized_tokens", None)
        return f"missing: {missing}" + (f"; {_unknown(unknown, kind)}" if unknown else "")
    if event_type == "UnrecognizedArgs":
        return _unknown(event.tokens, kind)
    argument = getattr(event, "argument", None)
    if event_type == "BadValue" and argument is not None:
        return f"{_option(argument)} needs a value"
    if event_type == "InvalidChoice" and argument is not None:
        return f"{_option(argument)} cannot be '{event.value}': choose one of {', '.join(event.choices)}"
    if event_type == "InstantiationFailure":
        value = None if argument is None else _value_of(_option(argument), arguments)
        return str(event.message) if value is None else f"{_option(argument)} cannot be '{value}'"
    return ""


def _option(argument) -> str:
    return str(argument.display_name()).split("/")[0]


def _unknown(tokens: list[str], kind: type) -> str:
    """Unknown words, with the option that the first of them resembles."""
    known = [f"--{field.name.replace('_', '-')}" for field in dataclasses.fields(kind)]
    near = difflib.get_close_matches(tokens[0].partition("=")[0], known, n=1, cutoff=0.75)
    return f"unknown options: {' '.join(tokens)}" + (f" (did you mean {near[0]}?)" if near else "")


def _value_of(option: str, arguments: list[str]) -> str | None:
    """The value that an option was given; the last one counts."""
    for index in reversed(range(len(arguments))):
        name, equals, value = arguments[index].partition("=")
        if name.replace("_", "-") == option.replace("_", "-"):
            return value if equals else next(iter(arguments[index + 1 :]), None)
    return None


@contextlib.contextmanager
def _readable_width() -> Iterator[None]:
    """Within the block, the terminal counts as at least `NARROWEST` columns wide."""
    before = os.environ.get("COLUMNS")
    if shutil.get_terminal_size().columns < NARROWEST:
        os.environ["COLUMNS"] = str(NARROWEST)
    try:
        yield
    finally:
        if before is not None:
            os.environ["COLUMNS"] = before
        else:
            os.environ.pop("COLUMNS", None)
