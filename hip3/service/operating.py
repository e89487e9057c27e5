"""Commands of an operator that act through the running service: `cancel-all` and `flatten`.

Each is an `Operation` that the control thread polls until it has an answer, so that it never waits; what is sent goes
through the queues, the tick and the exit machine like everything else, with a tripped latch too. The exchange is read
on the rest thread before and after, and what it says is open is the answer.
"""

from concurrent.futures import Future
from typing import Any

from hip3.core.near import like
from hip3.core.order_state import OrderState
from hip3.core.orders import ExitReason, PendingCancel
from hip3.execution.exits.exiting import CLOSED_MS
from hip3.execution.truth.account import Proof, prove
from hip3.service.parts import Trading
from hip3.service.running import Running
from hip3.service.stopping import cancel_entries

OK, USAGE, NO_ANSWER, NOT_AS_ASKED = 0, 2, 5, 8
FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 300, 5000
"""Between two readings: each costs 22 of 1,200 a minute for each dex."""
TIMEOUT_MS = 30_000


class Operation:
    """What both commands share: reading, patience, the answer. Confined to the control thread."""

    name = ""

    def __init__(self, running: Running, timeout_ms: int = TIMEOUT_MS) -> None:
        self._running = running
        self._end_ms = running.clock.mono_ms() + timeout_ms
        self._next_ms = 0
        self._pause_ms = FIRST_PAUSE_MS
        self._reading: Future[Proof] | None = None
        self._before: Proof | None = None
        self._after: Proof | None = None

    def poll(self) -> dict[str, Any] | None:
        """The answer, or None while it is not there yet."""
        trading, now_ms = self._running.trading, self._running.clock.mono_ms()
        if trading is None:
            return self._give_up("the start is not finished", now_ms)
        if trading.loop is None:
            return {"code": USAGE, "error": "HIP3_MODE is observe: there is no key to act with"}
        proof = self._read(trading, now_ms)
        if proof is not None:
            self._before = self._before or proof
            self._after = proof
            if not proof.unproved and self.done(trading, proof):
                return self._answer(trading, OK)
            self.act(trading, proof, now_ms)
        if now_ms < self._end_ms:
            return None
        known = self._after is not None and self._after.positions is not None and self._after.orders is not None
        return self._answer(trading, NOT_AS_ASKED if known else NO_ANSWER)

    def act(self, trading: Trading, proof: Proof, now_ms: int) -> None:
        """After each reading that shows something left."""
        raise NotImplementedError

    def done(self, trading: Trading, proof: Proof) -> bool:
        """Whether this reading shows what was asked for."""
        raise NotImplementedError

    def nothing(self) -> str:
        """That there was nothing to do, for people; empty where there was."""
        return ""

    def unknown(self, trading: Trading) -> int:
        """Orders that could still change what was asked for."""
        return len(trading.tracker.live(OrderState.UNKNOWN))

    def _give_up(self, why: str, now_ms: int) -> dict[str, Any] | None:
        if now_ms < self._end_ms:
            return None
        reasons = "; ".join(self._running.readiness.reasons(now_ms))
        return {"code": NO_ANSWER, "error": f"{why}: {reasons}"}

    def _read(self, trading: Trading, now_ms: int) -> Proof | None:
        """A reading that has just come in, or None."""
        if self._reading is None:
            if now_ms >= self._next_ms:
                rest, who, dexs = self._running.rest, self._running.who, trading.housekeeping.dexs
                assert rest is not None
                assert who is not None
                account = who.account or ""
                self._reading = self._running.rest_jobs.submit(lambda: prove(rest.unheld, account, dexs))
            return None
        if not self._reading.done():
            return None
        proof, self._reading = self._reading.result(), None
        self._next_ms = now_ms + self._pause_ms
        self._pause_ms = min(2 * self._pause_ms, LONGEST_PAUSE_MS)
        return proof

    def _answer(self, trading: Trading, code: int) -> dict[str, Any]:
        assert self._before is not None or code == NO_ANSWER
        unknown = self.unknown(trading)
        before = "not read" if self._before is None else self._before.sentence(unknown)
        after = "not proved: no answer in time" if self._after is None else self._after.sentence(unknown)
        answer = {"command": self.name, "code": code, "before": before, "proof": after}
        if code == OK and (nothing := self.nothing()):
            answer["nothing"] = nothing
        self._running.journal.record("operator", **answer)
        return answer


class CancelAll(Operation):
    """Ends every resting order of the account in the configured dexs, whoever placed it and in whatever market."""

    name = "cancel-all"

    def act(self, trading: Trading, proof: Proof, now_ms: int) -> None:
        wall_ms = self._running.clock.wall_ms()
        for order in proof.to_cancel():
            # A full queue, or one that is wished already: the next reading asks again for what is left.
            limit = order.trigger_px is None
            wish = PendingCancel(coin=order.coin, oid=order.oid, created_ms=wall_ms, limit=limit)
            trading.scheduler.enqueue_cancel(wish)

    def done(self, trading: Trading, proof: Proof) -> bool:
        return not proof.to_cancel() and not self.unknown(trading)


class Flatten(Operation):
    """Closes positions, all or one market's, and that market to entries for a while."""

    name = "flatten"

    def __init__(self, running: Running, market: str | None, timeout_ms: int = TIMEOUT_MS) -> None:
        super().__init__(running, timeout_ms)
        self._market = market
        self._asked = self._was_flat = False

    def poll(self) -> dict[str, Any] | None:
        trading = self._running.trading
        if trading is not None and trading.loop is not None:
            known = trading.exiting.markets()
            if self._market is not None and self._market not in known:
                where = f"the configured dexs ({', '.join(trading.housekeeping.dexs)}){like(self._market, known)}"
                return {"code": USAGE, "error": f"there is no market {self._market} in {where}"}
            # What is asked for does not wait for a reading: the books know what we hold.
            self._close(trading)
            if self._asked and self._books_are_flat(trading):
                self._next_ms = min(self._next_ms, self._running.clock.mono_ms() + FIRST_PAUSE_MS)
        return super().poll()

    def _close(self, trading: Trading) -> None:
        running, now_ms = self._running, self._running.clock.mono_ms()
        coins = {self._market} if self._market is not None else trading.exiting.markets()
        if not self._asked:
            self._asked, self._was_flat = True, self._books_are_flat(trading)
            trading.exits.close(coins, now_ms + CLOSED_MS)
            trading.exits.press(now_ms, self._market)
            until = running.clock.wall_ms() + CLOSED_MS
            running.journal.keep("closed", dict.fromkeys(sorted(coins), until))
        for order in trading.scheduler.purge_coins(coins):
            trading.consequences.dispatch(trading.tracker.drop(order.cloid, "flattened by hand"), now_ms)
        # Again with each poll: an entry that was under way may have made a position since.
        trading.exiting.request(ExitReason.MANUAL, self._market)

    def act(self, trading: Trading, proof: Proof, now_ms: int) -> None:
        cancel_entries(trading, self._running.clock.wall_ms(), self._market)
        booked = trading.tracker.booked()
        if any(booked.get(coin) != szi for coin, szi in proof.shown.items() if self._mine(coin)):
            trading.view.doubt()  # a position that our books do not know is adopted first

    def done(self, trading: Trading, proof: Proof) -> bool:
        flat = proof.positions is not None and not any(self._mine(coin) for coin in proof.positions)
        return flat and self._books_are_flat(trading) and not self.unknown(trading)

    def nothing(self) -> str:
        return self._before.nothing_in(self._market) if self._was_flat and self._before is not None else ""

    def _mine(self, coin: str) -> bool:
        return self._market in (None, coin)

    def _books_are_flat(self, trading: Trading) -> bool:
        """No position in question, and no order of ours that could still make one."""
        held = [p for p in trading.tracker.positions() if self._mine(p.coin)]
        under_way = [t for t in trading.tracker.live() if self._mine(t.order.coin) and not t.order.protective]
        return not held and not under_way

    def unknown(self, trading: Trading) -> int:
        return len([t for t in trading.tracker.live(OrderState.UNKNOWN) if self._mine(t.order.coin)])
