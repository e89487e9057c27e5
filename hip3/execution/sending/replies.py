"""What a post's reply says of each order in its batch. Pure.

Protocol: entries are paired with orders by position. With more than one order and exactly one entry,
an error without ` asset=` is a pre-validation error and everybody's (docs/venue-facts.md F11). With any other shortage
the orders without an entry are unknown. `status:"err"` and a `type:"error"` that starts with 400, 415,
422 or 429 were not executed; any other `type:"error"`, and what cannot be read, leaves it open.
"""

import enum

import msgspec

from hip3.core.events import ActionRefused, PostOutcome, Refused, RequestFailed, Status, Statuses, Unreadable

NOT_EXECUTED = ("400", "415", "422", "429")
"""How the text of a failed request begins when the action provably was not executed: its HTTP status."""


class Fate(enum.Enum):
    """What is known of one order after a reply."""

    STATUS = "status"
    """It was taken; the status says whether it rests, executed or waits. A cancel: it was done."""
    REFUSED = "refused"
    """It was not executed and never will be."""
    UNKNOWN = "unknown"
    """It may have been executed, or be about to: only proof ends that (`truth.resolver`)."""


class Resolution(msgspec.Struct, frozen=True):
    """One order's fate, with its status entry or the text."""

    fate: Fate
    status: Status | None = None
    """The order's own entry; None where the answer was one for all, or has none for it."""
    text: str = ""
    """Why, in the exchange's words or ours; empty with STATUS."""


def resolve(outcome: PostOutcome, count: int) -> list[Resolution]:
    """One resolution for each of `count` orders or cancels, in the order of the batch; always exactly `count`. Raises
    nothing: what is not understood is UNKNOWN."""
    if isinstance(outcome, ActionRefused):
        return [Resolution(Fate.REFUSED, text=outcome.text)] * count
    if isinstance(outcome, RequestFailed):
        executed = not outcome.text.startswith(NOT_EXECUTED)
        fate = Fate.UNKNOWN if executed else Fate.REFUSED
        return [Resolution(fate, text=outcome.text)] * count
    if isinstance(outcome, Unreadable):
        return [Resolution(Fate.UNKNOWN, text=outcome.text)] * count
    return _statuses(outcome, count)


def refused_together(answers: list[Resolution]) -> bool:
    """Whether several orders of one action were refused by one word for all of them."""
    return len(answers) > 1 and all(a.fate is Fate.REFUSED and a.status is None for a in answers)


def _statuses(outcome: Statuses, count: int) -> list[Resolution]:
    items = outcome.items
    # A single entry for several orders must not be given to the first alone: the others would look unknown.
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
