"""The usual look against the gates asked one by one, these with quotients: the same decisions, and the same memory."""

import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from hip3.core.decisions import Standing
from hip3.core.market import Level, MarketView
from hip3.core.windows import parse_sessions
from hip3.risk import market_gates
from hip3.risk.market_flags import FOREVER, MarketFlags
from hip3.risk.market_gates import MARKET_GATES, MarketGates
from hip3.risk.market_track import FORGET_MS, MarketGateParams

D = Decimal
COIN = "xyz:GOLD"
TICK = D("0.1")
PARAMS = [
    MarketGateParams(max_ctx_age_ms=8000, max_mark_mid_bps=D(50), spread_shock=D(3), max_oracle_step_bps=D(300), max_edge_bps=D(200)),
    MarketGateParams(max_bbo_age_ms=2000, max_ctx_age_ms=3000, max_mark_mid_bps=D(20), spread_shock=D("1.5"), max_edge_bps=D(10)),
    MarketGateParams(max_mark_mid_bps=D(10), max_oracle_still_ms=5000, max_edge_bps=D(20)),
    MarketGateParams(spread_shock=D(2), sessions=parse_sessions("Mon-Sun 10:00-14:30"), blackout=((14 * 60 + 15, 14 * 60 + 16),)),
    MarketGateParams(),
]  # fmt: skip
Look = tuple[MarketView, int, int, bool]


def _looks(rng: random.Random, count: int, params: MarketGateParams) -> Iterator[Look]:
    """A market whose prices are often exactly on a limit, whose clock jumps, whose sides go, and whose touch crosses."""
    now, book, generation, px = FORGET_MS, 1, 1, D(1000)
    bid: Level | None = Level(px - TICK, D(1))
    ask: Level | None = Level(px + TICK, D(1))
    oracle: Decimal | None = None
    mark: Decimal | None = None
    bbo_at: int | None = None
    ctx_at: int | None = None
    for _ in range(count):
        now += rng.choice((0, 1, 50, 999, 1000, 1001, 2001) if rng.random() < 0.999 else (8001, 60_000, FORGET_MS))
        book += rng.choice((0, 1, 100)) if rng.random() < 0.98 else rng.choice((-200, -5, 200))
        if rng.random() < 0.001:
            generation, bbo_at, ctx_at = generation + 1, None, None
        is_bbo = rng.random() < 0.7
        if is_bbo:
            half = TICK * (rng.randint(1, 4) if rng.random() < 0.97 else rng.choice((-1, 0, 9, 40, 300)))
            mid = px + TICK * rng.randint(-5, 5)
            bid = None if rng.random() < 0.005 else Level(mid - half, D(1))
            ask = None if rng.random() < 0.005 else Level(mid + half, D(rng.randint(1, 9)))
            bbo_at = now
        else:
            ctx_at = now
            middle = px if bid is None or ask is None else (bid.px + ask.px) / 2
            limits = (params.max_mark_mid_bps, params.max_edge_bps)
            sign = rng.choice((-1, 1))
            mark = middle + sign * middle * limits[0] / 10_000 if rng.random() < 0.3 else px + TICK * rng.randint(-9, 9)
            touch = px if ask is None else ask.px
            # At the edge's limit exactly where it can be: edge = limit * oracle, oracle = touch / (1 - limit).
            oracle = touch / (1 - limits[1] / 10_000) if rng.random() < 0.05 else px + TICK * rng.randint(-9, 9)
            if rng.random() < 0.0005:
                oracle = px * D("1.5")
            if rng.random() < 0.5:
                mark, oracle = mark.quantize(TICK), oracle.quantize(TICK)
        view = MarketView(COIN, bid, ask, max(book, 0), bbo_at, oracle, mark, D(1), ctx_at, generation)
        yield view, now, 1_790_000_000_000 + now, is_bbo


def _mark_mid_by_quotient(k: Any) -> str | None:
    most, mid, mark = k.params.max_mark_mid_bps, k.mid, k.view.mark
    if not most or mid is None or mark is None:
        return None
    return f"mark {mark}, middle {mid}" if abs(mark - mid) / mid * 10_000 > most else None


def _unbelievable_by_quotient(k: Any) -> str | None:
    track, oracle, bid, ask = k.track, k.view.oracle, k.view.bid, k.view.ask
    if oracle is not None and bid is not None and ask is not None and k.params.max_edge_bps:
        edge = max(oracle - ask.px, bid.px - oracle) / oracle * 10_000
        if edge > 0 and edge > k.params.max_edge_bps:
            track.doubt_until_ms = k.now_ms + 60_000
            track.doubt = f"the oracle is {oracle}, the touch {bid.px} and {ask.px}"
    return f"not believed for a minute: {track.doubt}" if k.now_ms < track.doubt_until_ms else None


QUOTIENTS = {"mark_mid_divergence": _mark_mid_by_quotient, "unbelievable": _unbelievable_by_quotient}
ONE_BY_ONE = tuple((name, QUOTIENTS.get(name, check)) for name, check in MARKET_GATES)


def _decided(params: MarketGateParams, looks: list[Look], seed: int) -> tuple[list[Standing], Any]:
    """What the gates say of each look, with flags and blocked parameters now and then; and their memory at the end."""
    rng, blocked, flags = random.Random(seed), dict[str, str](), MarketFlags()
    flags.caps_until_ms = FOREVER
    told: list[Any] = []
    gates = MarketGates({COIN: params}, flags, blocked.get, lambda *change: told.append(change))
    out = []
    for view, now, wall, is_bbo in looks:
        if rng.random() < 0.002:
            flags.set(COIN, rng.choice(("halt", "dead_touch")), "a word", now + 3000)
        if rng.random() < 0.1:
            blocked.clear()
        elif rng.random() < 0.002:
            blocked[COIN] = "parameters"
        out.append((gates.on_bbo if is_bbo else gates.on_ctx)(view, now, wall))
    track = gates._tracks[COIN]
    return out, (
        told,
        gates.blocks,
        {name: getattr(track, name) for name in track.__slots__ if name not in ("minute", "open")},
    )


def compared(count: int, seed: int, patch: pytest.MonkeyPatch) -> int:
    """Looks of which both ways say the same, of `count` for each set of parameters; how many of them cleared."""
    cleared = 0
    for number, params in enumerate(PARAMS):
        looks = list(_looks(random.Random(seed * 100 + number), count, params))
        short = _decided(params, looks, seed)
        with patch.context() as one_by_one:
            one_by_one.setattr(market_gates, "usual", lambda *_, **__: False)
            one_by_one.setattr(market_gates, "MARKET_GATES", ONE_BY_ONE)
            long = _decided(params, looks, seed)
        if short != long:
            at = next((n for n, (a, b) in enumerate(zip(short[0], long[0], strict=True)) if a != b), None)
            raise AssertionError((number, seed, at, None if at is None else (looks[at], short[0][at], long[0][at])))
        cleared += sum(standing.blocked is None for standing in short[0])
    return cleared


def test_a_usual_look_decides_as_the_gates_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    cleared = compared(2000, 1, monkeypatch)
    assert 1000 < cleared < 9500, "both answers are there"


@pytest.mark.long
def test_over_a_million_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(2, 12):
        compared(20_000, seed, monkeypatch)


def test_what_settings_say_of_themselves_follows_a_change() -> None:
    from msgspec.structs import replace

    changed = replace(PARAMS[-1], max_mark_mid_bps=D(30), blackout=((0, 5),))
    assert (changed.mark_mid_share, changed.timed, PARAMS[-1].timed) == (D("0.0030"), True, False)
