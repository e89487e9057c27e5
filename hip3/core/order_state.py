"""The life of an order, as a table.

    QUEUED ──> SENT ──> OPEN ──> FILLED | CANCELED
       │         │  └─> FILLED | CANCELED | REJECTED
       │         └─> UNKNOWN ──> OPEN | FILLED | CANCELED | REJECTED | DEAD
       └─> DROPPED

DROPPED never left this process. DEAD was sent but is proven never to land (a certificate says how).
An order never moves backwards: what is not in the table is refused and changes nothing. Evidence
that the order lives (OPEN and later) ends UNKNOWN by itself. Terminal states have empty rows.

Pure. States are changed in `position.order_index` alone, under the tracker's lock.
"""

import enum


class OrderState(enum.Enum):
    """Where an order is; see the module's table. The values stand in the journal and the intent log."""

    QUEUED = "queued"
    """In the books and counted; no byte of it has left."""
    SENT = "sent"
    """Set before the bytes leave, so that no reply finds it earlier."""
    UNKNOWN = "unknown"
    """Counted at full size until proven."""
    OPEN = "open"
    """The exchange has it: resting, waiting for its trigger, or partly executed."""
    FILLED = "filled"
    CANCELED = "canceled"
    """Over without being whole: cancelled, or the rest of an IOC. It may have executed something."""
    REJECTED = "rejected"
    """Venue rejected: it executed nothing."""
    DROPPED = "dropped"
    DEAD = "dead"

    @property
    def terminal(self) -> bool:
        """Nothing can happen to it any more; late fills still count."""
        return not TRANSITIONS[self]


_S = OrderState
TRANSITIONS: dict[OrderState, frozenset[OrderState]] = {
    _S.QUEUED: frozenset({_S.SENT, _S.DROPPED}),
    # SENT -> QUEUED is not an error: bytes that provably never left go back to the queue.
    _S.SENT: frozenset({_S.QUEUED, _S.DROPPED, _S.UNKNOWN, _S.OPEN, _S.FILLED, _S.CANCELED, _S.REJECTED, _S.DEAD}),
    # UNKNOWN -> QUEUED is missing: what may have left is never sent again.
    _S.UNKNOWN: frozenset({_S.OPEN, _S.FILLED, _S.CANCELED, _S.REJECTED, _S.DEAD}),
    # OPEN -> REJECTED: a trigger may be refused when it fires.
    _S.OPEN: frozenset({_S.FILLED, _S.CANCELED, _S.REJECTED}),
    _S.FILLED: frozenset(),
    _S.CANCELED: frozenset(),
    _S.REJECTED: frozenset(),
    _S.DROPPED: frozenset(),
    _S.DEAD: frozenset(),
}


def may_move(state: OrderState, to: OrderState) -> bool:
    """Whether the table allows `state` -> `to`; a state to itself is no move."""
    return to in TRANSITIONS[state]


def state_of_status(status: str) -> OrderState | None:
    """The state a status string of the exchange stands for; None for an unknown word.

    Protocol facts: the set of statuses grows; everything that ends in Rejected or Canceled, and
    `scheduledCancel`, is terminal; `open` and `triggered` are live.
    """
    if status in ("open", "triggered"):
        return OrderState.OPEN
    if status == "filled":
        return OrderState.FILLED
    if status == "rejected" or status.endswith("Rejected"):
        return OrderState.REJECTED
    if status in ("canceled", "scheduledCancel", "internalCancel") or status.endswith("Canceled"):
        return OrderState.CANCELED
    return None
