"""What a refused quote means for its key, its side and its market. Pure.

A refusal belongs to one key, by its place in the batch; the rest of the batch stands. None of these delays a cancel.
Texts are matched by their beginning, as in `core.refusals`: "would cross" is no "cross margin".
"""

import enum

import msgspec

from hip3.core.refusals import FORM, UNKNOWN_TEXT, Kind, classify


class Scope(enum.Enum):
    """What waits after a refusal."""

    KEY = "key"
    SIDE = "side"
    """The side that would make the position larger."""
    MARKET = "market"
    DEX = "dex"
    """Every quoted market that shares the collateral."""


class Reaction(msgspec.Struct, frozen=True):
    """How long, and what; each further one within `WITHIN_MS` doubles it, up to `most_ms`."""

    scope: Scope
    ms: int
    most_ms: int
    why: str = ""
    """A reason for people, where more than a key waits."""


WITHIN_MS = 600_000
POST_ONLY = ("Post only order would have immediately matched", "badAloPxRejected")
SELF_TRADE = "selfTradeCanceled"
INVALID_MOVE = "Attempted to modify to invalid new order"
_MARGIN = (
    "Insufficient margin to place order", "perpMarginRejected", "marginCanceled",
    "Order would cause position to exceed margin tier limit", "perpMaxPositionRejected", "perpMaxPositionCanceled",
)  # fmt: skip
_CAP = (
    "Order would increase open interest", "positionIncreaseAtOpenInterestCapRejected",
    "positionFlipAtOpenInterestCapRejected", "openInterestCapCanceled", "openInterestIncreaseRejected",
)  # fmt: skip
_ORACLE = ("Price too far from oracle", "Order price too far from oracle", "oracleRejected")
_TABLE: tuple[tuple[tuple[str, ...], Reaction], ...] = (
    (POST_ONLY, Reaction(Scope.KEY, 500, 10_000)),
    (("Cannot modify canceled or filled order",), Reaction(Scope.KEY, 500, 10_000)),
    ((INVALID_MOVE,), Reaction(Scope.KEY, 1000, 10_000)),
    (_ORACLE, Reaction(Scope.KEY, 10_000, 120_000)),
    (_CAP, Reaction(Scope.SIDE, 30_000, 600_000, "the open interest is at its cap")),
    (("Order rejected due to price more aggressive than oracle", "tooAggressiveAtOpenInterestCapRejected"),
     Reaction(Scope.SIDE, 30_000, 600_000, "the open interest is at its cap")),
    (("Order must have minimum value of", "minTradeNtlRejected"), Reaction(Scope.KEY, 60_000, 600_000)),
    (FORM, Reaction(Scope.MARKET, 60_000, 600_000, "its tick or lot is not what we know")),
    (_MARGIN, Reaction(Scope.DEX, 60_000, 600_000, "there is too little free margin")),
    (("Too many open orders", "tooManyOpenOrdersRejected"),
     Reaction(Scope.MARKET, 60_000, 600_000, "the account has too many open orders")),
    (("liquidatedCanceled", "scheduledCancel", SELF_TRADE),
     Reaction(Scope.MARKET, 60_000, 600_000, "the exchange took quotes away")),
    (("Trading is halted",), Reaction(Scope.MARKET, 60_000, 60_000, "the market is halted")),
    (("Action already expired",), Reaction(Scope.KEY, 1000, 10_000)),
    (("Too many cumulative requests sent",), Reaction(Scope.DEX, 60_000, 600_000, "the address has no actions left")),
    (("429", "too many pending post requests"), Reaction(Scope.DEX, 1000, 30_000, "too much was sent")),
    (("Order price cannot be more than",), Reaction(Scope.MARKET, 60_000, 600_000, "a quote was far from the market")),
)  # fmt: skip
OTHER = Reaction(Scope.KEY, 30_000, 600_000)
"""After a refusal of another kind."""


def reaction(text: str) -> Reaction:
    """What follows from a refusal's text, or from the status that says the same."""
    return next((found for beginnings, found in _TABLE if text.startswith(beginnings)), OTHER)


def counts(text: str) -> bool:
    """Whether the refusal of a quote counts toward the HardStop: what we did wrong and what is fatal does. Margin does
    not: four quotes in three markets are refused for it at once, and the quotes wait instead."""
    row = classify(text)
    return row is UNKNOWN_TEXT or (row.counts and row.kind in (Kind.OURS, Kind.FATAL))
