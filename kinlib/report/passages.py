"""Passages of the report that stand only where their numbers are.

A checkout may lack a network, and then a notebook leaves out what it would have measured. A passage that speaks of it
stands between two lines of its own:

    //: with 01_families/demography/age_error
    ...
    //: end

and is left out, with its figures, where there is no such number; `kinlib report` says so. Nothing else is optional.
"""

import re

from kinlib.runtime.errors import KinlibError

__all__ = ["lacking", "look_up", "without"]

BEGIN = re.compile(r"^//: with (\S.*?)[ ]*$", re.MULTILINE)
END = re.compile(r"^//: end[ ]*$", re.MULTILINE)


def look_up(numbers: dict[str, dict], path: str):
    """The number with a path such as "02_trios/mean_images/father/0"; None if there is none."""
    found: object = numbers
    for key in path.split("/"):
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        else:
            return None
    return found


def lacking(text: str, numbers: dict[str, dict]) -> list[str]:
    """The numbers whose passages are left out."""
    return [path for path in BEGIN.findall(text) if look_up(numbers, path) is None]


def without(text: str, numbers: dict[str, dict], name: str) -> str:
    """A text without the passages whose numbers are lacking; lines keep their numbers.

    Raises:
        KinlibError: if a passage of the file `name` has no end, or an end no passage.
    """
    kept, at = [], 0
    while begin := BEGIN.search(text, at):
        end = END.search(text, begin.end())
        nested = BEGIN.search(text, begin.end())
        if end is None or (nested and nested.start() < end.start()):
            raise KinlibError(f"report/{name}: the passage '{begin[0]}' has no '//: end'")
        passage = text[begin.start() : end.end()]
        if look_up(numbers, begin[1]) is None:
            passage = "\n" * passage.count("\n")
        kept += [text[at : begin.start()], passage]
        at = end.end()
    if len(END.findall(text)) > len(BEGIN.findall(text)):
        raise KinlibError(f"report/{name}: '//: end' without a passage before it")
    return "".join([*kept, text[at:]])
