"""What a seed stands for: the settings, the market, how threads and network behave, and what goes wrong when. Pure.

A plan can be cut down (`keep`, `until_ms`) without changing the rest of it: that is how a failing seed is shrunk.
"""

import functools
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from hip3.simulate.combined import Combined, combined
from hip3.simulate.mishap import HAND_CANCEL, Mishap
from hip3.simulate.quoted import quoted

D = Decimal
DAY_MS = 86_400_000
CHAOS_MS = (10_000, 25_000)
MESSAGES = ("reply", "update", "fill")
COINS = ("xyz:GOLD", "xyz:NVDA", "para:AVGO")
ROOMY: dict[str, Any] = {"max_concurrent_positions": 5, "max_notional_total": D(150), "max_inflight": 100}
"""So that orders of several markets can be in different states at once."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """See the module."""

    seed: int
    settings: dict[str, Any]
    coins: tuple[str, ...]
    preempt: int
    delay_ms: int
    latency_ms: int
    chaos_ms: int
    mishaps: tuple[Mishap, ...]


WHEN = ("none", "queued", "queued", "queued", "sent", "unknown", "unknown", "open", "unbooked", "holding")
_SHORT = ("none", "queued", "unknown")
"""States in which messages seldom pass."""
Made = Callable[[random.Random, tuple[str, ...]], Mishap]
_PASSING = frozenset(
    {"lose", "delay", "double", "swap", "damage", "accept then cut", "silence", "http", "break send", "late post"}
)


def _at(rng: random.Random) -> int:
    return rng.randrange(500, CHAOS_MS[1])


def _span(rng: random.Random, low: int, high: int) -> dict[str, Any]:
    return {"at_ms": _at(rng), "for_ms": rng.randint(low, high)}


def _message(kind: str) -> Made:
    def make(rng: random.Random, coins: tuple[str, ...]) -> Mishap:
        return Mishap(
            kind=kind, on=rng.choice(MESSAGES), ms=rng.randint(20, 4000), share=rng.choice((30, 60, 100)),
            **_span(rng, 500, 5000),
        )  # fmt: skip

    return make


def _lost_reply(rng: random.Random, coins: tuple[str, ...]) -> Mishap:
    return Mishap(kind="lose", on="reply", share=rng.choice((50, 100)), **_span(rng, 1000, 6000))


def _during(kind: str, low: int, high: int, on: tuple[str, ...] = ("",), share: int = 100) -> Made:
    def make(rng: random.Random, coins: tuple[str, ...]) -> Mishap:
        return Mishap(kind=kind, on=rng.choice(on), share=share, **_span(rng, low, high))

    return make


def _once(kind: str, on: tuple[str, ...] = ("",)) -> Made:
    def make(rng: random.Random, coins: tuple[str, ...]) -> Mishap:
        return Mishap(kind=kind, on=rng.choice(on), at_ms=_at(rng))

    return make


def _market(kind: str, low: int, high: int) -> Made:
    def make(rng: random.Random, coins: tuple[str, ...]) -> Mishap:
        return Mishap(kind=kind, on=rng.choice(coins), **_span(rng, low, high))

    return make


def _hand(kind: str) -> Made:
    def make(rng: random.Random, coins: tuple[str, ...]) -> Mishap:
        return Mishap(kind=kind, on=rng.choice(coins), ms=rng.choice((-1, 1)) * rng.randint(12, 40), at_ms=_at(rng))

    return make


def _hand_cancel(rng: random.Random, coins: tuple[str, ...]) -> Mishap:
    # By chance one in twenty comes while a fill is not booked yet: none of the first thousand seeds had it.
    return Mishap(kind=HAND_CANCEL, at_ms=_at(rng), when=rng.choice(("", "", "unbooked")))


def _thin_touch(rng: random.Random, coins: tuple[str, ...]) -> Mishap:
    return Mishap(
        kind="thin touch", on=rng.choice(coins), ms=rng.choice((-1, 1)), share=rng.choice((20, 60)),
        **_span(rng, 500, 6000),
    )  # fmt: skip


def _late_posts(rng: random.Random, coins: tuple[str, ...]) -> Mishap:
    return Mishap(kind="late post", ms=rng.randint(200, 6000), share=rng.choice((30, 100)), **_span(rng, 300, 4000))


def _stall(rng: random.Random, coins: tuple[str, ...]) -> Mishap:
    thread = rng.choice(("ws-reader", "tick", "tick", "risk", "rest", "journal"))
    return Mishap(kind="stall", on=thread, **_span(rng, 100, 4000))


def _clock(rng: random.Random, coins: tuple[str, ...]) -> Mishap:
    return Mishap(kind="clock", ms=rng.choice((-1, 1)) * rng.choice((300, 2500, 30_000, 7_200_000)), at_ms=_at(rng))


def _clock_for_a_moment(rng: random.Random, coins: tuple[str, ...]) -> Mishap:
    days = rng.choice((-1, 1)) * rng.choice((DAY_MS + 3_600_000, 3 * DAY_MS))
    return Mishap(kind="clock", ms=days, **_span(rng, 300, 6000))


def _hold_up(rng: random.Random, coins: tuple[str, ...]) -> Mishap:
    return Mishap(
        kind="hold up",
        on=rng.choice(("entry", "exit", "exit", "request")),
        ms=rng.choice((600, 1500, 4000, 9000)),
        at_ms=_at(rng),
    )


def _suspend(rng: random.Random, coins: tuple[str, ...]) -> Mishap:
    gone = rng.choice((3500, 8000, 90_000))
    return Mishap(kind="suspend", on=rng.choice(("wall", "both")), ms=gone, at_ms=_at(rng))


def _gap(rng: random.Random, coins: tuple[str, ...]) -> Mishap:
    away = rng.choice((-1, 1)) * rng.choice((60, 150, 300, 600))
    return Mishap(kind="gap", on=rng.choice(coins), ms=away, at_ms=_at(rng))


def _offset(rng: random.Random, coins: tuple[str, ...]) -> Mishap:
    return Mishap(kind="exchange clock", ms=rng.choice((400, 3000)), at_ms=_at(rng))


KINDS: tuple[tuple[float, Made], ...] = (
    (8, _lost_reply),
    (6, _message("lose")),
    (6, _message("delay")),
    (5, _message("double")),
    (6, _message("swap")),
    (6, _message("damage")),
    (3, _once("cut")),
    (3, _once("accept then cut")),
    (2, _once("cut in")),
    (2, _during("refuse", 500, 4000)),
    (1.5, _during("silence", 1000, 12_000)),
    (2.5, _during("break send", 300, 5000)),
    (3, _late_posts),
    (
        6,
        _during(
            "http", 500, 6000, ("429", "500", "502", "lost request", "lost reply", "lost action", "lost answer"), 70
        ),
    ),
    (1.5, _during("empty account", 1000, 8000, ("xyz", "para"))),
    (1.5, _during("stale account", 1000, 8000, ("xyz", "para"))),
    (1.5, _during("stale fills", 1000, 8000)),
    (1.5, _during("unread dex", 1000, 12_000, ("xyz", "para"))),
    (1, _clock),
    (0.7, _clock_for_a_moment),
    (0.7, _suspend),
    (2, _hold_up),
    (1, _offset),
    (1, _thin_touch),
    (1, _market("dead stream", 2000, 12_000)),
    (0.7, _market("dead context", 12_000, 40_000)),
    (1, _gap),
    (1, _market("halt", 1000, 6000)),
    (1, _market("change", 2000, 8000)),
    (1, _once("flood")),
    (1.5, _during("full", 500, 5000, ("journal", "intents", "both"))),
    (4, _stall),
    (5, _once("kill", ("anywhere", "after intent", "after intent", "after send", "at reply", "at fill"))),
    (2, _once("stop", ("flatten", "cancel", "leave", "signal"))),
    (0.3, _once("hard stop")),
    (3, _hand("hand trade")),
    (0.7, _hand("hand order")),
    (0.5, _once("hand swap")),
    (0.7, _hand_cancel),
)


def rows() -> list[str]:
    """Every row of the coverage table, in order."""
    return [row for row, _ in _kinds_of_rows()]


@functools.cache
def _kinds_of_rows() -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    rng = random.Random(1)
    for _, make in KINDS:
        made = [make(rng, ("xyz:GOLD",)) for _ in range(200)]
        found |= {m.row: m.kind for m in sorted(made, key=lambda m: m.row)}
    return tuple(found.items())


def plan_of(seed: int) -> Plan:
    """The whole plan of a seed."""
    rng = random.Random(f"{seed}:plan")
    which, number = seed % 3, seed // 3  # of three seeds one has mishaps that go together, the others aim
    count = rng.choice((1, 2, 3, 3, 3))
    coins = COINS[:count] if which == 0 else COINS
    weights = [w for w, _ in KINDS]
    made = [m for _ in range(rng.randint(6, 24)) for m in _moment(rng.choices(KINDS, weights)[0][1](rng, coins), rng)]
    plan = Plan(
        seed=seed, settings=_settings(rng, coins), coins=coins, preempt=rng.choice((0, 8, 40, 40, 200)),
        delay_ms=rng.choice((1, 5, 20)), latency_ms=rng.choice((5, 40, 150, 300)), chaos_ms=rng.randint(*CHAOS_MS),
        mishaps=(),
    )  # fmt: skip
    extra = random.Random(f"{seed}:extra")
    if which == 0:
        (more, needs), alone = combined(number, extra, plan.chaos_ms, coins)
        if alone:
            made, plan = [], msgspec.structs.replace(plan, chaos_ms=CHAOS_MS[1])
    else:
        more, needs = _aimed(number, extra, coins, short=which == 1)
        needs = needs | _quoting(random.Random(f"{seed}:quotes"), coins)
    thin, stops = _thin_while_held(random.Random(f"{seed}:thin"), coins, plan.chaos_ms)
    mishaps = tuple(sorted([*made, *more, *thin], key=lambda m: m.at_ms))
    return msgspec.structs.replace(plan, mishaps=mishaps, settings=plan.settings | needs | stops)


def _quoting(rng: random.Random, coins: tuple[str, ...]) -> dict[str, Any]:
    """In one of three seeds a market is quoted."""
    return {} if rng.randrange(3) else quoted(rng, coins)


def _thin_while_held(rng: random.Random, coins: tuple[str, ...], chaos_ms: int) -> Combined:
    """In one of three seeds touches become thin while a position is held, under rules that look at the touch."""
    if rng.randrange(3):
        return [], {}
    spans = [
        msgspec.structs.replace(_thin_touch(rng, coins), share=100, when="holding") for _ in range(rng.randint(1, 3))
    ]
    stops = {"stop_loss_bps": D(rng.choice((0, 300))), "take_profit_bps": D(rng.choice((0, 300)))}
    if rng.random() < 0.5:  # a protective stop is a narrower one
        stops["protective_stop_bps"] = D(0)
    return [msgspec.structs.replace(m, at_ms=rng.randint(2000, max(3000, chaos_ms))) for m in spans], stops


def _aimed(number: int, rng: random.Random, coins: tuple[str, ...], *, short: bool) -> Combined:
    """Some cells of the coverage are seldom hit by chance: each of these seeds aims at one of them, in turn."""
    cells = [
        (row, when)
        for row, kind in _kinds_of_rows()
        for when in dict.fromkeys(WHEN)
        if short == (kind in _PASSING and when in _SHORT)
    ]
    row, when = cells[number % len(cells)]
    makers = [make for _, make in KINDS]
    found = (m for m in (make(rng, coins) for _ in range(500) for make in makers) if m.row == row)
    if (row, when) == ("hold up", "none"):  # only what a start sends is sent without an order
        return [Mishap(kind="hold up", on="request", ms=600, at_ms=1)], ROOMY | {"leverage": 3}
    cancels = {"start_policy": "cancel_all"} if short and when == "none" else {}  # else no reply passes then
    lasting = [Mishap(kind="delay", on="fill", ms=3000, at_ms=1, for_ms=9000)] if when == "unbooked" else []
    aims = [m for _ in range(3) for m in _in_state(next(found), when, rng)]
    return [msgspec.structs.replace(m, share=100) for m in [*lasting, *aims]], ROOMY | cancels


def _moment(m: Mishap, rng: random.Random) -> list[Mishap]:
    """Most mishaps wait for a state of an order; what makes that state last comes with them."""
    return [m] if rng.random() < 0.3 else _in_state(m, rng.choice(WHEN), rng)


def _in_state(m: Mishap, when: str, rng: random.Random) -> list[Mishap]:
    here = msgspec.structs.replace(m, when=when)
    if m.kind not in _PASSING or when not in _SHORT or (m.kind, when) == ("silence", "queued"):
        return [here]  # in silence no signal comes while the tick is slow
    if when == "none":  # somebody's order is told of, and a new process cancels it, while we have none
        hand = Mishap(kind="hand order", on="xyz:GOLD", ms=rng.choice((-20, 20)), at_ms=m.at_ms, when=when)
        kill = Mishap(kind="kill", on="anywhere", at_ms=m.at_ms + 200)
        lasts = here.for_ms and max(here.for_ms + 2000, 7000)  # until the new process has started
        return [msgspec.structs.replace(here, for_ms=lasts), hand, kill][: rng.choice((2, 3))]
    # A post that is late becomes unknown, and is executed after all: its messages pass while it is. Or another
    # order is queued behind a slow tick while they pass.
    thread, least = ("rest", 700) if when == "unknown" else ("tick", 300)
    if m.on == "lost action":  # nothing but time could prove it dead, and it lands at last
        late = Mishap(kind="late post", at_ms=m.at_ms, for_ms=3000, ms=rng.randint(3500, 8000), when="none")
        return [late, msgspec.structs.replace(m, when="sent", for_ms=9000, share=100)]
    late = Mishap(kind="late post", at_ms=m.at_ms, for_ms=3000, ms=rng.randint(least, 2500), when="none")
    slow = Mishap(kind="stall", on=thread, at_ms=m.at_ms, for_ms=rng.randint(1500, 4500), when="sent")
    return [late, slow, msgspec.structs.replace(m, when="sent", for_ms=m.for_ms and m.for_ms + 3000)]


def _settings(rng: random.Random, coins: tuple[str, ...]) -> dict[str, Any]:
    """Thresholds low enough that much is traded, limits tight enough that they bind."""
    return {
        "markets": ",".join(coins), "exchange_seed": rng.randrange(1000), "api_url": "http://exchange", "http_port": 0,
        "taker_fee_bps": D(0), "slippage_bps": D(0), "min_edge_bps": D(1), "min_oracle_change_bps": D(0),
        "min_oracle_moves": 1, "oracle_move_bps": D(0), "sizing_alpha": D(1), "min_book_notional": D(0),
        "normal_book_notional": D(1), "entry_slippage_bps": D(rng.choice((0, 2))),
        "max_notional_per_market": D(50), "max_notional_total": D(rng.choice((50, 70, 120, 150, 150))),
        "max_concurrent_positions": rng.choice((1, 2, 5, 5)), "time_stop_ms": rng.choice((700, 1500, 3000)),
        "mark_regression_bps": D(rng.choice((0, 5))), "min_holding_ms": rng.choice((100, 1000)),
        "protective_stop_bps": D(rng.choice((0, 40, 40))), "post_timeout_ms": rng.choice((600, 1500)),
        "expires_after_ms": rng.choice((0, 0, 1000, 2500, 2500, 6000)), "max_inflight": rng.choice((5, 100)),
        "hard_stop_max_loss_usd": D(rng.choice((1, 1000, 1000))),
        "hard_stop_max_consecutive_losses": rng.choice((3, 1000, 1000)),
        "hard_stop_max_rejects_per_hour": rng.choice((2, 1000, 1000)),
        "foreign_positions": "manage", "max_daily_loss_usd": D(0),
        "hard_stop_max_slippage_bps": D(10_000), "hard_stop_max_flatten_failures": rng.choice((3, 1000)),
        "exit_max_slippage_bps": D(rng.choice((60, 300))), "hard_stop_flatten": rng.random() < 0.8,
        "leverage": rng.choice((0, 0, 3)),
        "start_policy": rng.choice(("reconcile", "reconcile", "cancel_all")),
    }  # fmt: skip


def cut(plan: Plan, keep: list[int] | None, until_ms: int | None, *, calm: bool) -> Plan:
    """The plan with these mishaps only, ending its faults at `until_ms`; `calm`: threads cut in at a `cut in` only."""
    mishaps = plan.mishaps if keep is None else tuple(plan.mishaps[i] for i in keep if i < len(plan.mishaps))
    chaos = plan.chaos_ms if until_ms is None else min(plan.chaos_ms, until_ms)
    return msgspec.structs.replace(plan, mishaps=mishaps, chaos_ms=chaos, preempt=0 if calm else plan.preempt)
