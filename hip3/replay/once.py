"""One replay as the command's options ask for it: settings, what is supposed, journal, figures."""

import argparse
import os
import shutil
import tempfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from hip3.config.reading import MarketSettings, load, load_markets_file
from hip3.errors import ConfigError
from hip3.replay.head import Head
from hip3.replay.measured import latency_of
from hip3.replay.result import Rows, journal_of, records, report_of
from hip3.replay.run import Ask, Replay, replay
from hip3.replay.source import Change
from hip3.venue.market.filling import parse_fills
from hip3.venue.market.queueing import parse_queue
from hip3.venue.recorded import Model

MOST_IMPACT = 10
_NONE = Decimal("Infinity")
SIZES = {
    "sizing_alpha": Decimal(1), "order_notional": _NONE, "max_notional_per_market": _NONE, "max_notional_total": _NONE,
    "quote_size_usd": _NONE, "quote_max_inventory_usd": _NONE,
}  # fmt: skip
"""Settings that say how large orders are -> their most."""
NOBODYS = (
    "PRIVATE_KEY", "PRIVATE_KEY_FILE", "KEYSTORE_FILE", "KEYSTORE_PASSWORD", "SIGNER_ADDRESS", "ACCOUNT_ADDRESS",
    "VAULT_ADDRESS", "ALERT_URLS", "DEADMAN_URL", "RECORD", "WS_URL", "DEX",
)  # fmt: skip
"""Settings of a real account or of what is around it: a replay has none of them."""


class Once(NamedTuple):
    """What one replay was."""

    done: Replay
    rows: Rows
    """Of its journal."""
    report: dict[str, Any]


def settings_of(args: argparse.Namespace, head: Head, state: Path, env_file: Path | None) -> MarketSettings:
    """The settings of now, those of the command over them, on the exchange of the recording. ConfigError."""
    env = {key: value for key, value in os.environ.items() if key.startswith("HIP3_")}
    env["HIP3_MODE"] = "trade"  # unless `--set MODE=observe` says otherwise: what the service of now does is its own
    for pair in args.set or []:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError([f"--set {pair}: expected NAME=VALUE"])
        env["HIP3_" + name.upper().removeprefix("HIP3_")] = value
    if args.markets:
        env["HIP3_MARKETS"] = args.markets
    env |= {f"HIP3_{name}": "" for name in NOBODYS}
    env |= {"HIP3_JOURNAL_KEEP_DAYS": "3650", "HIP3_JOURNAL_KEEP_MB": "1000000"}  # all of it is read in the end
    env |= {
        "HIP3_NETWORK": "embedded", "HIP3_API_URL": "http://replay.invalid",
        "HIP3_HTTP_PORT": "0",
        "HIP3_STATE_DIR": str(state), "HIP3_LOG_DIR": str(state / "logs"), "HIP3_EXCHANGE_SEED": str(args.seed),
    }  # fmt: skip
    if args.own and head.held:  # its journal is not here, so nothing says that the position is ours
        env.setdefault("HIP3_FOREIGN_POSITIONS", "manage")
    base = load(env, env_file, markets=False)
    if not base.coins:
        base = load(env | {"HIP3_MARKETS": ",".join(head.coins)}, env_file, markets=False)
    missing = [coin for coin in base.coins if coin not in head.coins]
    if missing:
        raise ConfigError([f"{coin} is not in the recording, which has {', '.join(head.coins)}" for coin in missing])
    return sized(load_markets_file(base), Decimal(args.size_times))


def sized(settings: MarketSettings, factor: Decimal) -> MarketSettings:
    """Entries and quotes so many times as large, with the limits above them; not more than the whole touch."""
    if factor == 1:
        return settings

    def times(values: dict[str, Any]) -> dict[str, Any]:
        return {name: min(value * factor, most) for name, most in SIZES.items() if (value := values.get(name))}

    base = msgspec.structs.replace(settings.base, **times(msgspec.structs.asdict(settings.base)))
    overrides = {coin: values | times(values) for coin, values in settings.overrides.items()}
    return msgspec.structs.replace(settings, base=base, overrides=overrides)


def once(
    args: argparse.Namespace, head: Head, env_file: Path | None, *, change: Change | None = None,
    journal: Path | None = None, progress: Any = lambda wall_ms, figures: None,
) -> Once:  # fmt: skip
    """Run it; its journal is left at `journal`. ConfigError, OSError."""
    with tempfile.TemporaryDirectory(prefix="hip3-replay-") as state:
        settings = settings_of(args, head, Path(state), env_file)
        latency = latency_of(args.latency, head.lag_ms).times(args.latency_times)
        timed = head.paper and args.latency is None and Decimal(args.latency_times) == 1
        if timed:
            latency = msgspec.structs.replace(latency, source="as recorded: these very orders of paper")
        ask = Ask(
            recording=args.recording, settings=settings, coins=settings.base.coins, model=model_of(args, head),
            own=args.own, timed=timed, latency=latency, seed=args.seed,
            balance=_amount(args.balance, "--balance", 10**9), change=change, progress=progress,
            warp=not args.no_warp, from_ns=_time(args.start), to_ns=_time(args.end),
        )  # fmt: skip
        done = replay(ask, head, Path(state))
        if journal is not None:
            shutil.copyfile(journal_of(Path(state)), journal)
        return Once(done, records(journal_of(Path(state))), report_of(ask, head, done))


def model_of(args: argparse.Namespace, head: Head) -> Model:
    """What is supposed. ConfigError where the recording has not what it takes."""
    if args.behind == "depth" and not head.depth:
        raise ConfigError(
            ["--behind depth: the recording has no order books (record --depth), so nothing is known behind the touch"]
        )
    fills = parse_fills(args.fills)
    if fills.kind == "share" and not head.trades:
        raise ConfigError(
            [f"--fills {args.fills}: the recording has no trades (record --trades), so nobody knows what others took"]
        )
    return Model(
        fills=fills, queue=parse_queue(args.queue), behind=args.behind,
        impact=_amount(args.impact, "--impact", MOST_IMPACT),
    )  # fmt: skip


def _amount(text: str, option: str, most: int) -> Decimal:
    try:
        value = Decimal(text)
    except ArithmeticError:
        value = Decimal(-1)
    if not value.is_finite() or not 0 <= value <= most:
        raise ConfigError([f"{option} {text}: expected a number from 0 to {most}"])
    return value


def _time(text: str | None) -> int | None:
    """A UTC time as nanoseconds. ConfigError."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError([f"{text}: expected a time like 2026-09-21T14:00 (UTC)"]) from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()) * 1_000_000_000
