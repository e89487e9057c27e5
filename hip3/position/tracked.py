"""An order in the books, with all that is known of it. The tracker's lock guards it."""

from decimal import Decimal

from hip3.core.events import Fill, Filled
from hip3.core.money import ZERO, div
from hip3.core.order_state import OrderState
from hip3.core.orders import PendingOrder


class TrackedOrder:
    """An order in our books and all that is known of it."""

    __slots__ = (
        "certificate", "expires_ms", "fills", "generation", "nonce", "oid", "order", "reply", "sent_mono_ms",
        "state", "unknown_since_ms", "unknown_why",
    )  # fmt: skip

    def __init__(self, order: PendingOrder) -> None:
        self.order = order
        self.state = OrderState.QUEUED
        self.oid: int | None = None
        self.reply: Filled | None = None
        self.fills: dict[tuple[str, int, int], Fill] = {}
        self.nonce = 0
        self.expires_ms: int | None = None
        self.generation = 0
        self.sent_mono_ms = 0
        self.unknown_since_ms: int | None = None
        self.unknown_why = ""
        self.certificate: str | None = None

    @property
    def booked(self) -> Decimal:
        return sum((f.sz for f in self.fills.values()), ZERO)

    @property
    def provisional(self) -> Decimal:
        """Executed by the reply's word, not yet by a fill."""
        if self.reply is None:
            return ZERO
        return max(ZERO, self.reply.total_sz - self.booked)

    @property
    def executed(self) -> Decimal:
        return self.booked + self.provisional

    @property
    def avg_px(self) -> Decimal:
        """Mean price executed; 0 if nothing was."""
        booked = self.booked
        if self.reply is not None and self.reply.total_sz > booked:
            return self.reply.avg_px
        return div(sum((f.sz * f.px for f in self.fills.values()), ZERO), booked) if booked else ZERO


def mean_px(fills: list[Fill]) -> Decimal:
    """Size-weighted price of fills; 0 without any."""
    size = sum((f.sz for f in fills), ZERO)
    return div(sum((f.sz * f.px for f in fills), ZERO), size) if size else ZERO
