"""`/metrics`: readable by Prometheus's own parser, named by its rules, and the same as `status`."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from hip3.core.orders import Side
from hip3.ops.histogram import FAST_US, Histogram
from hip3.ops.metrics import MetricsPage
from hip3.ops.status_text import status_text
from hip3.service.details import histograms
from tests.builders import D
from tests.service.apps import status_of
from tests.sessions.quoting import QuoteStage
from tests.stage import Stage
from tests.world import World

NAMES = [
    "up",
    "ready",
    "hardstop",
    "orders_inflight",
    "orders_unknown",
    "unknown_age_seconds",
    "gate_blocked_total",
    "rejects_total",
    "post_latency_seconds",
    "tick_lag_seconds",
    "queue_depth",
    "ws_last_message_age_seconds",
    "ws_reconnects_total",
    "recon_mismatch_total",
    "position_notional_usd",
    "exposure_worst_case_usd",
    "address_budget_remaining",
    "ip_weight_used",
    "clock_offset_ms",
    "nonce_last",
    "journal_fsync_seconds",
    "oracle_age_seconds",
    "alerts_sent_total",
    "build_info",
    "realized_pnl_usd",
    "fees_usd",
    "funding_usd",
]
LABELS = {
    "hardstop": {"reason"}, "gate_blocked": {"gate"}, "rejects": {"class"}, "post_latency_seconds": {"action"},
    "queue_depth": {"tier"}, "ws_last_message_age_seconds": {"stream", "coin"}, "recon_mismatch": {"kind"},
    "position_notional_usd": {"dex", "coin"}, "oracle_age_seconds": {"coin"}, "alerts_sent": {"channel", "result"},
}  # fmt: skip
ALERTS = [{"channel": "1 json", "ok": True, "sent": 3, "failed": 1, "lost": 0}]


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("w"), seed=1, on_disk=True, max_notional_total=D(60))
    assert world.run_until(lambda: bool(status_of(world)["refusals"]) and bool(status_of(world)["positions"]), 120_000)
    yield world
    world.journal.close()


def _families(status: dict[str, Any], app: Any = None) -> dict[str, Metric]:
    text = MetricsPage(lambda: status, lambda: {} if app is None else histograms(app)).text()
    found = {f.name: f for f in text_string_to_metric_families(text)}
    assert len(found) == text.count("# TYPE ")  # no family twice
    return found


def _value(families: dict[str, Metric], name: str, **labels: str) -> float:
    (value,) = (
        s.value for s in families[f"hip3_{name.removesuffix('_total')}"].samples
        if s.name == f"hip3_{name}" and s.labels == labels
    )  # fmt: skip
    return value


def test_every_name_is_there_with_its_labels_and_follows_the_conventions(busy: World) -> None:
    families = _families(status_of(busy) | {"alerts": ALERTS}, busy.running)
    for name in NAMES:
        assert f"hip3_{name.removesuffix('_total')}" in families, name
    for family in families.values():
        if not family.name.startswith("hip3_"):
            continue
        assert family.documentation
        assert (family.type == "counter") == all(
            s.name.endswith("_total") for s in family.samples
        ) or not family.samples
        assert family.type != "histogram" or family.name.endswith("_seconds")
        for sample in family.samples:
            wanted = LABELS.get(family.name.removeprefix("hip3_"))
            if wanted is not None:
                assert set(sample.labels) - {"le"} == wanted, sample
    assert any(name.startswith("process_resident_memory") for name in families)


def test_it_says_what_status_says(busy: World) -> None:
    status = status_of(busy)
    families = _families(status | {"alerts": ALERTS})
    assert _value(families, "ready") == (status["state"] == "READY")
    assert _value(families, "fees_usd") == float(status["pnl"]["fees_usd"])
    assert _value(families, "realized_pnl_usd") == float(status["pnl"]["realized_usd"])
    assert _value(families, "exposure_worst_case_usd") == float(status["exposure"]["worst_case_usd"])
    assert _value(families, "orders_sent_total") == status["counters"]["sent"] > 0
    (position,) = status["positions"][:1]
    dex = position["market"].split(":")[0]
    notional = _value(families, "position_notional_usd", dex=dex, coin=position["market"])
    assert abs(notional) == pytest.approx(abs(float(position["size"]) * float(position["mark_px"])), abs=0.01)
    for gate, n in status["refused_by_gate"].items():
        assert _value(families, "gate_blocked_total", gate=gate) == n
    assert _value(families, "hardstop", reason="none") == 0
    assert _value(families, "alerts_sent_total", channel="1 json", result="sent") == 3
    assert _value(families, "nonce_last") == status["nonce_last"]


def test_a_latch_an_unknown_order_and_refusals_show_up(busy: World) -> None:
    status = status_of(busy)
    status["hard_stop"] = {"tripped": True, "reason": "max_loss: -21 USD", "at_ms": 1}
    status["unknown"] = [{"cloid": "0x1", "market": "xyz:GOLD", "age_ms": n} for n in (500, 12_500)]
    status["counters"]["venue_rejected"] = {
        "Insufficient margin to place order.": 2,
        "Too many open orders": 1,
        "New!": 4,
    }
    families = _families(status)
    assert _value(families, "hardstop", reason="max_loss") == 1
    assert _value(families, "unknown_age_seconds") == 12.5
    assert _value(families, "rejects_total", **{"class": "account"}) == 3
    assert _value(families, "rejects_total", **{"class": "ours to fix"}) == 4


def test_a_market_that_a_health_gate_blocks_is_in_status_and_metrics_until_it_recovers(tmp_path: Path) -> None:
    stage = Stage(tmp_path, {})
    stage.quote(mark=200)
    status = stage.status()
    assert status["market_gates"]["xyz:GOLD"] == "mark_mid_divergence"
    assert _value(_families(status), "market_blocked", coin="xyz:GOLD", gate="mark_mid_divergence") == 1
    assert _value(_families(status), "market_gate_blocked_total", gate="mark_mid_divergence") > 0
    stage.quote()
    assert "xyz:GOLD" not in stage.status()["market_gates"]


def test_a_quoted_market_has_its_stance_its_quotes_and_what_they_did(tmp_path: Path) -> None:
    stage = QuoteStage(tmp_path)
    stage.take(Side.BUY)
    stage.run(2500)
    stage.world.running.who = stage.world.who()
    status = status_of(stage.world)
    (quotes,) = status["quotes"]
    assert (quotes["market"], quotes["stance"], quotes["fills"]) == ("xyz:GOLD", "QUOTING", 1)
    assert {(o["side"], o["level"]) for o in quotes["live"]} >= {("sell", 0), ("sell", 1)}
    assert quotes["markout_bps"]["30"] is None  # nobody knows yet
    assert status["positions"][0]["owner"] == "quote"
    families = _families(status)
    assert _value(families, "quote_stance", market="xyz:GOLD", stance="QUOTING") == 1
    assert _value(families, "quote_live", market="xyz:GOLD", side="sell") == 2
    assert _value(families, "quote_fills_total", market="xyz:GOLD") == 1
    assert _value(families, "quote_edge_bps", market="xyz:GOLD") > 0
    assert _value(families, "quote_actions_total", market="xyz:GOLD", kind="placed") >= 4
    assert "quoted" in status_text(status)


def test_what_is_not_known_is_absent_and_never_zero(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    world.running.trading = None
    families = _families(status_of(world))
    for name in ("clock_offset_ms", "nonce_last", "address_budget_remaining"):
        assert families[f"hip3_{name}"].samples == []
    assert _value(families, "up") == 1
    assert _value(families, "ready") == 0


def test_values_with_odd_characters_survive_the_parser(busy: World) -> None:
    status = status_of(busy) | {"network": 'quo"te\\back\nline'}
    assert _families(status)["hip3_build_info"].samples[0].labels["network"] == 'quo"te\\back\nline'


def test_a_histogram_counts_into_cumulative_buckets() -> None:
    histogram = Histogram((100, 1000))
    for us in (1, 100, 101, 1000, 5000):
        histogram.observe(us)
    assert histogram.read() == ([("0.0001", 2), ("0.001", 4), ("+Inf", 5)], 6202 / 1_000_000)


def test_the_running_service_feeds_each_histogram(busy: World) -> None:
    found = histograms(busy.running)
    assert found["post_latency_seconds"][1]["order"].read()[0][-1][1] > 0
    assert found["journal_fsync_seconds"][1][""].read()[0][-1][1] > 0


def test_a_tick_that_nothing_woke_is_measured() -> None:
    from hip3.service.supervisor import Supervisor
    from tests.fakes import FakeClock

    clock, lag = FakeClock(), Histogram(FAST_US)
    loop = SimpleNamespace(lag=lag, late_ticks=0, step=lambda now_ms: False)

    def wait(seconds: float) -> bool:
        clock.advance(int(seconds * 1000) + 3)
        return False

    trading = SimpleNamespace(loop=loop, scheduler=SimpleNamespace(wait=wait))
    app = SimpleNamespace(clock=clock, settings=SimpleNamespace(base=SimpleNamespace(tick_ms=100)), workers={})
    supervisor = Supervisor(app, trading)  # type: ignore[arg-type]
    supervisor.tick_step()
    supervisor.tick_step()
    assert lag.read()[0][-1][1] == 1
    assert lag.read()[1] == 0.003
