"""`replay RECORDING`: the production service over a recording; its report, its journal, and one line with the hash."""

import argparse
import json
import os
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from hip3.config.reading import MarketSettings, load, load_markets_file
from hip3.errors import ConfigError, PreflightError
from hip3.replay.checks import against, cuts, decided, live_rows, noise_after
from hip3.replay.result import Rows, hash_of, journal_of, records, report_of
from hip3.replay.run import Ask, Replay, replay
from hip3.replay.source import COARSE_ORACLE_MS, COARSE_TOUCH_MS, Change, Head, first_look
from hip3.report.document import told_of
from hip3.report.facts import Facts
from hip3.report.page import write
from hip3.venue.market.filling import parse_fills
from hip3.venue.market.latency import parse_latency

OK, CHECK_FAILED = 0, 4
NOBODYS = (
    "PRIVATE_KEY", "PRIVATE_KEY_FILE", "KEYSTORE_FILE", "KEYSTORE_PASSWORD", "SIGNER_ADDRESS", "ACCOUNT_ADDRESS",
    "VAULT_ADDRESS", "ALERT_URLS", "DEADMAN_URL", "RECORD", "WS_URL", "DEX",
)  # fmt: skip
"""Settings of a real account or of what is around it: a replay has none of them."""


def settings_of(args: argparse.Namespace, head: Head, state: Path, env_file: Path | None) -> MarketSettings:
    """The settings of now, those of the command over them, on the exchange of the recording. ConfigError."""
    env = {key: value for key, value in os.environ.items() if key.startswith("HIP3_")}
    env["HIP3_MODE"] = (
        "trade"  # unless `--set MODE=observe` says otherwise: what the service of now does is another thing
    )
    for pair in args.set or []:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError([f"--set {pair}: expected NAME=VALUE"])
        env["HIP3_" + name.upper().removeprefix("HIP3_")] = value
    if args.markets:
        env["HIP3_MARKETS"] = args.markets
    env |= {f"HIP3_{name}": "" for name in NOBODYS}
    env |= {
        "HIP3_NETWORK": "embedded", "HIP3_API_URL": "http://replay.invalid",
        "HIP3_HTTP_PORT": "0",
        "HIP3_STATE_DIR": str(state), "HIP3_LOG_DIR": str(state / "logs"), "HIP3_EXCHANGE_SEED": str(args.seed),
    }  # fmt: skip
    base = load(env, env_file, markets=False)
    if not base.coins:
        base = load(env | {"HIP3_MARKETS": ",".join(head.coins)}, env_file, markets=False)
    missing = [coin for coin in base.coins if coin not in head.coins]
    if missing:
        raise ConfigError([f"{coin} is not in the recording, which has {', '.join(head.coins)}" for coin in missing])
    return load_markets_file(base)


def run(args: argparse.Namespace, env_file: Path | None) -> int:
    """The command; its exit code. ConfigError, OSError."""
    head = first_look(args.recording)
    refused = coarse(head)
    if refused:
        raise PreflightError([refused])
    folder = Path(args.report)
    folder.mkdir(parents=True, exist_ok=True)
    done, rows, report = _once(args, head, env_file)
    if args.against is not None:
        live = live_rows(args.against, records(args.against), paper=head.paper)
        report["against"] = against(live, rows, report["first_ms"], report["last_ms"])
    if args.lookahead:
        report["lookahead"] = _lookahead(args, head, env_file, rows)
    digest = hash_of(rows, report)
    report["result"] = digest
    _write(folder, report, rows)
    print(json.dumps(report) if args.json else _table(done, report))
    faults = _faults(report)
    for fault in faults:
        print(f"WRONG {fault}")
    print(f"result {digest}")
    return CHECK_FAILED if faults else OK


def _once(
    args: argparse.Namespace, head: Head, env_file: Path | None, change: Change | None = None
) -> tuple[Replay, Rows, dict[str, Any]]:
    """One replay: what became of it, its journal's records, its report. The first of a command leaves its journal."""
    with tempfile.TemporaryDirectory(prefix="hip3-replay-") as state:
        settings = settings_of(args, head, Path(state), env_file)
        latency = parse_latency(args.latency, head.lag_ms)
        timed = head.paper and args.latency is None
        if timed:
            latency = msgspec.structs.replace(latency, source="as recorded: these very orders of paper")
        ask = Ask(
            recording=args.recording, settings=settings, coins=settings.base.coins, fills=parse_fills(args.fills),
            own=args.own, timed=timed, latency=latency, seed=args.seed, change=change,
            from_ns=_time(args.start), to_ns=_time(args.end),
        )  # fmt: skip
        done = replay(ask, head, Path(state))
        if change is None:
            shutil.copyfile(journal_of(Path(state)), Path(args.report) / "journal.db")
        return done, records(journal_of(Path(state))), report_of(ask, head, done)


def _lookahead(args: argparse.Namespace, head: Head, env_file: Path | None, rows: Rows) -> dict[str, Any]:
    """Decisions up to each cut must be the same with another future: what differs looked ahead."""
    times, differ = cuts(rows), list[int]()
    for at_ms in times:
        change = noise_after((at_ms + 1) * 1_000_000)
        if decided(_once(args, head, env_file, change)[1], at_ms) != decided(rows, at_ms):
            differ.append(at_ms)
    return {"cuts": len(times), "differ": differ}


def _time(text: str | None) -> int | None:
    """A UTC time as nanoseconds. ConfigError."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError([f"{text}: expected a time like 2026-09-21T14:00 (UTC)"]) from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()) * 1_000_000_000


def _faults(report: dict[str, Any]) -> list[str]:
    """What makes the exit code 4."""
    faults = [report["problem"]] * bool(report["problem"])
    missing = report.get("against", {}).get("missing", [])
    if missing:
        faults.append(f"{len(missing)} live signals did not come again, the first of {missing[0]}")
    differ = report.get("lookahead", {}).get("differ", [])
    if differ:
        faults.append(f"decisions before {differ[0]} change with what comes after it")
    return faults


def _write(folder: Path, report: dict[str, Any], rows: Rows) -> None:
    """`report.json` and the page that is made of it, in the form of every report; without the lab packages no page.

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
    return running.journal.figures.table(
        unknown_now=0, positions=held, latch=None if running.latch is None else running.latch.state().reason,
        proof=report["problem"] or "the recording is over",
    )  # fmt: skip
