"""The trap in real data: a structural gap of 10 to 100 bps under an oracle that only drifts down.

The recording (UNITREE on two dexs, underlying closed) lies beside the project where it is present; a
copy of the project alone uses a series of our own making with the same statistics.
"""

import gzip
import json
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hip3.config.reading import MarketSettings
from hip3.config.settings import Settings
from hip3.core.decisions import DislocationSignal
from hip3.core.events import BboUpdate, CtxUpdate
from hip3.core.market import Level, MarketSpec
from hip3.core.money import ZERO, bps_of
from hip3.core.orders import Side
from hip3.feed.market_state import MarketState
from hip3.service.params import detector_params
from hip3.strategy.detector import Detector

Events = list[dict[str, Any]]
COINS = ("para:UNITREE", "xyz:UNITREE")
LIVE_FROM_MS = 1_787_566_475_000
"""The recording begins with eleven seconds of a dry run, nine minutes before the live part."""


def _recorded(samples: Path) -> Events | None:
    path = samples / "marketdata" / "AJslashTracey+MM_Paradex" / "derived_unitree_events.jsonl.gz"
    if not path.is_file():
        return None
    with gzip.open(path, "rt") as file:
        return [json.loads(line) for line in file]


def _synthetic() -> Events:
    """33 minutes: book every 5.4 s walking down 3 bps a minute, oracle a slow average above it."""
    rng, events = random.Random(7), []
    for coin, gap_bps, tau_s in (("para:UNITREE", 49, 3000), ("xyz:UNITREE", 32, 2000)):
        mid, oracle = 88.7, 88.7 * (1 + gap_bps / 10_000)
        for step in range(366):
            now = 1_787_565_947_000 + step * 5400
            mid *= 1 + rng.gauss(-0.6, 1.8) / 10_000
            bid, ask = round(mid * 0.99978, 3), round(mid * 1.00022, 3)
            sizes = [max(0.01, round(rng.lognormvariate(-0.3, 1.5), 2)) for _ in range(2)]
            events.append(
                {
                    "recv_ms": now, "ch": "l2Book_top", "coin": coin, "exch_ms": now - 700, "bid_px": f"{bid:.3f}",
                    "bid_sz": f"{sizes[0]}", "ask_px": f"{ask:.3f}", "ask_sz": f"{sizes[1]}",
                }
            )  # fmt: skip
            for half in (0, 2700):
                oracle -= max(0.0005, (oracle - mid) * 2.7 / tau_s)
                ctx = {"oracle_px": f"{oracle:.4f}", "mark_px": f"{mid:.4f}"}
                events.append({"recv_ms": now + half, "ch": "assetCtx", "coin": coin} | ctx)
    return sorted(events, key=lambda e: e["recv_ms"])


@pytest.fixture(params=["recorded", "synthetic"])
def events(request: pytest.FixtureRequest, samples: Path) -> Events:
    found = _recorded(samples) if request.param == "recorded" else None
    return found if found is not None else _synthetic()


def _spec(coin: str) -> MarketSpec:
    return MarketSpec(
        coin=coin, dex=coin.split(":", maxsplit=1)[0], asset_id=110_000, sz_decimals=2, max_leverage=5, isolated_only=True,
        growth=True, taker_fee_bps=Decimal("0.9"),
    )  # fmt: skip


def _run(events: Events, factor: int, **settings: Any) -> list[DislocationSignal]:
    """Feed and detector over the events, with the oracle's moves multiplied."""
    specs = {coin: _spec(coin) for coin in COINS}
    state = MarketState(specs)
    detector = Detector(detector_params(MarketSettings(Settings(**settings)), specs))
    first: dict[str, Decimal] = {}
    out = []
    for e in events:
        now, coin = e["recv_ms"], e["coin"]
        if e["ch"] == "assetCtx":
            oracle = Decimal(e["oracle_px"])
            start = first.setdefault(coin, oracle)
            moved = start + (oracle - start) * factor
            view = state.apply_ctx(CtxUpdate(coin, moved, Decimal(e["mark_px"]), ZERO), now, 1)
            signal = detector.on_ctx(view, now) if view else None
        else:
            bid = Level(Decimal(e["bid_px"]), Decimal(e["bid_sz"]))
            ask = Level(Decimal(e["ask_px"]), Decimal(e["ask_sz"]))
            view = state.apply_bbo(BboUpdate(coin, e["exch_ms"], bid, ask), now, 1)
            signal = detector.on_bbo(view, now) if view else None
        if signal is not None:
            out.append(signal)
    return out


def test_the_gap_is_there_in_nearly_every_row_and_buying_it_lost(events: Events) -> None:
    for coin in COINS:
        oracle, edges = None, []
        books = [e for e in events if e["coin"] == coin and "bid_px" in e and e["recv_ms"] >= LIVE_FROM_MS]
        for e in (e for e in events if e["coin"] == coin):
            if e["ch"] == "assetCtx":
                oracle = Decimal(e["oracle_px"])
            elif oracle is not None:
                edges.append(bps_of(oracle - Decimal(e["ask_px"]), oracle))
        assert min(edges) > 5
        bought, sold = Decimal(books[0]["ask_px"]), Decimal(books[-1]["bid_px"])
        assert bps_of(sold - bought, bought) < -100


def test_no_entry_at_default_settings(events: Events) -> None:
    assert _run(events, 1) == []


def test_no_entry_even_when_the_thinnest_touch_counts(events: Events) -> None:
    assert _run(events, 1, min_book_notional=Decimal(0)) == []


def test_an_oracle_that_rises_over_the_same_book_is_bought(events: Events) -> None:
    signals = _run(events, -40, min_book_notional=Decimal(0))
    assert signals
    assert {s.side for s in signals} == {Side.BUY}


def test_an_oracle_that_falls_over_the_same_book_is_never_bought(events: Events) -> None:
    assert Side.BUY not in {s.side for s in _run(events, 40, min_book_notional=Decimal(0))}


def test_the_recording_rising_signals_at_default_settings_too(samples: Path) -> None:
    events = _recorded(samples) or _synthetic()
    assert Side.BUY in {s.side for s in _run(events, -40)}
