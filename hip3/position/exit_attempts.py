"""ExitDesk: the one owner of every exit, and of what the rules remember of a position.

    Open ──rule or request──> Exiting(reason, attempt, deadline) ──flat──> gone
                                  │ attempt ended, position still there
                                  ├──> next attempt, 300 ms later, one price step worse
                                  └──> Stuck: at the largest slippage; said once, then every 5 s, and slower with time

A market that was flattened by hand is closed to entries for a while (`close`), whatever else is known of it.

Guards: coin -> memory, exit state and closing. Called from: ws-reader (every message of the market), tick (all), risk,
main and control (requests, closings), rest (a reading shows it flat). A claim has a deadline, so no exit can be
claimed and then forgotten. `Held` is what survives a restart. Nothing here raises; a market that is not being left
is no error.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from hip3.core.ledger import PositionView
from hip3.core.market import MarketView
from hip3.core.orders import ExitReason
from hip3.locks import new_lock
from hip3.position.exit_rules import BY_RULES, ExitMemory, ExitParams, remember
from hip3.position.exit_state import ExitPlan, LeavingMarket
from hip3.position.held import Held

RETRY_MS = 300
"""From an answer of the exchange to the next attempt."""
SLOWEST_RETRY_MS = 300_000
"""An exit that nobody takes must not spend the address's actions, which the other exits need: so it takes 350 a day. A
quote that it could take brings the first pace back."""
SLOWEST_REFUSED_MS = 60_000
"""The same where attempts are refused: no quote says when a halt ends."""
UNANSWERED_RETRY_MS = 1000
"""The same after an attempt that never left, or that nobody answered."""
REFUSED_RETRY_MS = (500, 1000, 2000)
"""The same after the first in a row that were refused for what no price can help; then as at the largest slippage."""
REFUSED_SAID = 5
"""After so many of these in a row it is said that the exit is stuck."""


class ExitDesk:
    """Hands out exit attempts, one at a time per market. Times are monotonic milliseconds.

    `attempt_deadline_ms`: how long a claimed attempt may stay without an end. It must be longer than a post may go
    unanswered, so that a lost post ends its attempt first and the deadline is only for what nobody reported.
    """

    def __init__(self, attempt_deadline_ms: int) -> None:
        self._lock = new_lock("ExitDesk")
        self._exits: dict[str, LeavingMarket] = {}
        self._memory: dict[str, ExitMemory] = {}
        self._closed: dict[str, int] = {}
        self._looks = 0
        self._looked: dict[str, int] = {}
        """Which look was the last at a market's position."""
        self._words: dict[str, tuple[Decimal, int]] = {}
        """Positions that some reply's word is in: their size, and when it was seen first (exchange time)."""
        self._deadline_ms = attempt_deadline_ms

    def observe(
        self, position: PositionView, view: MarketView | None, move_bps: Decimal
    ) -> tuple[ExitMemory, ExitReason | None]:
        """Look at a position's market once more: what is remembered now, and why it is being left already.

        `view`: by this connection's data, or None. `move_bps`: what counts as an oracle step. A reason of None means
        that the rules are to be asked.
        """
        with self._lock:
            self._look(position.coin)
            before, leaving = self._memory.get(position.coin), self._exits.get(position.coin)
            memory = self._memory[position.coin] = remember(before, position, view, move_bps)
            turned = before is not None and before.long is not memory.long
            if turned and leaving is not None and leaving.reasons <= BY_RULES:
                # It was gone for an instant that nobody saw: what a rule said of the other side says nothing of this.
                del self._exits[position.coin]
                leaving = None
            return memory, None if leaving is None or leaving.once else leaving.reason

    def _look(self, coin: str) -> None:
        self._looks += 1
        self._looked[coin] = self._looks

    def begin_anew(self) -> None:
        """A person has looked at exits that failed: their attempts count from nothing. The risk thread."""
        with self._lock:
            for state in self._exits.values():
                state.attempt = state.failures = state.slow = 0
                state.stuck, state.next_ms = False, 0

    def restore(self, held: Sequence[Held], now_ms: int) -> None:
        """What an earlier run knew of the positions that are still there. Once, before the threads run.

        An exit that was under way goes on at its price step, at once: its last order is unknown and is resolved by
        itself, and two reduce-only orders close no more than there is.
        """
        with self._lock:
            for known in held:
                if known.memory is not None:
                    self._memory[known.coin] = known.memory
                if known.reason is not None and known.reason is not ExitReason.COMPLETION:
                    state = self._exits[known.coin] = LeavingMarket(known.reason, now_ms)
                    state.attempt, state.failures = known.attempt, known.failures

    def held(self, positions: Sequence[PositionView], exchange_ms: int) -> list[Held]:
        """What should survive a restart, of these positions, in their order. What only a reply says was executed has
        no fill's time: it is as of when it was seen first, by `exchange_ms`."""
        with self._lock:
            out = []
            before = self._words
            self._words = {
                p.coin: before[p.coin] if p.coin in before and before[p.coin][0] == p.szi else (p.szi, exchange_ms)
                for p in positions
                if not p.as_of_ms
            }
            for p in positions:
                state = self._exits.get(p.coin)
                known = Held(
                    coin=p.coin,
                    entry_ms=p.entry_ms,
                    entry_edge_bps=p.entry_edge_bps,
                    admission_px=p.admission_px,
                    szi=p.szi,
                    as_of_ms=p.as_of_ms or self._words[p.coin][1],
                    entry_px=p.entry_px,
                    foreign=p.foreign,
                    memory=self._memory.get(p.coin),
                )
                if state is not None:
                    known = msgspec.structs.replace(
                        known, reason=state.reason, attempt=state.attempt, failures=state.failures
                    )
                out.append(known)
            return out

    def request(self, coin: str, reason: ExitReason, now_ms: int) -> None:
        """Ask for the end of a position: the first reason stays, a new one makes it hurry. The next look attempts it.
        Nobody checks that there is a position: a market without one is forgotten with the next tick."""
        with self._lock:
            self._look(coin)
            self._exits.setdefault(coin, LeavingMarket(reason, now_ms)).hurry(reason, now_ms)
            self._exits[coin].taken_over(reason, now_ms)

    def requested(self, coin: str) -> ExitReason | None:
        """Why a market is being left, or None."""
        with self._lock:
            found = self._exits.get(coin)
            return None if found is None else found.reason

    def close(self, coins: Iterable[str], until_ms: int) -> None:
        """No entries in these markets until then; of two wishes the later end counts. Exits go on."""
        with self._lock:
            for coin in coins:
                self._closed[coin] = max(until_ms, self._closed.get(coin, until_ms))

    def closed(self, now_ms: int) -> dict[str, int]:
        """Markets that are closed by hand, and for how many milliseconds more; those whose time is over are dropped."""
        with self._lock:
            self._closed = {coin: until for coin, until in self._closed.items() if until > now_ms}
            return {coin: until - now_ms for coin, until in self._closed.items()}

    def no_entries(self, coin: str, now_ms: int) -> bool:
        """Whether a market is being left, or was closed by hand: gate 6 and the last look before signing ask."""
        with self._lock:
            return coin in self._exits or self._closed.get(coin, now_ms) > now_ms

    def claim(
        self, coin: str, reason: ExitReason, params: ExitParams, now_ms: int, quote_ms: int | None = None
    ) -> ExitPlan | None:
        """Claim the next attempt; None while one is under way or it is too early. `quote_ms`: when the newest quote
        came that an attempt at the largest slippage would take, None: there is none.

        Who gets a plan must report `started`, or give it back by `ended`. One that is not reported is over at its
        deadline, and the next attempt is one price step worse.
        """
        with self._lock:
            self._look(coin)
            # ws-reader and tick may both have found a reason: the first claim takes the attempt, the other gets None.
            state = self._exits.setdefault(coin, LeavingMarket(reason, now_ms))
            state.taken_over(reason, now_ms)
            state.tempted(quote_ms)
            if state.leaving or (state.deadline_ms is not None and now_ms < state.deadline_ms):
                return None
            if now_ms < state.next_ms:
                return None
            state.attempt += 1
            state.claims += 1
            state.deadline_ms = now_ms + self._deadline_ms
            slippage = min(params.slippage_bps + params.step_bps * (state.attempt - 1), params.max_slippage_bps)
            return ExitPlan(
                coin=coin, reason=state.reason, attempt=state.attempt, slippage_bps=slippage,
                predecessor=state.cloid, claim=state.claims,
            )  # fmt: skip

    def begin_once(self, coin: str, cloid: str, now_ms: int) -> bool:
        """Claim a market for one order that leaves it in part, at its own price; False while it is being left already.

        Its end, whatever it is, ends the claim and is no failed attempt. Any reason to leave takes its place.
        """
        with self._lock:
            state = self._exits.get(coin)
            if state is not None and not (state.once and (state.deadline_ms or 0) <= now_ms):
                return False
            state = self._exits[coin] = LeavingMarket(ExitReason.COMPLETION, now_ms)
            state.once, state.cloid, state.deadline_ms = True, cloid, now_ms + self._deadline_ms
            state.claims = 1
            return True

    def press(self, now_ms: int, coin: str | None = None) -> None:
        """A person wants positions left: exits that have slowed down, or one market's, are tried at once."""
        with self._lock:
            for state in (s for c, s in self._exits.items() if coin in (None, c) and s.slow):
                state.slow, state.next_ms = 0, min(state.next_ms, now_ms)

    def current(self, coin: str) -> str | None:
        """The cloid of the latest attempt's order, or None."""
        with self._lock:
            state = self._exits.get(coin)
            return None if state is None else state.cloid

    def started(self, coin: str, cloid: str, claim: int | None = None) -> bool:
        """The claimed attempt has this order. False if another claim came since, which has its place: whoever was held
        up meanwhile must not send a second one. `claim` is the plan's; None stands for the latest."""
        with self._lock:
            state = self._exits.get(coin)
            if state is None or claim not in (None, state.claims):
                return False
            state.cloid = cloid
            return True

    def unbuilt(self, coin: str, claim: int, now_ms: int) -> None:
        """The claimed attempt has no order, since there is no price: nothing was tried, and it costs no price step."""
        with self._lock:
            state = self._exits.get(coin)
            if state is None or state.claims != claim or state.deadline_ms is None:
                return
            state.deadline_ms = None
            state.attempt -= 1
            state.next_ms = now_ms + UNANSWERED_RETRY_MS

    def leaving(self, coin: str, cloid: str) -> None:
        """The attempt's order is being handed to the socket, which may take long: until `left` no other begins.

        An older attempt's changes nothing.
        """
        with self._lock:
            state = self._exits.get(coin)
            if state is not None and state.cloid == cloid and state.deadline_ms is not None:
                state.leaving = True

    def left(self, coin: str, cloid: str, now_ms: int, least_ms: int = 0) -> None:
        """The handing over is done, however it ended: the attempt's time runs from here, for `least_ms` at least."""
        with self._lock:
            state = self._exits.get(coin)
            if state is None or state.cloid != cloid:
                return
            state.leaving = False
            if state.deadline_ms is not None:
                state.deadline_ms = now_ms + max(self._deadline_ms, least_ms)

    def ended(self, coin: str, cloid: str, params: ExitParams, now_ms: int, *, answered: bool = True) -> bool:
        """The attempt is over. False if it was not the current one, or none is under way: then nothing changes.

        One that the exchange did not answer is repeated at the same price step, a second later.
        """
        with self._lock:
            state = self._exits.get(coin)
            if state is None or state.deadline_ms is None or state.cloid != cloid or self._once_ended(coin, now_ms):
                return False
            state.deadline_ms, state.ended_ms = None, now_ms
            state.refused, state.waits_for = 0, ""
            if answered:
                state.next_ms = now_ms + (state.slow_ms(SLOWEST_RETRY_MS) if state.at_bound(params) else RETRY_MS)
            else:
                state.attempt -= 1  # nothing was learnt about the price
                state.next_ms = now_ms + UNANSWERED_RETRY_MS
            return True

    def refused(self, coin: str, cloid: str, now_ms: int, why: str = "") -> bool:
        """The current attempt was refused for what no price can help: a halt, a cap, an agent that is gone.

        It is repeated at the same price step after a pause of its own, and is no failure. Whether to say now that the
        exit is stuck. False, too, if it was not the current one.
        """
        with self._lock:
            state = self._exits.get(coin)
            if state is None or state.deadline_ms is None or state.cloid != cloid or self._once_ended(coin, now_ms):
                return False
            state.deadline_ms, state.ended_ms = None, now_ms
            state.attempt -= 1  # nothing was learnt about the price
            first = state.refused < len(REFUSED_RETRY_MS)
            state.next_ms = now_ms + (REFUSED_RETRY_MS[state.refused] if first else state.slow_ms(SLOWEST_REFUSED_MS))
            state.refused += 1
            state.waits_for = why
            return state.refused == REFUSED_SAID

    def waiting(self) -> dict[str, str]:
        """Markets whose last attempt was refused for what no price can help -> the exchange's words."""
        with self._lock:
            return {coin: state.waits_for for coin, state in self._exits.items() if state.waits_for}

    def _once_ended(self, coin: str, now_ms: int) -> bool:
        """Whether the current order was a single one: its end ends its claim, or begins the exit that waits for it."""
        state = self._exits[coin]
        if state.once:
            del self._exits[coin]
            return True
        if not state.attempt:  # it was taken over meanwhile
            state.deadline_ms, state.next_ms = None, now_ms
            return True
        return False

    def failed(self, coin: str, params: ExitParams) -> tuple[int, bool]:
        """Count an attempt that ended without closing: (how many there were, whether it is stuck just now).

        Stuck is said once for each exit. (0, False): the position went in the meantime.
        """
        with self._lock:
            state = self._exits.get(coin)
            if state is None:
                return 0, False
            # The attempt is still the one that ended: the next is 300 ms away at the earliest.
            state.failures += 1
            newly_stuck = state.at_bound(params) and not state.stuck
            state.stuck = state.stuck or newly_stuck
            return state.failures, newly_stuck

    def looks(self) -> int:
        """How often positions were looked at so far, by anybody: ask before the books, and forget by that alone."""
        with self._lock:
            return self._looks

    def flat(self, coin: str, looks: int) -> bool:
        """The position is gone, and with it the exit and the memory; False if somebody looked at one since `looks`.

        Who found none may have been held up until another was opened, and its exit is under way.
        """
        with self._lock:
            if self._looked.get(coin, 0) > looks:
                return False
            for known in (self._exits, self._memory, self._looked):
                known.pop(coin, None)
            return True

    def keep_only(self, coins: set[str], looks: int) -> None:
        """Forget markets without position, as `flat` does; `coins` are those that have one."""
        with self._lock:
            known = [c for c in dict.fromkeys([*self._exits, *self._memory]) if c not in coins]
        for coin in known:
            self.flat(coin, looks)

    def exiting(self) -> dict[str, tuple[ExitReason, int]]:
        """coin -> (reason, attempts so far), of every market that is being left; for status and alerts."""
        with self._lock:
            return {coin: (s.reason, s.attempt) for coin, s in self._exits.items()}
