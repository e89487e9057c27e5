"""Random interleavings of everything that can go wrong, checked after every step.

A seed chooses what happens next: frames lost, doubled, late or out of order, posts lost or late, sends that
fail or may have left, cuts, failing reads, HardStop, a kill and a restart. Lost replies after acceptance are
common, not rare. What must always hold is checked after each step; once the faults are over, the service
must come back to READY or a latched stop, end flat, and agree with the exchange to the last digit.
"""

import random
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from hip3.core.ports import SendOutcome
from hip3.execution.sending.socket_trust import WHY as NO_ANSWERS
from tests.world import World

STEPS = 400
GATE_SEEDS = range(20)
LONG_SEEDS = range(20, 640)
READS = (
    "orderStatus",
    "userFills",
    "userFillsByTime",
    "clearinghouseState",
    "frontendOpenOrders",
    "exchangeStatus",
    "/exchange",
)


class Chaos:
    """Does something to a world, chosen by a seed."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.rng = world, random.Random(seed)
        self.late: list[str] = []
        self.done: Counter[str] = Counter()
        self._lose, self._repeat, self._delay = 0.0, 0.0, 0.0
        world.filter_frame = self._filter

    def _filter(self, text: str) -> list[str]:
        private = '"post"' in text[:20] or "orderUpdates" in text[:30] or "userFills" in text[:30]
        roll = self.rng.random()
        if private and roll < self._lose:
            self.done["lost frame"] += 1
            return []
        if private and roll < self._lose + self._delay:
            self.late.append(text)
            return []
        return [text, text] if roll > 1 - self._repeat else [text]

    def step(self) -> None:
        choices = {
            "nothing": 20, "more lost": 3, "more repeated": 2, "more late": 3, "calm": 2, "deliver late": 6,
            "hold posts": 1, "release posts": 5, "drop posts": 0.5, "not sent": 0.7, "maybe sent": 0.7, "cut": 0.6,
            "connect": 5, "fail reads": 0.7, "heal reads": 3, "restart": 0.3, "hard stop": 0.01,
        }  # fmt: skip
        name = self.rng.choices(list(choices), list(choices.values()))[0]
        self.done[name] += 1
        getattr(self, "_" + name.replace(" ", "_"))()
        self.world.run(self.rng.choice((40, 100, 400)), step_ms=20)

    def _nothing(self) -> None: ...

    def _more_lost(self) -> None:
        self._lose = 0.5

    def _more_repeated(self) -> None:
        self._repeat = 0.5

    def _more_late(self) -> None:
        self._delay = 0.5

    def _calm(self) -> None:
        self._lose = self._repeat = self._delay = 0.0

    def _deliver_late(self) -> None:
        late, self.late = self.late, []
        self.rng.shuffle(late)
        for text in late:
            if self.world.session is not None:
                self.world.inject(text)

    def _hold_posts(self) -> None:
        self.world.sender.hold()

    def _release_posts(self) -> None:
        self.world.sender.release()

    def _drop_posts(self) -> None:
        self.world.sender.drop_held()

    def _not_sent(self) -> None:
        self.world.sender.fail_next(SendOutcome.NOT_SENT)

    def _maybe_sent(self) -> None:
        self.world.sender.fail_next(SendOutcome.MAYBE_SENT)

    def _cut(self) -> None:
        if self.world.session is not None:
            self.world.cut()
            self.late.clear()

    def _connect(self) -> None:
        if self.world.session is None:
            self.world.connect()

    def _fail_reads(self) -> None:
        self.world.rest.failing.add(self.rng.choice(READS))

    def _heal_reads(self) -> None:
        self.world.rest.failing.clear()

    def _restart(self) -> None:
        self.late.clear()
        self._heal_reads()  # a start that cannot read waits until it can
        self.world.restart()

    def _hard_stop(self) -> None:
        self.world.latch.trip("manual", "chaos", self.world.clock.wall_ms())


def check(world: World) -> None:
    """What must hold at every instant."""
    tracker, base = world.trading.tracker, world.settings.base
    sent, completed, inflight = world.trading.posts.accounts()
    assert sent - completed == inflight
    orders = tracker._orders
    assert not orders.live.keys() & orders.done.keys(), "an order in two collections"
    assert all(t.state.terminal for t in orders.done.values())
    assert not any(t.state.terminal for t in orders.live.values())
    live = Counter(t.order.coin for t in tracker.live() if not t.order.reduce_only)
    assert not live or max(live.values()) == 1, "two live entries in one market"
    exposure = sum(tracker.ledger().entries.values(), Decimal(0))
    for position in tracker.positions():
        exposure += abs(position.szi) * world.admission_px(position.coin)
    assert exposure <= base.max_notional_total, exposure
    for coin, szi in world.exchange_positions().items():
        assert abs(szi) * world.admission_px(coin) <= base.max_notional_per_market
    once = [nonce for kind, nonce in world.intents.records if kind != "noop"]
    assert len(once) == len(set(once)), "a nonce was signed for two different actions"
    account = world.venue.engine.account(world.user)
    assert account is not None
    cloids = Counter(record["order"]["cloid"] for record in account.history.values())  # type: ignore[index]
    assert not cloids or max(cloids.values()) == 1, "an order reached the exchange twice"


def session(tmp_path: Path, seed: int) -> Chaos:
    """One chaotic session, checked after each step and at its end."""
    world = World(tmp_path, seed=seed, post_timeout_ms=1500, expires_after_ms=2000)
    chaos = Chaos(world, seed)
    tripped = False
    for _ in range(STEPS):
        chaos.step()
        check(world)
        assert world.latch.tripped or not tripped, "the latch cleared by itself"
        tripped = world.latch.tripped
    chaos._calm()
    chaos._heal_reads()
    chaos._release_posts()
    chaos._connect()
    chaos._deliver_late()

    def settled() -> bool:  # a socket that was given up stays so for minutes, and exits go on by HTTP
        return world.readiness.reasons(world.clock.mono_ms()) in ([], [NO_ANSWERS])

    assert world.run_until(settled, 30_000, step_ms=20), world.readiness.reasons(world.clock.mono_ms())
    check(world)
    assert world.flatten(40_000), world.trading.tracker.ledger()
    assert world.run_until(lambda: not world.trading.tracker.unbooked() and not world.trading.tracker.live(), 10_000)
    world.run(2000)
    assert world.exchange_positions() == {} == world.trading.tracker.booked()
    assert world.trading.posts.inflight == 0
    return chaos


@pytest.mark.parametrize("seed", GATE_SEEDS)
def test_what_must_always_hold(tmp_path: Path, seed: int) -> None:
    session(tmp_path, seed)


@pytest.mark.long
def test_what_must_always_hold_over_many_seeds(tmp_path: Path) -> None:
    done: Counter[str] = Counter()
    for seed in LONG_SEEDS:
        folder = tmp_path / str(seed)
        folder.mkdir()
        done += session(folder, seed).done
    print(f"{len(LONG_SEEDS)} seeds: " + ", ".join(f"{name} {n}" for name, n in sorted(done.items())))
