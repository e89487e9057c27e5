"""Streams that send a state as a whole: margin, open orders, contexts, web data. Pure.

Made when subscribed, and again whenever they have changed: looked at once a second, and at once for a user to
whom something happened. Shapes: docs/venue-facts.md F31.
"""

import base64
import zlib
from typing import Any

import msgspec

from hip3.venue.answers.info_account import active_asset_data, clearinghouse, open_list
from hip3.venue.answers.info_market import ctx_of, meta_of
from hip3.venue.answers.spot import spot_state
from hip3.venue.answers.streams import text_of
from hip3.venue.books.books import Books
from hip3.venue.engine.numbers import num

STATES: dict[str, bool] = {
    "clearinghouseState": True,
    "openOrders": True,
    "allDexsClearinghouseState": True,
    "activeAssetData": True,
    "spotState": True,
    "webData2": True,
    "webData3": True,
    "twapStates": True,
    "allDexsAssetCtxs": False,
    "assetCtxs": False,
    "fastAssetCtxs": False,
}
"""Type -> whether it needs a user."""


def state_frame(books: Books, subscription: dict[str, Any], now_ms: int) -> str:
    """The whole state of one subscription."""
    kind = subscription["type"]
    return text_of({"channel": kind, "data": _data(books, kind, subscription, now_ms)})


def comparable(books: Books, subscription: dict[str, Any]) -> str:
    """The state without the time of day: equal means that there is nothing new."""
    return state_frame(books, subscription, 0)


def _data(books: Books, kind: str, subscription: dict[str, Any], now_ms: int) -> Any:
    user, dex = str(subscription.get("user") or "").lower(), str(subscription.get("dex") or "")
    account = books.engine.account(user)
    dexs = ["", *(d.name for d in books.dexs)]
    if kind == "clearinghouseState":
        return {"dex": dex, "user": user, "clearinghouseState": clearinghouse(books, account, dex, now_ms)}
    if kind == "openOrders":
        return {"dex": dex, "user": user, "orders": open_list(books, account, dex)}
    if kind == "allDexsClearinghouseState":
        return {"user": user, "clearinghouseStates": [[d, clearinghouse(books, account, d, now_ms)] for d in dexs]}
    if kind == "activeAssetData":
        return active_asset_data(books, subscription, now_ms)[1]
    if kind == "spotState":
        return {"user": user, "spotState": spot_state(books, account)}
    if kind == "twapStates":
        return {"dex": dex, "user": user, "states": []}
    if kind == "allDexsAssetCtxs":
        return {"ctxs": [[d, [ctx_of(m) for m in books.markets_of(d)]] for d in dexs]}
    if kind == "assetCtxs":
        return {"dex": dex, "ctxs": [ctx_of(m) for m in books.markets_of(dex)]}
    if kind == "fastAssetCtxs":
        return _fast(books)
    return web_data(books, user, now_ms) if kind == "webData2" else _web_data_3(books, user, now_ms)


def _fast(books: Books) -> str:
    """All marks and mids as base64 of raw deflate of JSON."""
    marks = {coin: {"markPx": num(market.mark)} for coin, market in books.engine.markets.items()}
    packer = zlib.compressobj(wbits=-15)
    return base64.b64encode(packer.compress(msgspec.json.encode(marks)) + packer.flush()).decode()


def web_data(books: Books, user: str, now_ms: int) -> dict[str, Any]:
    """Everything the old front end showed, of the main dex."""
    account = books.engine.account(user)
    agent, until = books.agents.unnamed_of(user, now_ms)
    return {
        "clearinghouseState": clearinghouse(books, account, "", now_ms), "leadingVaults": [], "totalVaultEquity": "0.0",
        "openOrders": open_list(books, account, ""), "agentAddress": agent, "agentValidUntil": until,
        "cumLedger": "0.0", "meta": meta_of(books, ""), "assetCtxs": [ctx_of(m) for m in books.markets_of("")],
        "serverTime": now_ms, "isVault": user in books.subs.vaults, "user": user, "twapStates": [],
        "spotState": spot_state(books, account), "spotAssetCtxs": [],
        "perpsAtOpenInterestCap": [m.info.coin for m in books.markets_of("") if m.at_cap],
    }  # fmt: skip


def _web_data_3(books: Books, user: str, now_ms: int) -> dict[str, Any]:
    agent, until = books.agents.unnamed_of(user, now_ms)
    states = []
    for dex in ["", *(d.name for d in books.dexs)]:
        capped = [m.info.coin for m in books.markets_of(dex) if m.at_cap]
        states.append({"totalVaultEquity": "0.0"} | ({"perpsAtOpenInterestCap": capped} if capped else {}))
    state = {
        "agentAddress": agent, "agentValidUntil": until, "serverTime": now_ms, "cumLedger": "0.0",
        "isVault": user in books.subs.vaults, "user": user,
    }  # fmt: skip
    return {"userState": state, "perpDexStates": states}
