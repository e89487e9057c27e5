"""The service with one thing rigged: `python rigged.py RIG VALUE run ...`. All else is the production process.

A boundary with a count: when it is reached for the count-th time, the process kills itself with `kill -9`, which
is what the kernel's memory killer does to it: nothing is flushed, nobody is told. `hold`: three positions and five
resting entries. `hang THREAD`: it stops moving. `die THREAD`: it ends. `full disk`: every write fails for some seconds.
"""

import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from hip3.cli import main
from hip3.core.money import floor_size, taker_price
from hip3.core.orders import PendingOrder, Side, Tif
from hip3.exchange.writer import WriteHandle
from hip3.execution.flow import TradeFlow
from hip3.execution.orders_in import OrdersIn
from hip3.ops.intents import IntentLog
from hip3.service import stopping
from hip3.service.supervisor import Supervisor


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
    return lambda handle, text, *_: '"type":"order"' in text and f'"r":{reduce_only}' in text


def _live_fills(orders: Any, fills: Any, now_ms: int) -> bool:
    link = orders._link
    return bool(link.generation and [f for f in fills if f.time_ms > link.began_ms])


BOUNDARIES: dict[str, tuple[Any, str, bool, Callable[..., bool]]] = {
    "before the intent": (IntentLog, "orders", True, _entry),
    "after the intent": (IntentLog, "orders", False, _entry),
    "after the send": (WriteHandle, "send", False, _order_frame("false")),
    "after acceptance": (OrdersIn, "on_reply", True, lambda *_: True),
    "after the reply": (OrdersIn, "on_reply", False, lambda *_: True),
    "before a fill": (OrdersIn, "on_fills", True, _live_fills),
    "after a fill": (OrdersIn, "on_fills", False, _live_fills),
    "exiting, intent": (IntentLog, "orders", False, _exit),
    "exiting, sent": (WriteHandle, "send", False, _order_frame("true")),
    "stopping": (stopping, "purge_entries", False, lambda *_: True),
    "stopping, exit sent": (WriteHandle, "send", False, _order_frame("true")),
}


def rig(boundary: str, count: int) -> None:
    """Tie the wire."""
    began = TradeFlow.on_connected

    def connected(flow: Any, session: Any) -> None:
        flow._link.began_ms = getattr(flow._link, "began_ms", 0) or flow._clock.wall_ms()
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


MARKETS = ("xyz:GOLD", "xyz:TSLA", "xyz:NVDA", "xyz:AAPL", "xyz:MSFT")


def _wish(running: Any, coin: str, *, resting: bool) -> PendingOrder:
    """A buy at the touch, or one that rests ten percent below."""
    trading = running.trading
    view, spec = trading.market_state.view(coin), trading.specs[coin]
    far = Decimal("0.9") if resting else Decimal("1.01")
    px = taker_price(view.ask.px * far, spec.sz_decimals, is_buy=True)
    return PendingOrder(
        cloid=trading.executor._cloids.next(), coin=coin, side=Side.BUY, px=px,
        sz=floor_size(Decimal(15) / px, spec.sz_decimals), reduce_only=False, created_ms=running.clock.wall_ms(),
        tif=Tif.GTC if resting else Tif.IOC, epoch=trading.link.generation, admission_px=px, touch_px=view.ask.px,
    )  # fmt: skip


def hold() -> None:
    """Three positions and five resting entries of ours as soon as READY, past the gates."""
    watch = Supervisor.watch
    placed: list[bool] = []

    def rigged(supervisor: Any, now_ms: int) -> None:
        running = supervisor._running
        set_up = running.trading is not None and not running.trading.housekeeping.margin._wishes
        if not placed and set_up and running.readiness.epoch(now_ms) is not None:
            placed.append(True)
            for coin, resting in [*((c, False) for c in MARKETS[:3]), *((c, True) for c in MARKETS)]:
                wished = _wish(running, coin, resting=resting)
                running.trading.tracker.admit(wished, lambda ledger, w: w)
                running.trading.scheduler.enqueue_new(wished, 0)
        watch(supervisor, now_ms)

    Supervisor.watch = rigged  # type: ignore[method-assign]


def hang(name: str) -> None:
    """One worker stops moving, some rounds after READY."""
    step = {"tick": "tick_step", "risk": "risk_step"}[name]
    method = getattr(Supervisor, step)
    rounds: list[int] = []

    def rigged(supervisor: Any) -> None:
        if supervisor._running.readiness.epoch(supervisor._running.clock.mono_ms()) is not None:
            rounds.append(1)
        if len(rounds) > 10:
            threading.Event().wait()
        method(supervisor)

    setattr(Supervisor, step, rigged)


def die(name: str) -> None:
    """One worker dies of an exception once the service is READY."""
    step = {"tick": "tick_step", "risk": "risk_step"}[name]
    method = getattr(Supervisor, step)

    def rigged(supervisor: Any) -> None:
        if supervisor._running.readiness.epoch(supervisor._running.clock.mono_ms()) is not None:
            raise RuntimeError("told to die")
        method(supervisor)

    setattr(Supervisor, step, rigged)


def full_disk() -> None:
    """Every write fails for some seconds, as on a full disk, from the first exit on."""
    method = IntentLog.orders
    filled: list[bool] = []

    def free() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        Path("freed").touch()

    def rigged(log: Any, batch: Any, *args: Any) -> None:
        if batch.reduce_only and not filled:
            filled.append(True)
            Path("full").touch()
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            threading.Timer(4.0, free).start()
        method(log, batch, *args)

    IntentLog.orders = rigged  # type: ignore[method-assign]


if __name__ == "__main__":
    kind, value = sys.argv[1:3]
    if kind in BOUNDARIES:
        rig(kind, int(value))
    else:
        {"hold": hold, "hang": lambda: hang(value), "die": lambda: die(value), "full disk": full_disk}[kind]()
    sys.exit(main(sys.argv[3:]))
