"""Relations of parents and children from the members of houses, and the reverse. Contradictions are not guessed away.

A house with two husbands gives its children no father. A child of two houses keeps the parents that both houses share.
Cycles of ancestry are removed.
"""

from collections import defaultdict

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from kinlib.families.tables import OFFSPRING, Problem, frame

__all__ = ["break_circles", "members_of", "relations_of"]

RELATIONS = {"husband": "father", "wife": "mother", "parent": "parent"}


def relations_of(members: pd.DataFrame, file: str) -> tuple[pd.DataFrame, list[Problem]]:
    """Relations of parents and children, and the problems of children whose houses contradict each other.

    Args:
        members: as `FamilyTables.members`.
        file: the list's name, for the problems.

    Returns:
        A table as `FamilyTables.relations`, and the problems.
    """
    parents: dict[tuple, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    homes: dict[str, list] = defaultdict(list)
    for member in members.itertuples():
        if member.role in RELATIONS:
            parents[member.family, member.house][RELATIONS[member.role]].append(member.person)
        elif member.role in OFFSPRING:
            homes[member.person].append(member)
    rows, problems = [], []
    for child, rooms in homes.items():
        houses = [parents[room.family, room.house] for room in rooms]
        agreed = {kind: _agreed([house[kind] for house in houses]) for kind in ("father", "mother", "parent")}
        rows += [
            (parent, child, kind, *_stated(rooms, houses, kind, parent)) for kind in agreed for parent in agreed[kind]
        ]
        if len({room.house for room in rooms}) > 1:
            problems.append(_two_houses(child, rooms, houses, agreed, file))
    rows, circles = break_circles(_one_kind(rows), file)
    return frame("relations", rows), problems + circles


def _agreed(claims: list[list[str]]) -> list[str]:
    """The parent of one kind on whom all houses that state one agree; an empty list if there is not exactly one."""
    claims = [claim for claim in claims if claim]
    left = [parent for parent in dict.fromkeys(claims[0]) if all(parent in claim for claim in claims)] if claims else []
    return left if len(left) == 1 else []


def _stated(rooms: list, houses: list[dict], kind: str, parent: str) -> tuple[int, int]:
    """House and line that state a parent; the first of several."""
    room = next(room for room, house in zip(rooms, houses, strict=True) if parent in house[kind])
    return int(room.house), room.line


def _one_kind(rows: list[tuple]) -> list[tuple]:
    """A person stated as both father and mother of a child becomes `parent`."""
    kinds = defaultdict(set)
    for parent, child, kind, *_ in rows:
        kinds[parent, child].add(kind)
    first = {}
    for parent, child, kind, *place in rows:
        one = kind if len(kinds[parent, child]) == 1 else "parent"
        first.setdefault((parent, child), (parent, child, one, *place))
    return list(first.values())


def _two_houses(child: str, rooms: list, houses: list[dict], agreed: dict[str, list[str]], file: str) -> Problem:
    numbers = " and ".join(str(room.house) for room in rooms)
    text = f"{child} is a child of the houses {numbers}"
    contested = [kind for kind in agreed if any(house[kind] for house in houses) and not agreed[kind]]
    text += f", which have different {' and '.join(kind + 's' for kind in contested)}" if contested else ""
    last = rooms[-1]
    return Problem("two_houses", f"{file}:{last.line}", text, last.family, child, int(last.house))


def break_circles(rows: list[tuple], file: str) -> tuple[list[tuple], list[Problem]]:
    """Remove the relations that make a person their own ancestor.

    Args:
        rows: of relations: parent, child, kind, house, line.
        file: the list's name, for the problems.
    """
    names = {name: number for number, name in enumerate(dict.fromkeys(name for row in rows for name in row[:2]))}
    ends = np.array([[names[row[0]], names[row[1]]] for row in rows], dtype=int).reshape(-1, 2)
    links = coo_matrix((np.ones(len(ends)), ends.T), shape=(len(names), len(names)))
    _, group = connected_components(links, connection="strong")
    circle = group[ends[:, 0]] == group[ends[:, 1]]  # in one strong component each is an ancestor of the other
    problems = []
    for row in (row for row, bad in zip(rows, circle, strict=True) if bad):
        where = f"{file}:{row[4]}" if row[4] is not None else file
        text = f"{row[0]} would be parent and descendant of {row[1]}"
        problems.append(Problem("own_ancestor", where, text, row[1].rpartition("/")[0], row[1], row[3]))
    return [row for row, bad in zip(rows, circle, strict=True) if not bad], problems


def members_of(relations: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Houses for a set without a list of houses: one for each set of parents with common children.

    Args:
        relations, people: as in `FamilyTables`.
    """
    sexes, families = (dict(zip(people["person"], people[key], strict=True)) for key in ("sex", "family"))
    of_child = relations.groupby("child", sort=False)
    children: dict[tuple, list[str]] = defaultdict(list)
    for child, rows in of_child:
        children[tuple(zip(rows["parent"], rows["kind"], strict=True))].append(child)
    roles = {kind: role for role, kind in RELATIONS.items()}
    offspring = {"male": "son", "female": "daughter"}
    rows, counts = [], defaultdict(int)
    for parents, own in children.items():
        family = families[own[0]]
        counts[family] += 1
        place = (family, counts[family])
        rows += [(*place, roles[kind], parent, None) for parent, kind in parents]
        rows += [(*place, offspring.get(sexes[child], "child"), child, None) for child in own]
    return frame("members", rows)
