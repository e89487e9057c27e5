"""The risk gates, in order. The tuple is data: the executor runs it, docs and tests read it.

Each gate is a pure function that answers a refusal, or the size that may go on. Gates 1 and 2 look at
flags; 3 to 8 decide on one view of the ledger inside the tracker's critical section, where passing
them enters the order in the books (that is the pending mark); 9 takes from the budget.

A gate that lacks its input says no (`MarketDataUnavailable`), never yes.

Pure: no gate raises, keeps anything or looks at a clock. Prices are USD per unit, sizes units of the asset, exposures
and limits USD. What is under way counts by its side: buys and sells of one market cannot both add to its position.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from hip3.core.decisions import Rejected, RejectReason, Skipped, SkipReason
from hip3.core.ledger import LedgerView
from hip3.core.money import ONE, ZERO, div, floor_size, meets_minimum
from hip3.core.orders import Side

Refusal = Rejected | Skipped
"""Rejected: a limit says no. Skipped: there is nothing to do."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What the gates decide on: one wished entry and the facts around it."""

    coin: str
    side: Side
    size: Decimal
    """What is still wanted, on the lot: each gate sees what the one before it has left."""
    limit_px: Decimal
    sz_decimals: int
    hard_stop: str | None
    """The latch's reason when it is tripped."""
    not_ready: tuple[str, ...]
    """Why the epoch is not READY; empty when it is."""
    blocked: str | None
    """Why this market must not be traded, e.g. `tick_size_unknown`."""
    marks: dict[str, Decimal]
    """Mark prices of this epoch; of markets that are not fed, those of the last reading of the account."""
    ledger: LedgerView | None
    """The books, taken in the tracker's critical section; None before it."""
    exiting: bool
    """The market is being left, or was closed by hand."""
    max_per_market: Decimal
    """USD of one market: position, entries not proven dead, and others' resting orders."""
    max_total: Decimal
    """USD of the same over all markets."""
    max_positions: int
    """How many markets may be occupied at once."""
    max_weight: Decimal | None = None
    """Instead of `max_positions`: the most that the `weights` of occupied markets may sum up to."""
    weights: dict[str, Decimal] = {}
    """By coin; one that is missing weighs 1."""

    @property
    def price(self) -> Decimal | None:
        """The price an entry is counted at: max(limit, mark); None without a mark."""
        mark = self.marks.get(self.coin)
        return None if mark is None else max(self.limit_px, mark)


Outcome = Refusal | Decimal
"""A refusal, or the size that may go on: never more than was asked for."""


def hard_stop(e: Entry) -> Outcome:
    """1: the latch is tripped."""
    if e.hard_stop is not None:
        return Rejected(RejectReason.HARD_STOP, "HardStop", (("reason", e.hard_stop),))
    return e.size


def ready_trading(e: Entry) -> Outcome:
    """2: the epoch is not READY."""
    if e.not_ready:
        return Rejected(RejectReason.NOT_READY, "READY-TRADING", (("missing", "; ".join(e.not_ready)),))
    return e.size


def max_position_per_market(e: Entry) -> Outcome:
    """3: what this market may still take; cuts the size to it.

    It also asks for what every order needs: a mark, the books, and a market that may be traded.
    """
    price, ledger = e.price, e.ledger
    if price is None or ledger is None or e.blocked is not None:
        missing = e.blocked or ("mark price" if price is None else "account state")
        return Rejected(RejectReason.MARKET_DATA_UNAVAILABLE, "MaxPositionPerMarket", (("missing", missing),))
    used, name = market_usd(e, ledger), "MaxPositionPerMarket"
    return _cut(e, price, used, e.max_per_market, RejectReason.MAX_POSITION_PER_MARKET, name)


def max_position_total(e: Entry) -> Outcome:
    """4: what the account may still take, each position at its own mark; cuts the size to it."""
    price, ledger = e.price, e.ledger
    if price is None or ledger is None:
        return Rejected(RejectReason.MARKET_DATA_UNAVAILABLE, "MaxPositionTotal", (("missing", e.coin),))
    # One mark that is missing makes the whole sum unknown: it must not count as nothing.
    for coin in ledger.positions:
        if coin not in e.marks:
            return Rejected(RejectReason.MARKET_DATA_UNAVAILABLE, "MaxPositionTotal", (("missing", coin),))
    return _cut(e, price, total_usd(e, ledger), e.max_total, RejectReason.MAX_POSITION_TOTAL, "MaxPositionTotal")


def market_usd(e: Entry, ledger: LedgerView) -> Decimal:
    """What this market comes to if all that is under way on the entry's side executes, in USD; its mark must be known.

    Below 0 where that closes less than the position of the other side.
    """
    return ledger.side_usd(e.coin, e.marks[e.coin], buy=e.side.is_buy)


def total_usd(e: Entry, ledger: LedgerView) -> Decimal:
    """The same with the worst case of every other market; the marks of all positions must be known."""
    others = {*ledger.positions, *ledger.buys, *ledger.sells} - {e.coin}
    worst = sum((ledger.worst_usd(coin, e.marks.get(coin, ZERO)) for coin in others), ZERO)
    return worst + ledger.side_usd(e.coin, e.marks[e.coin], buy=e.side.is_buy)


def _cut(e: Entry, price: Decimal, used: Decimal, limit: Decimal, reason: RejectReason, gate: str) -> Outcome:
    """The size that fits into what is left, or a refusal where that is below the least an order may be worth.

    Room is measured at `price`, the higher of limit and mark; the exchange's least value at the limit price
    (docs/venue-facts.md F11).
    """
    left = limit - used
    size = min(e.size, floor_size(div(max(left, ZERO), price), e.sz_decimals))
    if not meets_minimum(e.limit_px, size):
        numbers = (
            ("used_usd", f"{used:.2f}"),
            ("limit_usd", str(limit)),
            ("wanted_usd", f"{e.size * price:.2f}"),
        )
        return Rejected(reason, gate, numbers)
    return size


def max_concurrent_positions(e: Entry) -> Outcome:
    """5: too many markets are occupied, or too much of what moves together.

    Occupied is a market with a position or an order not proven dead, whoever's; the signal's own market is not
    counted by number, and is by weight.
    """
    occupied = e.ledger.occupied if e.ledger is not None else set()
    if e.max_weight is not None:
        sum_ = sum((e.weights.get(coin, ONE) for coin in occupied | {e.coin}), ZERO)
        if sum_ > e.max_weight:
            weighed = (("weight", str(sum_)), ("limit", str(e.max_weight)))
            return Rejected(RejectReason.CORRELATION_POSITION_LIMIT, "MaxConcurrentPositions", weighed)
        return e.size
    others = len(occupied - {e.coin})
    if others >= e.max_positions:
        numbers = (("markets", str(others)), ("limit", str(e.max_positions)))
        return Rejected(RejectReason.MAX_CONCURRENT_POSITIONS, "MaxConcurrentPositions", numbers)
    return e.size


def flatten_in_progress(e: Entry) -> Outcome:
    """6: the market is being left: an exit is wanted or under way, or it was closed by hand."""
    if e.exiting or (e.ledger is not None and e.coin in e.ledger.reducing):
        return Skipped(SkipReason.FLATTEN_IN_PROGRESS, "FlattenInProgress")
    return e.size


def has_position(e: Entry) -> Outcome:
    """7: we hold it already; no pyramiding."""
    szi = e.ledger.positions.get(e.coin, ZERO) if e.ledger is not None else ZERO
    if szi:
        return Skipped(SkipReason.ALREADY_HAS_POSITION, "has_position", (("szi", str(szi)),))
    return e.size


def pending_order(e: Entry) -> Outcome:
    """8: an entry of this market is not proven dead. Passing enters the order in the books."""
    usd = e.ledger.entries.get(e.coin, ZERO) if e.ledger is not None else ZERO
    if usd:
        return Skipped(SkipReason.PENDING_ORDER_EXISTS, "PendingOrder", (("pending_usd", f"{usd:.2f}"),))
    return e.size


class Gate(msgspec.Struct, frozen=True):
    """Number and name as they stand in docs, journal and table; None: the executor's own step."""

    number: int
    """Its place, from 1."""
    name: str
    check: Callable[[Entry], Outcome] | None


GATES: tuple[Gate, ...] = (
    Gate(1, "HardStop", hard_stop),
    Gate(2, "READY-TRADING", ready_trading),
    Gate(3, "MaxPositionPerMarket", max_position_per_market),
    Gate(4, "MaxPositionTotal", max_position_total),
    Gate(5, "MaxConcurrentPositions", max_concurrent_positions),
    Gate(6, "FlattenInProgress", flatten_in_progress),
    Gate(7, "has_position", has_position),
    Gate(8, "PendingOrder", pending_order),
    Gate(9, "ActionBudget", None),
)
"""All of them, in the order they are asked: the first refusal ends it (docs/architecture.md)."""
FIRST_LEDGER_GATE = 3
"""From here on gates need the books, and run in the tracker's critical section."""


def run(gates: tuple[Gate, ...], entry: Entry) -> tuple[Refusal | None, Entry]:
    """Run pure gates in order: the first refusal, and the entry with the size that was left.

    Without a refusal every gate passed. A gate that is the executor's own step is left out.
    """
    for gate in gates:
        if gate.check is None:
            continue
        outcome = gate.check(entry)
        if not isinstance(outcome, Decimal):
            return outcome, entry
        if outcome != entry.size:
            entry = msgspec.structs.replace(entry, size=outcome)
    return None, entry


QUOTE_GATES = tuple(g for g in GATES if g.number <= 6)
"""Those of a quote. That its market is held, or has orders, is what quoting is about: the tracker asks its key."""
LATCH_GATES, READY_GATES = GATES[:1], GATES[1:2]
"""The entry guards stand between them (`hip3.risk.guards`)."""
LEDGER_GATES = tuple(g for g in GATES if g.number >= FIRST_LEDGER_GATE and g.check is not None)
