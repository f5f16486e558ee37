"""Model cards: data, recipe, figures, figures by group, limits and licence of every bundled network, from its JSON."""

import json
import math
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import fields

from kinlib import config, weights
from kinlib.errors import KinlibError
from kinlib.training.card_words import GROUP_COLUMNS, LIMITS, LOWER_IS_BETTER, ROWS, TARGETS, TITLES, WORST_BY
from kinlib.training.data import HELD_OUT_EVERY
from kinlib.training.recipes import settings_of

__all__ = ["flat_figures", "limits", "model_card", "model_cards", "read_reports"]

SET_OPTIONS = ("people", "images_each", "size", "seed", "crop")  # of `kinlib render`


def read_reports() -> dict[str, dict]:
    """What is recorded of each bundled network, by the name of its file.

    Raises:
        KinlibError: if a record cannot be read.
    """
    reports = {}
    for name in TITLES:
        path = config.data_dir() / "weights" / "studio" / f"{name}.json"
        try:
            reports[name] = json.loads(path.read_bytes())
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise KinlibError(f"{path} is damaged: get it again with the project's files") from error
    return reports


def model_cards() -> str:
    """Markdown: one card for each bundled network."""
    return "\n".join(model_card(name, report) for name, report in read_reports().items())


def model_card(name: str, report: dict) -> str:
    """Markdown: the card of one network, from its record."""
    figures = flat_figures(name, report)
    parts = [
        f"### {TITLES[name]}\n",
        _table(["", ""], _facts(name, report)),
        _figures(name, figures),
        _directions(name, report["figures"]),
        _overlaps(report["figures"]),
        _groups(name, report["figures"]),
        _photographs(report),
        "Limits:\n\n" + "".join(f"- {sentence}\n" for sentence in limits(name, report)),
    ]
    return "\n".join(part for part in parts if part)


def flat_figures(name: str, report: dict) -> dict:
    """The figures that `ROWS` speaks of; of directions, a summary of all attributes."""
    figures = report["figures"]
    if name != "directions":
        return figures
    attributes = _attributes(figures)
    read = {attribute: values["correlation"] for attribute, values in attributes.items()}
    least = min(read, key=read.get)
    seen = [values["share_of_edit_seen"] for values in attributes.values() if "share_of_edit_seen" in values]
    return {
        **{"count": len(read), "least": least, "correlation_least": read[least]},
        "correlation_median": statistics.median(read.values()),
        **({"edit_median": statistics.median(seen)} if seen else {}),
    }


def limits(name: str, report: dict) -> list[str]:
    """The sentences of `LIMITS` that the record bears out."""
    return [sentence.format(**report) for sentence, condition in LIMITS[name] if condition is None or condition(report)]


def _facts(name: str, report: dict) -> Iterator[tuple[str, str]]:
    """Files, data, recipe and licence."""
    roles = ("generator", "encoder") if name == "encoder" else (name,)
    entries = [weights.for_role("studio", role) for role in roles]
    for entry in entries:
        yield entry.purpose, f"`{entry.file}`" + ("" if entry.size is None else f", {entry.size / 1e6:.1f} MB")
    yield "trained on", _data(report)
    yield "recipe", _recipe(report)
    yield "made by", _commands(name, report)
    heads = "the renders' head model is [ICT-FaceKit](https://github.com/ICT-VGL/ICT-FaceKit)'s (MIT)"
    yield "licence", f"{entries[0].licence}, as the project; {heads}"


def _data(report: dict) -> str:
    recipe, note = report["recipe"], report.get("set")
    pictures = recipe.get("pictures_used", recipe.get("pictures"))
    people = recipe.get("people")
    if people is None and note:
        trained = note["people"] - math.ceil(note["people"] / HELD_OUT_EVERY)
        people = trained if pictures == trained * note["images_each"] else None
    words = [f"renders of the set `{recipe['data']}`" if pictures is None else f"{pictures:,} renders"]
    words += [] if people is None else [f"of {people:,} people"]
    words += [f"({note['size']} px, version {note['renderer']} of the renderer)"] if note else []
    return " ".join(words) + f"; every {HELD_OUT_EVERY}th person of the set was kept for measuring"


def _recipe(report: dict) -> str:
    recipe, calls = report["recipe"], report.get("calls", [])
    names = ("batch", "rate", "seed", "device", "workers")
    words = [f"{recipe['steps_done']:,} steps"] if "steps_done" in recipe else []
    words += [f"{name} {recipe[name]}" for name in names if name in recipe]
    if len(calls) > 1:
        steps = ", ".join(f"{call['step']:,}" for call in calls[1:])
        words.append(f"settings changed on the way, after {steps} steps (`calls` in the JSON)")
    words += [f"after {call['step']:,} steps {call['note']}" for call in calls if "note" in call]
    if earlier := report.get("start"):
        begun = earlier["recipe"]
        words.append(
            f"begun from a pair of {begun['steps_done']:,} steps on {begun['pictures']:,} renders (`start` there)"
        )
    versions = ", ".join(f"{name} {version}" for name, version in report["made_with"].items())
    return "; ".join([", ".join(words), versions]) if words else versions


def _commands(name: str, report: dict) -> str:
    """What to type, as far as the record tells: the set first, then the network."""
    recipe, note = report["recipe"], report.get("set")
    commands = []
    if note:
        options = [f"--{key.replace('_', '-')} {note[key]}" for key in SET_OPTIONS if key in note]
        commands.append(f"`kinlib render {' '.join(options)} --out {recipe['data']}`")
    called = "restyle" if "passes" in recipe else name if name != "encoder" or "generator" in recipe else "pair"
    options = []
    for field in fields(settings_of(called)):
        value, option = recipe.get(field.name), field.name.replace("_", "-")
        if field.name in ("out", "run") or value is None or value == field.default:
            continue
        if isinstance(value, bool):
            options.append(f"--{option}" if value else f"--no-{option}")
        else:
            options.append(f"--{option} {value:g}" if isinstance(value, float) else f"--{option} {value}")
    return ", then ".join([*commands, f"`kinlib train {called} {' '.join(options)} --out DIR`"])


def _figures(name: str, figures: dict) -> str:
    """Figures with their names and, where there are targets, those."""
    rows = [
        (words.format(**figures), form.format(figures[key]), _target(name, key, figures, form))
        for key, (words, form) in ROWS[name].items()
        if key in figures
    ]
    width = 3 if any(row[2] for row in rows) else 2
    return _table(["figure", "measured", "target"][:width], [row[:width] for row in rows])


def _target(name: str, key: str, figures: dict, form: str) -> str:
    """What a figure is to reach and whether it does; nothing where no target was set."""
    target = TARGETS.get(name, {}).get(key)
    if target is None:
        return ""
    if isinstance(target, str):
        reached, words = figures[key] > figures[target], f"above {form.format(figures[target])}"
    else:
        reached, words = figures[key] >= target, f"at least {target:g}"
    return f"{words}: {'reached' if reached else '**missed**'}"


def _directions(name: str, figures: dict) -> str:
    """All attributes of the directions."""
    if name != "directions":
        return ""
    rows = [
        (attribute.replace("_", " "), f"{values['correlation']:.2f}", f"{values['mean_absolute_error']:.2f}")
        + ((f"{values['share_of_edit_seen']:.0%}",) if "share_of_edit_seen" in values else ("",))
        for attribute, values in _attributes(figures).items()
    ]
    return _table(["attribute", "correlation of reading and truth", "mean error", "share of an edit seen again"], rows)


def _attributes(figures: dict) -> dict[str, dict]:
    """The figures of single attributes."""
    return {name: values for name, values in figures.items() if name != "groups"}


def _overlaps(figures: dict) -> str:
    """Intersection over union of single classes and regions, the best first."""
    lines = []
    for key, words in (("class_iou", "classes"), ("region_iou", "regions")):
        ranked = sorted(figures.get(key, {}).items(), key=lambda item: -item[1])
        if ranked:
            each = ", ".join(f"{label} {value:.2f}" for label, value in ranked)
            lines.append(f"Intersection over union of single {words}: {each}.\n")
    return "\n".join(lines)


def _groups(name: str, figures: dict) -> str:
    """Figures by group, and which group is worst off."""
    groups = figures.get("groups")
    if not groups:
        return ""
    columns = [key for key in GROUP_COLUMNS if any(key in values for values in groups.values())]
    rows = [
        (group, f"{values['pictures']:,}", *(_cell(values, key) for key in columns)) for group, values in groups.items()
    ]
    table = _table(["group", "pictures", *(GROUP_COLUMNS[key][0] for key in columns)], rows)
    key = WORST_BY[name]
    told = {group: values[key] for group, values in groups.items() if key in values}
    if not told:
        return table
    worst = (max if key in LOWER_IS_BETTER else min)(told, key=told.get)
    return f"{table}\nWorst by {GROUP_COLUMNS[key][0]}: {worst}.\n"


def _cell(values: dict, key: str) -> str:
    return GROUP_COLUMNS[key][1].format(values[key]) if key in values else ""


def _photographs(report: dict) -> str:
    """Readings of photographs and of their reconstructions, as `kinlib.training.photographs` recorded them."""
    found = report.get("photographs")
    if not found:
        return ""
    rows = [
        (
            name.replace("_", " "),
            *(" → ".join("?" if value is None else f"{value:.2f}" for value in one[name]) for one in found),
        )
        for name in found[0]
    ]
    head = ["photographs of real people, before → after", *(str(number + 1) for number in range(len(found)))]
    return _table(head, rows)


def _table(head: list[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
