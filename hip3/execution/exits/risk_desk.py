"""RiskDesk: the risk thread's work. What the one pipeline tells becomes counters, limits, and a tripped latch.

Holds the folds together (RiskMonitor, drawdown, the trial, what the entry guards remember), feeds them, keeps them
for a restart as soon as they change, and goes on from what was kept. Confined to the risk thread, but for `begin`,
which runs before the threads do, and `figures`, which the status asks. Money is USD.
"""

import queue
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import msgspec

from hip3.core.ledger import RoundTrip
from hip3.core.money import ZERO
from hip3.core.ports import Clock, Journal
from hip3.execution.account_view import AccountView
from hip3.execution.exits.hard_stop_sequence import HardStopSequence
from hip3.execution.readiness import Readiness
from hip3.execution.truth.streams import StreamWatch
from hip3.position.exit_attempts import ExitDesk
from hip3.position.tracker import PositionTracker
from hip3.risk.drawdown import Drawdown, KeptDay
from hip3.risk.guards import EntryGuards, TripNote, note_of
from hip3.risk.hard_stop import HardStopLatch, Reset
from hip3.risk.monitor import Breach, FlattenFailed, KeptCounters, RiskEvent, RiskMonitor
from hip3.risk.trial import KeptTrial, Trial

LOOK_MS = 1000
"""How often limits are judged that time and prices move, and not only events."""
UNREAD_MS = 180_000
"""A connection that stands does not mean that the account can be read: three comparisons that failed are too many."""
UNREAD = "the account could not be read for 3 minutes: what happened to it unseen is not known"
UNVALUED_MS = 30_000
"""So long fills may be on their way, or a mark be missing."""
UNVALUED = (
    "what the account has made is not known: fills that a reply promised, or a mark, do not come; the loss limits "
    "cannot be judged (a restart takes the account from the exchange)"
)
Trip = Callable[[str, str, dict[str, Any] | None], None]
"""(code, sentence, figures): trip the latch. The first reason stays; a second call changes nothing."""


class KeptRisk(msgspec.Struct, frozen=True, kw_only=True):
    """What a restart goes on from. The trips of the guards are a fact of their own: they change more rarely."""

    reset_ms: int = 0
    """Wall time of the last reset of the latch that was acted on; 0: none was."""
    counters: KeptCounters = KeptCounters()
    day: KeptDay = KeptDay()
    trial: KeptTrial = KeptTrial()


def pending(reset: Reset | None, kept: KeptRisk | None) -> Reset | None:
    """A reset that was not acted on yet: known by its time alone, whichever way the clock was set since. Pure.

    None: there was no reset, or `kept` has it. Each is acted on once, however often the service starts after it.
    """
    done = 0 if kept is None else kept.reset_ms
    return reset if reset is not None and reset.at_ms != done else None


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What a start knows of the time before."""

    kept: KeptRisk | None = None
    """None: no run before, or its facts are gone."""
    notes: list[TripNote] = []
    """Round trips that the entry guards remembered."""
    trips: list[RoundTrip] = []
    """All that the account's fills tell since its state began, oldest first."""
    failures: list[FlattenFailed] = []
    """Of positions that an earlier run could not close."""
    reset: Reset | None = None
    """The latest reset of the latch by a person, also one that was acted on."""


class RiskDesk:
    """See the module.

    `events`: what the one pipeline tells, in its order. `mark(coin)`: None while unknown. `trial`: None
    but in the micro profile. `sequence`: None without a key, since there is nothing to stop.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        exchange_ms: Callable[[], int],
        events: "queue.Queue[RiskEvent]",
        monitor: RiskMonitor,
        drawdown: Drawdown,
        trial: Trial | None,
        guards: EntryGuards,
        tracker: PositionTracker,
        mark: Callable[[str], Decimal | None],
        view: AccountView,
        readiness: Readiness,
        journal: Journal,
        sequence: HardStopSequence | None,
        streams: StreamWatch,
        trip: Trip,
        latch: HardStopLatch,
        desk: ExitDesk,
    ) -> None:
        self._latch = latch
        self._desk = desk
        self._asked: Reset | None = None
        self._told: Callable[[str], None] = lambda _: None
        self._clock = clock
        self._exchange_ms = exchange_ms
        self._events = events
        self.monitor = monitor
        self._drawdown = drawdown
        self._trial = trial
        self._guards = guards
        self._tracker = tracker
        self._mark = mark
        self._view = view
        self._worth_epoch = view.worth_epoch
        self._readiness = readiness
        self._journal = journal
        self.sequence = sequence
        self._streams = streams
        self._trip = trip
        self._reset_ms = 0
        self._trial_before = KeptTrial()
        self._kept: KeptRisk | None = None
        self._notes = 0
        self._next_look_ms = 0
        self._valued_ms = clock.mono_ms()

    def begin(self, past: Past) -> None:
        """Go on from an earlier run, count what happened meanwhile, and judge: before anything may be traded.

        A reset makes the counter that had tripped begin anew; what happened after it counts.
        """
        kept = past.kept or KeptRisk()
        self._reset_ms = kept.reset_ms
        for note in past.notes:
            self._guards.closed(note)
        self._trial_before = kept.trial
        reset = pending(past.reset, past.kept)
        missed = [t for t in past.trips if not self.monitor.counted(t)]
        noted = {(n.coin, n.closed_ms) for n in past.notes}
        ahead_ms = self._exchange_ms() - self._clock.wall_ms()
        # The reset has our wall time, round trips have the exchange's.
        until_ms = -1 if reset is None else reset.at_ms + ahead_ms
        # What ended before the reset belongs to what the person looked at: it is counted, and judged no more.
        self._count((t for t in missed if t.closed_ms <= until_ms), noted)
        if reset is not None:
            self._acknowledge(reset)
        breach = self._count((t for t in missed if t.closed_ms > until_ms), noted)
        if reset is None or reset.code != "flatten_failures":
            for failed in past.failures:
                breach = breach or self.monitor.apply(failed, self._exchange_ms())
        breach = breach or self.monitor.judge(self._exchange_ms())
        breach = breach or (None if self._trial is None else self._trial.judge())
        if breach is not None:
            self._trip(breach.code, breach.detail, breach.evidence)
        self._keep()

    def figures(self) -> dict[str, Any]:
        """The counters, for the status: each read at once, whatever the risk thread does meanwhile.

        Any thread, without a lock: together they need not be of one instant. Amounts are text.
        """
        monitor, limits, trial = self.monitor, self.monitor.limits, self._trial
        return {
            "net_usd": f"{monitor.net_usd + self._tracker.open_net():.4f}", "max_loss_usd": str(limits.max_loss_usd),
            "lost_today_usd": f"{max(ZERO, self._drawdown.lost_usd):.4f}",
            "max_daily_loss_usd": str(self._drawdown.limits.max_daily_loss_usd),
            "losing_run": monitor.losing_run, "rejects_within_hour": len(monitor.rejects),
            "slipped_in_a_row": monitor.slipped, "trial_trades": None if trial is None else trial.kept.trades,
            "stop_verified": self.sequence.verified if self.sequence is not None else None,
        }  # fmt: skip

    def _acknowledge(self, reset: Reset) -> None:
        """Act on a reset, once: the counter that tripped the latch begins anew, the others go on."""
        self._reset_ms = reset.at_ms
        self._journal.record("latch_reset", user=reset.user, at_ms=reset.at_ms, reason=reset.reason, was=reset.was)
        self.monitor.begin_anew(reset.code, self._tracker.open_net())
        self._drawdown.begin_anew(reset.code)
        if self._trial is not None:
            self._trial.begin_anew(reset.was)

    def _count(self, trips: Iterable[RoundTrip], noted: set[tuple[str, int]]) -> Breach | None:
        """Fold round trips that no service saw; the last breach, since all of them must be counted.

        `noted`: (coin, end) of those that the guards remember already.
        """
        found = None
        for trip in trips:
            if (trip.coin, trip.closed_ms) not in noted and not trip.quoted:
                self._guards.closed(note_of(trip))
            found = self._fold(trip) or found
        return found

    def _fold(self, event: RiskEvent) -> Breach | None:
        """One event into every fold, whatever the first of them says; the first breach."""
        breach = self.monitor.apply(event, self._exchange_ms())
        stopped = self._trial.apply(event) if self._trial is not None else None
        return breach or stopped

    def ask_reset(self, reset: Reset, told: Callable[[str], None]) -> None:
        """A person wants the latch reset; control. The next step does it and says "", or why not, by `told`."""
        if self._asked is not None:
            self._told("another reset took its place")
        self._told, self._asked = told, reset

    def _reset(self, reset: Reset) -> None:
        """Reset the latch, begin the counter that had tripped it anew, and judge the others at once."""
        try:
            if not self._latch.reset(reset):
                return self._told("no latch is tripped")
        except OSError as error:
            return self._told(f"it cannot be written, and stays tripped: {error}")
        self._acknowledge(reset)
        if reset.code == "flatten_failures":
            self._desk.begin_anew()
        if self.sequence is not None:
            self.sequence.begin_anew()
        breach = self.monitor.judge(self._exchange_ms()) or (None if self._trial is None else self._trial.judge())
        if breach is not None:
            self._trip(breach.code, breach.detail, breach.evidence)
        self._next_look_ms = 0
        self._keep()
        return self._told("")

    def step(self, wait_s: float) -> None:
        """One event, or none within `wait_s`; then the limits that time moves, and what a tripped latch asks for.

        `wait_s` in seconds, 0: do not wait. No lock is held while it waits.
        """
        try:
            event = self._events.get(timeout=wait_s) if wait_s else self._events.get_nowait()
        except queue.Empty:
            event = None
        breach = None if event is None else self._fold(event)
        if breach is not None:
            self._trip(breach.code, breach.detail, breach.evidence)
        if self._asked is not None:
            asked, self._asked = self._asked, None
            self._reset(asked)
        now_ms = self._clock.mono_ms()
        if now_ms >= self._next_look_ms:
            self._next_look_ms = now_ms + LOOK_MS
            self._streams.look(now_ms)
            self._readiness.reduce("key", self._view.refused_for_good(now_ms))
            self._look()
        if event is not None:
            self._keep()
        if self.sequence is not None:
            self.sequence.step(now_ms)

    def _look(self) -> None:
        """Limits on the account's value; what lacks its input says no.

        Without a known equity entries wait (REDUCING) where a limit is a share of it. The limit in dollars is judged
        all the same.
        """
        losing = self.monitor.losing(self._tracker.open_net())
        if losing is not None:
            self._trip(losing.code, losing.detail, losing.evidence)
        equity = None if self._unread() else self._view.equity
        if self._view.worth_epoch != self._worth_epoch:  # a person took another mode of the account
            self._worth_epoch = self._view.worth_epoch
            self._drawdown.rebase()
        self._guards.equity(equity)
        limits = self._drawdown.limits
        if not limits.on:
            return
        # An account that trades is not worth nothing: that is a reading of another kind of account than we know.
        unknown = (equity is None or equity <= 0) and limits.max_drawdown_pct > 0
        why = self._view.unknown_why or ("it was not read lately" if equity is None else f"it is {equity}")
        text = f"the account's equity is unknown ({why}): HIP3_MAX_DRAWDOWN_PCT cannot be judged"
        self._readiness.reduce("drawdown", text if unknown else "")
        value, now_ms = self._value(), self._clock.mono_ms()
        if value is not None:
            self._valued_ms = now_ms
        long = now_ms - self._valued_ms > UNVALUED_MS
        self._readiness.reduce("value", UNVALUED if long else "")
        if value is None:
            return  # a mark is missing: then no entry passes either; or fills are under way
        breach = self._drawdown.look(value, equity, self._exchange_ms())
        if breach is not None:
            self._trip(breach.code, breach.detail, breach.evidence)
        self._keep()

    def _unread(self) -> bool:
        """Whether the last reading of the account is too long ago: then nothing is entered, and its worth is unknown.
        False where there is no account."""
        read_ms = self._view.read_ms
        old = read_ms is not None and self._clock.mono_ms() - read_ms > UNREAD_MS
        self._readiness.reduce("account", UNREAD if old else "")
        return old

    def _value(self) -> Decimal | None:
        """The result since this account's state began, open positions at their marks; None: not known now.

        A position that a reply closed has no result before its fills are booked. The books are asked several times,
        each time for one instant; the number of fills tells whether they stood still meanwhile.
        """
        if self._tracker.unbooked():
            return None
        realized, fees, fills, _ = self._tracker.totals()
        value = realized - fees + self._tracker.funding()
        for position in self._tracker.positions():
            mark = self._mark(position.coin)
            if mark is None:
                return None
            value += position.szi * (mark - position.entry_px) if position.entry_px else ZERO
        return value if self._tracker.totals()[2] == fills else None  # else a fill came between

    def _keep(self) -> None:
        """Keep what a restart goes on from, if it has changed; the journal writes it."""
        kept = KeptRisk(
            reset_ms=self._reset_ms, counters=self.monitor.kept(), day=self._drawdown.kept,
            trial=self._trial_before if self._trial is None else self._trial.kept,
        )  # fmt: skip
        if kept != self._kept:
            self._kept = kept
            self._journal.keep("risk", kept)
        if self._guards.count != self._notes:
            self._notes = self._guards.count
            self._journal.keep("trips", self._guards.kept())
