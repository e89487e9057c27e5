"""What follows from a tripped latch, to its end and as often as it takes.

    stop entries   the latch itself: gates, queue, and the last look before signing ask it
    purge          queued entries die
    cancel         resting entries are cancelled, every second until none is left
    flatten        positions are closed (HIP3_HARD_STOP_FLATTEN), by the exit machine
    verify         the exchange is read; what is still open begins it again

Each step is reported once when it is done, and when it has to be done again. Confined to the risk thread, except
`proved`, which the rest thread calls; the functions also serve a stop (main) and a flatten by hand (control). Nothing
here raises; what a full queue did not take is asked for again with the next round.
"""

from collections.abc import Callable

from hip3.core.order_state import OrderState
from hip3.core.orders import ExitReason, PendingCancel
from hip3.core.ports import Clock, Journal
from hip3.execution.exits.exiting import Exiting
from hip3.execution.ports import Consequences
from hip3.execution.sending.scheduler import BatchScheduler
from hip3.execution.truth.account import Proof
from hip3.position.tracker import PositionTracker
from hip3.risk.hard_stop import HardStopLatch

STEPS = ("purge", "cancel", "flatten", "verify")
"""As they are reported, in this order."""
CANCEL_MS = 1000
"""Between two requests to cancel the same resting entries."""
PROOF_MS = 5000
"""Between two readings of the exchange that prove the end."""


def purge_entries(
    scheduler: BatchScheduler, tracker: PositionTracker, consequences: Consequences, why: str, now_ms: int
) -> int:
    """Queued entries die, and their owner is told; how many. `now_ms` is monotonic.

    One that the tick has taken already is not among them: the last look before signing is for those.
    """
    purged = scheduler.purge_new()
    for order in purged:
        consequences.dispatch(tracker.drop(order.cloid, why), now_ms)
    return len(purged)


def cancel_entries(scheduler: BatchScheduler, tracker: PositionTracker, wall_ms: int, coin: str | None = None) -> int:
    """Ask for the end of every resting entry of ours, or of one market's; how many there are.

    Only orders whose id is known can be cancelled. To be called again until none is left: a cancel that is queued
    already is not queued twice.
    """
    resting = [
        t
        for t in tracker.live(OrderState.OPEN)
        if t.oid is not None and not t.order.reduce_only and coin in (None, t.order.coin)
    ]
    for tracked in resting:
        assert tracked.oid is not None
        # An entry is never a trigger.
        wish = PendingCancel(coin=tracked.order.coin, oid=tracked.oid, created_ms=wall_ms, limit=True)
        scheduler.enqueue_cancel(wish)
    return len(resting)


class HardStopSequence:
    """See the module."""

    def __init__(
        self,
        *,
        clock: Clock,
        latch: HardStopLatch,
        scheduler: BatchScheduler,
        tracker: PositionTracker,
        exiting: Exiting,
        consequences: Consequences,
        journal: Journal,
        flatten: bool,
        ask_proof: Callable[[Callable[[Proof], None]], None],
        doubt: Callable[[], None],
    ) -> None:
        """`ask_proof(proved)`: read the exchange on the rest thread and call `proved` with what it says. `doubt()`: ask
        for a reading of the account soon."""
        self._clock = clock
        self._latch = latch
        self._scheduler = scheduler
        self._tracker = tracker
        self._exiting = exiting
        self._consequences = consequences
        self._journal = journal
        self._flatten = flatten
        self._ask_proof, self._doubt = ask_proof, doubt
        self._said: dict[str, str] = {}
        self._next_cancel_ms = 0
        self._next_proof_ms = 0
        self.verified = False
        """The exchange has said that nothing is open which must not be.

        Written by risk and rest, each in one step: a proof that is older than what has turned up since is taken back
        by the next round.
        """

    def step(self, now_ms: int) -> None:
        """One round at monotonic `now_ms`; nothing while the latch is not tripped. Waits for nothing."""
        if not self._latch.tripped:
            return
        purged = purge_entries(self._scheduler, self._tracker, self._consequences, "HardStop", now_ms)
        self._say("purge", "done" if not purged else f"{purged} queued entries dropped")
        resting = self._cancel(now_ms)
        held = self._close()
        if resting or held:
            self.verified = False
            return
        if not self.verified and now_ms >= self._next_proof_ms:
            self._next_proof_ms = now_ms + PROOF_MS
            self._ask_proof(self.proved)

    def begin_anew(self) -> None:
        """The latch was reset: what follows from the next trip is reported from its beginning."""
        self._said.clear()
        self.verified = False

    def _cancel(self, now_ms: int) -> int:
        """Entries that may still execute: those that rest, and those whose outcome is not known yet; how many."""
        if now_ms >= self._next_cancel_ms:
            self._next_cancel_ms = now_ms + CANCEL_MS
            cancel_entries(self._scheduler, self._tracker, self._clock.wall_ms())
        left = sum(not t.order.reduce_only for t in self._tracker.live())
        self._say("cancel", "done" if not left else f"{left} entries are not over yet")
        return left

    def _close(self) -> int:
        """Ask for the end of every position we look after; how many are left. 0, too, where positions stay."""
        if not self._flatten:
            self._say("flatten", "positions stay: HIP3_HARD_STOP_FLATTEN is false")
            return 0
        held = [p.coin for p in self._tracker.positions() if self._exiting.ours_to_close(p)]
        if held:
            self._exiting.request(ExitReason.HARD_STOP)
        self._say("flatten", "done" if not held else f"closing {', '.join(held)}")
        return len(held)

    def proved(self, proof: Proof) -> None:
        """What the exchange says is open (rest thread): the end, or why it is not, to be asked again in 5 s."""
        left = self._left(proof)
        self.verified = not left
        if self._flatten and self._exiting.unknown_of(proof.shown):
            self._doubt()  # what our books do not have nobody closes
        self._say("verify", left or f"done: {proof.sentence(0)}")

    def _left(self, proof: Proof) -> str:
        """What is open and must not be, or why nobody knows; empty when all is as it should be."""
        if proof.positions is None or proof.orders is None:
            return proof.unproved
        entries = [o for o in proof.orders if not o.reduce_only and self._tracker.get(o.cloid or "") is not None]
        held = [c for c in proof.positions if self._flatten and self._exiting.closes(c)]
        return ", ".join([f"order {o.oid} of {o.coin} rests" for o in entries] + [f"{c} is held" for c in held])

    def _say(self, step: str, outcome: str) -> None:
        """Record what has come of a step, if it is another than last time."""
        # Without a lock: "verify" is the rest thread's word alone, the others are the risk thread's.
        if self._said.get(step) != outcome:
            self._said[step] = outcome
            self._journal.record("hard_stop", step=step, outcome=outcome)
