"""Typst's prose without its code, to find numbers that were typed where a stored result should stand.

A result is never typed: `#number("01_families/people")` reads it. What others found stands in `#theirs(source)[...]`,
which names where it was found. Any other number in the prose must be one that defines something (`ALLOWED`).
"""

import re

__all__ = ["ALLOWED", "lost_semicolons", "prose_of", "typed_numbers"]

ALLOWED = (
    r"68 (true )?(points|landmarks)|68-point",  # iBUG's
    r"19 classes|34 regions",  # of CelebAMask-HQ and of StyleGene
    r"\d+ × \d+|(64|128|256|512|1024) (px|pixels)|×[24]",  # sizes of pictures, factors of enlarging
    r"22 (pairs of )?chromosomes|0 or 1|0, 1 or 2|0 to 1",  # of the studio's genomes
    r"95% intervals?|chromosome 1\b|([Hh]ouse|[Nn]umber) [012]\b|columns? [1-9]",
    r"(width of|at) \d+ pixels|80 pixels or more",  # pictures made smaller; what dlib looks for
    r"90°|3\.6 times",  # the end of a scale; the FFHQ crop
)
"""Numbers that define what is spoken of, with the words that make them plain: patterns of what is not a result."""

MARKED = {"theirs", "cite"}  # their content may hold numbers
CODE_LINES = ("let", "import", "include", "set", "show", "if", "for")
NUMBER = re.compile(r"(?<![\w.,-])[-−]?\d(?:[\d.,]*\d)?(?: ?%| ?°)?")
SKIPPED = re.compile(
    r"//[^\n]*|/\*.*?\*/|`+[^`]*`+|\$[^$]*\$|<[A-Za-z][\w:.-]*>|@[\w:.-]+(?:\[[^\]]*\])?|\\.|https?://\S+",
    re.DOTALL,
)
NAME = re.compile(r"[A-Za-z_][\w-]*")
STRING = re.compile(r'"(?:\\.|[^"\\])*"')


def prose_of(source: str) -> str:
    """What a Typst file says, of the same length: code, comments, formulas, labels and citations become spaces."""
    reader = _Reader(source)
    reader.markup(0, end=None)
    return "".join(reader.kept)


def lost_semicolons(source: str) -> list[int]:
    """Lines with a semicolon right behind a function, which Typst takes for the end of code and does not print."""
    reader = _Reader(source)
    reader.markup(0, end=None)
    return [source.count("\n", 0, place) + 1 for place in reader.semicolons]


def typed_numbers(source: str) -> list[tuple[int, str]]:
    """Line and text of every number in the prose that neither is `ALLOWED` nor stands in `#theirs(...)[...]`."""
    prose = prose_of(source)
    for pattern in ALLOWED:
        prose = re.sub(pattern, lambda found: " " * len(found[0]), prose)
    return [(prose.count("\n", 0, found.start()) + 1, found[0]) for found in NUMBER.finditer(prose)]


class _Reader:
    """Walks through markup and code, keeping the characters that a reader will see."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.kept = [char if char == "\n" else " " for char in source]
        self.semicolons: list[int] = []

    def markup(self, at: int, end: str | None, keep: bool = True) -> int:
        """Read markup up to its closing bracket (or the file's end); returns the place after it."""
        depth = 0
        while at < len(self.source):
            char = self.source[at]
            skipped = SKIPPED.match(self.source, at)
            if skipped:
                at = skipped.end()
            elif char == "#":
                at = self.expression(at + 1, keep)
                if self.source[at : at + 1] == ";":
                    self.semicolons.append(at)
            elif char == end and not depth:
                return at + 1
            else:
                depth += (char == "[") - (char == "]")
                self.kept[at] = char if keep else self.kept[at]
                at += 1
        return at

    def expression(self, at: int, keep: bool) -> int:
        """Read the code after a `#`: a name with its brackets, or a line that begins with let, set, show, ..."""
        name = NAME.match(self.source, at)
        if name is None:
            return self.brackets(at, "", keep)
        if name[0] in CODE_LINES:
            return self.code(name.end(), "\n", keep)
        return self.brackets(name.end(), name[0], keep)

    def brackets(self, at: int, name: str, keep: bool) -> int:
        """Read what follows a name directly: (arguments), [content], .field."""
        keep = keep and name not in MARKED
        while at < len(self.source):
            char = self.source[at]
            field = NAME.match(self.source, at + 1) if char == "." else None
            if char in "({":
                at = self.code(at + 1, ")" if char == "(" else "}", keep)
            elif char == "[":
                at = self.markup(at + 1, "]", keep)
            elif field:
                at = field.end()
            else:
                return at
        return at

    def code(self, at: int, end: str, keep: bool) -> int:
        """Read code up to `end`; content blocks in it are markup, strings are not read."""
        while at < len(self.source):
            char = self.source[at]
            passed = STRING.match(self.source, at) or (char == "/" and SKIPPED.match(self.source, at))
            name = NAME.match(self.source, at)
            if char == end:
                return at + 1
            if passed:
                at = passed.end()
            elif name:
                at = self.brackets(name.end(), name[0], keep)
            elif char in "({[":
                at = self.brackets(at, "", keep)
            else:
                at += 1
        return at
