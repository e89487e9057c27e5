"""The report against the live page and against its own parts: one journal, one truth."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip3.cli import main
from hip3.core.results import DAY_MS
from hip3.errors import ConfigError
from hip3.ops.intents import IntentLog
from hip3.ops.journal import EventLog
from hip3.ops.store import encode
from hip3.replay.band import FEES, KEYS, Variant, at_fees, groups
from hip3.report import page as page_module
from hip3.report.document import MOST_MARKS, report
from hip3.report.facts import Facts
from hip3.report.figures import SUPPOSED, figures
from hip3.report.journal import newest, read
from hip3.report.market_figures import market_figures
from hip3.report.page import page, rows_as_csv, short
from hip3.report.thin import MOST_POINTS, thin
from hip3.service.snapshot import snapshot
from tests.builders import D, fill, order
from tests.world import World

QUOTED = "xyz:GOLD,xyz:NVDA,xyz:TSLA"
T0 = 1_790_000_000_000 // DAY_MS * DAY_MS


@pytest.fixture
def traded(tmp_path: Path) -> World:
    """A session with closed round trips on the production journal, flat at the end; it has two days in it."""
    world = World(tmp_path, on_disk=True)
    world.connect()
    assert world.run_until(lambda: world.running.journal.figures.round_trips > 1)
    assert world.run_until(lambda: not world.trading.tracker.positions())
    world.running.journal.record("snapshot", status=snapshot(world.running))
    world.journal.drain(0)
    return world


def test_the_report_s_result_is_the_live_page_s_to_the_last_digit(traded: World, tmp_path: Path) -> None:
    doc = report(read(tmp_path / "journal.db"), traded.clock.wall_ms())
    live = snapshot(traded.running)
    assert doc["split"] == live["result"]["total"]
    assert doc["signals"] == live["counters"]["signals"]
    assert doc["orders"] == live["counters"]["sent"]
    assert [d["net_usd"] for d in doc["days"]] == [doc["split"]["net_usd"]]
    assert doc["gross_usd"] == live["pnl"]["realized_usd"]
    assert doc["timing"]["signal_to_sent"]["n"] == len(traded.running.journal.figures.signal_to_sent_us)


@pytest.mark.long
def test_a_maker_s_report_is_what_its_quotes_say_of_themselves(tmp_path: Path) -> None:
    """Twenty minutes of three quoted markets: captured, markouts, fills, as the status has them."""
    world = World(
        tmp_path, on_disk=True, seed=2, market_profile="calibrated", markets=QUOTED, quote_markets=QUOTED,
        max_notional_total=D(1000), max_concurrent_positions=10, hard_stop_max_loss_usd=D(1000),
        hard_stop_max_slippage_bps=D(10_000), quote_min_half_bps=D(1), quote_min_edge_bps=D(0),
    )  # fmt: skip
    account = world.venue.engine.account(world.user)
    assert account is not None
    account.credited += D(1_000_000)  # more actions than a fresh address has: what is asked is the report
    world.connect()
    for _ in range(20):
        world.run(60_000, 50)
        world.running.journal.record("snapshot", status=snapshot(world.running))
        world.journal.drain(0)
    live = snapshot(world.running)
    doc = report(read(tmp_path / "journal.db"), 0)
    told = {q["name"]: q for q in doc["quotes"]}
    assert sum(q["fills"] for q in live["quotes"]) > 5
    for q in live["quotes"]:
        mine = told[q["market"]]
        assert (mine["fills"], mine["captured_bps"]) == (q["fills"], q["captured_bps"])
        assert mine["markout_bps"] == q["markout_bps"]
        assert mine["completions"] == q["counts"].get("completions", 0)
        assert mine["uptime_ratio"] == q["uptime_ratio"]
    total = live["result"]["total"]
    assert abs(D(doc["split"]["captured_usd"]) - D(total["captured_usd"])) < D("1e-12")
    assert [doc["split"][k] for k in ("fees_usd", "round_trips", "wins")] == [
        total[k] for k in ("fees_usd", "round_trips", "wins")
    ]


def test_the_parts_of_a_report_add_up_to_its_whole(traded: World, tmp_path: Path) -> None:
    doc = report(read(tmp_path / "journal.db"), 0)
    whole = D(doc["split"]["net_usd"])
    for name, rows in doc["by"].items():
        assert sum(D(r["net_usd"]) for r in rows) == whole, name
        assert sum(r["round_trips"] for r in rows) == doc["round_trips"]
    assert sum(D(r["net_usd"]) for r in doc["by_market_money"]) == whole
    assert sum(D(t["net_usd"]) for t in doc["trips"]) == whole
    assert D(doc["curve"][-1][1]) == whole
    assert D(doc["curve"][-1][1]) - max(D(p[1]) for p in doc["curve"]) >= -D(doc["drawdown_usd"])
    assert sum(doc["exits"].values()) >= doc["round_trips"]
    counts = [n for _, n in doc["funnel"]]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1] >= doc["wins"]
    assert json.loads(json.dumps(doc)) == doc, "texts and whole numbers alone"


def test_a_span_is_a_part_of_the_journal(traded: World, tmp_path: Path) -> None:
    facts = read(tmp_path / "journal.db")
    middle = facts.curve[len(facts.curve) // 2][0]
    late = read(tmp_path / "journal.db", middle)
    assert 0 < late.money.fills < facts.money.fills
    early = read(tmp_path / "journal.db", 0, middle)
    assert early.money.realized + late.money.realized == facts.money.realized


def test_every_picture_is_one_that_plotly_knows(traded: World, tmp_path: Path) -> None:
    doc = report(read(tmp_path / "journal.db"), 0)
    pictures = [*figures(doc), *market_figures(doc)]
    assert {"result", "days", "funnel", "slippage", "by-exit"} <= {f.id for f in pictures}
    assert len({f.id for f in pictures}) == len(pictures)
    for f in pictures:
        go.Figure(_coloured(f.spec))


def test_what_a_replay_was_tried_under_is_drawn_and_told_beside_its_result(traded: World, tmp_path: Path) -> None:
    """evidence.md 6, pages 2 and 8: the race band over time, and the net by everything that was supposed."""
    doc = report(read(tmp_path / "journal.db"), 0)
    own = {key: doc[key] for key in KEYS if key not in ("problem", "open_usd")} | {"open_usd": "0"}
    variants = {("race_band", "pessimistic"): own, ("race_band", "optimistic"): own | {"curve": doc["curve"]}}
    variants |= {(group, x): own for group in ("latency_times", "impact", "size_times") for x in ("0.5", "1")}
    found = groups([(Variant(group, name, {}), figures) for (group, name), figures in variants.items()])
    whole = doc | found | {"what": "replay", "fill_model": "pessimistic", "trips_left_out": 0}
    drawn = {f.id: f for f in figures(whole)}
    assert [t["name"] for t in drawn["result"].spec["data"]] == [
        "optimistic", "closed result, pessimistic", "below its highest",
    ]  # fmt: skip
    for group, rows in {"race_band": found["race_band"], **found["sensitivity"]}.items():
        (bar,) = drawn[f"if-{group}"].spec["data"]
        assert (bar["x"], bar["y"]) == (list(rows), [f["net_usd"] for f in rows.values()])
        go.Figure(_coloured(drawn[f"if-{group}"].spec))
    assert set(found["sensitivity"]) == {"latency_times", "impact", "size_times", "fees_times"}
    text = page(whole)
    assert all(title in text for title, _ in SUPPOSED.values())


@given(gross=st.integers(-(10**6), 10**6), fees=st.integers(0, 10**6), funding=st.integers(-(10**6), 10**6))
def test_higher_fees_never_better_the_same_fills(gross: int, fees: int, funding: int) -> None:
    """evidence.md 8.1.8, last half; once the fees it is the result itself."""
    own = {"gross_usd": str(gross), "fees_usd": str(fees), "funding_usd": str(funding), "notional_usd": "7",
           "net_usd": str(gross - fees + funding), "net_bps_of_notional": None, "wins": 3}  # fmt: skip
    nets = [D(at_fees(own, times)["net_usd"]) for times in FEES]
    assert nets == sorted(nets, reverse=True)
    assert nets[1] == D(own["net_usd"])


def _coloured(value: Any) -> Any:
    """The spec with a colour for each name of one, as the page puts in."""
    if isinstance(value, str):
        return "#123456" if value.startswith("--") else value
    if isinstance(value, list):
        return [_coloured(v) for v in value]
    return {k: _coloured(v) for k, v in value.items()} if isinstance(value, dict) else value


def _record(facts: Facts, at_ms: int, kind: str, **fields: Any) -> None:
    facts.add(at_ms, kind, encode(fields))


def _fill(facts: Facts, at_ms: int, *, start: str, position: str, pnl: str = "0") -> None:
    from hip3.core.ledger import FillBooked

    booked = fill(at_ms, time_ms=at_ms, start_position=D(start), closed_pnl=D(pnl), fee=D("0.1"))
    _record(facts, at_ms, "fill", event=FillBooked(fill=booked, kind="opened", position=D(position), ours=True))


def test_a_day_that_ends_with_an_open_position_says_so_instead_of_a_number() -> None:
    facts = Facts()
    _fill(facts, T0 + 5, start="0", position="1")
    _record(
        facts,
        T0 + DAY_MS - 60_000,
        "snapshot",
        status={"positions": [{"market": "xyz:GOLD", "unrealized_pnl_usd": "2.5", "foreign": False}]},
    )
    _fill(facts, T0 + DAY_MS + 5, start="1", position="0", pnl="3")
    doc = report(facts, 0)
    assert [d["net_usd"] for d in doc["days"]] == ["2.4", "0.4"]  # 2.5 open, then 3 closed less those 2.5; a fee each
    assert doc["split"]["net_usd"] == "2.8"
    unknown = Facts()
    _fill(unknown, T0 + 5, start="0", position="1")
    _fill(unknown, T0 + DAY_MS + 5, start="1", position="0", pnl="3")
    assert [d["net_usd"] for d in report(unknown, 0)["days"]] == [None, None]
    assert report(unknown, 0)["net_usd"] == "2.8", "what was closed is known"


def _held(facts: Facts, at_ms: int, **usd: str) -> None:
    own = [{"market": f"xyz:{name}", "unrealized_pnl_usd": pnl, "foreign": False} for name, pnl in usd.items()]
    _record(facts, at_ms, "snapshot", status={"positions": own})


def test_what_was_held_as_a_span_began_counts_from_what_it_was_worth_then() -> None:
    """Held all through; closed in it; and beside another market that was opened and closed in it."""
    through, ended, beside = Facts(), Facts(), Facts()
    _held(through, T0, GOLD="-100")
    _held(through, T0 + 60_000, GOLD="-500")
    assert report(through, 0)["split"]["net_usd"] == "-400"
    assert "moved by -400" in report(through, 0)["sentence"]
    _held(ended, T0, GOLD="500")
    _fill(ended, T0 + 5, start="10", position="0", pnl="400")
    assert report(ended, 0)["split"]["net_usd"] == "-100.1"
    assert [d["net_usd"] for d in report(ended, 0)["days"]] == ["-100.1"]
    _held(beside, T0, NVDA="500")
    _fill(beside, T0 + 5, start="0", position="1")
    _held(beside, T0 + 60_000, NVDA="500", GOLD="0")
    assert report(beside, 0)["split"]["net_usd"] == "-0.1"
    unknown = Facts()
    _fill(unknown, T0 + 5, start="0", position="1")
    _held(unknown, T0 + 60_000, NVDA="500", GOLD="0")  # nobody knows what it was worth as the span began
    assert report(unknown, 0)["split"]["net_usd"] is None


def test_a_position_of_before_the_first_fill_leaves_the_net_unknown() -> None:
    facts = Facts()
    _fill(facts, T0 + 5, start="2", position="0", pnl="-4")
    doc = report(facts, 0)
    assert (doc["split"]["net_usd"], doc["net_usd"]) == (None, "-4.1")
    assert "open positions unknown" in doc["sentence"]


def test_quotes_captured_and_what_was_left_of_it_are_weighted_by_volume() -> None:
    facts = Facts()
    for side, sz, fair in (("B", "1", "1001"), ("A", "3", "1000")):
        _record(facts, T0, "quote_fill", coin="xyz:GOLD", cloid=None, side=side, px=D(1000), sz=D(sz), fair=D(fair))
    _record(facts, T0, "quote_fill", coin="xyz:GOLD", cloid=None, side="B", px=D(1000), sz=D(9), fair=None)
    _record(facts, T0, "quote_markout", coin="xyz:GOLD", seconds=5, bps="-4", usd=D(1000))
    _record(facts, T0, "quote_markout", coin="xyz:GOLD", seconds=5, bps="8", usd=D(3000))
    doc = report(facts, 0)
    (row,) = doc["quotes"]
    assert (row["fills"], row["captured_bps"], row["captured_usd"]) == (3, "2.50", "1")
    assert row["markout_bps"] == {"1": None, "5": "5.00", "30": None}
    assert doc["split"]["captured_usd"] == "1"


def test_a_trip_is_told_with_the_reason_that_left_it() -> None:
    from hip3.core.ledger import RoundTrip
    from hip3.core.orders import ExitReason

    facts = Facts()
    for attempt, reason in ((1, ExitReason.TIME_STOP), (2, ExitReason.TIME_STOP)):
        _record(
            facts,
            T0,
            "exit",
            order=order(attempt, reduce_only=True, exit_reason=reason, attempt=attempt),
            position=None,
        )
    trip = RoundTrip(coin="xyz:GOLD", opened_ms=T0, closed_ms=T0 + 7000, realized=D(-1), fees=D("0.5"), entry_px=D(10),
                     exit_px=D(9), funding=D("-0.25"), entered_usd=D(100))  # fmt: skip
    _record(facts, T0 + 7000, "round_trip", trip=trip)
    doc = report(facts, 0)
    assert doc["exits"] == {"time_stop": 1}
    (row,) = doc["trips"]
    assert (row["net_usd"], row["net_bps"], row["exit"], row["held_ms"]) == ("-1.75", "-175.00", "time_stop", 7000)
    assert [r["name"] for r in doc["by"]["holding"]] == ["5 to 10 s"]
    assert doc["profit_factor"] == "0.00"
    assert rows_as_csv(doc["trips"]).count("\n") == 2


def test_thinning_keeps_every_peak_and_both_ends() -> None:
    points = [(n, D((n * 7919) % 1009)) for n in range(30_000)]
    points[12_345] = (12_345, D(5000))
    points[23_456] = (23_456, D(-5000))
    kept = thin(points, lambda p: p[0], lambda p: p[1])
    assert len(kept) <= MOST_POINTS
    assert {points[0], points[-1], points[12_345], points[23_456]} <= set(kept)
    assert kept == sorted(kept)
    assert thin(points[:MOST_POINTS], lambda p: p[0], lambda p: p[1]) == points[:MOST_POINTS]
    one_time = [(5, D(n)) for n in range(9000)]
    assert len(thin(one_time, lambda p: p[0], lambda p: p[1])) <= 4
    holes = [(n, None if n % 2 else D(n)) for n in range(20_000)]
    assert None in {value for _, value in thin(holes, lambda p: p[0], lambda p: p[1])}


def test_fills_are_never_thinned_below_thousands() -> None:
    facts = Facts()
    facts.prices["xyz:GOLD"] = [(T0, "1", "2", "1", "1")]
    facts.fills = [(T0 + n, "xyz:GOLD", "B", "1", "1", True) for n in range(MOST_MARKS + 7)]
    picture = report(facts, 0)["pictures"]["xyz:GOLD"]
    assert (len(picture["fills"]), picture["left_out"]) == (MOST_MARKS, 7)


def test_nothing_from_outside_is_markup_in_the_page(traded: World, tmp_path: Path) -> None:
    doc = report(read(tmp_path / "journal.db"), 0)
    evil = "</script><img src=x onerror=alert(1)>"
    doc["refused_by_gate"] = {evil: 1}
    doc["notes"] = [evil]
    doc["trips"][0]["market"] = evil
    coin = next(iter(doc["pictures"]))
    doc["pictures"][coin]["signals"] = [[1, "B", "1", evil]]
    text = page(doc)
    assert "<img src=x" not in text.replace("\\u003cimg", "")
    assert text.count("</script>") == 3


def test_without_the_lab_packages_json_is_written_and_one_sentence_says_so(
    traded: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """evidence.md 8.2, case 30, for `report`; tests/replay has it for `replay`."""
    monkeypatch.setattr(page_module, "has_lab", lambda: False)
    out = tmp_path / "out" / "report.html"
    assert main(["report", "--journal", str(tmp_path / "journal.db"), "--out", str(out)]) == 2
    assert "pip install -r requirements-lab.txt" in capsys.readouterr().err
    assert json.loads(out.with_suffix(".json").read_text())["what"] == "report"
    assert not out.exists()


def test_tables_and_csv_on_stdout(traded: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = str(tmp_path / "journal.db")
    assert main(["report", "--journal", journal, "--csv", "--by", "market"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("name,net_usd,captured_usd,moves_usd")
    assert len(lines) > 1
    for by in ("day", "exit", "hour", "session", "holding", "trip"):
        assert main(["report", "--journal", journal, "--csv", "--by", by]) == 0
        assert len(capsys.readouterr().out.splitlines()) > 1, by
    out = str(tmp_path / "pages" / "one.html")
    assert main(["report", "--journal", journal, "--by", "market", "--out", out, "--since", "2020-01-01"]) == 0
    assert "round trips, net" in capsys.readouterr().out
    assert Path(out).read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--journal", "nowhere.db"], "there is no such file"),
        (["--days", "0"], "at least 1"),
        (["--since", "yesterday"], "expected a UTC time"),
        (["--out", "x.pdf"], "ends in .html"),
    ],
)
def test_bad_usage_is_one_sentence(
    args: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["report", *args]) == 2
    assert says in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_journal_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_text("no database at all, though it is long enough to be looked at")
    with pytest.raises(ConfigError, match="cannot be read as a journal"):
        read(tmp_path / "journal.db")
    with pytest.raises(ConfigError, match="there is no journal of mainnet"):
        newest(tmp_path, "mainnet")


def test_amounts_are_shown_short_and_everything_else_as_it_is() -> None:
    assert short("1.071060934816698952550544363") == "1.0711"
    assert [short(v) for v in ("xyz:A.BCDEFGH", 5, None, "-0.25")] == ["xyz:A.BCDEFGH", 5, None, "-0.25"]
    assert Decimal(str(short("-0.00004"))) == 0


def test_the_time_between_two_runs_is_a_gap_whole() -> None:
    """A run that was killed left 0.9 s of five hours."""
    facts = Facts()
    for at_ms, kind, body in [
        (T0, "start", '{"version": "1", "mode": "trade"}'), (T0 + 500, "connected", '{"generation": 1}'),
        (T0 + 3_600_000, "alert", '{"text": "x"}'), (T0 + 6 * 3_600_000, "start", '{"version": "1", "mode": "trade"}'),
        (T0 + 6 * 3_600_000 + 900, "connected", '{"generation": 1}'),
    ]:  # fmt: skip
        facts.add(at_ms, kind, body)
    assert facts.gaps == [(T0 + 3_600_000, T0 + 6 * 3_600_000 + 900)]


def test_paper_s_journal_is_found_by_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was looked for under the network's: another account's figures were shown, or none."""
    for number, place in enumerate(("paper-testnet-0x1111", "testnet-observe")):
        folder = tmp_path / "state" / place
        folder.mkdir(parents=True)
        log = EventLog(lambda at=number: T0 + 1000 * at)  # type: ignore[misc]
        log.open(folder / "journal.db", IntentLog(folder / "intents.log"))
        log.record("start", version="1", mode="paper")
        log.drain(0)
        log.close()
    for name, value in {
        "NETWORK": "testnet",
        "MODE": "paper",
        "MARKETS": "xyz:GOLD",
        "STATE_DIR": str(tmp_path / "state"),
    }.items():
        monkeypatch.setenv(f"HIP3_{name}", value)
    monkeypatch.chdir(tmp_path)
    assert main(["report", "--out", str(tmp_path / "report.html")]) == 0
    assert "paper-testnet-0x1111" in capsys.readouterr().out
