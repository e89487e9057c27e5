"""What a post's reply says of each order in its batch. Pure.

Protocol: entries are paired with orders by position. With more than one order and exactly one entry,
an error without ` asset=` is a pre-validation error and everybody's. With any other shortage the
orders without an entry are unknown. `status:"err"` and a `type:"error"` that starts with 400, 415,
422 or 429 were not executed; any other `type:"error"`, and what cannot be read, leaves it open.
"""

import enum

import msgspec

from hip3.core.events import ActionRefused, PostOutcome, Refused, RequestFailed, Status, Statuses, Unreadable

NOT_EXECUTED = ("400", "415", "422", "429")


class Fate(enum.Enum):
    """What is known of one order after a reply."""

    STATUS = "status"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Resolution(msgspec.Struct, frozen=True):
    """One order's fate, with its status entry or the text."""

    fate: Fate
    status: Status | None = None
    text: str = ""


def resolve(outcome: PostOutcome, count: int) -> list[Resolution]:
    """One resolution for each of `count` orders or cancels."""
    if isinstance(outcome, ActionRefused):
        return [Resolution(Fate.REFUSED, text=outcome.text)] * count
    if isinstance(outcome, RequestFailed):
        executed = not outcome.text.startswith(NOT_EXECUTED)
        fate = Fate.UNKNOWN if executed else Fate.REFUSED
        return [Resolution(fate, text=outcome.text)] * count
    if isinstance(outcome, Unreadable):
        return [Resolution(Fate.UNKNOWN, text=outcome.text)] * count
    return _statuses(outcome, count)


def _statuses(outcome: Statuses, count: int) -> list[Resolution]:
    items = outcome.items
    if count > 1 and len(items) == 1:
        only = items[0]
        if isinstance(only, Refused) and " asset=" not in only.text:
            return [Resolution(Fate.REFUSED, text=only.text)] * count
    out = [_one(item) for item in items[:count]]
    missing = count - len(out)
    return out + [Resolution(Fate.UNKNOWN, text="the reply has no entry for it")] * missing


def _one(item: Status | None) -> Resolution:
    if item is None:
        return Resolution(Fate.UNKNOWN, text="the entry has a shape we do not know")
    if isinstance(item, Refused):
        return Resolution(Fate.REFUSED, item, item.text)
    return Resolution(Fate.STATUS, item)
