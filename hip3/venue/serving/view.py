"""What the exchange's own page shows: one object, made on the venue's thread a few times a second at most. Pure."""

from decimal import Decimal
from typing import Any

from hip3.venue.answers.info_market import levels_of
from hip3.venue.engine.account import Account
from hip3.venue.engine.model import Market
from hip3.venue.engine.numbers import num
from hip3.venue.serving.control import Controlled

MOST_ACCOUNTS, MOST_ORDERS, MOST_FILLS, LEVELS = 20, 40, 30, 10


def view(venue: Controlled, coin: str, now_ms: int) -> dict[str, Any]:
    """Clock, markets, the book of `coin` (the first market if there is none of that name), the accounts of people,
    their orders and newest fills, and the faults that run."""
    books, markets = venue.books, venue.engine.markets
    shown = markets.get(coin) or next(iter(markets.values()))
    people = [a for a in venue.engine.accounts.values() if not a.is_agent][:MOST_ACCOUNTS]
    fills = sorted((f | {"user": a.address} for a in people for f in a.fills), key=lambda f: f["time"])
    return {
        "time": now_ms,
        "paused": venue.pace.held,
        "seed": books.seed,
        "profile": books.profile,
        "markets": [_market(market) for market in markets.values()],
        "book": {"coin": shown.info.coin, "levels": levels_of(shown, LEVELS)},
        "accounts": [_account(account) for account in people],
        "orders": [_order(o, a) for a in people for o in a.open_orders.values()][:MOST_ORDERS],
        "fills": [_fill(f) for f in fills[-MOST_FILLS:][::-1]],
        "faults": venue.faults.shown(now_ms),
    }


def _market(market: Market) -> dict[str, Any]:
    best = [side.best() for side in (market.book.side(is_buy=True), market.book.side(is_buy=False))]
    return {
        "coin": market.info.coin, "bid": _text(best[0]), "ask": _text(best[1]), "oracle": num(market.oracle),
        "mark": num(market.mark), "halted": market.halted, "interest": num(market.open_interest),
        "max_leverage": market.info.max_leverage,
    }  # fmt: skip


def _text(px: Decimal | None) -> str | None:
    return None if px is None else num(px)


def _account(account: Account) -> dict[str, Any]:
    held = {id(dex): (name, dex) for name, dex in account.dexs.items()}
    return {
        "address": account.address,
        "cash": {name or "main": num(dex.raw_usd) for name, dex in held.values()},
        "positions": [
            {"coin": coin, "size": num(position.szi), "leverage": position.leverage}
            for _, dex in held.values() for coin, position in dex.positions.items() if position.szi
        ],
        "orders": len(account.open_orders),
    }  # fmt: skip


def _order(order: Any, account: Account) -> dict[str, Any]:
    return {
        "user": account.address, "oid": order.oid, "coin": order.coin, "side": "buy" if order.is_buy else "sell",
        "px": num(order.limit_px), "sz": num(order.sz), "trigger": order.trigger is not None,
        "reduce_only": order.reduce_only,
    }  # fmt: skip


def _fill(fill: dict[str, Any]) -> dict[str, Any]:
    return {name: fill[name] for name in ("time", "user", "coin", "side", "px", "sz", "fee", "dir", "oid")}
