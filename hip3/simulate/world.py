"""One seed's world: the service, the exchange, the network between them, and the operator.

A run has three parts. In the first things go wrong as planned. Then the faults end, and the service must come back
by itself: READY or a latched stop, and every position of before closed by its own rules. At last it is stopped with
`--flatten`, and everything that it keeps is compared with the exchange.
"""

import random
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from hip3.config.reading import MarketSettings
from hip3.config.settings import Settings
from hip3.core.money import round_price
from hip3.core.order_state import OrderState
from hip3.core.ports import CLOCK_STOP_MS
from hip3.errors import ConfigError, PreflightError
from hip3.exchange.embedded import key_number_one
from hip3.exchange.signing import SigningKey
from hip3.risk.hard_stop import LatchState, Reset, read_latch, write_latch
from hip3.service.stopping import Outcome
from hip3.simulate.checks import check_adopted, check_books, check_files, check_kept, check_step, unfinished
from hip3.simulate.clock import SimClock
from hip3.simulate.disk import Disk
from hip3.simulate.mishap import Mishap
from hip3.simulate.mishaps import Mishaps
from hip3.simulate.network import Network
from hip3.simulate.operator import Operator
from hip3.simulate.plan import Plan
from hip3.simulate.scene import line_of, setup_of
from hip3.simulate.service import MAIN_MS, Service
from hip3.simulate.threads import NEVER, Actor, Killed, Threads, Violation
from hip3.simulate.witness import Sent, Witness, ends_of
from hip3.venue.venue import Venue

READY_MS = 120_000
"""With the faults over, READY or a latched stop is reached within this."""
KNOWN_MS = 45_000
"""And then no order is unknown and no fill missing within this: an order without expiry needs 30 s."""
FLAT_MS = 13_000
"""Every position of before is closed by its own rules within this beyond its time stop."""
WORLDS_OWN = frozenset({"exchange", "main", "oracle", "plan"})


class World:
    """See the module. Violation: what must hold did not."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder
        self.clock = SimClock()
        self.began_ms = self.clock.mono_ms()
        self.threads = Threads(self.clock, plan.seed, preempt=plan.preempt)
        settings = {"state_dir": str(folder), "log_dir": str(folder / "logs")} | plan.settings
        self.settings = MarketSettings(Settings(**settings))
        self.dexs = self.settings.base.dexs
        seed = plan.settings["exchange_seed"]
        self.user = SigningKey(key_number_one(seed)).address
        self.venue = Venue(
            setup_of(plan), seed=seed, profile="simulated", now_ms=self.clock.wall_ms(), latency_ms=plan.latency_ms
        )
        self.network = Network(self.clock, self.threads, self.venue, plan.seed, delay_ms=plan.delay_ms)
        self.mishaps = self.network.mishaps = Mishaps(self, plan.seed)
        self.witness = self.network.witness = Witness(self)
        self.operator = Operator(self)
        self._rng = random.Random(f"{plan.seed}:world")
        self.jitter: Callable[[], float] = self._rng.random
        self.service: Service | None = None
        self.number = 0
        """Of the process."""
        self.stopping = False
        """The service has begun to stop."""
        self._start_at = 0
        self._last_main = 0
        self._next_move = self.began_ms + 1000
        self._events: list[tuple[int, bool, Mishap]] = []
        self._armed: list[Mishap] = []
        """Mishaps that wait until an order is in their state."""
        self.log: list[str] = []
        self.hits: Counter[tuple[str, str]] = Counter()
        self.counts: Counter[str] = Counter()
        self._names: dict[str, str] = {}
        self.ends: dict[str, str] = {}
        self.tripped = False
        """The latch is on disk."""
        self.outcome: Outcome | None = None
        self.disk = Disk()
        self.rules_change = any(m.kind == "change" for m in plan.mishaps)
        self.threads.after_step = self._after_step
        actors = self.threads.actors
        actors["exchange"] = Actor("exchange", self.network.due, self.network.step)
        actors["main"] = Actor("main", self._main_due, self._main)
        actors["oracle"] = Actor("oracle", lambda: self._next_move, self._move)
        actors["plan"] = Actor("plan", lambda: self._events[0][0] if self._events else NEVER, self._happen)

    # The run.

    def run(self) -> None:
        """All three parts."""
        end = self.began_ms + self.plan.chaos_ms
        for m in self.plan.mishaps:
            if self.began_ms + m.at_ms < end:
                self._events.append((self.began_ms + m.at_ms, True, m))
        self._events.sort(key=lambda e: e[0])
        self._until(lambda: False, end)
        self._calm()
        self.say("the faults are over")
        self._set_clock()
        if not self._until(self.settled, self.clock.mono_ms() + READY_MS):
            raise Violation(f"not READY {READY_MS // 1000} s after the faults: {self._why_not()}")
        if not self._until(self._all_known, self.clock.mono_ms() + KNOWN_MS):
            raise Violation(f"fills are missing or orders unknown {KNOWN_MS // 1000} s after READY: {self._doubtful()}")
        held = self._opened()
        limit = self.clock.mono_ms() + self.settings.base.time_stop_ms + FLAT_MS
        if not self._until(lambda: not held.items() & self._opened().items(), limit):
            raise Violation(f"positions stay open: {self.witness.positions()}")
        self._stop_for_good()
        check_files(self)
        if self.tripped:
            self._reset()

    def _until(self, done: Callable[[], bool], limit_ms: int) -> bool:
        """Let the world go on; a process that is killed is started again."""
        while self.clock.mono_ms() < limit_ms:
            try:
                return self.threads.wait_until(done, limit_ms)
            except Killed:
                self._die()
        return done()

    def _calm(self) -> None:
        self._events.clear()
        self._armed.clear()
        self.mishaps.end_all()
        self.threads.kill_armed = False
        for actor in self.threads.actors.values():
            actor.stalled_until = 0

    def _set_clock(self) -> None:
        """Somebody sets the machine's clock to the exchange's; until then positions must be left all the same."""
        held = self._opened()
        limit = self.clock.mono_ms() + self.settings.base.time_stop_ms + FLAT_MS
        wrong = abs(self.network.skew_ms - self.venue.clock_offset_ms) > CLOCK_STOP_MS
        if wrong and not self._until(lambda: not held.items() & self._opened().items(), limit):
            raise Violation(f"positions stay open while the clock is wrong: {self.witness.positions()}")
        ahead = self.venue.clock_offset_ms
        self.clock.step_wall(ahead - self.network.skew_ms)
        self.network.skew_ms = ahead

    def _stop_for_good(self) -> None:
        limit = self.clock.mono_ms() + READY_MS
        if not self._until(self.settled, limit):
            raise Violation(f"not READY again: {self._why_not()}")
        outcome = self._end("flatten")
        if not outcome.clean:
            raise Violation(f"the stop did not end as asked: {outcome.sentence}")

    def _end(self, how: str) -> Outcome:
        """Stop the service, not to be started again."""
        self.outcome, self._start_at = None, NEVER
        self.operator.stop(how, READY_MS)
        if not self._until(lambda: self.outcome is not None, self.clock.mono_ms() + READY_MS):
            raise Violation("the service does not stop")
        return self._outcome()

    def _outcome(self) -> Outcome:
        assert self.outcome is not None
        return self.outcome

    def _reset(self) -> None:
        """The latch is reset by hand, and the service trades again; another counter may be over its limit, too."""
        path = self.file("latch.json")
        codes: set[str] = set()
        while self.tripped:
            was = LatchState(False) if path is None else read_latch(path)
            if path is None or not was.tripped:
                raise Violation("the latch tripped and is not on disk")
            self.say("the latch is reset by hand")
            done = Reset(at_ms=self.clock.wall_ms(), user="operator", reason="looked at it", was=was.reason or "")
            if done.code in codes:
                raise Violation(f"{done.code} trips again right after its reset")
            codes.add(done.code)
            write_latch(path, LatchState(False, reset=done))
            self.tripped, self._start_at, self.outcome = False, 0, None
            if not self._until(self.settled, self.clock.mono_ms() + READY_MS):
                raise Violation(f"not READY after the latch was reset: {self._why_not()}")
            self._end("signal")

    def settled(self) -> bool:
        """READY, or stopped for good by its latch."""
        service = self.service
        if service is None or service.trading is None or service.stop_wish.is_set() or service._signals:
            return False
        self.threads.quiet = True
        ready = service.readiness.epoch(self.clock.mono_ms()) is not None
        self.threads.quiet = False
        stopped = self.tripped and service.latch is not None and not unfinished(service)
        return (ready or stopped) and not service.trading.posts._pending

    def _all_known(self) -> bool:
        return self.settled() and not self._doubtful()

    def _doubtful(self) -> list[str]:
        """Orders unknown, or with fills missing."""
        if self.service is None or self.service.trading is None:
            return []
        orders = self.service.trading.tracker._orders
        unknown = [c for c, t in orders.live.items() if t.state is OrderState.UNKNOWN]
        return [self.name(cloid) for cloid in [*unknown, *orders.provisional]]

    def _why_not(self) -> str:
        if self.service is None:
            return "the service is not running"
        self.threads.quiet = True
        return "; ".join(self.service.readiness.reasons(self.clock.mono_ms())) or "orders are not finished"

    def _opened(self) -> dict[str, int]:
        """Markets with a position, and when it was opened by the exchange's fills."""
        account = self.venue.engine.account(self.user)
        held = self.witness.positions()
        opened: dict[str, int] = {}
        for fill in account.fills if account is not None else ():
            if Decimal(str(fill["startPosition"])) == 0:
                opened[str(fill["coin"])] = int(str(fill["time"]))
        return {coin: opened.get(coin, 0) for coin in held}

    # Main: starts the service, watches it, stops it.

    def _main_due(self) -> int:
        return self._start_at if self.service is None else self._last_main + MAIN_MS

    def _main(self) -> None:
        self._last_main = self.clock.mono_ms()
        service = self.service
        if self.threads.depth > 1:
            return  # it would wait on top of another thread
        try:
            if service is None:
                self._start()
            elif service._stop_wanted():
                service.end()
            else:
                service._supervisor.watch(self._last_main)
        except Exception as error:
            raise Violation(f"main died: {type(error).__name__}: {error}") from error

    def _start(self) -> None:
        self.number += 1
        self.stopping = False
        self.say(f"process {self.number} starts")
        self.counts["starts"] += 1
        self.witness.new_process()
        service = self.service = Service(self, self.number)
        try:
            if not service.boot():
                service.end()
        except (PreflightError, ConfigError) as error:
            self.say(f"it refuses to start: {error}")
            service._close()
            self._gone(2000)

    def ended(self, outcome: Outcome) -> None:
        """The service stopped in order."""
        assert self.service is not None
        self.say(f"process {self.number} ends, {'as asked' if outcome.clean else 'not as asked'}: {outcome.sentence}")
        check_books(self, self.service, outcome)
        check_kept(self, self.service)
        self.outcome = outcome
        self._gone(self._rng.randint(200, 2000))

    def _gone(self, pause_ms: int) -> None:
        self.disk.forget()
        for name in [n for n in self.threads.actors if n not in WORLDS_OWN]:
            del self.threads.actors[name]
        path = self.file("intents.log")
        for cloid, state in ends_of(path).items() if path is not None else ():
            if self.ends.setdefault(cloid, state) != state:
                raise Violation(f"{self.name(cloid)} ended as {self.ends[cloid]} and as {state}")
        self.service = None
        if self._start_at != NEVER:
            self._start_at = self.clock.mono_ms() + pause_ms

    def _die(self) -> None:
        """The process is killed: what was in memory is gone, files stay as they are."""
        self.counts["kills"] += 1
        self.say(f"process {self.number} is killed")
        threads = self.threads
        threads.holding, threads.depth, threads.kill_armed, threads.quiet = None, 0, False, False
        for actor in threads.actors.values():
            actor.running = False
        self.abandon()
        self.network.drop_all()
        self._gone(self._rng.choice((50, 500, 3000)))

    def abandon(self) -> None:
        """Let go of the service, however the run ended."""
        service, self.service = self.service, None
        if service is not None:
            self.disk.close(service)

    def file(self, name: str) -> Path | None:
        """A file of the account's state folder, if it is there."""
        return next((p for p in self.folder.glob(f"*/{name}")), None)

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
            self._events.append((self.clock.mono_ms() + m.for_ms, False, m))
            self._events.sort(key=lambda e: e[0])
        words = [m.kind, m.on, f"for {m.for_ms} ms" if m.for_ms else "", f"by {m.ms}" if m.ms else ""]
        self.say("--- " + " ".join(word for word in words if word))
        self.mishaps.begin(m)

    def _move(self) -> None:
        """An oracle leaves its book behind: something to trade on."""
        self._next_move = self.clock.mono_ms() + self._rng.randint(200, 1200)
        self.lure(self._rng.randint(1, len(self.plan.coins)))

    def lure(self, count: int = 9) -> None:
        """So many markets have something to trade on."""
        for coin in self._rng.sample(self.plan.coins, min(count, len(self.plan.coins))):
            market = self.venue.engine.markets[coin]
            if not market.halted:
                away = Decimal(self._rng.choice((-1, 1)) * self._rng.randint(8, 40)) / 10_000
                market.oracle = round_price(market.oracle * (1 + away), market.info.sz_decimals, up=False)

    def hit(self, m: Mishap) -> None:
        """A mishap hits: count what state each order is in."""
        self.counts["mishaps"] += 1
        for state in self._states():
            self.hits[m.row, state] += 1

    def _states(self) -> set[str]:
        service = self.service
        if service is None or service.trading is None:
            return {"none"}
        orders = service.trading.tracker._orders
        found = {t.state.value for t in orders.live.values()}
        if orders.provisional:
            found.add("unbooked")
        if self.witness.positions():
            found.add("holding")
        return found or {"none"}

    def name(self, cloid: str | None) -> str:
        """A short name for an order, the same in every run of the seed."""
        return "nobody's" if cloid is None else self._names.setdefault(cloid, f"#{len(self._names) + 1}")

    def say(self, text: str) -> None:
        """One line of the event log."""
        self.log.append(f"{self.clock.mono_ms() - self.began_ms:>7}  {text.replace(str(self.folder), 'STATE')}")

    def say_sent(self, sent: Sent) -> None:
        """What leaves."""
        lane = sent.key[0]
        for o in sent.orders:
            side, what = ("buy" if o.is_buy else "sell"), ("stop" if o.stop else "exit" if o.reduce_only else "entry")
            self.say(f"{lane} {what} {self.name(o.cloid)} {side} {o.sz} {o.coin} at {o.px}")
            self.counts[what] += 1
        if not sent.orders:
            self.say(f"{lane} {sent.kind}")

    def recorded(self, kind: str, fields: dict[str, Any]) -> None:
        """Something for the journal."""
        if kind == "late_reply":
            self.witness.late_reply(fields["post_id"])
        elif kind == "post_lost":
            self.witness.gave_up(fields["post"])
        elif kind == "adopted":
            check_adopted(self, fields["coin"], fields["theirs"])
        line = line_of(self, kind, fields)
        if line:
            self.say(line)

    def _after_step(self, name: str) -> None:
        if self._armed:
            states = self._states()
            now = [m for m in self._armed if m.when in states]
            self._armed = [m for m in self._armed if m not in now]  # first: a beginning may let steps happen
            for m in now:
                self._begin(m)
        if self.service is not None and self.threads.depth == 0:
            self.threads.quiet = True
            check_step(self, self.service)
            self.threads.quiet = False
