"""Valid values by default, overridden by keyword."""

from decimal import Decimal
from typing import Any

from hip3.core.events import Fill
from hip3.core.market import Level, MarketSpec, MarketView
from hip3.core.orders import ExitReason, PendingOrder, Side

D = Decimal
COIN = "xyz:GOLD"


def order(number: int = 1, **kw: Any) -> PendingOrder:
    base: dict[str, Any] = {
        "cloid": f"0x68697033{number:024x}", "coin": COIN, "side": Side.BUY, "px": D("4000"), "sz": D("0.012"),
        "reduce_only": False, "created_ms": 1000, "admission_px": D("4000"), "touch_px": D("4000"),
    }  # fmt: skip
    return PendingOrder(**(base | kw))


def exit_order(number: int = 2, **kw: Any) -> PendingOrder:
    return order(number, **({"side": Side.SELL, "reduce_only": True, "exit_reason": ExitReason.STOP} | kw))


def fill(tid: int = 1, **kw: Any) -> Fill:
    base: dict[str, Any] = {
        "coin": COIN, "side": Side.BUY, "px": D("4000"), "sz": D("0.012"), "time_ms": 2000, "tid": tid, "oid": 77,
        "cloid": order().cloid, "start_position": D(0), "closed_pnl": D(0), "fee": D("0.0043"),
        "fee_token": "USDC", "direction": "Open Long", "crossed": True,
    }  # fmt: skip
    return Fill(**(base | kw))


def spec(coin: str = COIN, **kw: Any) -> MarketSpec:
    base: dict[str, Any] = {
        "coin": coin, "dex": "xyz", "asset_id": 110003, "sz_decimals": 4, "max_leverage": 20, "isolated_only": True,
        "growth": False, "taker_fee_bps": D(9),
    }  # fmt: skip
    return MarketSpec(**(base | kw))


def view(**kw: Any) -> MarketView:
    base: dict[str, Any] = {
        "coin": COIN, "bid": Level(D("3999"), D(2)), "ask": Level(D("4000"), D(2)), "bbo_at_ms": 1,
        "oracle": D("4000"), "mark": D("4000"), "ctx_at_ms": 1, "generation": 1,
    }  # fmt: skip
    return MarketView(**(base | kw))
