"""What a method has to tell of a child, such as that a part of its options could not be followed.

A method returns codes and nothing else. Whoever calls it and can show notes gathers them:

    with gathered_notes() as notes:
        child = inherit(father, mother, generator)

Elsewhere they are warnings.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["add_note", "gathered_notes"]

_NOTES: ContextVar[list[str] | None] = ContextVar("notes", default=None)  # of this thread, or task


@contextmanager
def gathered_notes() -> Iterator[list[str]]:
    """A list that receives the notes of methods called within, each once."""
    notes: list[str] = []
    token = _NOTES.set(notes)
    try:
        yield notes
    finally:
        _NOTES.reset(token)


def add_note(sentence: str) -> None:
    """Tell whoever called the method."""
    notes = _NOTES.get()
    if notes is None:
        warnings.warn(sentence, stacklevel=2)
    elif sentence not in notes:
        notes.append(sentence)
