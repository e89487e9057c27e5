"""The rows of quoting: a market that stands still, quoted with two values of a setting each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hip3.core.money import bps_of
from hip3.core.orders import Side
from tests.builders import D
from tests.config.row import Row
from tests.sessions.quoting import GOLD, QuoteStage
from tests.stage import OURS, Env, EnvWorld

BUY, SELL = Side.BUY, Side.SELL
ROOM: Env = {"HIP3_QUOTE_MAX_INVENTORY_USD": "100"}
FULL: Env = {
    "HIP3_QUOTE_MAX_INVENTORY_USD": "30", "HIP3_QUOTE_SIZE_USD": "30", "HIP3_QUOTE_LEVELS": "1", "HIP3_QUOTE_STOP_LOSS_BPS": "0",
}  # fmt: skip
HALF_FULL: Env = FULL | {"HIP3_QUOTE_MAX_INVENTORY_USD": "45", "HIP3_QUOTE_ONE_SIDE_AT": "0.4"}
OLD: Env = {"HIP3_QUOTE_MAX_AGE_S": "2"}
CHEAP: Env = ROOM | {"HIP3_QUOTE_MIN_HALF_BPS": "30"}
WIDE: Env = ROOM | {"HIP3_QUOTE_MIN_HALF_BPS": "15"}
Look = Callable[[QuoteStage], Any]


def _warm(look: Look, ms: int = 75_000) -> Callable[[Path, Env], Any]:
    """What is seen of a market that has been quoted for a while."""

    def see(tmp: Path, env: Env) -> Any:
        stage = QuoteStage(tmp, warm=False, **{name.removeprefix("HIP3_").lower(): v for name, v in env.items()})
        stage.run(ms, step_ms=50)
        return look(stage)

    return see


def _half(s: QuoteStage) -> int:
    assert s.market.half_bps is not None
    return round(s.market.half_bps)


def _apart(s: QuoteStage) -> int:
    near, far = s.prices(BUY)
    return round(bps_of(near - far, near))


def _usd(level: int) -> Look:
    def look(s: QuoteStage) -> int:
        px = s.prices(BUY)[level]
        return round(next(D(o["sz"]) for o in s.live(BUY) if D(o["limitPx"]) == px) * px)

    return look


def _after(act: Callable[[QuoteStage], None], seen: Look, ms: int = 5000) -> Look:
    def look(s: QuoteStage) -> Any:
        act(s)
        s.run(ms)
        return seen(s)

    return look


def _says(word: str) -> Look:
    return lambda s: any(word in why for why in s.market.reasons)


def _taken(s: QuoteStage) -> None:
    s.take(BUY)


def _swept(s: QuoteStage) -> None:
    s.take(BUY)
    s.take(BUY)


def _book_alone(s: QuoteStage) -> None:
    """The touch goes 5 bps away, and no context comes."""
    s.drop('{"channel":"activeAssetCtx"', '{"channel":"allDexsAssetCtxs"')
    s.move(5)


def _losing_fills(s: QuoteStage) -> None:
    figures, now = s.market.figures, s.world.clock.mono_ms()
    for _ in range(6):
        figures.filled(BUY, s.center, D("0.01"), s.center, now - 5500)
    figures.look(s.center * D("0.99"), both=True, allowed=True, now_ms=now)


def _nearer(side: Side, act: Callable[[QuoteStage], None], ms: int = 5000) -> Look:
    """Whether the nearest quote of a side is nearer to the other side afterwards."""

    def look(s: QuoteStage) -> bool:
        before = s.prices(side)[0]
        act(s)
        s.run(ms)
        return (s.prices(side)[0] - before) * side.sign > 0

    return look


def _whole_again(s: QuoteStage) -> bool:
    """Whether a quote of which a third was taken is placed anew."""
    s.take(BUY, "0.002")
    s.run(6000)
    return max(D(o["sz"]) for o in s.live(BUY)) >= D("0.006")


def _left(s: QuoteStage) -> bool:
    """Whether inventory is left at a loss of about seven basis points."""
    s.take(BUY)
    s.run(1000)
    s.move(-12)
    s.run(4000)
    return any(e["order"].exit_reason.value == "stop_loss" for e in s.journal("exit"))


def _completions(s: QuoteStage) -> list[Any]:
    return [e["order"] for e in s.journal("exit") if e["order"].exit_reason.value == "completion"]


def _completed(s: QuoteStage) -> int:
    return min(1, len(_completions(s)))


def _first_usd(s: QuoteStage) -> int:
    order = _completions(s)[0]
    return round(order.px * order.sz)


def _cheap(s: QuoteStage) -> int:
    """Completions of an inventory that was bought 30 bps below the market, six seconds later."""
    s.take(BUY)
    s.run(6000)
    return _completed(s)


def _dear(s: QuoteStage) -> None:
    """The price falls below that of a bid which was taken."""
    s.take(BUY)
    s.move(-9)


def _ended(s: QuoteStage) -> bool:
    """Whether an ordinary exit was sent by the end of a session, three minutes after the clock began."""
    s.take(BUY)
    s.run(86_000)
    return any(e["order"].exit_reason.value == "time_stop" for e in s.journal("exit"))


def _quoted(tmp: Path, env: Env) -> list[str]:
    world = EnvWorld(tmp, OURS | env)
    assert world.run_until(lambda: world.ready, 8000)
    return sorted(world.trading.quotes.markets)


def _restarted(s: QuoteStage) -> int:
    before = {o["oid"] for o in s.live()}
    s.world.restart()
    assert s.until(lambda: s.world.ready, 20_000)
    s.run(80_000, step_ms=50)
    return len(before & {o["oid"] for o in s.live()})


def _ends_in(minutes: int) -> str:
    """A session that ends so many minutes after the clock of the tests begins, at 20 s of its minute."""
    minute = 1_790_000_000 // 60 % 1440 + minutes
    return f"Mon-Sun {(minute // 60 - 3) % 24:02}:{minute % 60:02}-{minute // 60 % 24:02}:{minute % 60:02}"


ROWS: dict[str, Row] = {
    "quote_markets": Row("", GOLD, "the markets that are quoted", _quoted, ([], [GOLD])),
    "quote_preset": Row("", "weekend", "the stance on a Monday", _warm(lambda s: s.market.stance.value), ("QUOTING", "CUTOFF")),
    "quote_closed_band_bps": Row(
        "100", "0.01", "whether a book of 1 bps over its oracle is far from it", _warm(_says("far from its oracle")), (False, True),
        {"HIP3_QUOTE_PRESET": "weekend", "HIP3_QUOTE_SESSIONS": "Mon-Sun 00:00-24:00"},
    ),
    "quote_start": Row("cancel", "adopt", "quotes that keep their place over a restart", _warm(_restarted), (0, 4)),
    "quote_modify": Row(
        "false", "true", "cancels for bids that must retreat", _warm(_after(lambda s: s.move(-3), lambda s: len(s.actions("cancel")))),
        (1, 0), ROOM,
    ),
    "quote_levels": Row("1", "3", "quotes that rest", _warm(lambda s: len(s.live())), (2, 6), ROOM | {"HIP3_QUOTE_SIZE_DECAY": "1"}),
    "quote_spacing_bps": Row("5", "10", "basis points between two bids", _warm(_apart), (5, 10)),
    "quote_size_usd": Row("25", "40", "USD of the nearest bid", _warm(_usd(0)), (25, 40), ROOM),
    "quote_size_decay": Row("0.6", "1", "USD of the second bid", _warm(_usd(1)), (15, 25), ROOM),
    "quote_max_inventory_usd": Row("40", "25", "quotes that rest", _warm(lambda s: len(s.live())), (4, 2)),
    "quote_reference": Row(
        "envelope", "mid", "whether both sides have one reference",
        _warm(lambda s: s.market.fair is not None and s.market.fair.bid == s.market.fair.ask), (False, True),
    ),
    "quote_min_half_bps": Row("5", "20", "half the spread", _warm(_half), (5, 20)),
    "quote_max_half_bps": Row("100", "9", "half the spread", _warm(_half), (13, 9), {"HIP3_QUOTE_MIN_EDGE_BPS": "10"}),
    "quote_min_edge_bps": Row("2", "10", "half the spread", _warm(_half), (5, 13)),
    "quote_vol_factor": Row("0", "50", "half the spread", _warm(_half), (5, 30)),
    "quote_tau_ms": Row("4000", "16000", "half the spread", _warm(_half), (30, 60), {"HIP3_QUOTE_VOL_FACTOR": "50"}),
    "quote_skew": Row("0", "3", "whether a bought inventory brings the asks nearer", _warm(_nearer(SELL, _taken)), (False, True), WIDE),
    "quote_warmup_s": Row("60", "10", "quotes that rest after twenty seconds", _warm(lambda s: len(s.live()), 20_000), (0, 4)),
    "quote_max_gap_bps": Row("25", "1", "whether a book that leaves its oracle by 5 bps pulls", _warm(_after(_book_alone, _says("apart"), 500)), (False, True)),
    "quote_max_spread_bps": Row("150", "0.5", "whether a book of 1 bps is too wide", _warm(_says("too wide")), (False, True)),
    "quote_jump_bps": Row("10", "3", "whether a jump of 5 bps pulls", _warm(_after(lambda s: s.move(5), _says("jumped"), 1500)), (False, True)),
    "quote_min_interval_ms": Row("1000", "600000", "whether a bid follows 8 bps up", _warm(_nearer(BUY, lambda s: s.move(8))), (True, False)),
    "quote_size_tolerance_pct": Row("25", "500", "whether a quote is whole again after a third was taken", _warm(_whole_again), (True, False), ROOM),
    "quote_fill_delay_ms": Row("2000", "30000", "bids ten seconds after one was filled", _warm(_after(_taken, lambda s: len(s.live(BUY)), 10_000)), (2, 1), ROOM),
    "quote_one_side_at": Row("0.8", "0.2", "bids after a quarter of the inventory was bought", _warm(_after(_taken, lambda s: len(s.live(BUY)))), (2, 0), ROOM),
    "quote_complete_at": Row("1", "0.5", "completions at two thirds of the inventory", _warm(_after(_taken, _completed)), (0, 1), HALF_FULL),
    "quote_max_age_s": Row("900", "2", "completions of inventory that is six seconds old", _warm(_cheap), (0, 1), CHEAP),
    "quote_carry_usd": Row(
        "0", "50", "orders for inventory 20 s before the end of a session", _warm(_after(_taken, _completed, 63_000)), (1, 0),
        ROOM | {"HIP3_QUOTE_SESSIONS": _ends_in(3)},
    ),
    "completion_max_usd": Row("50", "11", "USD of the first order of a completion", _warm(_after(_taken, _first_usd)), (14, 11), FULL),
    "completion_min_profit_bps": Row("0", "50", "completions of old inventory that has gained 30 bps", _warm(_cheap), (1, 0), CHEAP | OLD),
    "completion_max_loss_bps": Row("40", "0", "completions of full inventory that has lost", _warm(_after(_dear, _completed)), (1, 0), FULL),
    "completion_max_loss_usd": Row("10", "0.001", "completions of full inventory", _warm(_after(_taken, _completed)), (1, 0), FULL),
    "completion_exit": Row(
        "true", "false", "whether inventory that found nobody is left at the end of a session", _warm(_ended), (True, False),
        ROOM | {"HIP3_QUOTE_SESSIONS": _ends_in(3), "HIP3_COMPLETION_MAX_LOSS_USD": "0.001"},
    ),
    "quote_stop_loss_bps": Row("60", "5", "whether a loss of 7 bps ends it", _warm(_left), (False, True), {"HIP3_COMPLETION_MAX_LOSS_BPS": "4"}),
    "quote_toxic_addon_bps": Row("0", "3", "half the spread after fills that lost", _warm(_after(_losing_fills, _half, 2000)), (5, 8)),
    "quote_addon_max_bps": Row("15", "1", "half the spread after fills that lost", _warm(_after(_losing_fills, _half, 2000)), (8, 6)),
    "quote_side_pull_ms": Row("30000", "0", "bids ten seconds after two were filled at once", _warm(_after(_swept, lambda s: len(s.live(BUY)), 10_000)), (0, 2), ROOM),
    "quote_cutoff_ms": Row(
        "60000", "0", "the stance 50 s before the end of a session", _warm(lambda s: s.market.stance.value, 108_000),
        ("CUTOFF", "QUOTING"), {"HIP3_QUOTE_SESSIONS": _ends_in(3)},
    ),
    "quote_sessions": Row("", _ends_in(-60), "the stance outside of a session", _warm(lambda s: s.market.stance.value), ("QUOTING", "CUTOFF")),
}  # fmt: skip
