"""Housekeeping: everything that asks the exchange over REST while the service runs.

Confined to the `rest` thread. Answers come back as events into the same pipeline as the streams; a
read that fails changes nothing and is tried again. Whose turn it is, each duty knows by itself, in monotonic
milliseconds; only the rest thread's round calls them. Duties, most urgent first:

    unknown orders          handed to the `Resolver`, which ends them by proof
    books of exits          while there is no socket: what a market that is being left is worth now
    the account, per epoch  orders, fills and positions read and compared: ends NOT_READY
    missing fills           a reply that no fill followed, or a gap in the chain of positions
    strange orders          updates of orders that are not in our books are asked for; a storm reads everything
    the address budget      every 60 s, from userRateLimit
    the markets             every 60 s: precision, asset id, delisting
    the clock               every 15 s, and with each reading of the account: the offset shifts expiresAfter
    first books             a market whose touch has not come after 2 s is read once
    standing quotes         a touch that its mark has left is compared with the book
    the account, again      every 60 s
"""

from collections import Counter
from collections.abc import Callable
from typing import NoReturn

import msgspec

from hip3.core.events import OrderUpdate
from hip3.core.market import in_dexs
from hip3.core.money import ZERO
from hip3.core.order_state import OrderState
from hip3.core.ports import Clock, Journal
from hip3.errors import ODD_ANSWERS, Hip3Error, RateLimited, VenueReadError
from hip3.exchange.clock_offset import ClockOffset
from hip3.exchange.wire_fills import parse_fill_list
from hip3.execution.account_view import AccountView
from hip3.execution.link import Link
from hip3.execution.ports import Consequences, OrdersIn
from hip3.execution.readiness import Readiness
from hip3.execution.sending.address_budget import AddressBudget
from hip3.execution.truth.account import AccountReport, ClockedRest, Rest, read_account, weight_spent
from hip3.execution.truth.books import BooksByRest
from hip3.execution.truth.bootstrap import opening, read_ms
from hip3.execution.truth.difference import Difference, Unexplained, differences
from hip3.execution.truth.fill_order import newest_first
from hip3.execution.truth.margin import MarginSetter
from hip3.execution.truth.markets import Markets
from hip3.execution.truth.open_orders import OpenOrders
from hip3.execution.truth.resolver import Resolver
from hip3.execution.truth.strangers import Strangers
from hip3.execution.truth.streams import StreamWatch
from hip3.execution.truth.worth import Worth
from hip3.position.tracked import Opening, TrackedOrder
from hip3.position.tracker import PositionTracker

COMPARE_MS = 60_000
BEHIND_MS = 10_000
"""So long after an epoch's own reading it is compared again: what a node that was behind did not have is in that."""
CLOCK_MS = 15_000
ANCHOR_MS = 60_000
LATE_MS = 2000
"""Streams that stand do so within a second: after so long a connection's account is read without them."""
DOUBT_MS = 2000
"""A doubt is answered by a reading at most this often."""
STORM_READ_MS = 10_000
GONE_RETRY_MS = 20_000
MOST_EMPTY_READINGS = 3
"""So many readings without what a reply or a gap promised, and it is believed that it never was."""
RETRY_MS = 1000
WHOLE_ROUND_MS = 10_000
"""Once the weight is spent: until enough is back for the account, whose reading would else begin anew for ever."""
AHEAD_MS = 60_000
"""No reading is of a time so far to come."""
MOST_BROKEN = 20
"""So many ways in which a duty broke are told."""
UNBOOKED_MS = 2000
"""So long after it is heard that an order executed its fills are awaited before they are asked for."""


class Helpers(msgspec.Struct, frozen=True, kw_only=True):
    """Who has a duty of its own. Without an account (observe) there are markets alone."""

    markets: Markets
    books: BooksByRest
    resolver: Resolver | None = None
    margin: MarginSetter | None = None
    open_orders: OpenOrders | None = None


class Housekeeping:
    """See the module. `user` is None where there is no account (observe): then only markets, books and clock are read.
    `failed_reads` counts what raised."""

    def __init__(
        self,
        *,
        clock: Clock,
        rest: Rest,
        user: str | None,
        dexs: list[str],
        tracker: PositionTracker,
        link: Link,
        view: AccountView,
        orders_in: OrdersIn,
        consequences: Consequences,
        readiness: Readiness,
        journal: Journal,
        offset: ClockOffset,
        address: AddressBudget,
        worth: Worth | None,
        strangers: Strangers,
        streams: StreamWatch,
        helpers: Helpers,
    ) -> None:
        self._clock = clock
        self._rest = rest
        self._user = user
        self.dexs = dexs
        self._tracker = tracker
        self._link = link
        self._view = view
        self._orders_in = orders_in
        self._consequences = consequences
        self._readiness = readiness
        self._journal = journal
        self._offset = offset
        self._clocked = ClockedRest(rest, clock.mono_ms, offset.add)
        self._address = address
        self.worth = worth
        self._strangers = strangers
        self._streams = streams
        self._resolver, self.margin = helpers.resolver, helpers.margin
        self._open_orders, self._markets, self._books = helpers.open_orders, helpers.markets, helpers.books
        self._started = False
        self._next_storm_ms = self._next_anchor_ms = self._next_clock_ms = self._read_generation = 0
        self._waits_for_orders = False
        self._next_compare_ms = clock.mono_ms() + COMPARE_MS
        self._last_compare_ms = -DOUBT_MS
        self._next_read_ms = self._next_fills_ms = 0
        self._differs: dict[str, Difference] = {}
        self.unexplained = Unexplained()
        self._no_fills: Counter[str] = Counter()
        self._heard_ms: dict[TrackedOrder, int] = {}
        """Orders whose fills have not come -> when that was first seen."""
        self.failed_reads = self._quiet_until_ms = 0
        self._broken: set[str] = set()
        self.finish_start: Callable[[int], None] | None = None
        """Reads what a start in part left out. Set by main before the threads begin."""

    def step(self, now_ms: int) -> None:
        """One round of duties at monotonic `now_ms`. What a read raises goes to the journal, and the next duty has its
        turn; once the request weight is spent none has, until enough of it is back."""
        self._readiness.reduce("weight", weight_spent(self._rest, now_ms))
        for _, duty in self.duties():
            if now_ms >= self._quiet_until_ms:
                self._guarded(duty, now_ms)

    def duties(self) -> list[tuple[str, Callable[[int], None]]]:
        """What is done each round, most urgent first: name and duty. The names stand in the start's self-report."""
        out: list[tuple[str, Callable[[int], None]]] = []
        if self._user is not None:
            if self._resolver is not None:
                out.append(("unknown orders", self._resolver.step))
            out.append(("books of exits", self._books.of_exits))
            if self.finish_start is not None:
                out.append(("rest of the start", self.finish_start))
            out.append(("account of the epoch", self._read_for_epoch))
            out.append(("missing fills", self.fetch_fills))
            if self._open_orders is not None:
                out.append(("strange orders", self._strange_orders))
            if self.margin is not None and self._read_generation:
                out.append(("margin", self.margin.step))
            out += [("comparison", self._compare), ("address budget", self._anchor_budget)]
        return [
            *out,
            ("markets", self._markets.step),
            ("first books", self._books.first),
            ("standing quotes", self._books.standing),
            ("clock", self._read_clock),
        ]

    def _guarded(self, duty: Callable[[int], None], now_ms: int) -> None:
        """Run one duty; what a read raises ends that duty's round and no more.

        So does what breaks in our own code: without this thread no order of unknown fate is ever proved, and nothing
        goes by HTTP. That is told as such, once for each kind.
        """
        try:
            duty(now_ms)
        except (Hip3Error, *ODD_ANSWERS) as error:
            if isinstance(error, RateLimited):
                # Asking again at once would only spend what the next duty needs.
                wait = error.fields.get("wait_ms")
                self._quiet_until_ms = now_ms + (wait + WHOLE_ROUND_MS if isinstance(wait, int) else RETRY_MS)
            self.failed_reads += 1
            if self._read_generation != self._link.generation:
                self._readiness.account_unknown(str(error))
            self._journal.record("read_failed", what=f"{type(error).__name__}: {error}")
        except Exception as error:  # noqa: BLE001 see above
            what = f"{type(error).__name__}: {error}"
            if what not in self._broken and len(self._broken) < MOST_BROKEN:
                self._broken.add(what)
                self._journal.record("duty_failed", what=what)
            if self._read_generation != self._link.generation:
                self._readiness.account_unknown(f"it cannot be read: {what}")

    # The account.

    def _read_for_epoch(self, now_ms: int) -> None:
        generation = self._link.generation  # before the reading: one that a new connection overtakes is not its own
        if generation in (0, self._read_generation) or now_ms < self._next_read_ms:
            return
        if self._link.told_generation != generation:
            return  # what happens between reading and subscription would be told by neither
        left = [t for t in self._tracker.live(OrderState.UNKNOWN) if t.generation == 0]
        self._waits_for_orders = bool(left)
        if left:
            self._readiness.account_unknown(f"{len(left)} orders of an earlier run are still unknown")
            return
        self._next_read_ms = now_ms + RETRY_MS  # should it fail: what others fail to read does not hold it up
        if self._apply(now_ms, start=not self._started):
            self._started = True
            self._read_generation = generation
            self._next_compare_ms = min(self._next_compare_ms, now_ms + BEHIND_MS)
            self._readiness.account_read(generation)

    def _compare(self, now_ms: int) -> None:
        """The account again, every 60 s or when it is doubted, once this epoch's own reading is through.

        Also once that has waited for a while, for orders of an earlier run or for its streams: what happens to the
        account meanwhile must be found, too, and the proof of such an order may wait for positions that agree.
        """
        doubted, link = self._view.doubted and now_ms - self._last_compare_ms >= DOUBT_MS, self._link
        waits = self._waits_for_orders or link.told_generation != link.generation
        late = waits and link.connected_ms <= now_ms - LATE_MS
        if not (self._read_generation == link.generation or (waits and doubted) or late):
            return
        first = late and self._last_compare_ms < link.connected_ms
        if not (doubted or first or now_ms >= self._next_compare_ms):
            return
        # First: what is doubted meanwhile asks for another.
        self._view.doubted, self._last_compare_ms = False, now_ms
        self._next_compare_ms = now_ms + COMPARE_MS
        try:
            self._apply(now_ms)
        except BaseException:
            self._view.doubted = self._view.doubted or doubted  # a reading that fails answers nothing
            raise

    def _apply(self, now_ms: int, *, start: bool = False) -> bool:
        """Read and compare; False while our books and the exchange do not agree.

        Fills go in before orders, so that an order's end finds what it executed. `start`: the first reading of the run,
        which also clears what the start policy does not leave. VenueReadError: what was booked before it stands.
        """
        assert self._user is not None
        open_before = self._tracker.live(OrderState.OPEN)  # before the request: later ones may rightly be missing
        self._orders_in.reading_begins()
        missing: dict[str, str] = {}
        report = read_account(self._clocked, self._user, self.dexs, missing)
        if missing:
            self._apply_part(report, missing, now_ms)
        self._view.take(report.marks, report.liquidations, report.margins, now_ms)
        if self.margin is not None:
            self.margin.shown(report.margins)
        self._orders_in.on_fills(report.fills, now_ms)
        self._orders_in.on_order_updates(report.orders, now_ms, reading=True)
        self._tracker.set_foreign(report.orders)
        self._orders_in.reading_ends()
        agree = self._positions_agree(report, self.dexs, now_ms)
        if self._open_orders is not None:
            agree = self._stops_agree(self._open_orders.look(report, now_ms), now_ms) and agree
            left = self._open_orders.left_of_before(report) if start else 0
            if left:
                self._next_read_ms = now_ms + RETRY_MS
                self._readiness.account_unknown(f"{left} orders of before are being cancelled")
                return False
            self._open_orders.compare(report, open_before, now_ms)
        # Last, and alone: where it cannot be read limits on it fail closed, and all that the reading told stands.
        if self.worth is not None:
            worth = self.worth
            self._guarded(lambda _: worth.read(report, now_ms), now_ms)
        return agree

    def _apply_part(self, report: AccountReport, missing: dict[str, str], now_ms: int) -> NoReturn:
        """One dex that does not answer keeps no position of another from being found; the reading counts for nothing
        else. VenueReadError."""
        if self._started and "fills" not in missing:
            self._orders_in.on_fills(report.fills, now_ms)
            self._positions_agree(report, [dex for dex in self.dexs if dex not in missing], now_ms)
        raise VenueReadError("; ".join(f"{what}: {why}" for what, why in missing.items()))

    def _strange_orders(self, now_ms: int) -> None:
        """Say what unknown orders are; end a storm once it is over and the account was read after it began."""
        assert self._open_orders is not None
        if self._view.storm and now_ms >= self._next_storm_ms:
            self._next_storm_ms = now_ms + STORM_READ_MS
            if self._apply(now_ms) and not self._strangers.storm(now_ms):
                self._view.storm = False
                self._readiness.hold("storm", "")
                self._journal.record("storm_over")
        if self._open_orders.explain(now_ms):
            self._view.doubt()

    def _positions_agree(self, report: AccountReport, dexs: list[str], now_ms: int) -> bool:
        """Compare booked sizes. More than we knew of is believed in the second reading; less, or nothing,
        only after three readings over a minute: an empty answer has erased real positions before."""
        differs = differences(self._differs, self._tracker, report, dexs, now_ms)
        for coin, difference in list(differs.items()):
            if difference.believable(now_ms):
                gone = Opening(px=ZERO, ms=report.at_ms, read_ms=read_ms(report, coin))
                how = opening(report, coin, None) if coin in report.positions else gone
                if self._offset.known and (how.read_ms or 0) > self._offset.exchange_ms() + AHEAD_MS:
                    how = msgspec.structs.replace(how, read_ms=None)  # a date to come would hold every fill until then
                self._journal.record("adopted", coin=coin, ours=difference.ours, theirs=difference.theirs)
                self._tracker.adopt(coin, difference.theirs, how)
                self.unexplained.adopted(coin, difference.theirs, report.fills, now_ms)
                del differs[coin]
        self._differs = {c: d for c, d in self._differs.items() if not in_dexs(c, dexs)} | differs  # others: as before
        if differs:
            # A first difference may be a fill that came while the account was read: look again at once.
            self._read_again(now_ms, soon=any(d.grown or d.readings == 1 for d in differs.values()))
        return not differs

    def _stops_agree(self, doubtful: list[OrderUpdate], now_ms: int) -> bool:
        """Whether every stop that rests has a position by somebody's word, or is litter."""
        if doubtful:
            stops = ", ".join(f"{o.coin} {o.oid}" for o in doubtful)
            self._journal.record(
                "stop_in_doubt", coins=sorted({o.coin for o in doubtful}), oids=[o.oid for o in doubtful]
            )
            self._readiness.account_unknown(f"stops of ours rest whose positions the exchange does not show: {stops}")
            self._read_again(now_ms, soon=False)
        return not doubtful

    def _read_again(self, now_ms: int, *, soon: bool) -> None:
        """What this reading and our books differ in is looked at again; not later than is planned already."""
        wait = RETRY_MS if soon else GONE_RETRY_MS
        self._next_read_ms = now_ms + wait
        self._next_compare_ms = min(self._next_compare_ms, now_ms + wait)

    def fetch_fills(self, now_ms: int, rest: Rest | None = None) -> None:
        """Replies whose fills did not come, gaps in the chain, positions without their fill: ask for the latest fills,
        by another `rest` where a stop waits for them.

        Three readings that know none settle it: the order executed no more than is booked, the chain has no gap. A
        reading with a fill that cannot be read does not count: it might be the one.
        """
        if now_ms < self._next_fills_ms:
            return
        # From when it was first heard of: a quote may have rested for hours before it is filled.
        heard = self._heard_ms = {t: self._heard_ms.get(t, now_ms) for t in self._tracker.unbooked()}
        late = [t for t, since in heard.items() if now_ms - since > UNBOOKED_MS]
        gaps = self._tracker.unlinked()
        if not late and not gaps and not self.unexplained.due(now_ms):
            return
        self._next_fills_ms = now_ms + RETRY_MS
        frames = self._streams.fills_frames
        found = parse_fill_list((rest or self._rest).info({"type": "userFills", "user": self._user}), self.dexs)
        self._orders_in.on_fills(found.fills, now_ms)
        self.unexplained.read(newest_first(found.fills), now_ms, whole=not found.malformed)
        if any(not t.provisional for t in late) and self._streams.fills_frames == frames:
            self._streams.fills_read(now_ms)
        still = {t.order.cloid for t in self._tracker.unbooked()} | set(self._tracker.unlinked())
        self._no_fills = Counter({c: n for c, n in self._no_fills.items() if c in still})
        for what in dict.fromkeys(w for w in [*(t.order.cloid for t in late), *gaps] if w in still):
            if found.malformed:
                continue
            self._no_fills[what] += 1
            if self._no_fills[what] >= MOST_EMPTY_READINGS:
                self._tracker.disclaim(what)
                if what in gaps:
                    self._journal.record("gap_accepted", coin=what)
                    self._consequences.dispatch(self._tracker.accept_gap(what), now_ms)

    # Clock and budget.

    def _anchor_budget(self, now_ms: int) -> None:
        """What the exchange says of the address budget, every 60 s."""
        if now_ms < self._next_anchor_ms:
            return
        self._next_anchor_ms = now_ms + ANCHOR_MS
        answer = self._rest.info_json({"type": "userRateLimit", "user": self._user})
        try:
            self._address.anchor(int(answer["nRequestsUsed"]), int(answer["nRequestsCap"]))
        except (KeyError, TypeError, ValueError) as error:
            raise VenueReadError(f"userRateLimit cannot be read: {error}") from None

    def _read_clock(self, now_ms: int) -> None:
        """Ask for the exchange's time, at once if it is doubted; `ClockedRest` takes it from the answer."""
        doubted = self._view.clock_doubted and now_ms >= self._next_clock_ms - CLOCK_MS + RETRY_MS
        if now_ms < self._next_clock_ms and not doubted:
            return
        self._next_clock_ms = now_ms + CLOCK_MS
        doubted, self._view.clock_doubted = self._view.clock_doubted, False  # a doubt meanwhile asks for another
        if doubted:
            self._offset.doubt()
        try:
            self._clocked.info_json({"type": "exchangeStatus"})
        except Exception:
            self._view.clock_doubted = self._view.clock_doubted or doubted  # it is not answered yet
            raise
