"""`POST /control`: what a person, or a test, lets happen to the exchange. Pure; the venue's thread.

One wish a request: a fault, the end of all faults, a move of a market, money for an account, the clock. What the whole
process must do (`restore`) is the server's.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from hip3.errors import ODD_ANSWERS
from hip3.venue.answers.replies import Answer, Text
from hip3.venue.books.books import Books
from hip3.venue.books.kept import dump
from hip3.venue.serving.faults import Faults, Struck
from hip3.venue.serving.pace import Pace
from hip3.venue.setup.fault import Fault

MOST_USD = Decimal(1_000_000_000)
LEAST_PX, MOST_PX = Decimal("0.000001"), Decimal(1_000_000_000)
MOST_STEP_MS = 86_400_000
MOST_LIVED_MS = 10_000
"""A longer step is leapt over: block by block an hour would take a minute of a processor's time."""
OK: dict[str, Any] = {"status": "ok"}


class Controlled(Struck, Protocol):
    """The exchange as a whole."""

    @property
    def books(self) -> Books: ...

    @property
    def faults(self) -> Faults: ...

    @property
    def pace(self) -> Pace: ...

    def publish(self, now_ms: int) -> None: ...

    def leap(self, ms: int) -> None: ...


def control(venue: Controlled, body: bytes, now_ms: int) -> Answer:
    """The answer to one wish; 400 with why for one that is not understood, and nothing has happened then."""
    try:
        request = msgspec.json.decode(body)
        names = [name for name in request if name in _WISHES]
        if len(names) != 1:
            raise ValueError(f"one of {', '.join(_WISHES)}")
        return 200, _WISHES[names[0]](venue, request[names[0]], now_ms)
    except (msgspec.DecodeError, RecursionError, *ODD_ANSWERS) as error:
        return 400, Text(f"not understood: {error}")


def _fault(venue: Controlled, wish: Any, now_ms: int) -> Any:
    fault = msgspec.convert(wish, Fault)
    if fault.kind in ("halt", "change") and fault.coin not in venue.engine.markets:
        raise ValueError("coin")
    venue.faults.add(fault, now_ms)
    return OK


def _clear(venue: Controlled, wish: Any, now_ms: int) -> Any:
    if wish is not True:
        raise ValueError("clear is true")
    venue.faults.end_all(venue)
    return OK


def _move(venue: Controlled, wish: Any, now_ms: int) -> Any:
    px = Decimal(str(wish["px"]))
    if not px.is_finite() or not LEAST_PX <= px <= MOST_PX:
        raise ValueError(f"px is a price from {LEAST_PX} to {MOST_PX}")
    if str(wish["coin"]) not in venue.engine.markets:
        raise ValueError("coin")
    venue.move(str(wish["coin"]), px, now_ms)
    return OK


def _fund(venue: Controlled, wish: Any, now_ms: int) -> Any:
    address, usd = str(wish["user"]).lower(), Decimal(str(wish["usd"]))
    if len(bytes.fromhex(address.removeprefix("0x"))) != 20 or not 0 < usd <= MOST_USD:
        raise ValueError("user is an address, usd above 0")
    venue.books.fund_all(address, usd)
    venue.publish(now_ms)
    return OK


def _clock(venue: Controlled, wish: Any, now_ms: int) -> Any:
    """{"pause": true}, {"resume": true}, {"step_ms": N}; the answer tells the time that holds then."""
    if not isinstance(wish, dict) or len(wish) != 1:
        raise ValueError("clock is one of pause, resume, step_ms")
    pace, (name, value) = venue.pace, next(iter(wish.items()))
    if (name, value) == ("pause", True):
        pace.hold()
    elif (name, value) == ("resume", True):
        pace.release()
    elif name == "step_ms" and isinstance(value, int) and 0 <= value <= MOST_STEP_MS:
        if value > MOST_LIVED_MS:
            venue.leap(value)
        pace.step(value)
        now_ms += value
    else:
        raise ValueError(f'clock: {{"pause": true}}, {{"resume": true}} or {{"step_ms": 0 to {MOST_STEP_MS}}}')
    return OK | {"time": now_ms, "paused": pace.held}


def _faults(venue: Controlled, wish: Any, now_ms: int) -> Any:
    return OK | {"faults": venue.faults.shown(now_ms)}


def _snapshot(venue: Controlled, wish: Any, now_ms: int) -> Any:
    return msgspec.Raw(dump(venue.books, now_ms))


_WISHES: dict[str, Callable[[Controlled, Any, int], Any]] = {
    "fault": _fault, "clear": _clear, "move": _move, "fund": _fund, "clock": _clock, "faults": _faults,
    "snapshot": _snapshot,
}  # fmt: skip
