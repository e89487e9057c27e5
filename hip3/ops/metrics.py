"""`/metrics`: the status in the words of Prometheus, made when it is asked for.

A collector over the same snapshot that `status` shows, so that the two cannot disagree, and nothing on the hot path
knows a label. Names begin with `hip3_`; seconds and dollars are in the name, counters end in `_total`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from hip3.core.refusals import classify
from hip3.ops.histogram import Histogram

CONTENT_TYPE = CONTENT_TYPE_LATEST
Status = dict[str, Any]
Histograms = dict[str, tuple[str, dict[str, Histogram]]]
"""Name without `hip3_` -> (label or "", label value -> histogram)."""
Sample = tuple[list[str], Any]

_HELP = {
    "signal_to_sent_seconds": "from a signal to its order on the socket",
    "post_latency_seconds": "from the send of an action to its reply",
    "tick_lag_seconds": "how late a tick came that nothing woke",
    "journal_fsync_seconds": "time to make the intent of an action durable",
}


class StatusCollector(Collector):
    """Families of one snapshot."""

    def __init__(self, status: Callable[[], Status], histograms: Callable[[], Histograms]) -> None:
        self._status, self._histograms = status, histograms

    def describe(self) -> Iterable[Metric]:
        """Nothing: asking for a snapshot at registration would be one before the start."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All families, of one instant."""
        s = self._status()
        yield from _service(s)
        yield from _orders(s)
        yield from _account(s)
        yield from _streams(s)
        yield from _quotes(s)
        yield from _recorder(s)
        for name, (label, series) in self._histograms().items():
            family = HistogramMetricFamily(f"hip3_{name}", _HELP[name], labels=[label] if label else [])
            for value, histogram in series.items():
                buckets, total = histogram.read()
                family.add_metric([value] if label else [], buckets=buckets, sum_value=total)
            yield family


def _gauge(name: str, text: str, samples: Iterable[Sample], labels: tuple[str, ...] = ()) -> Metric:
    family = GaugeMetricFamily(f"hip3_{name}", text, labels=labels)
    for values, value in samples:
        if value is not None:  # what is not known is not there, rather than 0
            family.add_metric(values, _number(value))
    return family


def _counter(name: str, text: str, samples: Iterable[Sample], labels: tuple[str, ...] = ()) -> Metric:
    family = CounterMetricFamily(f"hip3_{name}", text, labels=labels)
    for values, value in samples:
        family.add_metric(values, _number(value))
    return family


def _number(value: Any) -> Any:
    """Figures and flags as they are, amounts (texts) as Decimals: the library writes what it can make a float of."""
    return Decimal(value) if isinstance(value, str) else value


def _one(value: Any) -> list[Sample]:
    return [([], value)]


def _by(table: Mapping[str, Any]) -> list[Sample]:
    return [([name], value) for name, value in table.items()]


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


def _service(s: Status) -> Iterator[Metric]:
    stop = s["hard_stop"]
    code = (stop["reason"] or "").partition(":")[0] or "none"
    labels = {k: str(s[k]) for k in ("version", "network", "mode", "config_hash")}
    yield _gauge("up", "1 while the process answers", _one(1))
    yield _gauge("build_info", "what runs", [(list(labels.values()), 1)], tuple(labels))
    yield _gauge("uptime_seconds", "since the start", _one(s["uptime_s"]))
    yield _gauge("ready", "1 while entries may leave", _one(s["state"] == "READY"))
    yield _gauge("state", "1 for the state word that holds", [([s["state"]], 1)], ("state",))
    yield _gauge("hardstop", "1 while the latch is tripped", [([code], stop["tripped"])], ("reason",))
    yield _gauge("clock_offset_ms", "exchange time minus ours", _one(s["clock_offset_ms"]))
    yield _gauge("nonce_last", "the highest nonce given out", _one(s["nonce_last"]))
    yield _gauge("journal_ok", "1 while the journal can be written", _one(not s["journal"]["failed"]))
    yield _counter("journal_lost", "records that did not fit", _one(s["journal"]["lost"]))
    alerts = [
        ([c["channel"], word], c[word]) for c in s.get("alerts", ()) for word in ("sent", "failed", "lost") if word in c
    ]
    yield _counter("alerts_sent", "alerts by channel and result", alerts, ("channel", "result"))


def _orders(s: Status) -> Iterator[Metric]:
    orders, counters, oldest = s["orders"], s["counters"], max((u["age_ms"] for u in s["unknown"]), default=0)
    yield _gauge("orders_inflight", "actions without a reply yet", _one(orders["inflight"]))
    yield _gauge("orders_unknown", "orders whose outcome nobody knows", _one(orders["unknown"]))
    yield _gauge("orders_open", "orders of ours that rest", _one(orders["open"]))
    yield _gauge("unknown_age_seconds", "age of the oldest unknown order", _one(_seconds(oldest)))
    yield _gauge("queue_depth", "what waits to be sent", _by(s["queues"]), ("tier",))
    yield _counter("signals", "signals of the detector", _one(counters["signals"]))
    for word in ("queued", "sent", "filled", "timeouts"):
        yield _counter(f"orders_{word}", f"orders: {word}", _one(counters[word]))
    yield _counter("gate_blocked", "signals that a gate refused", _by(s["refused_by_gate"]), ("gate",))
    yield _counter("market_gate_blocked", "looks that a gate blocked", _by(s["market_gate_blocks"]), ("gate",))
    standing = [([coin, gate], 1) for coin, gate in s["market_gates"].items()]
    yield _gauge("market_blocked", "1 while a market-health gate keeps entries away", standing, ("coin", "gate"))
    kinds: dict[str, int] = {}
    for text, n in counters["venue_rejected"].items():
        kind = classify(text).kind.value
        kinds[kind] = kinds.get(kind, 0) + n
    yield _counter("rejects", "orders that the exchange refused", _by(kinds), ("class",))
    yield _counter("recon_mismatch", "differences to the exchange's books", _by(s["reconciliation"]), ("kind",))


def _account(s: Status) -> Iterator[Metric]:
    pnl, exposure, budgets = s["pnl"], s["exposure"], s["budgets"]
    held = [([p["market"].partition(":")[0], p["market"]], p["notional_usd"]) for p in s["positions"]]
    gains = [([p["market"].partition(":")[0], p["market"]], p["unrealized_pnl_usd"]) for p in s["positions"]]
    yield _gauge("position_notional_usd", "size at the mark, signed", held, ("dex", "coin"))
    yield _gauge("unrealized_pnl_usd", "gain at the mark", gains, ("dex", "coin"))
    yield _gauge("exposure_worst_case_usd", "all that could be held", _one(exposure["worst_case_usd"]))
    yield _gauge("exposure_limit_usd", "what may be held", _one(exposure["limit_usd"]))
    yield _gauge("realized_pnl_usd", "sum of closedPnl, gross", _one(pnl["realized_usd"]))
    yield _gauge("fees_usd", "paid", _one(pnl["fees_usd"]))
    yield _gauge("funding_usd", "received, negative if paid", _one(pnl["funding_usd"]))
    left = None if budgets["address_cap"] is None else budgets["address_cap"] - budgets["address_used"]
    yield _gauge("address_budget_remaining", "actions the address may send", _one(left))
    yield _gauge("ip_weight_used", "request weight of the last minute", _one(budgets["ip_weight_used"]))


def _streams(s: Status) -> Iterator[Metric]:
    ages = [([a["stream"], a["market"] or ""], _seconds(a["age_ms"])) for a in s["streams"]]
    oracles = [([coin], _seconds(ms)) for coin, ms in s["oracle_age_ms"].items()]
    yield _gauge("ws_connected", "1 while the WebSocket is open", _one(s["ws"]["connected"]))
    yield _counter("ws_reconnects", "connections after the first", _one(max(0, s["ws"]["generation"] - 1)))
    yield _gauge("ws_last_message_age_seconds", "since a stream spoke, a market's by coin", ages, ("stream", "coin"))
    yield _gauge("oracle_age_seconds", "since an oracle price came", oracles, ("coin",))


def _quotes(s: Status) -> Iterator[Metric]:
    quotes = s["quotes"]

    def of(field: str) -> list[Sample]:
        return [([q["market"]], q[field]) for q in quotes]

    live = [
        ([q["market"], side], sum(o["side"] == side for o in q["live"])) for q in quotes for side in ("buy", "sell")
    ]
    marks = [([q["market"], horizon], bps) for q in quotes for horizon, bps in q["markout_bps"].items()]
    done = [([q["market"], kind], n) for q in quotes for kind, n in q["counts"].items() if kind in _QUOTE_ACTIONS]
    yield _gauge(
        "quote_stance",
        "1 for the stance that holds",
        [([q["market"], q["stance"]], 1) for q in quotes],
        ("market", "stance"),
    )
    yield _gauge("quote_live", "quotes that rest", live, ("market", "side"))
    yield _gauge("quote_inventory_usd", "at the mark, signed", of("inventory_usd"), ("market",))
    yield _gauge("quote_uptime_ratio", "of the time allowed, with both sides resting", of("uptime_ratio"), ("market",))
    yield _gauge("quote_edge_bps", "how much better than fair its fills were", of("captured_bps"), ("market",))
    yield _gauge("quote_markout_bps", "what its fills were worth some seconds later", marks, ("market", "seconds"))
    yield _counter("quote_actions", "placements and cancels", done, ("market", "kind"))
    yield _counter("quote_fills", "fills of quotes", of("fills"), ("market",))


def _recorder(s: Status) -> Iterator[Metric]:
    recording = s["recording"]
    if recording is not None:
        yield _counter("recorder_frames", "lines recorded", _one(recording["frames"]))
        yield _counter("recorder_lost", "lines that were not", _one(recording["lost"]))
        yield _counter("recorder_bytes", "of text recorded", _one(recording["bytes"]))


_QUOTE_ACTIONS = ("placed", "moved", "cancelled", "refused", "completions")


class MetricsPage:
    """The text of `/metrics`, the process's own memory and descriptors included."""

    def __init__(self, status: Callable[[], Status], histograms: Callable[[], Histograms]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(StatusCollector(status, histograms))
        ProcessCollector(registry=self._registry)

    def text(self) -> str:
        """In the exposition format that `CONTENT_TYPE` names."""
        return generate_latest(self._registry).decode()
