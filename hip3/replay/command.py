"""`replay RECORDING`: the production service over a recording; its report, its journal, and one line with the hash."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hip3.clock import SystemClock
from hip3.core.ports import Clock
from hip3.errors import ConfigError, PreflightError
from hip3.observe.summary import closing
from hip3.ops.colour import shown_table
from hip3.ops.figures import listed
from hip3.ops.progress import Progress, progress, steps
from hip3.record.folder import segments
from hip3.record.segment import read_side
from hip3.record.verify import damaged
from hip3.replay.band import groups, run_all, variants
from hip3.replay.band import table as band_table
from hip3.replay.checks import against, cuts, decided, live_rows, noise_after
from hip3.replay.head import COARSE_ORACLE_MS, COARSE_TOUCH_MS, Head, first_look
from hip3.replay.once import once
from hip3.replay.result import Rows, hash_of, records
from hip3.replay.run import Replay
from hip3.report.document import told_of
from hip3.report.facts import Facts
from hip3.report.page import write

OK, INTERRUPTED, CHECK_FAILED = 0, 1, 4


def run(args: argparse.Namespace, env_file: Path | None) -> int:
    """The command; its exit code. ConfigError, OSError."""
    head = first_look(args.recording)
    refused = coarse(head)
    if refused:
        raise PreflightError([refused])
    live = None if args.against is None else records(args.against)  # before the replay, which takes its time
    folder = Path(args.report)
    folder.mkdir(parents=True, exist_ok=True)
    first_ms, last_ms, clock = head.first_ns // 1_000_000, _last_ms(args), SystemClock()
    with progress("replay", None if last_ms is None else last_ms - first_ms, clock) as line:
        told = _Told(line, clock, first_ms)
        done, rows, report = once(args, head, env_file, journal=folder / "journal.db", progress=told)
    if done.incomplete:
        return _finish(args, done, rows, report)
    if live is not None:
        live = live_rows(args.against, live, paper=head.paper)
        report["against"] = against(live, rows, report["first_ms"], report["last_ms"])
    try:
        if args.lookahead:
            report["lookahead"] = _lookahead(args, head, env_file, rows)
        report |= _band(args, head, env_file, report)
    except KeyboardInterrupt:
        report["incomplete"] = True
    return _finish(args, done, rows, report)


class _Told:
    """What a replay calls with its recorded time and a look at its figures: round trips, net USD."""

    def __init__(self, line: Progress, clock: Clock, first_ms: int) -> None:
        self._line, self._clock, self._first_ms = line, clock, first_ms
        self._began_ms = clock.mono_ms()

    def __call__(self, wall_ms: int, figures: Callable[[], tuple[int, str]]) -> None:
        passed = wall_ms - self._first_ms

        def words() -> str:
            took, (trips, net) = max(1, self._clock.mono_ms() - self._began_ms), figures()
            return f"{passed / took:.0f}x as fast, {trips} trips, {net} USD"

        self._line.at(passed, words)


def _finish(args: argparse.Namespace, done: Replay, rows: Rows, report: dict[str, Any]) -> int:
    """Write and print it; the exit code."""
    digest = hash_of(rows, report)
    report["result"] = digest
    whole, base = _write(Path(args.report), report, rows), done.app.running.settings.base
    print(json.dumps(report) if args.json else shown_table(_table(done, report), sys.stdout))
    if whole["observed"] and not base.trading and not args.json:
        print("\n".join(closing(whole["observed"])))
    notes, broken = damaged(done.source.damage)
    for note in notes:
        print(f"the recording: {note}", file=sys.stderr)
    faults = [*broken, *_faults(report)]
    for fault in faults:
        print(f"WRONG {fault}")
    print(f"result {digest}")
    return INTERRUPTED if report["incomplete"] else CHECK_FAILED if faults else OK


def _last_ms(args: argparse.Namespace) -> int | None:
    """When the recording ends, by the side file of its last segment."""
    side = read_side(segments(args.recording)[-1])
    return None if side is None else side.last_ns // 1_000_000


def _band(args: argparse.Namespace, head: Head, env_file: Path | None, report: dict[str, Any]) -> dict[str, Any]:
    """The same under other suppositions."""
    wanted = variants(args, head)
    if not wanted:
        return {}
    with steps("race band", len(wanted), SystemClock()) as told:
        found = []
        for variant, figures in run_all(args, head, env_file, report):
            found.append((variant, figures))
            told(len(found), variant.name)
    return groups(found)


def _lookahead(args: argparse.Namespace, head: Head, env_file: Path | None, rows: Rows) -> dict[str, Any]:
    """Decisions up to each cut must be the same with another future: what differs looked ahead."""
    times, differ = cuts(rows), list[int]()
    for at_ms in times:
        change = noise_after((at_ms + 1) * 1_000_000)
        if decided(once(args, head, env_file, change=change).rows, at_ms) != decided(rows, at_ms):
            differ.append(at_ms)
    return {"cuts": len(times), "differ": differ}


def _faults(report: dict[str, Any]) -> list[str]:
    """What makes the exit code 4."""
    faults = [report["problem"]] * bool(report["problem"])
    if report["incomplete"]:
        faults.append("it was interrupted: the report has what came before")
        return faults
    missing = report.get("against", {}).get("missing", [])
    if missing:
        faults.append(f"{len(missing)} live signals did not come again, the first of {missing[0]}")
    differ = report.get("lookahead", {}).get("differ", [])
    if differ:
        faults.append(f"decisions before {differ[0]} change with what comes after it")
    return faults


def _write(folder: Path, report: dict[str, Any], rows: Rows) -> dict[str, Any]:
    """`report.json` and the page that is made of it, in the form of every report; without the lab packages no page.
    What was written.

    What the journal tells is added to what was hashed: it has nothing that the records do not have.
    """
    facts = Facts()
    for at_ms, kind, body in rows:
        facts.add(at_ms, kind, body)
    whole = report | {k: v for k, v in told_of(facts).items() if k not in report} | {"what": "replay"}
    try:
        write(folder, whole)
    except ConfigError as error:
        print(f"hip3: {error.faults[0]}", file=sys.stderr)
    return whole


def coarse(head: Head) -> str:
    """Why a recording cannot be signalled on; "" if it can."""
    if not head.coins:
        return "the recording has no touch and no context of any market"
    for what, found, most in (
        ("contexts", head.oracle_ms, COARSE_ORACLE_MS),
        ("touches", head.touch_ms, COARSE_TOUCH_MS),
    ):
        if found > most:
            return (
                f"the recording is too coarse to signal on: its {what} come every {found} ms, {most} at most are wanted"
            )
    return ""


def _table(done: Replay, report: dict[str, Any]) -> str:
    """As `run` prints it."""
    running = done.app.running
    held = {p["market"]: p["size"] for p in report["open_positions"]}
    table = running.journal.figures.table(
        unknown_now="0", position=listed(held, "flat"),
        latch=None if running.latch is None else running.latch.state().reason,
        proof=report["problem"] or ("it was interrupted" if report["incomplete"] else "the recording is over"),
    )  # fmt: skip
    notes = ["size beyond evidence: much of what was taken was over half of what stood there"]
    lines = [table, *filter(None, [band_table(report)])]
    return "\n".join(lines + notes * report["size_beyond_evidence"])
