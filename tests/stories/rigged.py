"""The service with one wire tied to `kill -9`: `python rigged.py BOUNDARY COUNT run ...`.

Everything else is the production process. At the COUNT-th time the boundary is reached the process kills itself,
which is what a power cut or the kernel's memory killer does to it: nothing is flushed, nobody is told.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from hip3 import stopping
from hip3.cli import main
from hip3.exchange.writer import WriteHandle
from hip3.execution.flow import TradeFlow
from hip3.ops.intents import IntentLog


class _Fuse:
    def __init__(self, count: int) -> None:
        self._left = count

    def reached(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def _around(owner: Any, name: str, fuse: _Fuse, *, before: bool, when: Callable[..., bool]) -> None:
    """Reach the boundary before or after calls of a method that `when` says are meant."""
    method = getattr(owner, name)

    def rigged(*args: Any, **kwargs: Any) -> Any:
        meant = when(*args)
        if meant and before:
            fuse.reached()
        answer = method(*args, **kwargs)
        if meant and not before:
            fuse.reached()
        return answer

    setattr(owner, name, rigged)


def _entry(log: Any, batch: Any, *_: Any) -> bool:
    return not batch.reduce_only


def _exit(log: Any, batch: Any, *_: Any) -> bool:
    return bool(batch.reduce_only)


def _order_frame(reduce_only: str) -> Callable[..., bool]:
    return lambda handle, text: '"type":"order"' in text and f'"r":{reduce_only}' in text


def _live_fills(flow: Any, fills: Any, now_ms: int) -> bool:
    return bool(flow.generation and [f for f in fills if f.time_ms > flow.began_ms])


BOUNDARIES: dict[str, tuple[Any, str, bool, Callable[..., bool]]] = {
    "before the intent": (IntentLog, "orders", True, _entry),
    "after the intent": (IntentLog, "orders", False, _entry),
    "after the send": (WriteHandle, "send", False, _order_frame("false")),
    "after acceptance": (TradeFlow, "_on_reply", True, lambda *_: True),
    "after the reply": (TradeFlow, "_on_reply", False, lambda *_: True),
    "before a fill": (TradeFlow, "on_fills", True, _live_fills),
    "after a fill": (TradeFlow, "on_fills", False, _live_fills),
    "exiting, intent": (IntentLog, "orders", False, _exit),
    "exiting, sent": (WriteHandle, "send", False, _order_frame("true")),
    "stopping": (stopping, "purge_entries", False, lambda *_: True),
    "stopping, exit sent": (WriteHandle, "send", False, _order_frame("true")),
}


def rig(boundary: str, count: int) -> None:
    """Tie the wire."""
    began = TradeFlow.on_connected

    def connected(flow: Any, session: Any) -> None:
        flow.began_ms = getattr(flow, "began_ms", 0) or flow._clock.wall_ms()
        began(flow, session)

    TradeFlow.on_connected = connected  # type: ignore[method-assign]
    owner, name, before, when = BOUNDARIES[boundary]
    fuse = _Fuse(count)
    if boundary == "stopping, exit sent":
        inner = when
        stopped: list[bool] = []
        _around(stopping, "purge_entries", _Fuse(1 << 60), before=True, when=lambda *_: bool(stopped.append(True)))
        when = lambda *a: bool(stopped) and inner(*a)  # noqa: E731
    _around(owner, name, fuse, before=before, when=when)


if __name__ == "__main__":
    rig(sys.argv[1], int(sys.argv[2]))
    sys.exit(main(sys.argv[3:]))
