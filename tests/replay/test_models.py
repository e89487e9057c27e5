"""What a replay supposes where a recording does not say: the race, the queue, latency, impact, and how it is shown."""

import argparse
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip3.cli import parser
from hip3.config.reading import MarketSettings
from hip3.config.settings import Settings
from hip3.errors import ConfigError
from hip3.replay.band import groups, run_all, table, variants
from hip3.replay.head import Head, first_look
from hip3.replay.held import Held, held_in, take_over
from hip3.replay.once import model_of, once, sized
from hip3.replay.result import hash_of
from hip3.venue.market.filling import Fills, offered
from hip3.venue.market.latency import Latency
from hip3.venue.market.queueing import Queue, parse_queue
from hip3.venue.market.tape import Side, Trade
from tests.replay.session import Session, recorded
from tests.stories.process import ROOT
from tests.venue.desk import GOLD
from tests.venue.test_recorded import KEY, Recorded

D = Decimal
sizes = st.integers(1, 200).map(lambda n: D(n) / 100)
prices = st.integers(-3, 3).map(lambda n: D(100) + D(n) / 10)


@given(
    before=sizes, after=st.none() | st.tuples(prices, sizes), traded=st.lists(st.tuples(prices, sizes), max_size=3),
    limit=prices, p=st.integers(0, 10), q=st.integers(0, 10), is_ask=st.booleans(),
)  # fmt: skip
def test_the_models_are_in_order_for_any_order(
    before: Decimal, after: tuple[Decimal, Decimal] | None, traded: list[tuple[Decimal, Decimal]], limit: Decimal,
    p: int, q: int, is_ask: bool,
) -> None:  # fmt: skip
    """evidence.md 8.1.8: what one given order gets; pessimistic <= share p <= share q <= optimistic for p <= q."""
    p, q = sorted((p, q))
    models = (Fills(), Fills("share", D(p) / 10), Fills("share", D(q) / 10), Fills("optimistic"))
    trades = [Trade(1, px, sz, sold=not is_ask) for px, sz in traded]
    got = []
    for model in models:
        found = offered(
            model, Side(D(100), before), None if after is None else Side(*after), trades, is_ask=is_ask, sz_decimals=2
        )
        got.append(sum((s.sz for s in found if (s.px <= limit if is_ask else s.px >= limit)), D(0)))
    assert got == sorted(got)
    assert got[-1] <= before


def test_who_is_gone_from_before_us_is_found_by_what_is_shown() -> None:
    queue = parse_queue("risk-averse").queue(D(100), is_buy=True, front=None)
    assert queue.traded(Trade(1, D(100), D(9), sold=True), D(1)) == 0, "what stands before us is not known yet"
    queue.shown(Side(D(100), D(3)))
    queue.shown(Side(D("100.1"), D(1)))  # somebody is better: our level is not seen
    assert queue.front == D(3)
    queue.shown(Side(D("99.9"), D(1)))  # ours was the touch, and is gone
    assert queue.front == 0


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 50).map(D)), max_size=12), st.integers(0, 50).map(D),
    st.sampled_from(["probabilistic", "probabilistic:2"]),
)  # fmt: skip
def test_nobody_stands_further_back_than_at_the_end_of_the_queue(
    steps: list[tuple[bool, Decimal]], front: Decimal, model: str
) -> None:
    """Whatever is shown and traded: 0 <= front <= what is shown, and never more than risk-averse says."""
    likely = parse_queue(model).queue(D(100), is_buy=True, front=front)
    averse = Queue(D(100), is_buy=True, front=front)
    for trades, size in steps:
        for queue in (likely, averse):
            if trades:
                queue.traded(Trade(1, D(100), size, sold=True), D(0))
            else:
                queue.shown(Side(D(100), size))
        assert likely.front is not None
        assert averse.front is not None
        assert 0 <= likely.front <= averse.front
        if not trades:
            assert likely.front <= size


@pytest.mark.parametrize(
    ("option", "value", "what"),
    [
        ("--queue", "fifo", "risk-averse, probabilistic"), ("--queue", "probabilistic:0", "N above 0"),
        ("--impact", "-1", "from 0 to 10"), ("--behind", "depth", "no order books"),
        ("--fills", "share:0.5", "no trades"), ("--fills", "share:2", "P from 0 to 1"),
    ],
)  # fmt: skip
def test_what_a_recording_cannot_answer_is_said(option: str, value: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        model_of(_args("x", option, value), Head(first_ns=0, mono_ns=0))


def _args(recording: str, *more: str) -> argparse.Namespace:
    return parser().parse_args(["replay", recording, *more])


def test_a_latency_is_stretched_by_a_factor() -> None:
    latency = Latency([10, 31], [5], "x")
    assert latency.times("1") is latency
    assert latency.times("0.5") == Latency([5, 16], [3], "x, times 0.5")
    assert latency.times("2").exec == [20, 62]


def test_the_band_has_its_middle_only_where_trades_are_recorded() -> None:
    def names(head: Head, *more: str) -> list[str]:
        return [v.name for v in variants(_args("x", *more), head)]

    blind, seeing = Head(first_ns=0, mono_ns=0), Head(first_ns=0, mono_ns=0, trades=True)
    assert names(blind) == ["pessimistic", "optimistic"]
    assert names(seeing) == ["pessimistic", "share:0.5", "optimistic"]
    assert names(seeing, "--fills", "share:0.30") == ["pessimistic", "share:0.3", "optimistic"]
    assert names(seeing, "--own") == []
    assert names(blind, "--sensitivity")[2:] == ["0.5", "1", "2", "0", "0.5", "1", "0.5", "1", "2"]


def test_a_held_position_is_read_of_the_account_s_own_answer() -> None:
    position = {"coin": "xyz:GOLD", "szi": "-0.5", "entryPx": "4000.1", "leverage": {"type": "isolated", "value": 20}}
    answer = {"assetPositions": [{"position": position}, {"position": {"coin": "xyz:TSLA"}}]}
    (held,) = held_in(answer)
    assert (held.text, held.entry, held.leverage, held.isolated) == ("-0.5 xyz:GOLD", D("4000.1"), 20, True)
    assert held_in(None) == held_in({}) == []


def test_a_held_position_is_the_account_s_from_the_beginning_on() -> None:
    market = Recorded()
    market.touch(0, ("3999", "1"), ("4000", "1"))
    take_over(market.venue.engine, KEY.address, [Held(GOLD, D("0.05"), D("3990"), 20, isolated=True)])
    market.send(300, buy=False, px="3999", sz="0.05")
    account = market.venue.engine.account(KEY.address)
    assert account is not None
    (fill,) = account.fills
    assert (fill["startPosition"], fill["dir"], fill["closedPnl"]) == ("0.05", "Close Long", "0.45")


def test_the_race_band_is_the_same_at_any_number_of_jobs_and_the_headline_is_one_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """evidence.md 3.3 and 8.1.13: every model beside the headline; as many processes as it likes."""
    session = recorded(tmp_path, 5, 0.5)
    for name in [n for n in os.environ if n.startswith("HIP3_")]:
        monkeypatch.delenv(name)
    for name, value in _settings(session).items():
        monkeypatch.setenv(name, value)
    found = {}
    for jobs in ("1", "2"):
        args = _args(str(session.recording), "--jobs", jobs, "--latency", "fixed:60")
        head = first_look(session.recording)
        run = once(args, head, None)
        band = groups(list(run_all(args, head, None, run.report)))
        found[jobs] = (band, hash_of(run.rows, run.report | band))
    assert found["1"] == found["2"]
    band = found["1"][0]["race_band"]
    assert list(band) == ["pessimistic", "optimistic"]
    assert band["pessimistic"]["net_usd"] == run.report["net_usd"]
    assert band["pessimistic"]["fills"] > 0
    shown = table(run.report | found["1"][0]).splitlines()
    assert shown[1].split()[:3] == ["*", "pessimistic", run.report["net_usd"]]


def _settings(session: Session) -> dict[str, str]:
    return {k: v for k, v in session.env.items() if "DIR" not in k and k != "HIP3_RECORD"}


@pytest.mark.long
def test_every_option_tells_and_the_hash_is_the_same_on_every_machine(tmp_path: Path) -> None:
    """evidence.md 8.1.13: PYTHONHASHSEED and jobs 1, 2, 4; `--from`, `--to`, `--markets`, `--set`, `--balance`."""
    session = recorded(tmp_path, 6, 2)
    runs = [_command(tmp_path, session, seed, "--sensitivity", "--jobs", seed) for seed in ("1", "2", "4")]
    assert [r.returncode for r in runs] == [0, 0, 0], runs[0].stderr
    assert len({r.stdout for r in runs}) == 1
    base = _report(tmp_path, session)
    assert set(base["race_band"]) == {"pessimistic", "optimistic"}
    half = _report(tmp_path, session, "--from", "2026-09-21T14:13:50", "--to", "2026-09-21T14:14:30")
    assert 0 < half["signals"] < base["signals"]
    assert 39_000 < half["last_ms"] - half["first_ms"] < 42_000
    one = _report(tmp_path, session, "--markets", "xyz:TSLA", "--balance", "50")
    assert {t["coin"] for t in one["trades"]} == {"xyz:TSLA"}
    assert one["balance_usd"] == "50"
    none = _report(tmp_path, session, "--set", "min_edge_bps=90")
    assert (none["signals"], none["fills"]) == (0, 0)
    assert _command(tmp_path, session, "1", "--set", "min_edge_bps").returncode == 2
    assert _command(tmp_path, session, "1", "--set", "NO_SUCH=1").returncode == 2
    assert _command(tmp_path, session, "1", "--markets", "xyz:NVDA").returncode == 2


def _report(tmp: Path, session: Session, *more: str) -> dict[str, Any]:
    out = _command(tmp, session, "1", *more, "--json")
    assert out.returncode == 0, out.stderr
    return dict(json.loads(out.stdout.splitlines()[0]))


def _command(tmp: Path, session: Session, hashseed: str, *more: str) -> "subprocess.CompletedProcess[str]":
    env = {k: v for k, v in os.environ.items() if not k.startswith("HIP3_")} | _settings(session)
    return subprocess.run(
        [sys.executable, str(ROOT / "hip3.py"), "replay", str(session.recording), *more],
        cwd=tmp, env=env | {"PYTHONHASHSEED": hashseed}, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


def test_quotes_are_sized_like_entries() -> None:
    """The sensitivity to size told a maker nothing: his quotes were as large in every row."""
    settings = MarketSettings(Settings(quote_markets="xyz:GOLD"), {"xyz:GOLD": {"quote_size_usd": D(30)}})
    twice = sized(settings, D(2))
    assert (twice.base.quote_size_usd, twice.base.quote_max_inventory_usd) == (50, 80)
    assert twice.for_market("xyz:GOLD").quote_size_usd == 60
