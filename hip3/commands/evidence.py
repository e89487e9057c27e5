"""The options of the commands of evidence. Nothing is imported that they need to run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

BY = ("day", "market", "exit", "hour", "session", "holding", "trip")


def add_evidence(commands: Any, seconds: Callable[[str], float]) -> None:
    """All of them; `sweep` is named, and not offered yet."""
    add_record(commands, seconds)
    add_import(commands)
    add_replay(commands)
    add_report(commands)
    add_bench(commands)
    commands.add_parser("sweep", help="not offered yet").add_argument("recording", nargs="*")


def add_bench(commands: Any) -> None:
    """`bench`."""
    bench = commands.add_parser("bench", help="measure the hot paths beside their floors and peers")
    bench.add_argument("what", nargs="?", choices=("replay",), help="only this: a replay beside other engines")
    bench.add_argument("--json", action="store_true", help="for programs")
    bench.add_argument("--all", action="store_true", help="everything at its whole length, to a file; half an hour")
    bench.add_argument("--out", type=Path, default=Path("bench-results.json"), metavar="FILE", help="of --all")


def add_replay(commands: Any) -> None:
    """`replay`."""
    replay = commands.add_parser("replay", help="the service over a recording: what it would have earned")
    replay.add_argument("recording", type=Path, metavar="RECORDING")
    replay.add_argument("--markets", default=None, metavar="A,B", help="such as xyz:GOLD; default all that is recorded")
    replay.add_argument("--set", action="append", metavar="NAME=VALUE", help="a setting, as without HIP3_ in front")
    replay.add_argument("--fills", default="pessimistic", metavar="MODEL", help="pessimistic, share:P or optimistic")
    replay.add_argument(
        "--queue", default="risk-averse", metavar="MODEL", help="of resting orders: risk-averse or probabilistic"
    )
    replay.add_argument("--behind", default="none", choices=("none", "depth"), help="what is filled behind the touch")
    replay.add_argument("--impact", default="0", metavar="K", help="of own orders on later prices, in spreads")
    replay.add_argument("--balance", default="1000", metavar="USD", help="what the account of each dex begins with")
    replay.add_argument("--sensitivity", action="store_true", help="also with other latency, impact, size and fees")
    replay.add_argument("--no-warp", action="store_true", help="also rounds that find nothing to do; the same result")
    replay.add_argument("--no-band", action="store_true", help="the headline alone, without the other models")
    replay.add_argument("--jobs", type=int, default=None, metavar="J", help="replays at a time; default all cores")
    replay.add_argument("--from", dest="start", default=None, metavar="T", help="UTC, like 2026-09-21T14:00")
    replay.add_argument("--to", dest="end", default=None, metavar="T")
    replay.add_argument("--against", type=Path, default=None, metavar="JOURNAL", help="the live journal of these hours")
    replay.add_argument("--lookahead", action="store_true", help="again with another future, from 20 signals on")
    replay.add_argument("--own", action="store_true", help="repeat the orders of the service that recorded it")
    replay.add_argument("--latency", default=None, metavar="WAY", help="of orders: fixed:MS, FILE or interp:FILE")
    replay.set_defaults(latency_times="1", size_times="1")
    replay.add_argument("--seed", type=int, default=0, metavar="N")
    replay.add_argument("--report", default="replays/last", metavar="DIR", help="report.json, report.html, journal.db")
    replay.add_argument("--json", action="store_true", help="for programs")


def add_import(commands: Any) -> None:
    """`import`."""
    importing = commands.add_parser("import", help="foreign recordings into ours, for record, observe and replay")
    importing.add_argument("format", metavar="FORMAT", help="hip3, hftbacktest, tardis, hl-archive, hl-asset-ctxs, …")
    importing.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="files, or folders of them")
    importing.add_argument("--out", type=Path, required=True, metavar="DIR", help="an empty folder, or a new one")
    importing.add_argument("--coins", default=None, metavar="A,B", help="only these markets, such as xyz:GOLD")
    importing.add_argument("--meta", type=Path, default=None, metavar="DIR", help="a recording that knows the markets")
    importing.add_argument("--torn", action="store_true", help="take a file that ends too early up to there")


def add_record(commands: Any, seconds: Callable[[str], float]) -> None:
    """`record`, `record verify`, `record stat`, `record convert`. `seconds` reads a duration."""
    record = commands.add_parser("record", help="record the network's market data; needs no key")
    record.add_argument("--out", default="recordings", metavar="DIR")
    which = record.add_mutually_exclusive_group()
    which.add_argument("--markets", default=None, metavar="A,B", help="such as xyz:GOLD,xyz:NVDA")
    which.add_argument("--all-of", default=None, metavar="DEX", help="every market of a dex")
    record.add_argument("--depth", action="store_true", help="also the order books, five levels or more")
    record.add_argument("--trades", action="store_true", help="also the trades")
    record.add_argument("--duration", type=seconds, default=None, metavar="SECONDS")
    reading = record.add_subparsers(
        dest="action", required=False, parser_class=type(record), metavar="verify|stat|convert"
    )
    actions = {
        "verify": "read everything; exit 4 if something is wrong", "stat": "figures by market",
        "convert": "tables of looks, trades and depth, in Parquet, for analysis",
    }  # fmt: skip
    for name, what in actions.items():
        action = reading.add_parser(name, help=what)
        action.add_argument("recording", type=Path, metavar="DIR")
        if name == "convert":
            action.add_argument("--out", type=Path, required=True, metavar="DIR", help="a folder without such tables")


def add_report(commands: Any) -> None:
    """`report`."""
    command = commands.add_parser("report", help="what the account did, with pictures, in one file")
    command.add_argument("--journal", type=Path, default=None, metavar="DB", help="default: the newest of this network")
    span = command.add_mutually_exclusive_group()
    span.add_argument("--days", type=int, default=None, metavar="N", help="the last N days; default all that is there")
    span.add_argument("--since", default=None, metavar="T", help="UTC, like 2026-09-21 or 2026-09-21T14:00")
    command.add_argument("--out", type=Path, default=Path("reports/report.html"), metavar="FILE.html")
    command.add_argument("--by", choices=BY, default=None, help="print a table by this")
    command.add_argument("--csv", action="store_true", help="print it as CSV, and write no file")
