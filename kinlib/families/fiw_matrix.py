"""A family's list in FIW: a matrix of relation codes, with names and sexes.

    MID,1,2,3,Name,Gender        row i, column j: the relation of i to j, for instance
    1,0,5,4,John,m               MID1 is MID2's spouse (5) and MID3's parent (4)
    2,5,0,4,Ann,f
    3,1,1,0,Bob,m                MID3 is the child (1) of both

Every relation is stated twice and left out if the two entries contradict each other. Columns are identified by their
headings; by position they would be off by one.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kinlib.families.relations import break_circles
from kinlib.families.source import is_number
from kinlib.families.tables import Problem

__all__ = ["CODES", "Matrix", "read_matrix"]

CODES = {0: "nobody", 1: "child", 2: "sibling", 3: "grandchild", 4: "parent", 5: "spouse", 6: "grandparent"}
CODES |= {7: "great-grandchild", 8: "great-grandparent", 9: "undecided"}
MIRROR = {0: 0, 1: 4, 2: 2, 3: 6, 4: 1, 5: 5, 6: 3, 7: 8, 8: 7, 9: 9}
CHILD, PARENT = 1, 4
SEXES = {"m": "male", "male": "male", "f": "female", "female": "female"}


@dataclass
class Matrix:
    """One family's rows for the tables of people and relations, its problems, and the line of each person."""

    people: list[tuple] = field(default_factory=list)
    relations: list[tuple] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)


def read_matrix(lines: Sequence[str], family: str, file: str) -> Matrix:
    """Read one family's list.

    Args:
        lines: without line ends.
        family: its name, such as "F0001".
        file: the list's place, for the problems.
    """
    found = Matrix()
    try:
        table = [(line, row) for line, row in enumerate(csv.reader(lines), 1) if any(cell.strip() for cell in row)]
    except csv.Error as error:  # a field of more than 131,072 characters: a quotation mark that is never closed
        found.problems.append(Problem("malformed_line", file, f"the list is no table: {error}", family))
        return found
    heading = [cell.strip() for cell in table[0][1]] if table else []
    if not heading or heading[0].upper() != "MID":
        found.problems.append(Problem("malformed_line", f"{file}:1", "the first line does not begin with MID", family))
        return found
    rows = {}
    for line, cells in table[1:]:
        row = dict(zip(heading, (cell.strip() for cell in cells), strict=False))
        number = row[heading[0]].upper().removeprefix("MID")
        where = f"{file}:{line}"
        if not is_number(number) or len(cells) < len(heading):
            found.problems.append(Problem("malformed_line", where, "a line that lacks its number or columns", family))
        elif int(number) in rows:
            found.problems.append(Problem("repeated_line", where, f"MID{int(number)} has a line already", family))
        else:
            rows[int(number)] = (line, row)
    _read_people(rows, family, file, found)
    _read_relations(rows, family, file, found)
    return found


def _read_people(rows: Mapping[int, tuple], family: str, file: str, found: Matrix) -> None:
    for number, (line, row) in rows.items():
        person, named = f"{family}/MID{number}", {key.casefold(): value for key, value in row.items()}
        sex = SEXES.get(named.get("gender", "").casefold())
        if sex is None:
            text = f"the sex of {person} is '{named.get('gender', '')}'"
            found.problems.append(Problem("unknown_sex", f"{file}:{line}", text, family, person))
        found.lines[person] = line
        found.people.append((person, family, named.get("name") or f"MID{number}", sex))


def _read_relations(rows: Mapping[int, tuple], family: str, file: str, found: Matrix) -> None:
    """Parents of each child where both entries agree and the parents are consistent."""
    sexes = {person: sex for person, _, _, sex in found.people}
    codes = {(i, j): _code(rows, i, j, family, file, found) for i in rows for j in rows if i != j}
    parents: dict[int, list[int]] = {number: [] for number in rows}
    for (i, j), code in codes.items():
        other = codes[j, i]
        if MIRROR[code] == other:
            if code == PARENT:
                parents[j].append(i)
        elif i < j:
            text = f"MID{i} is {CODES[code]} to MID{j}, but MID{j} is {CODES[other]} to MID{i}"
            found.problems.append(Problem("unmirrored", f"{file}:{rows[i][0]}", text, family, f"{family}/MID{i}"))
    stated = []
    for child, own in parents.items():
        line, person = rows[child][0], f"{family}/MID{child}"
        of_sex = {sex: [p for p in own if sexes[f"{family}/MID{p}"] == sex] for sex in ("male", "female", None)}
        kept = _possible(of_sex)
        if len(kept) < len(own):
            names = ", ".join(f"MID{p}" for p in own)
            text = f"{person} has the parents {names}: two of one sex, or more than two"
            found.problems.append(Problem("too_many_parents", f"{file}:{line}", text, family, person))
        stated += [(f"{family}/MID{p}", person, kind, None, line) for p, kind in kept]
    found.relations, circles = break_circles(stated, file)
    found.problems += circles


def _possible(of_sex: Mapping[str | None, list[int]]) -> list[tuple[int, str]]:
    """The consistent parents, as (number, kind)."""
    kinds = {"male": "father", "female": "mother"}
    kept = [(own[0], kinds[sex]) for sex, own in of_sex.items() if sex and len(own) == 1]
    if sum(map(len, of_sex.values())) <= 2:
        kept += [(parent, "parent") for parent in of_sex[None]]
    return kept


def _code(rows: Mapping[int, tuple], i: int, j: int, family: str, file: str, found: Matrix) -> int:
    """The relation code of i to j; 0 for an empty cell or an unknown code."""
    line, row = rows[i]
    cell = row.get(str(j), "")
    try:
        code = int(float(cell or 0))
    except (ValueError, OverflowError):  # no number, or infinity
        code = -1
    if code not in CODES:
        text = f"MID{i} is '{cell}' to MID{j}, which is no code from 0 to {max(CODES)}"
        found.problems.append(Problem("unknown_code", f"{file}:{line}", text, family, f"{family}/MID{i}"))
        return 0
    return code
