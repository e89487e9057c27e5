"""Scripted faults: what goes wrong, when, and how often (`--faults FILE`, `POST /control`). Pure.

A fault is active from `at_ms` after its beginning for `for_ms` (0: for good), and acts on at most `times` items
(0: on all). `on` says on what: a channel ("orderUpdates", "userFills", "post", ...), the type of a request
("clearinghouseState", "order", ...), "http", or "*". docs/exchange.md has the table of kinds.
"""

import heapq
import itertools
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from hip3.venue.answers.replies import Answer
from hip3.venue.engine import halts
from hip3.venue.engine.engine import Engine
from hip3.venue.serving.output import HttpReply, Output, WsClose, WsText
from hip3.venue.setup.fault import Fault

_ON_OUTPUT = frozenset({"lose", "delay", "duplicate", "reorder", "cut", "silence", "malformed"})


class Struck(Protocol):
    """What faults and scripts do to the exchange as a whole; the venue's thread."""

    clock_offset_ms: int

    @property
    def engine(self) -> Engine: ...

    def drop_all(self) -> None: ...

    def say_to_all(self, frames: list[str]) -> None: ...

    def move(self, coin: str, px: Decimal, now_ms: int) -> None: ...


def _dated(reply: Answer, now_ms: int) -> Answer:
    """An old answer that says it is of now: a node that is behind has a clock that is not."""
    status, body = reply
    return (status, body | {"time": now_ms}) if isinstance(body, dict) and "time" in body else reply


class _Running:
    """A fault with what is left of it."""

    def __init__(self, fault: Fault, begin_ms: int) -> None:
        self.fault = fault
        self.start = begin_ms + fault.at_ms
        self.end = self.start + fault.for_ms if fault.for_ms else None
        self.left = fault.times or None
        self.entered = False
        self.kept: dict[str, Answer] = {}
        self.held: list[Output] = []

    def active(self, now_ms: int) -> bool:
        return self.start <= now_ms and (self.end is None or now_ms < self.end) and self.left != 0

    def over(self, now_ms: int) -> bool:
        return self.end is not None and now_ms >= self.end

    def use(self) -> None:
        if self.left is not None:
            self.left -= 1


class Faults:
    """All faults of a venue. Confined to its thread."""

    def __init__(self) -> None:
        self._running: list[_Running] = []
        self._asked: dict[int, str] = {}
        """HTTP token -> type of its request."""
        self._late: list[tuple[int, int, Output]] = []
        self._serial = itertools.count()

    def add(self, fault: Fault, now_ms: int) -> None:
        """One more, whose times count from now."""
        self._running.append(_Running(fault, now_ms))

    def clear(self) -> None:
        """Forget the script; what it did to markets and clocks stays, and what is on its way late still comes."""
        self._running.clear()

    def end_all(self, venue: Struck) -> None:
        """Nothing goes wrong any longer: halts and clocks are as they were; what is on its way late still comes."""
        for run in self._running:
            if run.entered:
                self._leave(venue, run.fault)
            self._late += [(0, next(self._serial), item) for item in reversed(run.held)]
        heapq.heapify(self._late)
        self._running.clear()

    def shown(self, now_ms: int) -> list[dict[str, Any]]:
        """What is scripted, for people: each with whether it acts now, and for how long or on how many items still."""
        return [
            msgspec.to_builtins(run.fault)
            | {
                "active": run.active(now_ms),
                "begins_in_ms": max(0, run.start - now_ms),
                "ends_in_ms": None if run.end is None else max(0, run.end - now_ms),
                "left": run.left,
            }
            for run in self._running
        ]

    def next_due(self) -> int | None:
        """When something late must be sent."""
        return self._late[0][0] if self._late else None

    def _matching(self, kinds: frozenset[str], names: tuple[str, ...], now_ms: int) -> _Running | None:
        for run in self._running:
            if run.fault.kind in kinds and run.active(now_ms) and run.fault.on in ("*", *names):
                return run
        return None

    # Before an answer.

    def http_status(self, token: int, path: str, request: Any, now_ms: int) -> int | None:
        """The status that a request gets instead of being executed, or None."""
        payload = request.get("action") if path == "/exchange" and isinstance(request, dict) else request
        kind = str(payload.get("type")) if isinstance(payload, dict) else ""
        self._asked[token] = kind
        run = self._matching(frozenset({"http"}), ("http", path, kind), now_ms)
        if run is None:
            return None
        run.use()
        return run.fault.status

    def refuses(self, now_ms: int) -> bool:
        """Whether a new socket is refused."""
        run = self._matching(frozenset({"refuse"}), (), now_ms)
        if run is not None:
            run.use()
        return run is not None

    def instead(self, request: dict[str, Any], now_ms: int) -> Answer | None:
        """A read that gets an old or an empty answer, or None."""
        if "user" not in request:
            return None
        for run in self._running:
            if self._distorts(run, request, now_ms):
                old = run.kept.get(_key(request))
                if old is not None:
                    run.use()
                    return _dated(old, now_ms) if run.fault.dated == "now" else old
        return None

    def emptied(self, request: dict[str, Any], now_ms: int) -> dict[str, Any]:
        """The request, about nobody if its answer is to be empty."""
        for run in self._running:
            if run.fault.kind == "empty" and "user" in request and self._distorts(run, request, now_ms):
                run.use()
                return request | {"user": "0x" + "0" * 40}
        return request

    def keep(self, request: dict[str, Any], reply: Answer, now_ms: int) -> None:
        """Remember an answer that will be given again."""
        for run in self._running:
            if run.fault.kind == "stale" and "user" in request and self._distorts(run, request, now_ms):
                run.kept.setdefault(_key(request), reply)

    @staticmethod
    def _distorts(run: _Running, request: dict[str, Any], now_ms: int) -> bool:
        fault = run.fault
        return (
            fault.kind in ("stale", "empty")
            and run.active(now_ms)
            and fault.on in ("*", request.get("type"))
            and (fault.dex is None or fault.dex == (request.get("dex") or ""))
        )

    # After an answer.

    def filter(self, out: list[Output], now_ms: int) -> list[Output]:
        """What really leaves of what should."""
        if not self._running and not self._late:
            for item in out:
                if isinstance(item, HttpReply):
                    self._asked.pop(item.token, None)
            return out
        leaving: list[Output] = []
        for item in out:
            leaving += self._pass(item, now_ms)
        while self._late and self._late[0][0] <= now_ms:
            leaving.append(heapq.heappop(self._late)[2])
        for run in self._running:
            if run.held and not run.active(now_ms):
                leaving += reversed(run.held)
                run.held.clear()
        return leaving

    def _pass(self, item: Output, now_ms: int) -> list[Output]:
        if isinstance(item, WsClose):
            return [item]
        names = ("http", self._asked.pop(item.token, "")) if isinstance(item, HttpReply) else (_channel(item.text),)
        run = self._matching(_ON_OUTPUT, names, now_ms)
        if run is None:
            return [item]
        run.use()
        kind = run.fault.kind
        if kind == "delay":
            heapq.heappush(self._late, (now_ms + run.fault.ms, next(self._serial), item))
        elif kind == "duplicate":
            return [item, item]
        elif kind == "reorder":
            run.held.append(item)
        elif kind == "cut" and isinstance(item, WsText):
            return [WsClose(item.conn)]
        elif kind == "malformed" and isinstance(item, WsText):
            return [WsText(item.conn, item.text[: len(item.text) // 2])]
        return []

    # By the clock.

    def tick(self, venue: Struck, now_ms: int) -> None:
        """Begin and end what concerns the exchange as a whole."""
        for run in list(self._running):
            if run.active(now_ms) and not run.entered:
                run.entered = True
                self._enter(venue, run.fault, now_ms)
            elif run.over(now_ms):
                self._leave(venue, run.fault)
                if not run.held:
                    self._running.remove(run)

    def _enter(self, venue: Struck, fault: Fault, now_ms: int) -> None:
        if fault.kind == "halt":
            halts.halt(venue.engine, venue.engine.markets[fault.coin], now_ms)
        elif fault.kind == "clock":
            venue.clock_offset_ms += fault.ms
        elif fault.kind == "refuse":
            venue.drop_all()
        elif fault.kind == "flood":
            venue.say_to_all(['{"channel":"flood","data":{}}'] * fault.count)
        elif fault.kind == "change":
            market = venue.engine.markets[fault.coin]
            info = market.info
            market.info = info._replace(
                sz_decimals=info.sz_decimals if fault.sz_decimals is None else fault.sz_decimals,
                max_leverage=info.max_leverage if fault.max_leverage is None else fault.max_leverage,
            )

    @staticmethod
    def _leave(venue: Struck, fault: Fault) -> None:
        if fault.kind == "halt":
            halts.resume(venue.engine.markets[fault.coin])
        elif fault.kind == "clock":
            venue.clock_offset_ms -= fault.ms


def _key(request: dict[str, Any]) -> str:
    return msgspec.json.encode(request, order="sorted").decode()


def _channel(text: str) -> str:
    """The channel of a frame, which stands first."""
    return text[12 : text.index('"', 12)] if text.startswith('{"channel":"') else ""
