"""The spot pairs that clients expect to find: listed, without a market. Pure.

Trading them is not offered; they are there because clients look them up and subscribe to them
(the official SDK maps every coin through `spotMeta`).
"""

from typing import Any

from hip3.core.money import ZERO, truncate
from hip3.venue.answers.replies import Answer
from hip3.venue.books.books import Books
from hip3.venue.engine.account import USDC, Account
from hip3.venue.engine.modes import pool_totals
from hip3.venue.engine.numbers import num

USDC_ID = "0x6d1e7cde53ba9467b783cb7c530ce054"


def _token(index: int, name: str, token_id: str, sz_decimals: int, wei_decimals: int) -> dict[str, Any]:
    return {
        "name": name, "szDecimals": sz_decimals, "weiDecimals": wei_decimals, "index": index, "tokenId": token_id,
        "isCanonical": True, "evmContract": None, "fullName": None, "deployerTradingFeeShare": "0.0",
    }  # fmt: skip


TOKENS = [
    _token(0, "USDC", USDC_ID, 8, 8),
    _token(1, "PURR", "0xc1fb593aeffbeb02f85e0308e9956a90", 0, 5),
    _token(2, "HFUN", "0xbaf265ef389da684513d98d68edf4eae", 2, 8),
    _token(235, "USDE", "0x2e6d84f2d7ca82e6581e03523e4389f7", 2, 8),
    _token(360, "USDH", "0x54e00a5988577cb0b0c9ab0cb6ef7f4b", 2, 8),
]
NAMES = {int(token["index"]): str(token["name"]) for token in TOKENS}
PAIRS = [
    {"tokens": [1, 0], "name": "PURR/USDC", "index": 0, "isCanonical": True},
    {"tokens": [2, 0], "name": "@1", "index": 1, "isCanonical": False},
]
COINS = frozenset(str(pair["name"]) for pair in PAIRS)


def spot_meta() -> dict[str, Any]:
    """Pairs and tokens."""
    return {"universe": PAIRS, "tokens": TOKENS}


def spot_ctx(coin: str) -> dict[str, Any]:
    """The context of a pair nobody trades."""
    zero = num(ZERO)
    return {
        "prevDayPx": zero, "dayNtlVlm": zero, "markPx": zero, "midPx": None, "circulatingSupply": zero, "coin": coin,
        "totalSupply": zero, "dayBaseVlm": zero,
    }  # fmt: skip


def spot_meta_and_ctxs() -> Answer:
    """spotMetaAndAssetCtxs."""
    return 200, [spot_meta(), [spot_ctx(str(pair["name"])) for pair in PAIRS]]


def spot_state(books: Books, account: Account | None) -> dict[str, Any]:
    """spotClearinghouseState: the tokens that there ever were; of a pooled account with what its dexs share."""
    if account is None:
        return {"balances": []}
    rows = {token: (amount, ZERO) for token, amount in account.spots.items() if amount}
    if account.pooled:
        pools = pool_totals(books.engine, account)
        if account.mode == "dexAbstraction":
            pools.pop(USDC, None)  # the main dex shows it
        rows |= {token: row for token, row in pools.items() if token == USDC or any(row)}
    return {
        "balances": [
            {
                "coin": NAMES[token], "token": token, "total": num(truncate(total, 8)), "hold": num(truncate(hold, 8)),
                "entryNtl": "0.0",
            }
            for token, (total, hold) in sorted(rows.items())
        ]
    }  # fmt: skip
