"""The command line's parser with our exit code and words, and the options of the commands that act."""

import argparse
import sys
from pathlib import Path
from typing import Any, NoReturn

from hip3.commands.words import all_commands, clearer, epilog, options
from hip3.ops.colour import RED, painted

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class _Shape(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Defaults are shown where there are any, and the names of the commands have room."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=22)
        self._action_max_length = 14

    def _get_help_string(self, action: argparse.Action) -> str | None:
        told = action.help or ""
        plain = action.default in (None, False, argparse.SUPPRESS) or "default" in told
        return action.help if plain else f"{told} (default: %(default)s)".strip()


class Parser(argparse.ArgumentParser):
    """argparse with our exit code for bad usage."""

    def __init__(self, **options: Any) -> None:
        command = options["prog"].rpartition(" ")[2] if " " in options["prog"] else ""
        super().__init__(epilog=epilog(command), formatter_class=_Shape, **options)

    def error(self, message: str) -> NoReturn:
        commands = all_commands(self)
        known = [*commands, *options(self), *(o for p in commands.values() for o in options(p))]
        print(painted(f"{self.prog}: {clearer(message, known)}", RED, sys.stderr), file=sys.stderr)
        raise SystemExit(2)


def seconds(text: str) -> float:
    """A positive number of seconds; `90s`, `10m`, `2h` and `1d` are understood, too."""
    unit = UNITS.get(text[-1:], 1)
    try:
        value = float(text[:-1] if text[-1:] in UNITS else text) * unit
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds (nor 90s, 10m, 2h)") from None
    if not 0 < value < 1e9:  # also refuses NaN
        raise argparse.ArgumentTypeError("must be positive")
    return value


def port(text: str) -> int:
    """A port, 0 for any that is free."""
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError("must be between 0 and 65535")
    return value


def add_operating(commands: Any) -> None:
    """Commands to a running service, and to the account."""
    stop = commands.add_parser("stop", help="stop the running service and prove what is left open")
    modes = stop.add_mutually_exclusive_group()
    modes.add_argument("--flatten", dest="mode", action="store_const", const="flatten", help="close positions, too")
    modes.add_argument("--cancel", dest="mode", action="store_const", const="cancel", help="cancel entries (default)")
    modes.add_argument("--leave", dest="mode", action="store_const", const="leave", help="leave everything as it is")
    stop.add_argument("--timeout", type=seconds, default=None, metavar="SECONDS")
    stop.set_defaults(mode="cancel")
    cancel_all = commands.add_parser("cancel-all", help="cancel every resting order in the dexs; stops stay")
    flatten = commands.add_parser("flatten", help="close every position in the dexs, whosever, or one market's")
    flatten.add_argument("market", metavar="MARKET", nargs="?", help="such as xyz:GOLD")
    for acting in (cancel_all, flatten):
        acting.add_argument("--timeout", type=seconds, default=None, metavar="SECONDS")
    commands.add_parser("pause", help="exits and cancels only, until resume")
    resume = commands.add_parser("resume", help="entries again; or approve a market whose parameters changed")
    resume.add_argument("market", metavar="MARKET", nargs="?", help="such as xyz:GOLD")
    latch = commands.add_parser("latch", help="the HardStop latch")
    actions = latch.add_subparsers(dest="action", required=True, parser_class=Parser)
    actions.add_parser("show")
    reset = actions.add_parser("reset")
    reset.add_argument("--reason", required=True)
    reset.add_argument("--account", metavar="NAME", default=None, help="where several are tripped: which one")


def add_first(commands: Any) -> None:
    """The commands of the first ten minutes."""
    demo = commands.add_parser("demo", help="a first look: taking and quoting on the embedded exchange, with its page")
    demo.add_argument("--duration", type=seconds, metavar="SECONDS", help="then flatten, print a table, end")
    demo.add_argument("--plain", action="store_true", help="log lines on a terminal, too, instead of the live view")
    demo.add_argument("--no-open", action="store_true", help="open no browser")
    accept = commands.add_parser("accept", help="walks through docs/acceptance.md, keeps and reports what you find")
    accept.add_argument(
        "item", type=int, nargs="?", default=None, metavar="ITEM", help="one item; default: what is open"
    )
    accept.add_argument("--report", action="store_true", help="what has passed; exit 0 once all has")
    accept.add_argument("--json", action="store_true", help="every answer, for --report")
    commands.add_parser("init", help="asks for network, markets, limits, key file, alerts; writes .env; runs check")


def add_exchange(commands: Any) -> None:
    """The embedded exchange alone."""
    exchange = commands.add_parser("exchange", help="serve the embedded exchange alone")
    exchange.add_argument(
        "action", choices=("snapshot", "restore"), nargs="?", default=None,
        help="of the one that listens at --host and --port: write its state to FILE, or go back to it",
    )  # fmt: skip
    exchange.add_argument("file", type=Path, nargs="?", default=None, metavar="FILE")
    exchange.add_argument("--host", default="127.0.0.1", help="where it listens")
    exchange.add_argument("--port", type=port, default=3001, help="0: any that is free")
    exchange.add_argument("--seed", type=int, default=None, help="the market's; default: another one each time")
    exchange.add_argument(
        "--profile", choices=("lively", "calibrated"), default="lively", help="much to trade on, or as measured"
    )
    exchange.add_argument("--latency", type=int, default=None, metavar="MS", help="from arrival to execution; 100")
    exchange.add_argument("--speed", type=seconds, default=1.0, metavar="X", help="faster than real time")
    exchange.add_argument("--config", type=Path, default=None, metavar="FILE", help="markets and accounts (TOML)")
    exchange.add_argument("--faults", type=Path, default=None, metavar="FILE", help="what goes wrong, when (TOML)")
    exchange.add_argument("--recording", type=Path, default=None, metavar="FILE", help="books and oracles (JSON lines)")
    exchange.add_argument("--mirror", default=None, metavar="mainnet|testnet|URL", help="pass on a real one's market")
    exchange.add_argument("--fills", default=None, metavar="MODEL", help="a mirror's: pessimistic, share:P, optimistic")
    exchange.add_argument("--no-limits", action="store_true", help="no limits of an IP: weight, sockets, messages")
    exchange.add_argument("--state", type=Path, default=None, metavar="FILE", help="keeps accounts over restarts")
    exchange.add_argument("-v", "--verbose", action="store_true", help="a line on stderr for each request")
    exchange.add_argument("--open-control", action="store_true", help="page and /control answer other machines, too")
    exchange.add_argument("--until-eof", action="store_true", help="end when standard input does")


def add_simulate(commands: Any) -> None:
    """The simulation."""
    simulate = commands.add_parser("simulate", help="seeded fault simulation of the whole service")
    simulate.add_argument("--seeds", type=int, default=None, metavar="N", help="how many; default 100")
    simulate.add_argument("--seed", type=int, default=None, metavar="S", help="the one to show in full")
    simulate.add_argument("--from", dest="first", type=int, default=0, metavar="S", help="the first of many seeds")
    simulate.add_argument("--jobs", type=int, default=None, metavar="J", help="processes at a time; default all cores")
    simulate.add_argument("--keep", default=None, metavar="I,J", help="of one seed: only these mishaps, or none")
    simulate.add_argument("--until", type=int, default=None, metavar="MS", help="of one seed: when its faults end")
    simulate.add_argument("--calm", action="store_true", help="of one seed: threads never cut in")
    simulate.add_argument("--coverage", action="store_true", help="of many seeds: which mishap hit in which state")
