"""The figures of a run, for the closing table. Confined to the journal thread until it ended."""

import re
import textwrap
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from hip3.core.decisions import Rejected, Skipped
from hip3.core.money import ZERO
from hip3.core.order_state import OrderState
from hip3.core.orders import OrderBatch
from hip3.core.results import captured_usd, net, plain
from hip3.ops.histogram import FAST_US, SLOW_US, Histogram

SAMPLES = 10_000
NAME_WIDTH = 44
"""Of a row of the closing table: what is longer stands in full in the status."""
MOST_TEXTS, LONGEST = 100, 120
"""Of refusals that are told apart: an order over a limit names another figure each time, for days."""
_FIGURE = re.compile(r"\d[\d.,]*")


def percentile(samples: Sequence[int], share: int) -> int:
    """The value that `share` percent of the samples do not exceed; 0 without samples."""
    if not samples:
        return 0
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, len(ordered) * share // 100)]


def shape(text: str, known: Collection[str]) -> str:
    """A refusal as a key: figures in it are all one, and there are never more than so many kinds."""
    found = _FIGURE.sub("N", text.partition(" asset=")[0])[:LONGEST]
    return found if found in known or len(known) < MOST_TEXTS else "others"


class Figures:
    """Counts, sums and latencies of one run."""

    def __init__(self) -> None:
        self.signals = 0
        self.refused_by_gate: Counter[str] = Counter()
        self.sent = 0
        self.filled = 0
        self.venue_rejected: Counter[str] = Counter()
        self.unknown = 0
        self.timeouts = 0
        self.fills = 0
        self.round_trips = 0
        self.wins = 0
        self.realized = ZERO
        self.fees = ZERO
        self.funding = ZERO
        self.captured = ZERO
        """What taken entries were better than the oracle that they were signalled by, in USD."""
        self.exits: Counter[str] = Counter()
        self.decided = Histogram(FAST_US)
        """From a signal to its order on the socket; for the page and `/metrics`."""
        self.signal_to_sent_us: deque[int] = deque(maxlen=SAMPLES)
        self.post_us = {"order": Histogram(SLOW_US), "cancel": Histogram(SLOW_US)}
        """From send to reply, by action; for `/metrics`."""
        self.sent_to_reply_us: deque[int] = deque(maxlen=SAMPLES)

    @property
    def net(self) -> Decimal:
        return net(self.realized, self.fees, self.funding)

    def note(self, kind: str, fields: dict[str, Any]) -> None:
        """Count one record."""
        handler = getattr(self, f"_on_{kind}", None)
        if handler is not None:
            handler(fields)

    def _on_signal(self, f: dict[str, Any]) -> None:
        self.signals += 1
        if isinstance(f["verdict"], Rejected | Skipped):
            self.refused_by_gate[f["verdict"].gate] += 1

    def _on_sent(self, f: dict[str, Any]) -> None:
        self.sent += 1
        order, post = f["order"], f["post"]
        if order.decided_us:
            self.signal_to_sent_us.append(post.sent_us - order.decided_us)
            self.decided.observe(post.sent_us - order.decided_us)

    def _on_reply(self, f: dict[str, Any]) -> None:
        took_us = f["at_us"] - f["post"].sent_us
        if isinstance(f["post"].batch, OrderBatch):
            self.sent_to_reply_us.append(took_us)
            self.post_us["order"].observe(took_us)
        else:
            self.post_us["cancel"].observe(took_us)

    def _on_order(self, f: dict[str, Any]) -> None:
        event = f["event"]
        if event.after is OrderState.UNKNOWN:
            self.unknown += 1
        elif event.after is OrderState.REJECTED:
            self.venue_rejected[shape(event.why, self.venue_rejected)] += 1

    def _on_finished(self, f: dict[str, Any]) -> None:
        self.filled += 1
        event = f["event"]
        if not event.order.reduce_only:
            self.captured += captured_usd(event.order.edge_bps, event.executed, event.avg_px)

    def _on_exit(self, f: dict[str, Any]) -> None:
        if f["order"].attempt == 1:
            self.exits[f["order"].exit_reason.value] += 1

    def _on_post_lost(self, f: dict[str, Any]) -> None:
        batch = f["post"].batch
        self.timeouts += len(batch.orders) if isinstance(batch, OrderBatch) else 0

    def _on_fill(self, f: dict[str, Any]) -> None:
        fill = f["event"].fill
        self.fills += 1
        self.realized += fill.closed_pnl
        self.fees += fill.fee

    def _on_funding(self, f: dict[str, Any]) -> None:
        self.funding += f["funding"].usdc

    def _on_round_trip(self, f: dict[str, Any]) -> None:
        self.round_trips += 1
        self.wins += f["trip"].net > 0

    @property
    def so_far(self) -> str:
        """The round trips of this run in a few words."""
        return f"{self.round_trips} trips, {self.wins} won, {self.net:+.2f} USD"

    def table(
        self, *, unknown_now: str, position: str, latch: str | None, proof: str,
        quotes: Sequence[tuple[str, object]] = (),
    ) -> str:  # fmt: skip
        """The closing table: one line per figure, name first. `quotes`: the rows of what was quoted."""
        rows: list[tuple[str, object]] = [("signals", self.signals)]
        rows += [(f"refused by {gate}", n) for gate, n in sorted(self.refused_by_gate.items())]
        rows += [("orders sent", self.sent), ("orders filled", self.filled)]
        rows += [(f"refused by exchange: {text}", n) for text, n in sorted(self.venue_rejected.items())]
        rows += [
            ("fills", self.fills),
            ("round trips", self.round_trips),
            ("winning round trips", self.wins),
        ]
        rows += [(f"exits by {reason}", n) for reason, n in sorted(self.exits.items())]
        rows += quotes
        rows += [
            ("realized pnl", f"{plain(self.realized)} USD"),
            ("fees", f"{plain(self.fees)} USD"),
            ("funding", f"{plain(self.funding)} USD"),
            ("net result", f"{plain(self.net)} USD"),
            ("position", position),
            ("unknown orders", unknown_now),
            ("orders once unknown", self.unknown),
            ("hard stop", latch or "not tripped"),
            ("signal to sent", _latency(self.signal_to_sent_us)),
            ("sent to reply", _latency(self.sent_to_reply_us)),
            ("proof", proof),
        ]
        rows = [(textwrap.shorten(name, NAME_WIDTH, placeholder=" ..."), value) for name, value in rows]
        width = max(len(name) for name, _ in rows) + 3
        return "\n".join(f"{name:<{width}}{value}" for name, value in rows)


def listed(positions: Mapping[str, object], none: str) -> str:
    """Positions for people, market -> signed size; `none` where there are none."""
    return ", ".join(f"{coin} {size}" for coin, size in sorted(positions.items())) or none


def _latency(samples: Sequence[int]) -> str:
    if not samples:
        return "no samples"
    p50, p95, p99 = (percentile(samples, share) / 1000 for share in (50, 95, 99))
    return f"p50 {p50:.2f} ms, p95 {p95:.2f} ms, p99 {p99:.2f} ms"
