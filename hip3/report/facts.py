"""Facts: a journal folded, record by record in the order of writing. Pure; what it finds is rendered by `document`.

Money is Decimal and stays exact: sums here and those of the live page come from the same definitions
(`core/results.py`). Times are wall milliseconds of writing, but for those of fills and round trips, which are the
exchange's.
"""

from collections import Counter
from decimal import Decimal
from typing import Any

import msgspec

from hip3.core.money import ONE, ZERO, bps_of
from hip3.core.orders import Side
from hip3.core.results import DAY_MS, Mean, Sums, captured_usd, markout_bps, net, plain
from hip3.ops.figures import shape

Record = dict[str, Any]
Quoted = tuple[int, str | None, str | None, str | None, str | None]
"""(time, bid, ask, oracle, mark)."""


class Trip(msgspec.Struct, kw_only=True):
    """A round trip."""

    coin: str
    opened_ms: int
    closed_ms: int
    entered_usd: Decimal
    entry_px: Decimal
    exit_px: Decimal
    realized: Decimal
    fees: Decimal
    funding: Decimal
    quoted: bool
    exit: str
    edge_bps: Decimal | None
    """Of the entry, when it was decided."""

    @property
    def net(self) -> Decimal:
        return net(self.realized, self.fees, self.funding)

    @property
    def net_bps(self) -> Decimal:
        return bps_of(self.net, self.entered_usd) if self.entered_usd else ZERO


class Done(msgspec.Struct, kw_only=True):
    """An order that executed, all of it booked."""

    at_ms: int
    coin: str
    side: Side
    entry: bool
    quote: bool
    cloid: str
    executed: Decimal
    wanted: Decimal
    avg_px: Decimal
    slippage_bps: Decimal | None
    """Worse than the touch that it was decided by; None for quotes, which have none."""
    edge_bps: Decimal


class Quotes:
    """What a market's quotes did."""

    def __init__(self) -> None:
        self.captured = Mean()
        self.markouts: dict[int, Mean] = {}
        self.fills = 0
        self.completions = 0
        self.stances: Counter[str] = Counter()
        self.uptime: list[tuple[int, Decimal]] = []
        """(weight in snapshots, ratio) of each run."""


class Money:
    """Sums of one market, or of all."""

    def __init__(self) -> None:
        self.realized = self.fees = self.funding = self.taken = ZERO
        self.quoted = Mean()
        self.fills = self.trips = self.wins = 0
        self.volume = ZERO

    @property
    def captured(self) -> Decimal:
        return self.taken + self.quoted.usd

    def sums(self, open_usd: Decimal | None) -> Sums:
        """As of now."""
        return Sums(
            realized_usd=plain(self.realized), fees_usd=plain(self.fees), funding_usd=plain(self.funding),
            captured_usd=plain(self.captured), open_usd=None if open_usd is None else plain(open_usd), equity_usd=None,
            round_trips=self.trips, wins=self.wins,
        )  # fmt: skip


class Opened:
    """What open positions are worth by the last snapshot, and whether that is still so."""

    def __init__(self) -> None:
        self.sizes: dict[str, Decimal] = {}
        self._unknown = self._begun = False
        """A position was there that nothing tells the worth of at the beginning; something was told."""
        self._began: Decimal | None = ZERO
        self._seen: Decimal | None = None

    def fill(self, coin: str, start: Decimal, position: Decimal) -> None:
        if coin not in self.sizes and start:
            self._unknown = True
        self.sizes[coin], self._seen, self._begun = position, None, True

    def snapshot(self, positions: list[dict[str, Any]]) -> None:
        own = {str(p["market"]): p["unrealized_pnl_usd"] for p in positions if not p["foreign"]}
        self._seen = None if None in own.values() else sum((Decimal(usd) for usd in own.values()), ZERO)
        if not self._begun:
            self._began, self._begun = self._seen, True
        elif own.keys() - self.sizes.keys():
            self._unknown = True  # it was held before, or taken over: no fill has told of it
        self.sizes = dict.fromkeys(self.sizes, ZERO) | dict.fromkeys(own, ONE)

    @property
    def began_usd(self) -> Decimal | None:
        """What was open as the records began; None where nobody knows."""
        return None if self._unknown else self._began

    @property
    def usd(self) -> Decimal | None:
        """0 while flat; None where nobody knows."""
        return self._seen if any(self.sizes.values()) else ZERO


class Snap(msgspec.Struct):
    """What is read of the status that is written each minute."""

    network: str = ""
    mode: str = ""
    account: str | None = None
    equity_usd: str | None = None
    positions: list[dict[str, Any]] = []
    quotes: list[dict[str, Any]] = []
    markets: list[dict[str, Any]] = []


class Facts:
    """See the module."""

    def __init__(self) -> None:
        self.first_ms = self.last_ms = 0
        self.runs = 0
        self.version = ""
        self.snap = Snap()
        self.money, self.by_market = Money(), dict[str, Money]()
        self.opened = Opened()
        self.days: list[tuple[int, Sums]] = []
        """(day number, sums as it began)."""
        self.curve: list[tuple[int, Decimal]] = []
        """What was closed until then, after fees and funding."""
        self.equity: list[tuple[int, Decimal]] = []
        self.prices: dict[str, list[Quoted]] = {}
        self.fills: list[tuple[int, str, str, str, str, bool]] = []
        """(exchange time, market, side, price, size, ours)."""
        self.trips: list[Trip] = []
        self.done: list[Done] = []
        self.signals = self.queued = self.sent = self.sent_entries = 0
        self.marks: list[tuple[int, str, str, str, str | None]] = []
        """(time, market, side, price, gate) of signals."""
        self.refused_by_gate: Counter[str] = Counter()
        self.refused_by_exchange: Counter[str] = Counter()
        self.exits: Counter[str] = Counter()
        self.decided_us: list[int] = []
        self.reply_us: list[int] = []
        self.blocked_ms: Counter[tuple[str, str]] = Counter()
        self.quotes: dict[str, Quotes] = {}
        self.episodes: list[tuple[int, Record]] = []
        self.structures: list[tuple[int, Record]] = []
        self.alerts: list[tuple[int, str]] = []
        self.gaps: list[tuple[int, int]] = []
        """(from, until) without a connection."""
        self.taken: dict[tuple[int, int], str] = {}
        """(run, signal id) -> cloid."""
        self._down_ms: int | None = None
        self._before_ms = 0
        """When the record before this one was written."""
        self._leaving: dict[str, str] = {}
        self._edge: dict[str, Decimal] = {}
        self._blocks: dict[str, tuple[str, int]] = {}

    def add(self, at_ms: int, kind: str, body: str) -> None:
        """One record. Kinds that say nothing here are left alone; msgspec.DecodeError if it is no JSON."""
        self.first_ms = self.first_ms or at_ms
        day = at_ms // DAY_MS
        if not self.days or day > self.days[-1][0]:
            begins = ZERO if not self.days else self.opened.usd
            self.days.append((day, self.money.sums(begins)))
        self._before_ms, self.last_ms = self.last_ms, max(self.last_ms, at_ms)
        if kind == "snapshot":
            self._snapshot(at_ms, msgspec.json.decode(body, type=_Snapshot).status)
            return
        handler = getattr(self, f"_on_{kind}", None)
        if handler is not None:
            handler(at_ms, msgspec.json.decode(body))

    def market(self, coin: str) -> Money:
        """The sums of one market."""
        return self.by_market.setdefault(coin, Money())

    def _both(self, coin: str) -> tuple[Money, Money]:
        return self.money, self.market(coin)

    def samples(self, equity: list[tuple[int, str | None]], prices: dict[str, list[Quoted]]) -> None:
        """Finer looks than the minutes', from elsewhere: they go between them."""
        more = [(at, Decimal(usd)) for at, usd in equity if usd is not None]
        self.equity = sorted({*self.equity, *more})
        for coin, rows in prices.items():
            if rows:
                self.prices[coin] = sorted([*self.prices.get(coin, []), *rows], key=lambda row: row[0])

    # Runs.

    def _on_start(self, at_ms: int, f: Record) -> None:
        self.runs += 1
        self.version = f["version"]
        if self._down_ms is None and self.runs > 1:
            self._down_ms = self._before_ms

    def _on_connected(self, at_ms: int, f: Record) -> None:
        if self._down_ms is not None:
            self.gaps.append((self._down_ms, at_ms))
        self._down_ms = None

    def _on_disconnected(self, at_ms: int, f: Record) -> None:
        self._down_ms = self._down_ms or at_ms

    def _on_alert(self, at_ms: int, f: Record) -> None:
        self.alerts.append((at_ms, str(f.get("text", ""))))

    def _on_latch_set(self, at_ms: int, f: Record) -> None:
        self.alerts.append((at_ms, f"hard stop {f['code']}: {f['detail']}"))

    def _snapshot(self, at_ms: int, s: Snap) -> None:
        self.snap = s
        self.opened.snapshot(s.positions)
        if s.equity_usd is not None:
            self.equity.append((at_ms, Decimal(s.equity_usd)))
        for m in s.markets:
            self.prices.setdefault(m["market"], []).append((at_ms, m["bid"], m["ask"], m["oracle"], m["mark"]))
        for q in s.quotes:
            quotes = self.quotes.setdefault(q["market"], Quotes())
            quotes.stances[q["stance"]] += 1
            if q["uptime_ratio"] is not None:
                while len(quotes.uptime) <= self.runs:  # a span may begin within a run
                    quotes.uptime.append((0, ZERO))
                quotes.uptime[-1] = (quotes.uptime[-1][0] + 1, Decimal(q["uptime_ratio"]))

    # Signals.

    def _on_signal(self, at_ms: int, f: Record) -> None:
        self.signals += 1
        s, verdict = f["signal"], f["verdict"] or {}
        gate, cloid = verdict.get("gate"), verdict.get("cloid")
        self.marks.append((at_ms, s["coin"], s["side"], s["touch_px"], gate))
        if gate is not None:
            self.refused_by_gate[gate] += 1
        elif cloid is not None:
            self.queued += 1
            self.taken[self.runs, s["signal_id"]] = cloid

    def _on_episode(self, at_ms: int, f: Record) -> None:
        f["run"] = self.runs
        self.episodes.append((at_ms, f))
        e = f["episode"]
        looks = self.prices.setdefault(e["coin"], [])
        looks.append((e["at_ms"], e["bid"]["px"], e["ask"]["px"], e["oracle"], e["mark"]))
        for look in f["after"]:
            if look["missing"] is None:
                at = e["at_ms"] + look["after_ms"]
                looks.append((at, look["bid"]["px"], look["ask"]["px"], look["oracle"], None))

    def _on_structure(self, at_ms: int, f: Record) -> None:
        self.structures.append((at_ms, f))

    def _on_market_gate(self, at_ms: int, f: Record) -> None:
        before = self._blocks.pop(f["coin"], None)
        if before is not None:
            self.blocked_ms[f["coin"], before[0]] += at_ms - before[1]
        if f["gate"] is not None:
            self._blocks[f["coin"]] = (f["gate"], at_ms)

    # Orders.

    def _on_sent(self, at_ms: int, f: Record) -> None:
        order, post = f["order"], f["post"]
        self.sent += 1
        self.sent_entries += not order["reduce_only"] and order["level"] is None
        if order["decided_us"]:
            self.decided_us.append(post["sent_us"] - order["decided_us"])

    def _on_reply(self, at_ms: int, f: Record) -> None:
        if "orders" in f["post"]["batch"]:
            self.reply_us.append(f["at_us"] - f["post"]["sent_us"])

    def _on_order(self, at_ms: int, f: Record) -> None:
        if f["event"]["after"] == "rejected":
            self.refused_by_exchange[shape(f["event"]["why"], self.refused_by_exchange)] += 1

    def _on_exit(self, at_ms: int, f: Record) -> None:
        order = f["order"]
        self._leaving[order["coin"]] = order["exit_reason"]
        if order["attempt"] == 1:
            self.exits[order["exit_reason"]] += 1
            if order["exit_reason"] == "completion":
                self.quotes.setdefault(order["coin"], Quotes()).completions += 1

    def _on_finished(self, at_ms: int, f: Record) -> None:
        o, executed, px = f["event"]["order"], Decimal(f["event"]["executed"]), Decimal(f["event"]["avg_px"])
        side, touch, edge = Side(o["side"]), Decimal(o["touch_px"]), Decimal(o["edge_bps"])
        entry, quote = not o["reduce_only"], o["level"] is not None
        if entry:
            for money in self._both(o["coin"]):
                money.taken += captured_usd(edge, executed, px)
            self._edge[o["coin"]] = edge
        self.done.append(
            Done(
                at_ms=at_ms, coin=o["coin"], side=side, entry=entry, quote=quote, cloid=o["cloid"], executed=executed,
                wanted=Decimal(o["sz"]), avg_px=px, edge_bps=edge,
                slippage_bps=markout_bps(side.sign, touch, px) if touch and not quote else None,
            )
        )  # fmt: skip

    # Money.

    def _on_fill(self, at_ms: int, f: Record) -> None:
        e, fill = f["event"], f["event"]["fill"]
        px, sz = Decimal(fill["px"]), Decimal(fill["sz"])
        for money in self._both(fill["coin"]):
            money.realized += Decimal(fill["closed_pnl"])
            money.fees += Decimal(fill["fee"])
            money.volume += px * sz
            money.fills += 1
        self.opened.fill(fill["coin"], Decimal(fill["start_position"]), Decimal(e["position"]))
        self.fills.append((fill["time_ms"], fill["coin"], fill["side"], fill["px"], fill["sz"], e["ours"]))
        self._point(at_ms)

    def _on_funding(self, at_ms: int, f: Record) -> None:
        for money in self._both(f["funding"]["coin"]):
            money.funding += Decimal(f["funding"]["usdc"])
        self._point(at_ms)

    def _point(self, at_ms: int) -> None:
        m = self.money
        self.curve.append((at_ms, net(m.realized, m.fees, m.funding)))

    def _on_round_trip(self, at_ms: int, f: Record) -> None:
        t = f["trip"]
        trip = Trip(
            coin=t["coin"], opened_ms=t["opened_ms"], closed_ms=t["closed_ms"], entered_usd=Decimal(t["entered_usd"]),
            entry_px=Decimal(t["entry_px"]), exit_px=Decimal(t["exit_px"]), realized=Decimal(t["realized"]),
            fees=Decimal(t["fees"]), funding=Decimal(t["funding"]), quoted=t.get("quoted", False),
            exit=self._leaving.pop(t["coin"], "quotes" if t.get("quoted") else "not by an exit of ours"),
            edge_bps=None if t.get("quoted") else self._edge.pop(t["coin"], None),
        )  # fmt: skip
        self.trips.append(trip)
        for money in self._both(trip.coin):
            money.trips += 1
            money.wins += trip.net > 0

    # Quotes.

    def _on_quote_fill(self, at_ms: int, f: Record) -> None:
        quotes = self.quotes.setdefault(f["coin"], Quotes())
        quotes.fills += 1
        if f["fair"] is None:
            return
        px, fair = Decimal(f["px"]), Decimal(f["fair"])
        bps, usd = markout_bps(Side(f["side"]).sign, px, fair), px * Decimal(f["sz"])
        for mean in (quotes.captured, *(m.quoted for m in self._both(f["coin"]))):
            mean.add(bps, usd)

    def _on_quote_markout(self, at_ms: int, f: Record) -> None:
        markouts = self.quotes.setdefault(f["coin"], Quotes()).markouts
        markouts.setdefault(f["seconds"], Mean()).add(Decimal(f["bps"]), Decimal(f["usd"]))


class _Snapshot(msgspec.Struct):
    status: Snap
