"""The small-money trial (HIP3_PROFILE=micro): 100 trades with checkpoints that stop it. A pure fold.

The rules are those of seed 002, 3.6: after 10 trades the fill rate and the slippage, after 50 the result and the
fill rate, after 100 the edge that was kept; that is the end either way. A trade is a round trip.

Money is USD and net, slippage and edge are basis points. What stops the trial trips the latch, whose reset by a person
is the word to go on.
"""

from decimal import Decimal

import msgspec

from hip3.core.ledger import OrderChanged, OrderFinished, RoundTrip
from hip3.core.money import ZERO, div
from hip3.core.order_state import OrderState
from hip3.risk.monitor import Breach, RiskEvent, slippage_bps

ORDER_USD = Decimal(11)
"""Every entry of the trial: the smallest that our own floor allows."""
TRADES = 100
CHECKPOINTS = (10, 50)
"""After so many trades it is judged; the end at `TRADES` is no checkpoint."""
OVER, STOPS = "the micro trial is over", "the micro trial stops"
"""How the latch's reasons begin, behind their code; `begin_anew` tells one from the other by it."""


class KeptTrial(msgspec.Struct, frozen=True, kw_only=True):
    """What the trial has come to."""

    orders: int = 0
    """Entries that are over."""
    filled: int = 0
    """Of these, those that executed something."""
    slippage_bps: Decimal = ZERO
    """Sum over finished orders, entries and exits."""
    finished: int = 0
    """How many they were: orders that executed something and had a touch to slip from."""
    trades: int = 0
    passed: int = 0
    """The last checkpoint that was passed, or that a person let pass."""
    net_usd: Decimal = ZERO
    net_bps: Decimal = ZERO
    """Sum over trades."""

    @property
    def fill_rate(self) -> Decimal:
        """The share of entries that executed something, 0 to 1; 0 before the first."""
        return div(Decimal(self.filled), Decimal(self.orders)) if self.orders else ZERO

    @property
    def mean_slippage_bps(self) -> Decimal:
        """Of an order; 0 before the first."""
        return div(self.slippage_bps, Decimal(self.finished)) if self.finished else ZERO

    @property
    def edge_bps(self) -> Decimal:
        """What a trade kept on average, fees and funding taken off; 0 before the first."""
        return div(self.net_bps, Decimal(self.trades)) if self.trades else ZERO


class Trial:
    """See the module. Risk thread only, but for a start: then main, before there are threads."""

    def __init__(self, kept: KeptTrial | None = None) -> None:
        self.kept = kept or KeptTrial()

    def apply(self, event: RiskEvent) -> Breach | None:
        """Fold one event in; a checkpoint that is not passed, or the end, stops the trial. None: it goes on.

        Each event once. An entry that never left us does not count as one that was not filled.
        """
        k = self.kept
        if isinstance(event, OrderChanged):
            # Most quotes are moved and not filled: that says nothing.
            entry = not event.order.reduce_only and event.order.level is None
            if entry and event.after.terminal and event.after is not OrderState.DROPPED:
                filled = k.filled + (event.executed > 0)
                self.kept = msgspec.structs.replace(k, orders=k.orders + 1, filled=filled)
        elif isinstance(event, OrderFinished):
            if event.order.touch_px > 0:
                slipped = k.slippage_bps + slippage_bps(event)
                self.kept = msgspec.structs.replace(k, slippage_bps=slipped, finished=k.finished + 1)
        elif isinstance(event, RoundTrip):
            self.kept = msgspec.structs.replace(
                k, trades=k.trades + 1, net_usd=k.net_usd + event.net, net_bps=k.net_bps + event.net_bps
            )
            return self.judge()
        return None

    def judge(self) -> Breach | None:
        """The checkpoint that is due; one that is not passed is due until a person resets the latch for it.

        A breach, or None when nothing is due or what was due is passed. Also asked at a start, before READY.
        """
        k = self.kept
        figures = {
            "trades": k.trades, "fill_rate": f"{k.fill_rate:.2f}", "net_usd": f"{k.net_usd:.4f}",
            "slippage_bps": f"{k.mean_slippage_bps:.1f}", "edge_bps": f"{k.edge_bps:.2f}",
        }  # fmt: skip
        if k.trades >= TRADES:
            passed = "passed: it kept an edge" if k.edge_bps > 0 else "failed: it kept no edge"
            return Breach("manual", f"{OVER} and {passed} of {k.edge_bps:.2f} bps", figures)
        due = max((at for at in CHECKPOINTS if k.passed < at <= k.trades), default=0)
        why = ""
        if due == 10 and (k.fill_rate < Decimal("0.8") or k.mean_slippage_bps >= 20):
            why = "after 10 trades the fill rate must be 0.8 and the mean slippage below 20 bps"
        elif due == 50 and (k.fill_rate < Decimal("0.7") or k.net_usd < -5):
            why = "after 50 trades the fill rate must be 0.7 and the loss no more than 5 USD"
        if why:
            return Breach("manual", f"{STOPS}: {why}", figures)
        if due:
            self.kept = msgspec.structs.replace(k, passed=due)
        return None

    def begin_anew(self, was: str) -> None:
        """A person reset the latch: after the end of a trial the next one begins; at a checkpoint it goes on.

        `was` is the whole reason, as `Reset.was` has it; a reason that is not the trial's changes nothing.
        """
        if was.startswith(f"manual: {OVER}"):
            self.kept = KeptTrial()
        elif was.startswith(f"manual: {STOPS}"):
            due = max((at for at in CHECKPOINTS if at <= self.kept.trades), default=0)
            self.kept = msgspec.structs.replace(self.kept, passed=due)
