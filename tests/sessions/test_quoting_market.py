"""When a quoted market is not fit for quotes, or its fills say so: what its gates see, each way to price it, its completions."""

from decimal import Decimal
from pathlib import Path

import pytest

from hip3.config.reading import MarketSettings
from hip3.config.settings import Settings
from hip3.core.market import Level
from hip3.core.orders import ExitReason, PendingOrder, Side
from hip3.execution.quotes.figures import RECENT_MS, QuoteFigures
from hip3.execution.quotes.pulls import RUN_MS, Pulls
from hip3.execution.quotes.stance import Stance
from hip3.service.params import quote_params
from hip3.strategy.fair import Fair, Mode, Outside, fair
from tests.builders import D
from tests.sessions.quoting import GOLD, QuoteStage

BUY, SELL = Side.BUY, Side.SELL
MODES: tuple[Mode, ...] = ("envelope", "oracle", "mark", "mid", "micro")


def _pulls(**changes: object) -> Pulls:
    return Pulls(quote_params(MarketSettings(Settings(**changes)), GOLD))  # type: ignore[arg-type]


def _completions(stage: QuoteStage) -> list[PendingOrder]:
    return [e["order"] for e in stage.journal("exit") if e["order"].exit_reason is ExitReason.COMPLETION]


# The market.


def test_a_mark_far_from_the_middle_pulls_the_quotes_until_it_is_back(tmp_path: Path) -> None:
    stage = QuoteStage(tmp_path)
    market = stage.world.venue.engine.markets[GOLD]
    right = market.mark
    market.mark = (right * D("0.99")).quantize(D("0.1"))
    assert stage.until(lambda: stage.live() == [], 5000)
    assert stage.market.stance is Stance.PULLED
    assert any("mark_mid_divergence" in why for why in stage.market.reasons)
    market.mark = right
    assert stage.until(lambda: len(stage.live()) == 4, 20_000)


def test_an_oracle_that_stands_still_pulls_the_quotes_and_teaches_no_basis(tmp_path: Path) -> None:
    stage = QuoteStage(tmp_path, max_oracle_still_ms="90000")
    assert stage.until(lambda: any("oracle_frozen" in why for why in stage.market.reasons), 100_000)
    assert stage.until(lambda: stage.live() == [], 3000)
    known, market = stage.market.reference.basis_bps, stage.world.venue.engine.markets[GOLD]
    oracle = market.oracle
    stage.move(-20)
    market.oracle = oracle
    stage.run(60_000, 50)
    assert stage.market.reference.basis_bps == known


@pytest.mark.parametrize("mode", MODES)
def test_the_anchors_are_apart_by_whatever_a_market_is_priced(mode: Mode) -> None:
    others = Outside(Level(D("99.00"), D(1)), Level(D("99.02"), D(1)))
    found = fair(mode, D(100), D(100), others, D(0))
    assert found is not None
    assert found.gap_bps == 99


@pytest.mark.parametrize("mode", MODES)
def test_quotes_go_in_every_mode_as_the_book_leaves_a_still_oracle(tmp_path: Path, mode: Mode) -> None:
    stage = QuoteStage(tmp_path, quote_reference=mode, quote_max_inventory_usd="90", quote_stop_loss_bps="0")
    market = stage.world.venue.engine.markets[GOLD]
    oracle, mark = market.oracle, market.mark
    stage.move(-40)
    market.oracle, market.mark = oracle, mark
    assert stage.until(lambda: stage.live() == [], 5000), stage.market.reasons
    stage.run(30_000, 50)
    assert stage.live() == []
    assert any("apart" in why for why in stage.market.reasons)


def test_the_book_jumps_for_a_market_that_is_priced_by_its_oracle() -> None:
    pulls, here = _pulls(), Fair(bid=D(100), ask=D(100), gap_bps=D(0))
    pulls.prices(D(100), here, D(0), 1000, D(100))
    pulls.prices(D(100), here, D(0), 1500, D("99.8"))
    assert "the price jumped" in pulls.reasons(1500)


def test_a_step_after_a_second_without_a_look_is_a_step() -> None:
    pulls = _pulls()
    pulls.prices(D(100), Fair(bid=D(100), ask=D(100), gap_bps=D(0)), D(0), 1000)
    pulls.prices(D(101), Fair(bid=D(101), ask=D(101), gap_bps=D(0)), D(0), 2001)
    assert "the price made a step that may be none" in pulls.reasons(2001)


def test_a_spread_that_loses_after_its_fee_is_not_quoted(tmp_path: Path) -> None:
    stage = QuoteStage(tmp_path, warm=False, quote_min_half_bps="1", quote_max_half_bps="2")
    stage.run(70_000, 50)
    assert stage.live() == []
    assert stage.market.stance is Stance.OFF
    assert any("HIP3_QUOTE_MAX_HALF_BPS" in why for why in stage.market.reasons)


# Completion.


def test_a_completion_waits_until_the_price_is_one(tmp_path: Path) -> None:
    stage = QuoteStage(tmp_path, rests=2, quote_levels="1", quote_size_usd="39.5", quote_max_inventory_usd="40")
    stage.take(BUY)
    stage.move(-25)
    stage.run(4000)
    assert stage.market.pulls.unsure(stage.world.clock.mono_ms())
    assert _completions(stage) == []
    assert stage.market.completion_tries == 0
    assert stage.until(lambda: bool(_completions(stage)), 10_000)


def test_inventory_for_which_nobody_pays_keeps_the_quotes_that_would_sell_it(tmp_path: Path) -> None:
    stage = QuoteStage(tmp_path, quote_max_age_s="60", quote_stop_loss_bps="0")
    stage.take(BUY)
    stage.run(3000)
    stage.move(-8)
    stage.run(70_000, 50)
    assert stage.market.patient
    before = stage.sent()
    for _ in range(120):
        stage.run(1000, 50)
        assert stage.market.stance is Stance.ONE_SIDED
        assert len(stage.live(SELL)) == 2
        assert stage.live(BUY) == []
    assert stage.sent() == before


# The budget of actions.


def test_quotes_that_are_only_too_far_away_stay_where_their_successors_cannot_be_paid(tmp_path: Path) -> None:
    stage = QuoteStage(tmp_path)
    stage.world.trading.quotes._pacing._tokens = 2.0  # type: ignore[union-attr]
    stage.move(9)
    for _ in range(40):
        stage.run(500, 50)
        assert len(stage.live(BUY)) == 2


# Its fills.


def test_a_market_whose_fills_lose_far_more_than_their_spread_rests_and_is_judged_anew(tmp_path: Path) -> None:
    stage = QuoteStage(tmp_path)
    figures = stage.market.figures
    figures._recent, figures._judged, figures._judged_ms = D(-50), 8, stage.world.clock.mono_ms()
    assert stage.until(lambda: stage.live() == [], 5000)
    assert any("its latest fills lose 50.0 bps" in why for why in stage.market.reasons)
    assert figures.recent_bps(stage.world.clock.mono_ms()) is None
    stage.run(170_000, 50)
    assert stage.live() == []
    assert stage.until(lambda: len(stage.live()) == 4, 60_000)


def test_what_fills_made_long_ago_widens_nothing() -> None:
    figures = QuoteFigures()
    for n in range(6):
        figures.filled(BUY, D(100), D(1), D(100), n * 10_000)
        figures.look(D("99.95"), both=True, allowed=True, now_ms=n * 10_000 + 5000)
    last = 55_000
    assert figures.recent_bps(last) == -5
    assert figures.recent_bps(last + RECENT_MS) == -5
    assert figures.recent_bps(last + RECENT_MS + 1) is None


def test_three_fills_of_one_side_in_a_row_are_a_run_until_one_of_the_other() -> None:
    pulls = _pulls()
    for n, cloid in enumerate(("a", "a", "b")):  # several trades of one quote are one
        pulls.filled(BUY, cloid, n * 10_000)
    assert pulls.run(30_000) is None
    pulls.filled(BUY, "c", 30_000)
    assert pulls.run(30_000) is BUY
    assert pulls.run(30_000 + RUN_MS) is None
    pulls.filled(SELL, "d", 40_000)
    assert pulls.run(40_000) is None
    pulls.filled(BUY, "e", 50_000)
    assert pulls.run(50_000) is None


@pytest.mark.parametrize("side", [BUY, SELL])
def test_the_side_that_the_market_runs_into_is_quoted_further_away(tmp_path: Path, side: Side) -> None:
    stage = QuoteStage(tmp_path)
    now = stage.world.clock.mono_ms()
    before = {s: stage.prices(s)[0] for s in Side}
    stage.market.pulls._run = side, ["a", "b", "c"], now + RUN_MS
    other = SELL if side is BUY else BUY
    assert stage.until(lambda: bool(stage.prices(side)) and stage.prices(side)[0] != before[side], 10_000)
    moved = (before[side] - stage.prices(side)[0]) * side.sign / before[side] * 10_000
    assert Decimal(2) < moved < Decimal(4)
    assert stage.prices(other)[0] == before[other]
