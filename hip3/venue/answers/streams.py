"""Frames of the WebSocket streams of market data, and the first ones after a subscription. Pure."""

from typing import Any

import msgspec

from hip3.venue.answers import spot
from hip3.venue.answers.info_market import ctx_of, levels_of, mids_of, spread_of
from hip3.venue.books.books import Books
from hip3.venue.engine.numbers import num

SNAPSHOT_FILLS = 2000
SNAPSHOT_ROWS = 500
FAST_LEVELS = 5

_encode = msgspec.json.encode


def text_of(message: Any) -> str:
    """A frame as text, `channel` first."""
    return _encode(message).decode()


def error_frame(text: str) -> str:
    """channel "error"."""
    return text_of({"channel": "error", "data": text})


def bad_request(text: str) -> str:
    """The error frame for something that is not a request at all."""
    return error_frame(f"Error parsing JSON into valid websocket request: {text[:1000]}")


def first_frames(books: Books, subscription: dict[str, Any], now_ms: int) -> list[str]:
    """What follows the acknowledgement: the present state, or the newest of a user's time series."""
    kind = subscription["type"]
    if subscription.get("coin") in spot.COINS:
        return _spot_frames(kind, subscription["coin"], now_ms)
    if kind == "bbo":
        return [bbo_frame(books, subscription["coin"], now_ms)]
    if kind == "activeAssetCtx":
        return [ctx_frame(books, subscription["coin"])]
    if kind == "l2Book":
        return [book_frame(books, subscription, now_ms)]
    if kind == "trades":
        return [text_of({"channel": "trades", "data": books.engine.markets[subscription["coin"]].trades})]
    if kind == "allMids":
        return [mids_frame(books, subscription.get("dex") or "")]
    if kind == "candle":
        candle = books.candles[subscription["coin"]].current(subscription["interval"])
        return [text_of({"channel": "candle", "data": candle})]
    return _user_snapshot(books, kind, str(subscription.get("user") or "").lower())


def _spot_frames(kind: str, coin: str, now_ms: int) -> list[str]:
    """An empty market: nothing ever happens there."""
    if kind == "activeAssetCtx":
        return [text_of({"channel": "activeSpotAssetCtx", "data": {"coin": coin, "ctx": spot.spot_ctx(coin)}})]
    if kind == "bbo":
        return [text_of({"channel": "bbo", "data": {"coin": coin, "time": now_ms, "bbo": [None, None]}})]
    if kind == "l2Book":
        return [text_of({"channel": "l2Book", "data": {"coin": coin, "time": now_ms, "levels": [[], []]}})]
    return [text_of({"channel": "trades", "data": []})] if kind == "trades" else []


def _user_snapshot(books: Books, kind: str, user: str) -> list[str]:
    account = books.engine.account(user)
    name, rows = "", []
    if kind == "userFills":
        name, rows = "fills", [] if account is None else list(reversed(account.fills))[:SNAPSHOT_FILLS]
    elif kind == "userFundings":
        paid = [] if account is None else list(account.funding_rows)[-SNAPSHOT_ROWS:]
        facts = [{"time": r["time"], **{k: v for k, v in r["delta"].items() if k != "type"}} for r in paid]
        name, rows = "fundings", facts
    elif kind == "userNonFundingLedgerUpdates":
        name = "nonFundingLedgerUpdates"
        rows = [] if account is None else list(account.ledger)[-SNAPSHOT_ROWS:]
    elif kind == "userHistoricalOrders":
        name, rows = "orderHistory", [] if account is None else list(reversed(account.history.values()))
    elif kind in ("userTwapSliceFills", "userTwapHistory"):
        name = "twapSliceFills" if kind == "userTwapSliceFills" else "history"
    else:
        return []
    return [text_of({"channel": kind, "data": {"isSnapshot": True, "user": user, name: rows}})]


def bbo_frame(books: Books, coin: str, now_ms: int) -> str:
    """The touch of one market."""
    sides = []
    for is_buy in (True, False):
        touch = books.engine.markets[coin].book.touch(is_buy=is_buy)
        sides.append(None if touch is None else {"px": num(touch[0]), "sz": num(touch[1]), "n": touch[2]})
    return text_of({"channel": "bbo", "data": {"coin": coin, "time": now_ms, "bbo": sides}})


def ctx_frame(books: Books, coin: str) -> str:
    """The asset context of one market."""
    return text_of({"channel": "activeAssetCtx", "data": {"coin": coin, "ctx": ctx_of(books.engine.markets[coin])}})


def book_frame(books: Books, subscription: dict[str, Any], now_ms: int) -> str:
    """Twenty levels a side, five if `fast`, aggregated if told."""
    market, fast = books.engine.markets[subscription["coin"]], bool(subscription.get("fast"))
    figures, mantissa = subscription.get("nSigFigs"), subscription.get("mantissa")
    levels = levels_of(market, FAST_LEVELS if fast else 20, figures, mantissa)
    data = {"coin": market.info.coin, "time": now_ms, "levels": levels}
    if figures is not None:
        data["spread"] = spread_of(market)
    if fast:
        data["fast"] = True
    return text_of({"channel": "l2Book", "data": data})


def mids_frame(books: Books, dex: str) -> str:
    """All mid prices of a dex; clients tell those of a builder dex by `dex` (docs/venue-facts.md F39)."""
    data: dict[str, Any] = {"mids": mids_of(books, dex)}
    return text_of({"channel": "allMids", "data": data | ({"dex": dex} if dex else {})})
