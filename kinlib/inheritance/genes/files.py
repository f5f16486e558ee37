"""Files of gene networks: the published `stylegene_N18.ckpt`, and ours.

| published (PyTorch, below `state_dict` or bare) | here |
|---|---|
| `w2sub34.*` | `GeneEncoder` |
| `sub2w.*` | `GeneDecoder` |
| anything else (the image-based encoder, the optimizer) | not read |

Ours is safetensors with `encoder.*`, `decoder.*` and, held once for both, `components.*`; `sizes` holds what no shape
tells.

Licence of the published file: its page allows academic use only and has no licence text.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from kinlib.checkpoints.state_dicts import build
from kinlib.checkpoints.weights import open_checkpoint
from kinlib.inheritance.genes.networks import Components, GeneDecoder, GeneEncoder, GeneSizes
from kinlib.runtime.errors import KinlibError

__all__ = ["gene_state", "load_genes"]

ENCODER, DECODER = "w2sub34.", "sub2w."  # prefixes of the published file

# Of a published Mixer layer: 0 mixes tokens, 1 channels; its MLP is numbered with activation and dropout.
MIXING = {"0": "tokens", "1": "channels"}
PART = {"fn.0": "expand", "fn.3": "reduce", "norm": "norm"}
HEADS = {"mu_fc": "mean", "var_fc": "log_variance"}


def load_genes(path: str | Path) -> tuple[GeneEncoder, GeneDecoder]:
    """Load both networks from the published checkpoint or from our safetensors.

    Args:
        path: the file; its content decides, not its suffix. No code in it is run.

    Returns:
        The encoder, W+ [B, L, 512] -> (mean, log-variance) [B, N, R, D], and the decoder, genes [B, N, R, D] -> W+;
        float32 on the CPU, in evaluation mode, without gradients of the weights.

    Raises:
        KinlibError: if the file is missing, is no checkpoint, holds more than weights, or does not hold both networks
            whole: a tensor is missing, unknown or of another shape.
    """
    checkpoint = open_checkpoint(path)
    state = checkpoint["state_dict"] if isinstance(checkpoint.get("state_dict"), Mapping) else checkpoint
    state = {str(key): value for key, value in state.items() if isinstance(value, Tensor)}
    published = any(key.startswith((ENCODER, DECODER)) for key in state)
    networks = _published(state, path) if published else _ours(state, path)
    return tuple(network.float().eval().requires_grad_(False) for network in networks)


def gene_state(encoder: GeneEncoder, decoder: GeneDecoder) -> dict[str, Tensor]:
    """The tensors of our file."""
    parts = {"encoder": encoder, "decoder": decoder}
    state = {
        f"{name}.{key}": value
        for name, net in parts.items()
        for key, value in net.state_dict().items()
        if not key.startswith("components.")
    }
    if encoder.components is not None:
        state |= {f"components.{key}": value for key, value in encoder.components.state_dict().items()}
    sizes = encoder.sizes
    state["sizes"] = torch.tensor([sizes.num_layers, sizes.regions, sizes.gene_layers, sizes.gene_dim])
    state["log_variance_centre"] = torch.tensor(sizes.log_variance_centre)
    return {key: value.contiguous() for key, value in state.items()}


def _published(state: dict[str, Tensor], path: str | Path) -> tuple[GeneEncoder, GeneDecoder]:
    encoder, decoder = (
        {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        for prefix in (ENCODER, DECODER)
    )
    for prefix, part, first in ((ENCODER, encoder, "layer.1.weight"), (DECODER, decoder, "layer.1.0.fn.0.weight")):
        if not part or first not in part:
            raise KinlibError(f"{path} holds no whole gene networks: it lacks '{prefix}{first}'")
    depths = [_count(part, r"layer\.(\d+)\.0\.fn\.0\.weight") for part in (encoder, decoder)]
    head = _count(encoder, r"mu_fc\.(\d+)\.0\.fn\.0\.weight")
    try:
        tokens, num_layers = encoder["layer.1.weight"].shape
        hidden = decoder["layer.1.0.fn.0.weight"].shape[0]
        channel_hidden, dim = decoder["layer.1.1.fn.0.weight"].shape
        regions, rest = divmod(tokens, num_layers)
    except (KeyError, ValueError, ZeroDivisionError) as problem:
        raise KinlibError(f"{path} holds no gene networks in the published layout ({problem})") from problem
    if rest or not regions:
        raise KinlibError(f"{path} has {tokens} gene tokens, which are no whole number of regions of {num_layers}")
    sizes = GeneSizes(num_layers, dim, regions, num_layers, dim, depths[0], head, depths[1])
    sizes = replace(sizes, token_factor=hidden / tokens, channel_factor=channel_hidden / dim)
    tables = encoder_names(depths[0], head), decoder_names(depths[1])
    parts = zip((GeneEncoder, GeneDecoder), (encoder, decoder), tables, (ENCODER, DECODER), strict=True)
    return tuple(
        build(partial(kind, sizes), _renamed(part, names, prefix, path), path) for kind, part, names, prefix in parts
    )


def encoder_names(depth: int, head_depth: int) -> dict[str, str]:
    """Published names of the layers of `w2sub34` -> ours, without `.weight` and `.bias`."""
    # layer: 0 and 2 transpose, 1 is the linear layer over W+'s layers, then the Mixer layers, then the normalisation.
    names = {"layer.1": "stem", f"layer.{3 + depth}": "trunk.norm"}
    names |= _mixer_names("layer", 3, depth, "trunk")
    for theirs, ours in HEADS.items():
        names |= _mixer_names(theirs, 0, head_depth, ours) | {f"{theirs}.{head_depth}": f"{ours}.norm"}
    return names


def decoder_names(depth: int) -> dict[str, str]:
    """Published names of the layers of `sub2w` -> ours, without `.weight` and `.bias`."""
    # layer: 0 reshapes, then the Mixer layers and the normalisation; + 2 transposes, + 5 is the activation.
    ends = {depth + 1: "trunk.norm", depth + 3: "head.first", depth + 4: "head.norm", depth + 6: "head.last"}
    return _mixer_names("layer", 1, depth, "trunk") | {f"layer.{number}": ours for number, ours in ends.items()}


def _mixer_names(theirs: str, first: int, depth: int, ours: str) -> dict[str, str]:
    return {
        f"{theirs}.{first + i}.{number}.{part}": f"{ours}.layers.{i}.{mixing}.{name}"
        for i in range(depth)
        for number, mixing in MIXING.items()
        for part, name in PART.items()
    }


def _renamed(state: dict[str, Tensor], names: dict[str, str], prefix: str, path: str | Path) -> dict[str, Tensor]:
    """A published state under our names; token mixing was a convolution of width 1, [out, in, 1] -> [out, in].

    Raises:
        KinlibError: if a tensor is unknown or missing.
    """
    wanted = {f"{layer}.{kind}": f"{ours}.{kind}" for layer, ours in names.items() for kind in ("weight", "bias")}
    for what, keys in (("lacks", wanted.keys() - state.keys()), ("has unknown", state.keys() - wanted.keys())):
        if keys:
            raise KinlibError(f"{path} does not fit the gene networks: it {what} '{prefix}{min(keys)}'")
    return {
        wanted[key]: value.squeeze(2) if value.ndim == 3 and value.shape[2] == 1 else value
        for key, value in state.items()
    }


def _ours(state: dict[str, Tensor], path: str | Path) -> tuple[GeneEncoder, GeneDecoder]:
    sizes = _our_sizes(state, path)
    parts = {"encoder": GeneEncoder, "decoder": GeneDecoder}
    state = {key: value for key, value in state.items() if key not in ("sizes", "log_variance_centre")}
    left = [key for key in state if key.split(".")[0] not in (*parts, "components")]
    if left:
        raise KinlibError(f"{path} does not fit the gene networks: it has unknown '{min(left)}'")
    shared = {key: value for key, value in state.items() if key.startswith("components.")}
    components = None
    if sizes.components:
        own = {key.removeprefix("components."): value for key, value in shared.items()}
        components = build(lambda: Components(sizes.components, sizes.num_layers * sizes.style_dim), own, path)
    networks = []
    for name, kind in parts.items():
        own = {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}
        networks.append(build(partial(kind, sizes, components), own | shared, path))
    return networks[0], networks[1]


def _our_sizes(state: dict[str, Tensor], path: str | Path) -> GeneSizes:
    try:
        num_layers, regions, gene_layers, gene_dim = state["sizes"].tolist()
        first = "decoder.trunk.layers.0"
        sizes = GeneSizes(num_layers=num_layers, regions=regions, gene_layers=num_layers)
        components = len(state["components.scale"]) if "components.scale" in state else 0
        size = state["components.mean"].numel() if components else num_layers * gene_dim
        return replace(
            sizes,
            style_dim=size // num_layers,
            gene_layers=gene_layers,
            gene_dim=gene_dim,
            encoder_depth=_count(state, r"encoder\.trunk\.layers\.(\d+)\.tokens\.norm\.weight"),
            head_depth=_count(state, r"encoder\.mean\.layers\.(\d+)\.tokens\.norm\.weight"),
            decoder_depth=_count(state, r"decoder\.trunk\.layers\.(\d+)\.tokens\.norm\.weight"),
            token_factor=state[f"{first}.tokens.expand.weight"].shape[0] / (gene_layers * regions),
            channel_factor=state[f"{first}.channels.expand.weight"].shape[0] / gene_dim,
            components=components,
            log_variance_centre=float(state["log_variance_centre"]),
        )
    except (KeyError, ValueError, TypeError, IndexError, ZeroDivisionError) as problem:
        looked = f"looked for {ENCODER}*, {DECODER}* and encoder.*, decoder.*"
        raise KinlibError(f"{path} holds no gene networks ({looked})") from problem


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    """How many layers match a pattern."""
    return len({found.group(1) for key in state if (found := re.fullmatch(pattern, key))})
