"""What a replay is held against: the live journal of the same hours, and its own decisions with the future changed."""

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from hip3.errors import ConfigError
from hip3.record.lines import Record
from hip3.replay.result import Rows

CUTS = 20
PRICES = (b'"px":"', b'"oraclePx":"', b'"markPx":"', b'"midPx":"')


def signals_of(rows: Rows, to_ms: int) -> list[tuple[str, ...]]:
    """What was signalled up to then: market, side, oracle, touch and its size; by these a signal is known again."""
    out = []
    for at_ms, kind, body in rows:
        if kind == "signal" and at_ms <= to_ms:
            s = msgspec.json.decode(body)["signal"]
            out.append(tuple(str(s[key]) for key in ("coin", "side", "oracle", "touch_px", "touch_sz")))
    return out


def against(live: Rows, replayed: Rows, from_ms: int, to_ms: int) -> dict[str, Any]:
    """Live beside replayed over the recorded hours. `missing`: live signals that the recording did not give again."""
    inside = [row for row in live if from_ms <= row[0] <= to_ms]
    ours, theirs = Counter(signals_of(replayed, to_ms)), Counter(signals_of(inside, to_ms))
    counts = {name: (Counter(kind for _, kind, _ in rows)) for name, rows in (("live", inside), ("replayed", replayed))}
    return {
        "matched": sum((ours & theirs).values()),
        "missing": [" ".join(key) for key in (theirs - ours).elements()],
        "only_replayed": [" ".join(key) for key in (ours - theirs).elements()],
        **{
            f"{name}_{what}": counts[name][kind]
            for name in counts
            for what, kind in (
                ("signals", "signal"),
                ("orders", "sent"),
                ("fills", "fill"),
                ("round_trips", "round_trip"),
            )
        },
    }


def live_rows(path: Path, rows: Rows, *, paper: bool = False) -> Rows:
    """The journal's records; ConfigError for one that is no live journal. `paper`: the recording is one of paper."""
    for _, kind, body in rows:
        if kind == "start" and "replay.invalid" in body:
            raise ConfigError([f"--against {path} is the journal of a replay; name the state folder's journal.db"])
        if kind == "start" and msgspec.json.decode(body).get("mode") == "paper" and not paper:
            raise ConfigError(
                [f"--against {path} is a journal of paper, and the recording is none: it did not trade live"]
            )
    return rows


def noise_after(at_ns: int) -> Any:
    """A change of the recording: from then on every price of the market is another one."""

    def change(record: Record) -> Record:
        if record.t <= at_ns or record.d != "in":
            return record
        data = record.data
        for key in PRICES:
            data = data.replace(key, key + b"1")
        return Record(record.n, record.t, record.m, record.c, record.d, msgspec.Raw(data), "")

    return change


def decided(rows: Rows, to_ms: int) -> list[tuple[int, str, str]]:
    """Signals and orders up to then."""
    return [row for row in rows if row[0] <= to_ms and row[1] in ("signal", "sent", "exit")]


def cuts(rows: Rows, count: int = CUTS) -> list[int]:
    """Times of signals, spread over the recording, at which the future is changed."""
    times = sorted({at_ms for at_ms, kind, _ in rows if kind == "signal"})
    step = max(1, len(times) // count)
    return times[::step][:count]
