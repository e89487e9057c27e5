"""Valid messages made hostile: values, types, nesting, order and size are changed, from a seed."""

import copy
import json
import random
from typing import Any

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 1.5, -0.0, "", "0", "-1", "1", "0.0000000001", "1E+999990",
    "1E-999990", "NaN", "Infinity", "-Infinity", "sNaN", "1_0", " 1", "0x10", "xyz:GOLD", "xyz:NONE", "BTC", "@107", "A", "B",
    "x" * 5000, "\u0000", "\ud83d\ude00", [], {}, [None], [[]], {"": {}}, ["1", "2"], {"coin": 1},
)  # fmt: skip


def _paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a message, from the top down."""
    out = [at]
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        out += _paths(child, (*at, key))
    return out


def _nested(rng: random.Random) -> Any:
    depth = rng.choice((3, 50, 900))
    text = rng.choice(("[", '{"a":')) * depth
    return text + "1" + ("]" if text[0] == "[" else "}") * depth


def _change(rng: random.Random, message: Any) -> Any:
    """One change somewhere."""
    paths = [p for p in _paths(message) if p]
    if not paths:
        return copy.deepcopy(rng.choice(VALUES))
    path = rng.choice(paths)
    parent = message
    for key in path[:-1]:
        parent = parent[key]
    key, what = path[-1], rng.randrange(9)
    if what == 0:
        del parent[key]
    elif what == 1 and isinstance(parent, list):
        parent.extend(json.loads(json.dumps(parent[key])) for _ in range(rng.choice((1, 3, 200))))
    elif what == 2 and isinstance(parent, list):
        rng.shuffle(parent)
    elif what == 3 and isinstance(parent, dict):
        parent[rng.choice(list(parent))] = copy.deepcopy(parent[key])
    elif what == 4 and isinstance(parent, dict):
        parent[rng.choice(("extra", "coin", "data", "time"))] = copy.deepcopy(rng.choice(VALUES))
    elif what == 5 and isinstance(parent[key], str):
        parent[key] = parent[key][: rng.randrange(len(parent[key]) + 1)] + rng.choice(("", "9", "-", "e5", "."))
    elif what == 6 and isinstance(parent[key], int | float) and not isinstance(parent[key], bool):
        parent[key] = parent[key] * rng.choice((-1, 0, 10**6)) + rng.choice((0, 1))
    else:
        parent[key] = copy.deepcopy(rng.choice(VALUES))
    return message


def hostile(rng: random.Random, text: str) -> str:
    """The message with one to four changes; sometimes torn, glued to itself, or nested deep."""
    kind = rng.random()
    if kind < 0.05:
        return text[: rng.randrange(len(text) + 1)]
    if kind < 0.07:
        return text + text
    if kind < 0.09:
        return text.replace(":", ":" + _nested(rng) + ",", 1)
    message = json.loads(text)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        message = _change(rng, message)
    return json.dumps(message, separators=(",", ":"), ensure_ascii=rng.random() < 0.5)
