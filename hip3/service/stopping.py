"""Stopping as a script, with one deadline, and proved by what the exchange says afterwards."""

from concurrent.futures import Future
from decimal import Decimal
from pathlib import Path

import msgspec

from hip3.core.order_state import OrderState
from hip3.core.orders import ExitReason
from hip3.errors import ODD_ANSWERS, VenueReadError
from hip3.execution.exits import hard_stop_sequence
from hip3.execution.truth.account import Proof
from hip3.ops.figures import listed
from hip3.position.held import Held
from hip3.position.tracked import TrackedOrder
from hip3.service.parts import Trading
from hip3.service.running import Running
from hip3.service.stop_wish import Event, StopMode

POLL_S = 0.05
PROOF_MS = 1000
AGAIN_MS = 500
"""Between two tries to read what is open; longer each time, while it cannot be read."""
MOST_AGAIN_MS = 8000
MISSING_MS = 1000
"""Between two readings of fills that are awaited; longer each time, while they cannot be read."""
START_PROOF_S = 2.0
"""As long as one reading may take while a start is stopped."""
NOTHING = "nothing held"
SINCE = "a fill that has come since makes a position"
ENDS_S = 3.0
"""As long as the last reading of fills and orders may take."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended."""

    clean: bool
    """As asked, and proved."""
    proof: Proof | None
    unknown: int
    mode: StopMode
    bare: tuple[str, ...] = ()
    """Markets in which a position of ours stays without a stop on the exchange."""
    books: dict[str, Decimal] | None = None
    """What is held by our own books, coin -> signed size; None where there are none."""

    @property
    def sentence(self) -> str:
        """What is open, for people; where the exchange did not tell, what is known without it."""
        if self.proof is None:
            return "nothing was traded"
        said, books = self.proof.sentence(self.unknown), listed(self.books or {}, NOTHING)
        if self.contradicted:
            return (
                f"not proved: the exchange shows {listed(self.proof.positions or {}, NOTHING)}; by our books: {books}"
            )
        if self.bare:
            said += f"; nobody looks after {', '.join(self.bare)} now: ./run.sh flatten closes it, ./run.sh goes on"
        return said + (f"; by our books: {books}" if self.proof.unproved and self.books is not None else "")

    @property
    def contradicted(self) -> bool:
        """Whether our books hold what the exchange does not show, and nobody could say who is right."""
        shown = None if self.proof is None else self.proof.positions
        return not self.clean and shown is not None and any(coin not in shown for coin in self.books or {})

    @property
    def position(self) -> str:
        """The positions alone, for people: flat where that is proved, and nowhere else."""
        if self.proof is None:
            return "not looked at: nothing was traded"
        if self.proof.positions is not None and not self.contradicted:
            return listed(self.proof.positions, "flat")
        known = [f"held at least: {listed(self.proof.shown, '')}"] if self.proof.shown else []
        known += [] if self.books is None else [f"our books: {listed(self.books, NOTHING)}"]
        return "unknown" + (f" ({'; '.join(known)})" if known else "")


def purge_entries(trading: Trading, why: str, now_ms: int) -> None:
    """Queued entries die, and their owner is told."""
    hard_stop_sequence.purge_entries(trading.scheduler, trading.tracker, trading.consequences, why, now_ms)


def cancel_entries(trading: Trading, wall_ms: int, coin: str | None = None) -> None:
    """Ask for the end of every resting entry of ours, or of one market's."""
    hard_stop_sequence.cancel_entries(trading.scheduler, trading.tracker, wall_ms, coin)


def stop_before_trading(running: Running) -> Outcome:
    """The start was not finished: what an earlier run left open is still there, and nobody may say otherwise. What
    cannot be read is tried again until the time of the stop is over."""
    end_ms, again_ms = running.clock.mono_ms() + running.stop.timeout_ms, AGAIN_MS
    pause = running.runtime.event()
    while True:
        left_ms = end_ms - running.clock.mono_ms()
        outcome = _before_trading(running, running.stop.mode, min(max(PROOF_MS, left_ms) / 1000, START_PROOF_S))
        now_ms = running.clock.mono_ms()
        unproved = running.who is not None and outcome.proof is not None and outcome.proof.unproved
        if not unproved or outcome.clean or now_ms + AGAIN_MS >= end_ms:
            return outcome
        pause.wait(min(again_ms, end_ms - AGAIN_MS - now_ms) / 1000)
        again_ms = min(2 * again_ms, MOST_AGAIN_MS)


def _before_trading(running: Running, mode: StopMode, proof_s: float) -> Outcome:
    base = running.settings.base
    if not base.trading or base.fresh_exchange:
        return Outcome(clean=True, proof=None, unknown=0, mode=mode)
    if running.who is None:
        left, unknown, books = any(Path(base.state_dir).glob(f"{base.place}-*/account.json")), 0, None
        proof = Proof(positions=None, orders=None, source="the start was not finished")
    else:
        left, held = bool(running.left_in), running.journal.fact("held", list[Held])
        unknown = 0 if running.intents is None else len(running.intents.recovered.open)
        books = None if held is None else {h.coin: h.szi for h in held if h.szi}
        proof = running.prove(proof_s)
    if mode is StopMode.FLATTEN:  # that nothing is held only the exchange can show
        clean = not proof.unproved and not proof.positions and not unknown
    else:  # that no order of ours is open the intent log shows
        clean = not (unknown and mode is StopMode.CANCEL) and not (proof.unproved and left)
    bare = tuple(coin for coin in proof.bare if coin in (books or {}))
    return Outcome(clean=clean, proof=proof, unknown=unknown, mode=mode, bare=bare, books=books)


def _fate_open(tracked: TrackedOrder) -> bool:
    """Whether the exchange may still execute an order that nobody here will hear of. What rests is in the proof."""
    exiting = tracked.order.reduce_only and not tracked.order.protective
    return tracked.state in (OrderState.SENT, OrderState.UNKNOWN) or (exiting and tracked.state is OrderState.OPEN)


class Stopper:
    """Runs on main; sends nothing itself."""

    def __init__(self, running: Running, trading: Trading, mode: StopMode, timeout_ms: int) -> None:
        self._running, self._trading, self._mode = running, trading, mode
        self._end_ms = running.clock.mono_ms() + timeout_ms
        self._next_cancel_ms = 0
        self._missing: Future[None] | None = None
        """The last reading of fills that are awaited."""
        self._missing_ms, self._next_missing_ms = MISSING_MS, 0

    def run(self) -> Outcome:
        """No new entries -> purge -> cancel -> flatten -> wait -> proof."""
        running, trading = self._running, self._trading
        running.readiness.stop_entries()
        purge_entries(trading, "stopping", running.clock.mono_ms())
        trading.exits.press(running.clock.mono_ms())
        pause, again_ms = running.runtime.event(), AGAIN_MS
        while True:  # between done and proved an order may have been filled, and its stop be under way
            self._take_wish()
            if self._mode is not StopMode.LEAVE:
                self._wait_until_done(pause)
            left_ms = self._end_ms - running.clock.mono_ms()
            proof = running.prove(min(max(PROOF_MS, left_ms) / 1000, 10.0))
            unknown = sum(_fate_open(t) for t in trading.tracker.live())
            clean = self._as_asked(proof, unknown)
            if clean and not self._ends_read():
                clean, proof = False, msgspec.structs.replace(proof, positions=None, doubt=SINCE)
            if self._take_wish():
                continue  # it came while this was read
            self._doubt(proof)
            if clean or running.clock.mono_ms() + AGAIN_MS >= self._end_ms:
                books = {p.coin: p.szi for p in trading.tracker.positions()}
                bare = tuple(c for c in proof.bare if trading.exiting.closes(c))
                return Outcome(clean=clean, proof=proof, unknown=unknown, mode=self._mode, bare=bare, books=books)
            pause.wait(min(again_ms, self._end_ms - AGAIN_MS - running.clock.mono_ms()) / 1000)
            # Each try reads everything anew: where the weight is spent, trying at once would spend what comes back.
            again_ms = min(2 * again_ms, MOST_AGAIN_MS) if proof.positions is None else AGAIN_MS

    def _doubt(self, proof: Proof) -> None:
        """A position that only the proof shows is to be read into our books: what they do not have nobody closes."""
        if self._mode is StopMode.FLATTEN and self._trading.exiting.unknown_of(proof.shown):
            self._trading.view.doubt()
            self._running.rest_jobs.wake()

    def _take_wish(self) -> bool:
        """Somebody may ask for more while it stops, with a time of its own; whether somebody has."""
        wish = self._running.stop
        if self._mode.covers(wish.mode):
            return False
        self._mode, self._end_ms = wish.mode, self._running.clock.mono_ms() + wish.timeout_ms
        return True

    def _wait_until_done(self, pause: Event) -> None:
        clock = self._running.clock
        while (now_ms := clock.mono_ms()) < self._end_ms - PROOF_MS:
            self._take_wish()
            if now_ms >= self._next_cancel_ms:
                self._next_cancel_ms = now_ms + hard_stop_sequence.CANCEL_MS
                cancel_entries(self._trading, clock.wall_ms())
            if self._mode is StopMode.FLATTEN:
                self._trading.exiting.request(ExitReason.STOP)
            if self._done():
                return
            self._read_missing(now_ms)
            pause.wait(POLL_S)

    def _read_missing(self, now_ms: int) -> None:
        """What orders claimed beyond their fills is found or settled by readings, which somebody waits for here: the
        rest thread's own are not made for a minute once the exchange has refused one."""
        last, tracker = self._missing, self._trading.tracker
        if now_ms < self._next_missing_ms or (last is not None and not last.done()):
            return
        if not tracker.unbooked() and not tracker.unlinked():
            return
        failed = last is not None and last.exception() is not None
        self._missing_ms = min(2 * self._missing_ms, MOST_AGAIN_MS) if failed else MISSING_MS
        self._next_missing_ms = now_ms + self._missing_ms
        self._missing = self._running.rest_jobs.submit(self._running.read_missing)

    def _ends_read(self) -> bool:
        """All is closed: book what no stream has told, so that results and ends are whole; whether it is so still.

        Where that cannot be read in time the next start reads it; the proof stands without it.
        """
        if self._mode is not StopMode.FLATTEN:
            return True
        left_ms = self._end_ms - self._running.clock.mono_ms()
        future = self._running.rest_jobs.submit(self._running.read_ends)
        try:
            future.result(timeout=min(max(PROOF_MS, left_ms) / 1000, ENDS_S))
        except (TimeoutError, VenueReadError, *ODD_ANSWERS):
            return True
        exiting = self._trading.exiting
        return not any(exiting.ours_to_close(p) for p in self._trading.tracker.positions())

    def _done(self) -> bool:
        tracker = self._trading.tracker
        if self._mode is StopMode.FLATTEN:
            ours = [p for p in tracker.positions() if self._trading.exiting.ours_to_close(p)]
            return not ours and not tracker.live() and not tracker.unbooked()
        # A stop on the exchange stays; an exit whose fate is open would make the end an unproved one.
        return not [t for t in tracker.live() if not (t.order.protective and t.state is OrderState.OPEN)]

    def _as_asked(self, proof: Proof, unknown: int) -> bool:
        if proof.orders is None or proof.positions is None:
            return False  # what stays open was not meant to be a guess
        if self._mode is StopMode.LEAVE:
            return True
        if unknown:
            return False
        ours = [o for o in proof.orders if not o.reduce_only and self._trading.tracker.get(o.cloid or "")]
        if ours:
            return False
        if self._mode is StopMode.CANCEL:
            return True
        exiting = self._trading.exiting  # an answer that was empty has hidden real positions before: the books, too
        held = [coin for coin in proof.positions if exiting.closes(coin)]
        return not held and not any(exiting.ours_to_close(p) for p in self._trading.tracker.positions())
