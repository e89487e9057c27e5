"""How long an order travels until it reaches the exchange, and its answer back. Pure.

`fixed:MS` for both ways, or a file of measured quantiles (`{"exec": […], "reply": […], "source": "…"}`, from the lowest
to the highest, in milliseconds). What is drawn is drawn from seed, market and sending time, so that two settings that
act on one frame are served alike.
"""

import hashlib
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import msgspec

from hip3.errors import ConfigError
from hip3.venue.market.filling import BLOCK_MS

ASSUMED_EXEC = (60, 90, 110, 120, 130, 140, 148, 160, 180, 230, 480)
"""Deciles, in milliseconds: what the project has measured of order round trips, less the way back."""


class Latency(msgspec.Struct):
    """Quantiles of both ways, evenly spaced from the lowest to the highest."""

    exec: list[int]
    """From sending until the order has reached the exchange."""
    reply: list[int]
    """From execution until the answer is heard."""
    source: str = "a file"

    def times(self, factor: str) -> "Latency":
        """All of it so many times as long; `factor` is a decimal number above 0."""
        by = Decimal(factor)
        if by == 1:
            return self
        there, back = (
            [int((ms * by).to_integral_value(ROUND_HALF_UP)) for ms in leg] for leg in (self.exec, self.reply)
        )
        return Latency(there, back, f"{self.source}, times {factor}")

    def drawn(self, legs: list[int], seed: int, key: str) -> int:
        """One of them by the key's own number."""
        number = int.from_bytes(hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=4).digest(), "big")
        at = number / 2**32 * (len(legs) - 1)
        low = int(at)
        high = min(low + 1, len(legs) - 1)
        return round(legs[low] + (legs[high] - legs[low]) * (at - low))


def parse_latency(text: str | None, lag_ms: int) -> Latency:
    """What `--latency` says; without it the project's figures, and frames' own way for the answers. ConfigError."""
    if text is None:
        return Latency(exec=list(ASSUMED_EXEC), reply=[lag_ms], source="assumed: the project's own figures")
    if text.startswith("fixed:"):
        number = text.removeprefix("fixed:")
        if not number.isdecimal() or int(number) > 60_000:
            raise ConfigError([f"--latency {text}: expected fixed:MS with whole milliseconds"])
        return Latency(exec=[int(number)], reply=[int(number)], source=text)
    try:
        found = msgspec.json.decode(Path(text).read_bytes(), type=Latency)
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError([f"--latency {text}: {error}; expected fixed:MS, or a file with exec and reply"]) from None
    if not found.exec or not found.reply or min(found.exec + found.reply) < 0:
        raise ConfigError([f"--latency {text}: exec and reply need at least one number, none below 0"])
    return found


class Drawn:
    """When each action is executed, in exchange milliseconds after its sending: `venue.recorded.Travels`."""

    def __init__(self, latency: Latency, seed: int) -> None:
        self._latency, self._seed = latency, seed

    def __call__(self, now_ms: int, request: Any) -> int:
        """`now_ms` is the exchange's time of the sending; the wait for the block's end is in the answer."""
        return self._latency.drawn(self._latency.exec, self._seed, f"{key_of(request)}:{now_ms}") + BLOCK_MS


def key_of(request: Any) -> str:
    """By what an action's way is drawn: its first order's asset."""
    action = request.get("action") if isinstance(request, dict) else None
    orders = action.get("orders") if isinstance(action, dict) else None
    return str(orders[0].get("a")) if isinstance(orders, list) and orders and isinstance(orders[0], dict) else "-"
