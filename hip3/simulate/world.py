"""One seed's world: the service, the exchange, the network between them, and the operator.

A run has three parts. In the first things go wrong as planned. Then the faults end, and the service must come back
by itself: READY or a latched stop, and every position of before closed by its own rules. At last it is stopped with
`--flatten`, and everything that it keeps is compared with the exchange.
"""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from hip3.core.order_state import OrderState
from hip3.core.ports import CLOCK_STOP_MS
from hip3.errors import ConfigError, PreflightError
from hip3.execution.sending.socket_trust import WHY as NO_ANSWERS
from hip3.execution.truth.account import SPENT, SPENT_MS
from hip3.onethread.process import process
from hip3.onethread.threads import NEVER, Actor, Killed, Violation
from hip3.risk.hard_stop import LatchState, Reset, read_latch, write_latch
from hip3.service.app import App
from hip3.service.stopping import Outcome
from hip3.simulate.checks import check_books, check_files, check_kept, check_step, totals, unfinished
from hip3.simulate.disk import Disk, ends_of
from hip3.simulate.lasting import unlimited, unprotected, unquoted
from hip3.simulate.mishap import HAND_CANCEL, Mishap
from hip3.simulate.mishaps import DEAD_CONTEXT, Mishaps
from hip3.simulate.network import Network
from hip3.simulate.operator import Operator
from hip3.simulate.plan import Plan
from hip3.simulate.quoting import disagreement
from hip3.simulate.scene import Scene
from hip3.simulate.surroundings import Surroundings
from hip3.simulate.witness import Witness

MAIN_MS = 200
READY_MS = 120_000
"""With the faults over, READY or a latched stop is reached within this."""
KNOWN_MS = 45_000
"""And then no order is unknown and no fill missing within this: an order without expiry needs 30 s."""
HEARD_MS = 5000
"""So long after the faults their last answers may be under way."""
FOUND_MS = 75_000
"""A position of somebody else is found by the comparison of every minute, if all that told of it was lost."""
PROTECTED_MS, LIMITED_MS, QUOTED_MS = 10_000, 4000, 90_000
"""Then stops cover what is held, and a loss beyond its limit has tripped the latch. At last quotes rest: some causes
keep them away for a minute."""
DEAD_MS = 75_000
"""By so much later is left what a dead stream says the price of."""
FLAT_MS = 13_000
"""Every position of before is closed by its own rules within this beyond its time stop."""
WORLDS_OWN = frozenset({"exchange", "main", "oracle", "plan"})


class World:
    """See the module. Violation: what must hold did not."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        scene = self.scene = Scene(plan, folder)
        self.disk = Disk()
        self.witness = Witness(scene, self.disk)
        self.network = Network(scene, self.witness)
        self.operator = Operator(scene)
        self.mishaps = Mishaps(scene, self.network, self.witness, self.disk, self.operator)
        self.network.mishaps = self.mishaps
        self.around = Surroundings(scene, self.network, self.witness, self.mishaps)
        self.service: App | None = None
        self.number = 0
        """Of the process."""
        self._start_at = 0
        self._last_main = 0
        self._next_move = scene.began_ms + 1000
        self._events: list[tuple[int, bool, Mishap]] = []
        self._armed: list[Mishap] = []
        """Mishaps that wait until an order is in their state."""
        self.outcome: Outcome | None = None
        scene.threads.after_step = self._after_step
        actors = scene.threads.actors
        actors["exchange"] = Actor("exchange", self.network.due, self.network.step)
        actors["main"] = Actor("main", self._main_due, self._main)
        actors["oracle"] = Actor("oracle", lambda: self._next_move, self._move)
        actors["plan"] = Actor("plan", lambda: self._events[0][0] if self._events else NEVER, self._happen)

    # The run.

    def run(self) -> None:
        """All three parts."""
        end = self.scene.began_ms + self.scene.plan.chaos_ms
        for m in self.scene.plan.mishaps:
            if self.scene.began_ms + m.at_ms < end:
                self._events.append((self.scene.began_ms + m.at_ms, True, m))
        self._events.sort(key=lambda e: e[0])
        self._until(lambda: False, end)
        self._calm()
        weight_back_ms = self.scene.clock.mono_ms() + SPENT_MS + HEARD_MS
        self.scene.say("the faults are over")
        self._set_clock()
        if not self._until(self.settled, self.scene.clock.mono_ms() + READY_MS):
            raise Violation(f"not READY {READY_MS // 1000} s after the faults: {self._why_not()}")
        if not self._known_in_time(weight_back_ms):
            raise Violation(f"fills are missing or orders unknown {KNOWN_MS // 1000} s after READY: {self._doubtful()}")
        by_hand = any(m.kind == HAND_CANCEL for m in self.scene.plan.mishaps)  # a comparison may have to find it
        self._lasts(lambda: unprotected(self.scene, self.scene.running), FOUND_MS if by_hand else PROTECTED_MS)
        self._lasts(lambda: unlimited(self.scene), LIMITED_MS)
        if not self._left_in_time():
            raise Violation(f"positions stay open: {self.scene.positions()}")
        self.mishaps.end_all()
        self._lasts(lambda: unquoted(self.scene, self.scene.running), QUOTED_MS)
        if not self._until(lambda: not self._quotes_differ(), self.scene.clock.mono_ms() + FOUND_MS):
            raise Violation(f"{FOUND_MS // 1000} s after the faults {self._quotes_differ()}")
        self._stop_for_good()
        check_files(self.scene, self.witness)
        if self.scene.tripped:
            self._reset()

    def _until(self, done: Callable[[], bool], limit_ms: int) -> bool:
        """Let the world go on; a process that is killed is started again."""
        while self.scene.clock.mono_ms() < limit_ms:
            try:
                return self.scene.threads.wait_until(done, limit_ms)
            except Killed:
                self._die()
        return done()

    def _lasts(self, missing: Callable[[], str], limit_ms: int) -> None:
        """What is missing comes within its time."""

        def there() -> bool:
            self.scene.threads.quiet = True
            found = missing()
            self.scene.threads.quiet = False
            return not found or self.scene.tripped

        if not self._until(there, self.scene.clock.mono_ms() + limit_ms):
            self.scene.threads.quiet = True
            raise Violation(f"{limit_ms // 1000} s after the faults {missing()}")

    def _calm(self) -> None:
        self._events.clear()
        self._armed.clear()
        # Streams may stay dead: what is held is left all the same. But a new process waits until one market speaks.
        silent = self.mishaps.going_on(DEAD_CONTEXT) >= set(self.scene.plan.coins)
        self.mishaps.end_all("" if silent else DEAD_CONTEXT)
        self.scene.threads.kill_armed = False
        for actor in self.scene.threads.actors.values():
            actor.stalled_until = 0

    def _set_clock(self) -> None:
        """Somebody sets the machine's clock to the exchange's; until then positions must be left all the same."""
        wrong = abs(self.scene.skew_ms - self.scene.venue.clock_offset_ms) > CLOCK_STOP_MS
        if wrong and not self._left_in_time():
            raise Violation(f"positions stay open while the clock is wrong: {self.scene.positions()}")
        ahead = self.scene.venue.clock_offset_ms
        self.scene.clock.step_wall(ahead - self.scene.skew_ms)
        self.scene.skew_ms = ahead

    def _left_in_time(self) -> bool:
        """Whether every position of now is left by its own rules; one that no message told of is found first."""
        held, running = self._opened(), self.scene.running
        limit = (
            self.scene.settings.base.time_stop_ms
            + FLAT_MS
            + (FOUND_MS if held.keys() & set(self.scene.untold.values()) else 0)
            + (DEAD_MS if self.mishaps.going_on(DEAD_CONTEXT) else 0)
        )
        if running is not None and running.trading is not None:  # a spent request weight comes back first
            limit += max(0, running.trading.housekeeping._quiet_until_ms - self.scene.clock.mono_ms())
        return self._until(
            lambda: not held.items() & self._opened().items(), self.scene.clock.mono_ms() + limit
        )  # fmt: skip

    def _known_in_time(self, back_ms: int) -> bool:
        """Whether all is known soon. That the last faults spent the request weight may be heard as they end: all has to
        be known all the same, and READY alone may wait for its minute, until `back_ms`."""
        if self._until(self._all_known, self.scene.clock.mono_ms() + KNOWN_MS):
            return True
        if self.scene.running is None or self._doubtful() or {*self._reasons()} - {NO_ANSWERS} != {SPENT}:
            return False
        return self._until(self._all_known, back_ms)

    def _fills_known(self) -> bool:
        """The service has every fill of the exchange in its results."""
        running = self.scene.running
        trading = None if running is None else running.trading
        return trading is not None and trading.tracker.totals()[:3] == totals(self.scene)

    def _stop_for_good(self) -> None:
        if self.scene.untold or self.scene.unread:  # what no message told of is found by a comparison
            self._until(self._fills_known, self.scene.clock.mono_ms() + FOUND_MS)
        limit = self.scene.clock.mono_ms() + READY_MS
        if not self._until(self.settled, limit):
            raise Violation(f"not READY again: {self._why_not()}")
        outcome = self._end("flatten")
        if not outcome.clean:
            raise Violation(f"the stop did not end as asked: {outcome.sentence}")

    def _end(self, how: str) -> Outcome:
        """Stop the service, not to be started again."""
        self.outcome, self._start_at = None, NEVER
        self.operator.stop(how, READY_MS)
        if not self._until(lambda: self.outcome is not None, self.scene.clock.mono_ms() + READY_MS):
            raise Violation("the service does not stop")
        return self._outcome()

    def _outcome(self) -> Outcome:
        assert self.outcome is not None
        return self.outcome

    def _reset(self) -> None:
        """The latch is reset by hand, and the service trades again; another counter may be over its limit, too."""
        path = self.scene.file("latch.json")
        codes: set[str] = set()
        while self.scene.tripped:
            was = LatchState(False) if path is None else read_latch(path)
            if path is None or not was.tripped:
                raise Violation("the latch tripped and is not on disk")
            self.scene.say("the latch is reset by hand")
            done = Reset(at_ms=self.scene.clock.wall_ms(), user="operator", reason="looked at it", was=was.reason or "")
            if done.code in codes:
                raise Violation(f"{done.code} trips again right after its reset")
            codes.add(done.code)
            write_latch(path, LatchState(False, reset=done))
            self.scene.tripped, self._start_at, self.outcome = False, 0, None
            if not self._until(self.settled, self.scene.clock.mono_ms() + READY_MS):
                raise Violation(f"not READY after the latch was reset: {self._why_not()}")
            self._end("signal")

    def settled(self) -> bool:
        """READY, or stopped for good by its latch."""
        running, scene = self.scene.running, self.scene
        if running is None or running.trading is None or running.stop.asked or running.stop.signals:
            return False
        ready = self._reasons() in ([], [NO_ANSWERS])  # a socket that was given up stays so for minutes
        stopped = scene.tripped and running.latch is not None and not unfinished(running)
        return (ready or stopped) and not running.trading.posts._pending

    def _all_known(self) -> bool:
        return self.settled() and not self._doubtful()

    def _doubtful(self) -> list[str]:
        """Orders unknown, or with fills missing."""
        running = self.scene.running
        if running is None or running.trading is None:
            return []
        orders = running.trading.tracker._orders
        unknown = [c for c, t in orders.live.items() if t.state is OrderState.UNKNOWN]
        late = running.trading.housekeeping.unexplained.coins
        return [self.scene.name(cloid) for cloid in [*unknown, *orders.provisional]] + late

    def _quotes_differ(self) -> str:
        self.scene.threads.quiet = True
        found = disagreement(self.scene, self.witness.admitted)
        self.scene.threads.quiet = False
        return found

    def _why_not(self) -> str:
        if self.scene.running is None:
            return "the service is not running"
        return "; ".join(self._reasons()) or "orders are not finished"

    def _reasons(self) -> list[str]:
        """Why the service that runs is not READY."""
        assert self.scene.running is not None
        self.scene.threads.quiet = True
        why = self.scene.running.readiness.reasons(self.scene.clock.mono_ms())
        self.scene.threads.quiet = False
        return why

    def _opened(self) -> dict[str, int]:
        """Markets with a position, and when it was opened by the exchange's fills."""
        account = self.scene.venue.engine.account(self.scene.user)
        held = self.scene.positions()
        opened: dict[str, int] = {}
        for fill in account.fills if account is not None else ():
            if Decimal(str(fill["startPosition"])) == 0:
                opened[str(fill["coin"])] = int(str(fill["time"]))
        inventory = set(self.scene.settings.base.quoted_coins)  # no rule but a stop loss ends it
        return {coin: opened.get(coin, 0) for coin in held if coin not in inventory}

    # Main: starts the service, watches it, stops it.

    def _main_due(self) -> int:
        return self._start_at if self.service is None else self._last_main + MAIN_MS

    def _main(self) -> None:
        self._last_main = self.scene.clock.mono_ms()
        if self.scene.threads.depth > 1:
            return  # it would wait on top of another thread
        try:
            if self.service is None:
                self._start()
            elif self.service.stop_wanted():
                self._ended(self.service)
            else:
                self.service.watch()
        except Exception as error:
            raise Violation(f"main died: {type(error).__name__}: {error}") from error

    def _start(self) -> None:
        scene = self.scene
        self.number += 1
        scene.stopping = False
        scene.untold.clear()  # a start reads everything
        scene.unread = False
        scene.say(f"process {self.number} starts")
        scene.counts["starts"] += 1
        self.witness.new_process()
        service = self.service = process(scene.settings, scene.threads, self.around)
        scene.running = service.running
        try:
            service.start_helpers()
            if service.start_trading():
                self.around.look_in(service.running)
            else:
                self._ended(service)
        except (PreflightError, ConfigError) as error:
            scene.say(f"it refuses to start: {error}")
            service.close()
            self._gone(2000)

    def _ended(self, service: App) -> None:
        """The service stops in order, in the mode that was asked for."""
        scene = self.scene
        scene.stopping = True
        outcome = service.stop()
        service.close()
        scene.say(f"process {self.number} ends, {'as asked' if outcome.clean else 'not as asked'}: {outcome.sentence}")
        asked, self.operator.asked = self.operator.asked, None
        if outcome.clean and asked is not None and not outcome.mode.covers(asked):
            raise Violation(f"it was asked to {asked.value} and ends as asked in mode {outcome.mode.value}")
        check_books(scene, self.witness, service.running, outcome)
        check_kept(scene, self.disk, service.running)
        self.outcome = outcome
        self._gone(scene.rng.randint(200, 2000))

    def _gone(self, pause_ms: int) -> None:
        self.disk.forget()
        for name in [n for n in self.scene.threads.actors if n not in WORLDS_OWN]:
            del self.scene.threads.actors[name]
        path = self.scene.file("intents.log")
        for cloid, state in ends_of(path).items() if path is not None else ():
            if self.scene.ends.setdefault(cloid, state) != state:
                raise Violation(f"{self.scene.name(cloid)} ended as {self.scene.ends[cloid]} and as {state}")
        self.service = self.scene.running = self.operator.asked = None
        if self._start_at != NEVER:
            self._start_at = self.scene.clock.mono_ms() + pause_ms

    def _die(self) -> None:
        """The process is killed: what was in memory is gone, files stay as they are."""
        self.scene.counts["kills"] += 1
        self.scene.say(f"process {self.number} is killed")
        threads = self.scene.threads
        threads.holding, threads.depth, threads.kill_armed, threads.quiet = None, 0, False, False
        for actor in threads.actors.values():
            actor.running = False
        self.abandon()
        self.network.drop_all()
        self._gone(self.scene.rng.choice((50, 500, 3000)))

    def abandon(self) -> None:
        """Let go of the service, however the run ended."""
        running, self.service, self.scene.running = self.scene.running, None, None
        if running is not None:
            self.disk.close(running)

    # What happens, and what is told.

    def _happen(self) -> None:
        _, begins, m = self._events.pop(0)
        if not begins:
            self.mishaps.end(m)
        elif m.when:
            self._armed.append(m)
        else:
            self._begin(m)

    def _begin(self, m: Mishap) -> None:
        if m.for_ms:
            self._events.append((self.scene.clock.mono_ms() + m.for_ms, False, m))
            self._events.sort(key=lambda e: e[0])
        words = [m.kind, m.on, f"for {m.for_ms} ms" if m.for_ms else "", f"by {m.ms}" if m.ms else ""]
        self.scene.say("--- " + " ".join(word for word in words if word))
        self.mishaps.begin(m)

    def _move(self) -> None:
        """An oracle leaves its book behind: something to trade on."""
        self._next_move = self.scene.clock.mono_ms() + self.scene.rng.randint(200, 1200)
        self.scene.lure(self.scene.rng.randint(1, len(self.scene.plan.coins)))

    def _after_step(self, name: str) -> None:
        if self._armed:
            states = self.scene.states()
            now = [m for m in self._armed if m.when in states]
            self._armed = [m for m in self._armed if m not in now]  # first: a beginning may let steps happen
            for m in now:
                self._begin(m)
        running = self.scene.running
        if running is not None and self.scene.threads.depth == 0:
            self.scene.threads.quiet = True
            check_step(self.scene, self.witness, running)
            self.scene.threads.quiet = False
