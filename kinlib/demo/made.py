"""How a child was made: what its code has from whom, layer by layer, measured on the codes themselves.

Every method is measured alike, whether it blends codes, samples them or decodes genes: the child's code of a layer is
projected on the line from the mother's to the father's. Its place on the line is the father's share, and its distance
from the line, in lengths of the line, is what comes from neither.
"""

import html
import shlex
from dataclasses import dataclass

from torch import Tensor

from kinlib.demo.words import METHODS
from kinlib.inheritance import registry
from kinlib.inheritance.blend import GROUPS
from kinlib.kinship.kinship import Child
from kinlib.session import Settings

__all__ = ["LayerShare", "command", "layer_shares", "made"]

HALF = 0.5  # the father's share where nothing is said
SAME = 1e-6  # squared distance of two codes below which they are one: no share can be told


@dataclass(frozen=True)
class LayerShare:
    """One layer of a child's code.

    Attributes:
        father: the father's share; below 0 or above 1 where the child lies beyond a parent; None where both parents'
            codes are the same.
        neither: distance from the parents' line, in lengths of the line.
    """

    father: float | None
    neither: float


def layer_shares(child: Tensor, father: Tensor, mother: Tensor) -> list[LayerShare]:
    """The shares of all L layers; codes are W+ [1, L, 512]."""
    line, place = (father - mother)[0], (child - mother)[0]  # [L, 512]
    length = line.square().sum(dim=1)  # [L], squared
    shares = (line * place).sum(dim=1) / length.clamp_min(SAME)
    rest = (place - shares[:, None] * line).square().sum(dim=1) / length.clamp_min(SAME)
    return [
        LayerShare(float(share) if squared > SAME else None, float(neither.sqrt()))
        for share, neither, squared in zip(shares, rest, length, strict=True)
    ]


def made(child: Child, settings: Settings, refine: int = 0) -> str:
    """A child's origin as HTML: in words, by layer, and as a command.

    Args:
        child: with both parents.
        settings: of the session that made it.
        refine: steps by which the codes of its parents' photographs were fitted.
    """
    facts = {
        "Combined by": METHODS.get(child.method, child.method),
        "Seed": str(child.seed),
        "Set afterwards": ", ".join(f"{name} {value}" for name, value in _set(settings).items()) or "nothing",
    }
    rows = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(words)}</dd>" for name, words in facts.items())
    shares = layer_shares(child.latent, child.father.latent, child.mother.latent)
    same = html.escape(command(child, settings, refine))
    return (
        f'<div class="kin-made"><dl>{rows}</dl>{_bars(shares)}'
        f"<p>The same of two files, without the page:</p><pre><code>{same}</code></pre></div>"
    )


def command(child: Child, settings: Settings, refine: int = 0) -> str:
    """The command that makes the same child of the same two photographs; arguments as of `made`.

    Shares that differ by group of layers cannot be said on the command line: it is then a line of Python.
    """
    shares = [settings.coarse, settings.middle, settings.fine]
    given = {"seed": child.seed} | {name: value for name, value in vars(settings).items() if name in ("age", "sex")}
    if any(option.name == "father_share" for option in registry.find(child.method).options):
        given["father_share"] = shares[0] if shares[1:] == shares[:-1] else shares
    given = {name: value for name, value in given.items() if value is not None and value != HALF}
    if isinstance(given.get("father_share"), list):
        called = ", ".join(f"{name}={value!r}" for name, value in given.items() if name != "father_share")
        groups = ", ".join(f"{share:g}" for share in shares)
        return (
            f'kin.child("FATHER", "MOTHER", method="{child.method}", {called}, refine_steps={refine}, '
            f"father_share=group_shares({child.latent.shape[1]}, {groups}), edits={dict(settings.edits)})"
        )
    words = ["kinlib", "child", "--father", "FATHER", "--mother", "MOTHER", "--method", child.method]
    for name, value in given.items():
        words += [f"--{name.replace('_', '-')}", f"{value}"]
    for name, value in settings.edits.items():
        words += ["--edit", f"{name}={value}"]
    return shlex.join([*words, "--refine", str(refine)] if refine else words)


def _set(settings: Settings) -> dict[str, str]:
    """What was set along attribute directions after the codes were combined."""
    given = {"age": settings.age, "sex": settings.sex, **settings.edits}
    known = {name: value for name, value in given.items() if value is not None}
    return {name: f"{value:g}" if isinstance(value, float) else value for name, value in known.items()}


def _bars(shares: list[LayerShare]) -> str:
    """A table with a bar for each layer."""
    rows = []
    for number, share in enumerate(shares):
        group = next(name for name, (begin, end) in GROUPS.items() if begin <= number < (end or len(shares)))
        father = 0.5 if share.father is None else min(max(share.father, 0.0), 1.0)
        told = "–" if share.father is None else f"{share.father:.0%}"
        bar = f'<div class="kin-bar" aria-hidden="true"><span style="width:{father:.1%}"></span></div>'
        rows.append(
            f"<tr><td>{number}</td><td>{group}</td><td>{bar}</td><td>{told}</td><td>{share.neither:.2f}</td></tr>"
        )
    return (
        "<table><caption>Whose code each layer has (coarse: head and pose; middle: features and hair; fine: colours). "
        '<span class="kin-key kin-father"></span>father <span class="kin-key kin-mother"></span>mother</caption>'
        "<thead><tr><th>Layer</th><th>Group</th><th>Share</th><th>Father</th><th>Neither</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
        "<p>“Neither” is how far the code lies from the line between both parents, in lengths of that line: chance, "
        "genes and what was set afterwards.</p>"
    )
