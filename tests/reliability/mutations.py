"""Hostile inputs made of good ones: what disks, downloads, editors and strangers do to files.

A mutation is drawn by hypothesis as a few small numbers, so that it can be shrunk, and applied by plain functions.
"""

import copy
import io
import json
import math

import torch
from hypothesis import strategies as st

__all__ = ["byte_edits", "edited_bytes", "edited_json", "edited_tensors", "json_edits", "tensor_edits"]

LARGE = 2**32
TEXTS = (
    *(b"..", b"../../outside", b"/outside", b"\\..\\outside", b"C:\\x", b"\0", b"\xff\xfe", b"\xc3\x28", b"\xed\xa0"),
    *(b"9" * 5000, b"-1", b"0", b"1e999", b"nan", b"-inf", b"1" * 20, b'"', b"'", b",", b"\t", b"\r", b"\n\n", b"{"),
    *(b"[" * 3000, b"\xef\xbb\xbf", b"\xe2\x80\xae", "١٢".encode(), "²".encode(), b"%s%n", b"\x80\x04", b"PK\x03\x04"),
)

# (kind, position, content): what is done at which place; positions are taken modulo the length.
_BYTE_EDIT = st.tuples(st.integers(0, 8), st.integers(0, LARGE), st.integers(0, LARGE))
byte_edits = st.lists(_BYTE_EDIT, min_size=1, max_size=4)


def edited_bytes(content: bytes, edits: list[tuple[int, int, int]]) -> bytes:
    """A file's content after some edits."""
    for kind, where, what in edits:
        # Half of all edits fall into the first and the last kilobyte: headers, and indices at the end.
        length = max(1, len(content))
        place = where % length if where % 2 else (where % min(1024, length)) * (1 if where % 4 else -1) % length
        span = 1 + what % (1 + min(64, len(content)))
        if kind == 0:  # a flipped bit
            content = (
                content[:place] + bytes([content[place] ^ 1 << what % 8] if content else []) + content[place + 1 :]
            )
        elif kind == 1:  # other bytes
            noise = (what * 2654435761 % 2**64).to_bytes(8, "little")[: 1 + what % 8]
            content = content[:place] + noise + content[place + len(noise) :]
        elif kind == 2:  # cut short
            content = content[:place]
        elif kind == 3:  # a hole
            content = content[:place] + content[place + span :]
        elif kind == 4:  # a repetition
            content = content[: place + span] + content[place:]
        elif kind == 5:  # blocks of zeros, as a file system leaves after a power cut
            content = content[:place] + bytes(span * 8) + content[place + span * 8 :]
        elif kind == 6:  # a word of another kind, inserted
            content = content[:place] + TEXTS[what % len(TEXTS)] + content[place:]
        elif kind == 7:  # a line, or what lies between two line ends, twice or gone
            lines = content.split(b"\n")
            number = where % len(lines)
            content = b"\n".join(
                [*lines[:number], *lines[number : number + 1] * (2 * (what % 2)), *lines[number + 1 :]]
            )
        else:  # a number or word in place of another
            begin = place
            while begin > 0 and content[begin - 1 : begin].isalnum():
                begin -= 1
            end = place
            while content[end : end + 1].isalnum():
                end += 1
            content = content[:begin] + TEXTS[what % len(TEXTS)] + content[end:]
    return content


# ---- JSON -----------------------------------------------------------------------------------------------------------

NESTED = "nested"  # stands for lists within lists, deeper than a parser can follow
VALUES = (
    *(None, True, False, 0, 1, -1, 3, 10**30, -(2**70), 0.5, 1e300, math.inf, -math.inf, math.nan, 17.0),
    *("", "..", "../../outside", "/outside", "x" * 3000, "a\0b", "\ud800", "9" * 5000, "nan", "é"),
    *([], {}, [None], [[]], [[1], [1, 2]], {"": None}, [1] * 2000, {"a": {"b": [{}]}}, NESTED),
)
_JSON_EDIT = st.tuples(st.lists(st.integers(0, 1000), max_size=5), st.integers(0, 3), st.integers(0, len(VALUES) - 1))
json_edits = st.lists(_JSON_EDIT, min_size=1, max_size=3)


def edited_json(content: bytes, edits: list) -> bytes:
    """JSON with other values at some places of its tree, and entries gone or renamed."""
    tree = {"": json.loads(content)}
    for path, kind, number in edits:
        holder, key = tree, ""
        for step in path:
            inside = holder[key]
            keys = list(inside) if isinstance(inside, dict) else range(len(inside)) if isinstance(inside, list) else ()
            if not keys:
                break
            holder, key = inside, keys[step % len(keys)]
        if kind == 3 and holder is not tree:
            del holder[key]
        elif kind == 2 and isinstance(holder, dict) and holder is not tree:
            holder[str(VALUES[number])] = holder.pop(key)
        else:
            holder[key] = copy.deepcopy(VALUES[number])
    return json.dumps(tree[""]).replace(f'"{NESTED}"', "[" * 100_000 + "]" * 100_000).encode()


# ---- tensors --------------------------------------------------------------------------------------------------------

_TENSOR_EDIT = st.tuples(st.integers(0, 17), st.integers(0, 10_000), st.integers(0, 10_000))
tensor_edits = st.lists(_TENSOR_EDIT, min_size=1, max_size=3)
NAMES = ("", ".", "..", "0", "convs.999999999.conv.weight", "to_rgbs.60.conv.weight", "body.7777.weight", "é.ü")
ODD = (math.nan, math.inf, -1.0, 1e30, 0.0)
TYPES = (torch.int64, torch.bool, torch.uint8, torch.float64, torch.bfloat16, torch.float16, torch.complex64)


def edited_tensors(state: dict, edits: list) -> bytes:
    """A file of weights, in PyTorch's format, whose tensors are others than they were."""
    state = dict(state)
    for kind, where, what in edits:
        if not state:
            break
        key = sorted(state, key=str)[where % len(state)]
        value = state[key]
        state[key] = value
        if kind == 0:
            del state[key]
        elif kind == 1:
            state[NAMES[what % len(NAMES)]] = state.pop(key)
        elif kind == 2:  # a number in the name
            renamed = "".join(str(what) if letter.isdigit() else letter for letter in str(key))
            state[renamed] = state.pop(key)
        elif not isinstance(value, torch.Tensor) or value.layout != torch.strided or value.numel() > 10_000_000:
            continue  # of as many numbers as kind 10 claims, no copy can be made
        elif kind == 3:
            state[key] = value.reshape(-1)
        elif kind == 4:
            state[key] = value.transpose(0, -1) if value.ndim else value
        elif kind == 5:
            state[key] = value[None]
        elif kind == 6:
            state[key] = value[..., :-1] if value.ndim else value
        elif kind == 7:
            state[key] = torch.cat([value, value]) if value.ndim else value
        elif kind == 8:
            state[key] = value.to(TYPES[what % len(TYPES)])
        elif kind == 9:
            state[key] = torch.full_like(value, ODD[what % len(ODD)]) if value.is_floating_point() else value
        elif kind == 10:  # as many numbers as no machine holds, in a file of a few bytes
            state[key] = torch.zeros(1, dtype=value.dtype).expand([2 ** (8 + what % 40)] + [1] * max(0, value.ndim - 1))
        elif kind == 11:
            state[key] = torch.empty([0, 2**40] if what % 2 else [2**40, 0], dtype=value.dtype)
        elif kind == 12:
            state[key] = torch.zeros(1, dtype=value.dtype).expand(
                [value.shape[0] if value.ndim else 1, 2 ** (8 + what % 40)]
            )
        elif kind == 13:
            state[key] = value.to_sparse() if value.ndim else value
        elif kind == 14:
            state[key] = (None, "text", 3, [1], {"a": 1}, {"b": value})[what % 6]
        elif kind == 15:
            state[key] = torch.full_like(value, 2**40 - what % 3 * 2**41 if value.dtype == torch.int64 else 7)
        elif kind == 16:
            state[what] = state.pop(key)
        else:
            state[key] = value.reshape(-1)[:1].reshape(()) if value.numel() else value
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()
