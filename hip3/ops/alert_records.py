"""Which records of the journal are alerts, and what they say. Pure."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hip3.ops.alerts import Alert

Fields = dict[str, Any]


def _stuck(f: Fields) -> Alert:
    if f["failures"]:
        how = f"could not be closed in {f['failures']} attempts, the last at the largest slippage"
    else:
        how = "cannot be closed at any price now"
    text = f"{f['coin']} {how}: {f['reason']}"
    return Alert(kind="exit_stuck", subject=f["coin"], text=f"{text}; it is tried again, every 5 s at first")


def _adopted(f: Fields) -> Alert:
    text = f"{f['coin']}: we had {f['ours']}, the exchange has {f['theirs']}; the exchange's is taken"
    return Alert(kind="mismatch", subject=f["coin"], text=text)


def _orders_differ(f: Fields) -> Alert:
    text = f"order {f['cloid'] or f['oid']}: the exchange says {f['status']}, our books said otherwise"
    return Alert(kind="mismatch", subject="orders", text=text)


def _gap(f: Fields) -> Alert:
    text = f"{f['coin']}: fills between two positions cannot be found; results may miss them"
    return Alert(kind="mismatch", subject=f["coin"], text=text)


def _storm(f: Fields) -> Alert:
    text = f"updates of orders that are not ours came in a storm ({f['unknown']}): the account is read anew"
    return Alert(kind="mismatch", subject="storm", text=text)


def _second(f: Fields) -> Alert:
    text = (
        f"an order of ours that this service never sent is open: {f['coin']} {f['oid']}; does another hip3 trade here?"
    )
    return Alert(kind="second_instance", text=text)


def _forced(f: Fields) -> Alert:
    fill = f["fill"]
    text = f"the exchange closed {fill.sz} {fill.coin} at {fill.px} by itself ({f['effect']})"
    return Alert(kind="forced_fill", subject=f"{fill.coin} {fill.tid}", text=text)


def _blocked(f: Fields) -> Alert:
    return Alert(kind="market_blocked", subject=f["coin"], text=f"{f['coin']} is traded no more: {f['why']}")


def _no_margin(f: Fields) -> Alert:
    text = f"{f['coin']} is not entered: its margin could not be set ({f['text']})"
    return Alert(kind="market_blocked", subject=f["coin"], text=text)


def _orphan(f: Fields) -> Alert:
    return Alert(kind="orphan", subject=f["coin"], text=f"{f['coin']}: {f['why']}")


def _mode_changed(f: Fields) -> Alert:
    text = (
        f"the account's mode was {f['was']} and is {f['now']}: what it is worth is unknown, and limits in percent "
        "wait, until ./run.sh resume takes it as it is"
    )
    return Alert(kind="account_mode", text=text)


def _nearer(f: Fields) -> Alert:
    text = (
        f"{f['coin']}: a stop {f['wished_bps']} bps away would lie beyond the liquidation price "
        f"{Decimal(f['liquidation_px']):.8g}; it is put {f['bps']:.0f} bps away"
    )
    return Alert(kind="protection", subject=f["coin"], text=text)


def _cross(f: Fields) -> Alert:
    text = f"{f['coin']}: its position is cross though HIP3_MARGIN=isolated: no entries until it is closed"
    return Alert(kind="market_blocked", subject=f["coin"], text=text)


def _aside(f: Fields) -> Alert:
    return Alert(kind="journal", text="the journal was damaged and is set aside; a new one was begun")


def _stop(f: Fields) -> Alert:
    if f["clean"]:
        return Alert(kind="stop_bare" if f["bare"] else "stop", text=f"stopped ({f['mode']}): {f['proof']}")
    return Alert(kind="stop_open", text=f"stopped ({f['mode']}), but not as asked: {f['proof']}")


def _hard_stop(f: Fields) -> Alert | None:
    """Of its steps the last: what the exchange says is open."""
    if f["step"] != "verify":
        return None
    if f["outcome"].startswith("done"):
        return Alert(kind="hard_stop", text=f"after the HARD STOP: {f['outcome'].removeprefix('done: ')}")
    return Alert(kind="hard_stop_open", subject=f["outcome"], text=f"after the HARD STOP: {f['outcome']}")


def _stood(f: Fields) -> Alert:
    text = f"{f['coin']} is not entered for a minute: {f['why']}; the connection is begun anew"
    return Alert(kind="market_blocked", subject=f"{f['coin']} quotes", text=text)


def _unbelievable(f: Fields) -> Alert | None:
    """Of the gates' comings and goings this one alone is worth an alert."""
    if f["gate"] != "unbelievable":
        return None
    text = f"{f['coin']} is not entered: {f['why']}"
    return Alert(kind="market_blocked", subject=f"{f['coin']} prices", text=text)


def _halted(f: Fields) -> Alert:
    return Alert(kind="market_blocked", subject=f["coin"], text=f"{f['coin']} is halted: {f['why']}")


def _recording(f: Fields) -> Alert:
    return Alert(kind="recording", text=f"nothing is recorded: {f['why']}; trading goes on")


def _quote_stuck(f: Fields) -> Alert:
    text = f"a quote in {f['coin']} was cancelled 30 s ago and nothing says that it is gone [{f['cloid'][-12:]}]"
    return Alert(kind="quotes", subject=f["coin"], text=text)


def _quotes_off(f: Fields) -> Alert:
    return Alert(kind="quotes", subject=f["coin"], text=f"{f['coin']} is quoted no more: {f['why']}")


def _quotes_not_moved(f: Fields) -> Alert:
    text = f"quotes in {f['coin']} are cancelled and placed anew from now on, not moved: {f['why']}"
    return Alert(kind="quotes", subject=f"{f['coin']} moves", text=text)


RECORDS: dict[str, Callable[[Fields], Alert | None]] = {
    "recording_lost": _recording,
    "quote_stuck": _quote_stuck,
    "quotes_off": _quotes_off,
    "quotes_not_moved": _quotes_not_moved,
    "exit_stuck": _stuck,
    "adopted": _adopted,
    "orders_differ": _orders_differ,
    "gap_accepted": _gap,
    "storm": _storm,
    "second_instance": _second,
    "forced_fill": _forced,
    "market_blocked": _blocked,
    "orphan": _orphan,
    "leverage_refused": _no_margin,
    "margin_differs": _cross,
    "stop_nearer": _nearer,
    "mode_changed": _mode_changed,
    "halted": _halted,
    "stream_dead": _stood,
    "market_gate": _unbelievable,
    "journal_set_aside": _aside,
    "hard_stop": _hard_stop,
    "stop": _stop,
}
"""Record of the journal -> alert, or None where this one is none. What begins and ends, or lasts, is the Judge's."""
