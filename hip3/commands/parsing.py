"""The command line's parser with our exit code and words, and the options of the commands that act."""

import argparse
import sys
from pathlib import Path
from typing import Any, NoReturn

from hip3.commands.words import all_commands, clearer, epilog, options


class Parser(argparse.ArgumentParser):
    """argparse with our exit code for bad usage."""

    def __init__(self, **options: Any) -> None:
        command = options["prog"].rpartition(" ")[2] if " " in options["prog"] else ""
        shape = argparse.RawDescriptionHelpFormatter
        super().__init__(epilog=epilog(command), formatter_class=shape, **options)

    def error(self, message: str) -> NoReturn:
        commands = all_commands(self)
        known = [*commands, *options(self), *(o for p in commands.values() for o in options(p))]
        print(f"{self.prog}: {clearer(message, known)}", file=sys.stderr)
        raise SystemExit(2)


def seconds(text: str) -> float:
    """A positive number of seconds."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds") from None
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
    cancel_all = commands.add_parser("cancel-all", help="cancel every resting order of the account, protection stays")
    flatten = commands.add_parser("flatten", help="close every position of the account, or one market's")
    flatten.add_argument("market", metavar="MARKET", nargs="?", help="such as xyz:GOLD")
    for acting in (cancel_all, flatten):
        acting.add_argument("--timeout", type=seconds, default=None, metavar="SECONDS")
    commands.add_parser("pause", help="exits and cancels only, until resume")
    resume = commands.add_parser("resume", help="entries again; or approve a market whose parameters changed")
    resume.add_argument("market", metavar="MARKET", nargs="?", help="such as xyz:GOLD")


def add_first(commands: Any) -> None:
    """The commands of the first ten minutes."""
    demo = commands.add_parser("demo", help="a first look: taking and quoting on the embedded exchange, with its page")
    demo.add_argument("--duration", type=seconds, metavar="SECONDS", help="then flatten, print a table, end")
    demo.add_argument("--plain", action="store_true", help="log lines on a terminal, too, instead of the live view")
    demo.add_argument("--no-open", action="store_true", help="open no browser")
    commands.add_parser("init", help="asks for network, markets, limits, key file, alerts; writes .env; runs check")


def add_exchange(commands: Any) -> None:
    """`exchange`."""
    exchange = commands.add_parser("exchange", help="serve the embedded exchange alone")
    exchange.add_argument("--host", default="127.0.0.1")
    exchange.add_argument("--port", type=port, default=3001)
    exchange.add_argument("--seed", type=int, default=None)
    exchange.add_argument("--profile", choices=("lively", "calibrated"), default="lively")
    exchange.add_argument("--latency", type=int, default=None, metavar="MS", help="from arrival to execution; 100")
    exchange.add_argument("--speed", type=seconds, default=1.0, metavar="X", help="faster than real time")
    exchange.add_argument("--config", type=Path, default=None, metavar="FILE", help="markets and accounts (TOML)")
    exchange.add_argument("--faults", type=Path, default=None, metavar="FILE", help="what goes wrong, when (TOML)")
    exchange.add_argument("--recording", type=Path, default=None, metavar="FILE", help="books and oracles (JSON lines)")
    exchange.add_argument("--mirror", default=None, metavar="mainnet|testnet|URL", help="pass on a real one's market")
    exchange.add_argument("--fills", default=None, metavar="MODEL", help="a mirror's: pessimistic, share:P, optimistic")
    exchange.add_argument("--no-limits", action="store_true", help="no limits of an IP: weight, sockets, messages")
    exchange.add_argument("--state", type=Path, default=None, metavar="FILE", help="keeps accounts over restarts")
    exchange.add_argument("--until-eof", action="store_true", help="end when standard input does")
