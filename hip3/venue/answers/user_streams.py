"""Frames of what happened to users and on the tape, from the engine's events. Pure.

One frame per user and stream for everything of one moment, in a fixed order: orders, fills, trades, then the
rest. Shapes: docs/venue-facts.md F13, F22.
"""

from collections.abc import Callable, Iterator
from typing import Any

from hip3.venue.answers.streams import text_of
from hip3.venue.engine.model import Event, FillEvent, FundingEvent, LedgerEvent, OrderEvent, TradeEvent
from hip3.venue.engine.orders import frontend_order, open_order

_Lists = dict[str, list[Any]]


def user_frames(events: list[Event], heard: Callable[[str], bool] = lambda key: True) -> Iterator[tuple[str, str]]:
    """(subscription key, frame) of a list of events; only what `heard` says somebody listens to."""
    for key, channel, data in _messages(events):
        if heard(key):
            yield key, text_of({"channel": channel, "data": data})
    yield from _histories(events, heard)


def _histories(events: list[Event], heard: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    """What userHistoricalOrders has after its snapshot; made only for listeners, of whom there are few."""
    name = "userHistoricalOrders"
    rows: _Lists = {}
    for event in events:
        if isinstance(event, OrderEvent) and heard(f"{name}:{event.user}"):
            order = frontend_order(event.order, event.sz)
            row = {"order": order, "status": event.status, "statusTimestamp": event.time_ms}
            rows.setdefault(event.user, []).append(row)
    for user, items in rows.items():
        yield f"{name}:{user}", text_of({"channel": name, "data": {"user": user, "orderHistory": items}})


_Message = tuple[str, str, Any]


def _messages(events: list[Event]) -> Iterator[_Message]:
    """(subscription key, channel, data) of everything there is to say."""
    orders: _Lists = {}
    fills: _Lists = {}
    trades: _Lists = {}
    fundings: _Lists = {}
    ledger: _Lists = {}
    others: list[tuple[str, str, dict[str, Any]]] = []
    cancels: _Lists = {}
    for event in events:
        if isinstance(event, TradeEvent):
            trades.setdefault(event.coin, []).append(event.trade)
        elif isinstance(event, OrderEvent):
            orders.setdefault(event.user, []).append(_update(event))
            if event.status.endswith("Canceled"):  # by the exchange: the user's own cancels end in a small letter
                gone = {"coin": event.order.coin, "oid": event.order.oid}
                cancels.setdefault(event.user, []).append(gone)
        elif isinstance(event, FillEvent):
            fills.setdefault(event.user, []).append(event.fill)
        elif isinstance(event, FundingEvent):
            fundings.setdefault(event.user, []).append(event.funding)
            others.append(("userEvents", event.user, {"funding": event.funding}))
        elif isinstance(event, LedgerEvent):
            ledger.setdefault(event.user, []).append(event.entry)
        else:
            others.append((event.stream, event.user, event.data))
    others += [("userEvents", user, {"nonUserCancel": items}) for user, items in cancels.items()]
    yield from _main(orders, fills, trades)
    yield from _rest(others, fundings, ledger)


def _update(event: OrderEvent) -> dict[str, Any]:
    order = open_order(event.order, event.sz)
    return {"order": order, "status": event.status, "statusTimestamp": event.time_ms}


def _main(orders: _Lists, fills: _Lists, trades: _Lists) -> Iterator[_Message]:
    for user, items in orders.items():
        yield f"orderUpdates:{user}", "orderUpdates", items
    for user, items in fills.items():
        yield f"userFills:{user}", "userFills", {"user": user, "fills": items}
        yield f"userEvents:{user}", "user", {"fills": items}
    for coin, items in trades.items():
        yield f"trades:{coin}", "trades", items


def _rest(others: list[tuple[str, str, dict[str, Any]]], fundings: _Lists, ledger: _Lists) -> Iterator[_Message]:
    for stream, user, data in others:
        yield f"{stream}:{user}", "user" if stream == "userEvents" else stream, data
    for user, items in fundings.items():
        yield f"userFundings:{user}", "userFundings", {"user": user, "fundings": items}
    for user, items in ledger.items():
        name = "userNonFundingLedgerUpdates"
        yield f"{name}:{user}", name, {"user": user, "nonFundingLedgerUpdates": items}
