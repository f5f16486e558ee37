"""The list of Family101: extended families, nuclear families ("houses"), and their members with roles.

    0 <TAB> FAMI <TAB> SMITH            header of an extended family
    1 <TAB> HUSB <TAB> John_Smith       house 1: husband, wife, sons, daughters
    1 <TAB> WIFE <TAB> Ann_Miller
    1 <TAB> SONN <TAB> Bob_Smith
    2 <TAB> HUSB <TAB> Bob_Smith        a child of one house who founded another is in both

(Fang, Gallagher, Chen and Loui, "Kinship classification by modeling facial feature heredity", ICIP 2013.) The real list
has repeated house numbers, two husbands or wives in one house, and incomplete houses. A repeated number with a whole
couple starts a house of its own; other lines with that number belong to the earlier house.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from kinlib.families.source import is_number
from kinlib.families.tables import Problem

__all__ = ["ROLES", "SEX", "Row", "house_rows", "parse"]

ROLES = {"HUSB": "husband", "WIFE": "wife", "SONN": "son", "DAUG": "daughter"}
SEX = {"husband": "male", "son": "male", "wife": "female", "daughter": "female"}
HEADER = "FAMI"


@dataclass(frozen=True)
class Row:
    """One member's line: its number in the file, family, house, role (a key of `SEX`) and name."""

    line: int
    family: str
    house: int
    role: str
    name: str


def parse(lines: Iterable[str], file: str) -> tuple[list[Row], list[Problem]]:
    """The members' lines with house numbers as stated, and the lines that could not be read.

    Args:
        lines: without line ends; columns are separated by tabs or blanks.
        file: its name, for the problems.
    """
    rows, problems, family, seen = [], [], None, set()
    for line, text in enumerate(lines, 1):
        if not text.strip():
            continue
        where = f"{file}:{line}"
        number, role, name = _columns(text)
        if role == HEADER or number == 0:  # a damaged header ends the previous family
            family = name if role == HEADER else None
            problems += _header_problems(number, role, name, where, text, seen)
            seen.add(family)
        elif number is None or name is None:
            problems.append(Problem("malformed_line", where, f"'{text.strip()}' is not: number, role, name", family))
        elif role not in ROLES:
            problems.append(Problem("unknown_role", where, f"'{role}' is none of {', '.join(ROLES)}", family))
        elif family is None:
            problems.append(Problem("no_family", where, f"{name} stands below no family's header"))
        else:
            rows.append(Row(line, family, number, ROLES[role], name))
    return rows, problems


def _columns(text: str) -> tuple[int | None, str, str | None]:
    """Number, role and name of a line; None where there is none."""
    parts = [part.strip() for part in text.strip().split(None, 2)]
    number = int(parts[0]) if is_number(parts[0]) else None
    whole = len(parts) == 3 and "\t" not in parts[2]
    return number, parts[1].upper() if len(parts) > 1 else "", parts[2] if whole else None


def _header_problems(number: int | None, role: str, name: str | None, where: str, text: str, seen: set):
    if role != HEADER:
        yield Problem("unknown_role", where, f"a line with the number 0 is a header, but '{role}' is not {HEADER}")
    elif name is None:
        yield Problem("malformed_line", where, f"the header '{text.strip()}' has no name")
    else:
        if number != 0:
            yield Problem("header_number", where, f"the header of {name} has not the number 0", name)
        if name in seen:
            yield Problem("repeated_family", where, f"{name} had a header before", name)


def house_rows(rows: list[Row], file: str) -> tuple[list[Row], list[Problem]]:
    """The rows by house: unique house numbers within each family, and each member once.

    Args:
        rows: as from `parse`.
        file: its name, for the problems.
    """
    kept, problems = [], []
    for family in dict.fromkeys(row.family for row in rows):
        houses, repeated = _numbered([row for row in rows if row.family == family], file)
        problems += repeated
        for members in houses.values():
            once, again = _once(members, file)
            kept += once
            problems += [*again, *_house_problems(once, file)]
    return kept, problems


def _numbered(rows: list[Row], file: str) -> tuple[dict[int, list[Row]], list[Problem]]:
    """One family's rows by house; a house with a repeated number gets the next free one."""
    houses: dict[int, list[Row]] = {}
    taken, problems = {row.house for row in rows}, []
    for block in _blocks(rows):
        number = block[0].house
        if number in houses and _is_couple(block) and _disagree(houses[number], block):
            free = next(n for n in range(1, len(taken) + 2) if n not in taken)
            taken.add(free)
            text = f"a second house {number} of {block[0].family}, with another couple; read as house {free}"
            problems.append(Problem("repeated_house", f"{file}:{block[0].line}", text, block[0].family, house=free))
            number = free
        houses.setdefault(number, []).extend(replace(row, house=number) for row in block)
    return houses, problems


def _blocks(rows: list[Row]) -> list[list[Row]]:
    """Consecutive rows of one house: a block ends where the number changes, or a spouse follows a child or a couple."""
    blocks: list[list[Row]] = []
    for row in rows:
        current = blocks[-1] if blocks else []
        begins = row.role in ("husband", "wife") and (_has_child(current) or _is_couple(current))
        if not current or row.house != current[0].house or begins:
            blocks.append([])
        blocks[-1].append(row)
    return blocks


def _has_child(rows: list[Row]) -> bool:
    return any(row.role in ("son", "daughter") for row in rows)


def _is_couple(rows: list[Row]) -> bool:
    return {"husband", "wife"} <= {row.role for row in rows}


def _disagree(house: list[Row], block: list[Row]) -> bool:
    """Whether a block states a different husband or wife than the house."""
    own = {role: {row.name for row in house if row.role == role} for role in ("husband", "wife")}
    return any(own.get(row.role) and row.name not in own[row.role] for row in block)


def _once(members: list[Row], file: str) -> tuple[list[Row], list[Problem]]:
    """Each member once in each role."""
    first: dict[tuple[str, str], Row] = {}
    problems = []
    for row in members:
        if (row.role, row.name) in first:
            text = f"{row.name} is {row.role} of house {row.house} already"
            problems.append(Problem("repeated_line", f"{file}:{row.line}", text, row.family, None, row.house))
        first.setdefault((row.role, row.name), row)
    return list(first.values()), problems


def _house_problems(members: list[Row], file: str) -> list[Problem]:
    """Missing and surplus members of a house."""
    family, house, problems = members[0].family, members[0].house, []
    of_role = {role: [row for row in members if row.role == role] for role in SEX}
    for role, plural in (("husband", "husbands"), ("wife", "wives")):
        if len(of_role[role]) > 1:
            names = " and ".join(row.name for row in of_role[role])
            text = f"house {house} of {family} has the {plural} {names}"
            where = f"{file}:{of_role[role][1].line}"
            problems.append(Problem(f"several_{plural}", where, text, family, None, house))
    missing = [role for role in ("husband", "wife") if not of_role[role]]
    missing += [] if _has_child(members) else ["child"]
    if missing:
        text = f"house {house} of {family} has no {' and no '.join(missing)}"
        where = f"{file}:{members[0].line}"
        problems.append(Problem("incomplete_house", where, text, family, None, house))
    return problems
