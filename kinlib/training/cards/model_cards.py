"""Model cards of the bundled networks, from their records: data, recipe, metrics, limits, licence."""

import math
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import fields

from kinlib.checkpoints import weights
from kinlib.io.files import parse_json
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.renders import HELD_OUT_EVERY
from kinlib.training.catalogue import Column, Metric, cards, settings_of

__all__ = ["limits", "model_card", "model_cards", "read_reports"]

SET_OPTIONS = ("people", "images_each", "couples", "children", "albums", "size", "seed", "crop")  # of `kinlib render`
RECIPE_SHOWN = ("batch", "lr", "seed", "device", "workers")


def read_reports() -> dict[str, dict]:
    """The records of the bundled networks, by the name of the file.

    Raises:
        KinlibError: if a record cannot be read.
    """
    reports = {}
    for name in cards():
        path = config.data_dir() / "weights" / "studio" / f"{name}.json"
        try:
            reports[name] = parse_json(path.read_bytes())
        except FileNotFoundError:  # a network that is not bundled has no card
            continue
        except (OSError, ValueError) as error:
            raise KinlibError(f"{path} is damaged: get it again with the project's files") from error
    return reports


def model_cards() -> str:
    """Markdown: one card for each bundled network."""
    return "\n".join(model_card(name, report) for name, report in read_reports().items())


def model_card(name: str, report: dict) -> str:
    """Markdown: the card of one network, from its record."""
    card, metrics = cards()[name], report["metrics"]
    parts = [
        f"### {card.title}\n",
        _table(["", ""], _facts(name, report)),
        _metrics(card.metrics, _flat_metrics(name, report)),
        _directions(name, metrics),
        _overlaps(metrics),
        _groups(card.columns, metrics),
        _photographs(report),
        "Limits:\n\n" + "".join(f"- {sentence}\n" for sentence in limits(name, report)),
    ]
    return "\n".join(part for part in parts if part)


def _flat_metrics(name: str, report: dict) -> dict:
    """The metrics that a card's rows name; of directions, a summary of all attributes."""
    metrics = report["metrics"]
    if name != "directions":
        return metrics
    attributes = _attributes(metrics)
    read = {attribute: values["correlation"] for attribute, values in attributes.items()}
    least = min(read, key=read.get)  # the attribute that is read worst
    seen = [values["share_of_edit_seen"] for values in attributes.values() if "share_of_edit_seen" in values]
    return {
        **{"count": len(read), "least": least, "correlation_least": read[least]},
        "correlation_median": statistics.median(read.values()),
        **({"edit_median": statistics.median(seen)} if seen else {}),
    }


def limits(name: str, report: dict) -> list[str]:
    """The sentences on a network's limits that hold by its record."""
    return [limit.sentence.format(**report) for limit in cards()[name].limits if limit.holds(report)]


def _facts(name: str, report: dict) -> Iterator[tuple[str, str]]:
    """Files, data, recipe and licence."""
    # The pair is recorded with the encoder.
    roles = ("generator", "encoder") if name == "encoder" else (name,)
    entries = [weights.for_role("studio", role) for role in roles]
    for entry in entries:
        yield entry.purpose, f"`{entry.file}`" + ("" if entry.size is None else f", {entry.size / 1e6:.1f} MB")
    yield "trained on", _data(report)
    yield "recipe", _recipe(report)
    yield "made by", _commands(name, report)
    # ICT-FaceKit's licence asks for credit.
    heads = "the renders' head model is [ICT-FaceKit](https://github.com/ICT-VGL/ICT-FaceKit)'s (MIT)"
    yield "licence", f"{entries[0].licence}, as the project; {heads}"


def _data(report: dict) -> str:
    recipe, note = report["recipe"], report.get("set")
    pictures = recipe.get("pictures_used", recipe.get("pictures"))
    people = recipe.get("people")  # older records lack it
    if people is None and note:  # follows from the set, if all its pictures were used
        trained = note["people"] - math.ceil(note["people"] / HELD_OUT_EVERY)
        people = trained if pictures == trained * note["images_each"] else None
    words = [f"renders of the set `{recipe['data']}`" if pictures is None else f"{pictures:,} renders"]
    words += [] if people is None else [f"of {people:,} people"]
    words += [f"({note['size']} px, version {note['renderer']} of the renderer)"] if note else []
    held_out = recipe.get("held_out", f"every {HELD_OUT_EVERY}th person of the set")
    return " ".join(words) + f"; {held_out} was held out"


def _recipe(report: dict) -> str:
    recipe, calls = report["recipe"], report.get("calls", [])
    words = [f"{recipe['steps_done']:,} steps"] if "steps_done" in recipe else []
    words += [f"{name} {recipe[name]}" for name in RECIPE_SHOWN if name in recipe]
    if len(calls) > 1:
        steps = ", ".join(f"{call['step']:,}" for call in calls[1:])  # the first call is the beginning
        words.append(f"settings changed on the way, after {steps} steps (`calls` in the JSON)")
    words += [f"after {call['step']:,} steps {call['note']}" for call in calls if "note" in call]
    if earlier := report.get("start"):
        begun = earlier["recipe"]
        words.append(
            f"resumed from a pair of {begun['steps_done']:,} steps on {begun['pictures']:,} renders (`start` there)"
        )
    versions = ", ".join(f"{name} {version}" for name, version in report["made_with"].items())
    return "; ".join([", ".join(words), versions]) if words else versions


def _commands(name: str, report: dict) -> str:
    """The commands, as far as the record has them: render the set, then train the network."""
    recipe, note = report["recipe"], report.get("set")
    commands = []
    if note:
        options = ["--kin"] if "couples" in note else []
        options += [f"--{key.replace('_', '-')} {note[key]}" for key in SET_OPTIONS if key in note]
        commands.append(f"`kinlib render {' '.join(options)} --out {recipe['data']}`")
    called = _recipe_name(name, recipe)
    options = []
    for field in fields(settings_of(called)):
        # Options at their defaults need not be typed; folders of one machine are of no use on another.
        value, option = recipe.get(field.name), field.name.replace("_", "-")
        if field.name in ("out", "run") or value is None or value == field.default:
            continue
        if isinstance(value, bool):
            options.append(f"--{option}" if value else f"--no-{option}")
        else:
            options.append(f"--{option} {value:g}" if isinstance(value, float) else f"--{option} {value}")
    return ", then ".join([*commands, f"`kinlib train {called} {' '.join(options)} --out DIR`"])


def _recipe_name(name: str, recipe: dict) -> str:
    """What `kinlib train` calls the recipe of a record: three recipes write encoder.json."""
    if name != "encoder":
        return name
    if "passes" in recipe:  # of corrections
        return "restyle"
    # An encoder trained by itself has a generator among its settings.
    return "encoder" if "generator" in recipe else "pair"


def _metrics(listed: tuple[Metric, ...], metrics: dict) -> str:
    """Metrics with their names and, where there are targets, those."""
    rows = [
        (metric.words.format(**metrics), metric.form.format(metrics[metric.key]), _target(metric, metrics))
        for metric in listed
        if metric.key in metrics
    ]
    # No column of targets where none was set.
    width = 3 if any(row[2] for row in rows) else 2
    return _table(["metric", "measured", "target"][:width], [row[:width] for row in rows])


def _target(metric: Metric, metrics: dict) -> str:
    """What a metric is to reach and whether it does; nothing where no target was set."""
    value, target = metrics[metric.key], metric.target
    if target is None:
        return ""
    if isinstance(target, str):
        reached, words = value > metrics[target], f"above {metric.form.format(metrics[target])}"
    else:
        reached, words = value >= target, f"at least {target:g}"
    return f"{words}: {'reached' if reached else '**missed**'}"


def _directions(name: str, metrics: dict) -> str:
    """All attributes of the directions."""
    if name != "directions":
        return ""
    rows = [
        (attribute.replace("_", " "), f"{values['correlation']:.2f}", f"{values['mean_absolute_error']:.2f}")
        + ((f"{values['share_of_edit_seen']:.0%}",) if "share_of_edit_seen" in values else ("",))
        for attribute, values in _attributes(metrics).items()
    ]
    return _table(["attribute", "correlation of reading and truth", "mean error", "share of an edit read back"], rows)


def _attributes(metrics: dict) -> dict[str, dict]:
    """The metrics of single attributes."""
    return {name: values for name, values in metrics.items() if name != "groups"}


def _overlaps(metrics: dict) -> str:
    """Intersection over union of single classes and regions, the best first."""
    lines = []
    # Networks that do not segment have neither.
    for key, words in (("class_iou", "classes"), ("region_iou", "regions")):
        ranked = sorted(metrics.get(key, {}).items(), key=lambda item: -item[1])
        if ranked:
            each = ", ".join(f"{label} {value:.2f}" for label, value in ranked)
            lines.append(f"Intersection over union of single {words}: {each}.\n")
    return "\n".join(lines)


def _groups(columns: tuple[Column, ...], metrics: dict) -> str:
    """Metrics by group, and the worst group."""
    groups = metrics.get("groups")
    if not groups:
        return ""
    shown = [column for column in columns if any(column.key in values for values in groups.values())]
    rows = [
        (group, f"{values['pictures']:,}", *(_cell(values, column) for column in shown))
        for group, values in groups.items()
    ]
    table = _table(["group", "pictures", *(column.words for column in shown)], rows)
    first = columns[0]
    # A group may be too small for a metric: an AUC needs pairs of both kinds.
    measured = {group: values[first.key] for group, values in groups.items() if first.key in values}
    if not measured:
        return table
    worst = (max if first.lower_is_better else min)(measured, key=measured.get)
    return f"{table}\nWorst by {first.words}: {worst}.\n"


def _cell(values: dict, column: Column) -> str:
    return column.form.format(values[column.key]) if column.key in values else ""


def _photographs(report: dict) -> str:
    """Readings of photographs and of their reconstructions, as `kinlib.evaluation.photographs` recorded them."""
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
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)  # Markdown as GitHub has it
