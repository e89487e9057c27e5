"""The five triggers of the RiskMonitor, from what comes over the wire to a flat account and a page that is received.

The service's core trades on the exchange's core; what trips it is what the exchange does. Each is also told by a real
listener, and the exchange itself says that nothing is open.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hip3.core.orders import Side
from tests.service.test_alerting import Bench
from tests.sessions.test_adversity import GOLD, _deaf_for
from tests.stories.listener import Listener, listener

TRADING: dict[str, Any] = {"min_edge_bps": Decimal(5), "min_holding_ms": 0, "time_stop_ms": 200}
"""Left at once: what was paid for the touch and in fees is lost."""
FAR: dict[str, Any] = {
    "hard_stop_max_loss_usd": Decimal(10_000), "hard_stop_max_consecutive_losses": 10_000,
    "hard_stop_max_flatten_failures": 10_000, "hard_stop_max_rejects_per_hour": 100_000,
    "hard_stop_max_slippage_bps": Decimal(10_000),
}  # fmt: skip
"""No other trigger is near."""


def _poor(bench: Bench) -> None:
    """Somebody takes the money away: the exchange refuses our orders for want of margin."""
    account = bench.world.venue.engine.account(bench.world.user)
    assert account is not None
    for dex in account.dexs.values():
        dex.raw_usd = Decimal("0.01")


def _deaf(bench: Bench) -> None:
    """A position is bought by hand; for five orders nobody buys it back."""
    bench.world.by_hand(GOLD, Side.BUY, Decimal("0.01"))
    _deaf_for(bench.world, GOLD, 5)


def _nothing(bench: Bench) -> None:
    """The market alone."""


TRIGGERS: dict[str, tuple[dict[str, Any], Callable[[Bench], None]]] = {
    "max_loss": (TRADING | {"hard_stop_max_loss_usd": Decimal("0.001")}, _nothing),
    "consecutive_losses": (TRADING | {"hard_stop_max_consecutive_losses": 1}, _nothing),
    "flatten_failures": ({"hard_stop_max_flatten_failures": 3, "time_stop_ms": 500}, _deaf),
    "rejects": (TRADING | {"hard_stop_max_rejects_per_hour": 1}, _poor),
    "slippage": (TRADING | {"hard_stop_max_slippage_bps": Decimal("0.01"), "hard_stop_slippage_streak": 1}, _nothing),
}


@pytest.fixture
def hook() -> Iterator[Listener]:
    with listener() as started:
        yield started


def _tripped(tmp_path: Path, hook: Listener, code: str) -> Bench:
    """A service that its trigger has stopped; what it records is heard."""
    settings, provoke = TRIGGERS[code]
    bench = Bench(tmp_path, hook.json_url, **(FAR | settings))
    world = bench.world
    record = world.journal.record

    def heard(kind: str, **fields: Any) -> None:
        record(kind, **fields)
        bench.running.journal.record(kind, **fields)

    world.journal.record = heard
    assert world.run_until(lambda: world.ready, 8000)
    provoke(bench)
    assert world.run_until(lambda: world.latch.tripped, 600_000), world.trading.risk.monitor.kept()
    return bench


@pytest.mark.parametrize("code", TRIGGERS)
def test_a_trigger_ends_in_a_flat_account_and_a_page(tmp_path: Path, hook: Listener, code: str) -> None:
    bench = _tripped(tmp_path, hook, code)
    world = bench.world
    sent = len(world.sender.sent)
    assert (world.latch.state().reason or "").startswith(f"{code}: ")
    assert world.run_until(lambda: not world.exchange_positions() and not world.listed("xyz", "para"), 60_000)
    bench.step(5000)
    assert not [o for a in world.sender.actions()[sent:] if a["type"] == "order" for o in a["orders"] if not o["r"]]
    (page,) = hook.of("latch")
    assert page["title"] == "hip3 page: latch"
    assert f"HARD STOP: {code}: " in page["message"]
    (proof,) = hook.of("hard_stop")
    assert "flat, no open orders" in proof["message"]
    assert not hook.of("hard_stop_open")
