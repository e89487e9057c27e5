"""The command line. Exit codes:

0 done · 1 failed unexpectedly · 2 bad usage or settings · 3 not running · 4 a check failed, or what the
exchange shows to be wrong · 5 no answer in time · 6 already running · 7 the journal cannot be written ·
8 stopped, but not as asked
"""

import argparse
import contextlib
import errno
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from hip3.commands.parsing import Parser as _Parser
from hip3.commands.parsing import add_exchange as _add_exchange
from hip3.commands.parsing import add_first as _add_first
from hip3.commands.parsing import add_operating as _add_operating
from hip3.commands.parsing import add_simulate as _add_simulate
from hip3.commands.parsing import seconds as _seconds
from hip3.errors import AlreadyRunning, ConfigError, PreflightError, VenueReadError
from hip3.ops.colour import RED, painted, shown_table
from hip3.version import __version__

if TYPE_CHECKING:
    from hip3.config.reading import MarketSettings
    from hip3.service.app import App

OK, FAILED, USAGE, NOT_RUNNING, CHECK_FAILED, NO_ANSWER, RUNNING, NO_JOURNAL, NOT_AS_ASKED = range(9)
ENV_FILE = Path(".env")


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = _Parser(prog="hip3", description="trades Hyperliquid's HIP-3 perpetuals")
    top.add_argument("--version", action="version", version=f"hip3 {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    run = commands.add_parser("run", help="run the service in the foreground")
    run.add_argument("--duration", type=_seconds, metavar="SECONDS", help="then flatten, print a table, end")
    run.add_argument("--supervised", action="store_true", help="for cron: not after `stop`, and not in a crash loop")
    run.add_argument("--plain", action="store_true", help="log lines on a terminal, too, instead of the live view")
    run.add_argument("--quiet", action="store_true", help="of the lines only results, states and alarms")
    run.set_defaults(settings=None)
    _add_first(commands)
    _add_exchange(commands)
    check = commands.add_parser("check", help="preflight: settings, key, exchange, markets, folders, alerts")
    check.add_argument("--json", action="store_true", help="for programs")
    check.add_argument("--sign", action="store_true", help="also send one signed noop; not while the service runs")
    status = commands.add_parser("status", help="the running service at a glance")
    status.add_argument("--json", action="store_true", help="for programs")
    status.add_argument("--watch", action="store_true", help="again each second, until Ctrl-C")
    completion = commands.add_parser("completion", help="completion of commands and options for a shell")
    completion.add_argument("shell", choices=("bash", "zsh"))
    _add_operating(commands)
    commands.add_parser("markets", help="the network's dexs and markets, with fees, lots, spreads; needs no key")
    explain = commands.add_parser("explain", help="the story of one order")
    explain.add_argument("cloid", metavar="CLOID", help="the whole cloid, or its last digits")
    _add_simulate(commands)
    commands.add_parser("test", help="every check of the code: ./run.sh test; also test quick, test long")
    from hip3.commands.evidence import add_evidence

    add_evidence(commands, _seconds)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["help"]:  # as people type it
        words = [*words[1:2], "--help"]
    args = parser().parse_args(words)
    try:
        return _COMMANDS[args.command](args)
    except ConfigError as error:
        return _faults(error.faults, USAGE)
    except PreflightError as error:
        return _faults(error.faults, CHECK_FAILED)
    except AlreadyRunning as error:
        return _faults([str(error)], RUNNING)
    except VenueReadError as error:
        return _faults([f"the exchange does not answer: {error}"], NO_ANSWER)
    except TimeoutError as error:
        return _faults([f"no answer in time: {error}"], NO_ANSWER)
    except ModuleNotFoundError as error:
        if (error.name or "hip3").partition(".")[0] == "hip3":
            raise
        return _faults([f"{error.name} is not installed for {sys.executable}; start it with ./run.sh"], FAILED)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except OSError as error:
        if isinstance(error, BrokenPipeError) or (error.errno == errno.EIO and error.filename is None):
            # Whoever read our output has gone, a pipe's end or a terminal: not a failure of ours.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return OK
        # A file or folder of ours: nothing else lets an OSError out.
        return _faults(
            [f"{error.filename or 'a file'}: {error.strerror}; nothing was done: make it usable for this user"],
            NO_JOURNAL,
        )


def script() -> int:
    """The installed command: as `run.sh` does it, what it writes is nobody else's."""
    os.umask(0o077)
    return main()


def _faults(faults: Sequence[str], code: int) -> int:
    for fault in faults:
        _say(painted(f"hip3: {fault}", RED if code else None, sys.stderr), sys.stderr)
    return code


def _say(text: str, where: IO[str]) -> None:
    """A line for people. What it is written to may be a file on a full disk: the exit code counts, then."""
    with contextlib.suppress(OSError):
        print(text, file=where, flush=True)


def _settings() -> "MarketSettings":
    from hip3.config import reading

    return reading.load_markets_file(reading.load(os.environ, ENV_FILE))


def _run(args: argparse.Namespace) -> int:
    from hip3.clock import SystemClock
    from hip3.ops.logs import rotate_output
    from hip3.ops.state_dir import StateLock
    from hip3.ops.supervised import Supervised
    from hip3.service.start import begun

    settings = args.settings or _settings()
    clock, supervised = SystemClock(), Supervised(Path(settings.base.state_dir))
    if args.supervised:
        rotate_output()
    refusal = supervised.may_start(clock.wall_ms()) if args.supervised else ""
    # What cron meets every minute is worth a line to a person alone.
    quiet = args.supervised and not sys.stderr.isatty()
    if refusal:
        return OK if quiet and supervised.stopped else _faults([f"not started: {refusal}"], OK)
    try:
        lock = StateLock(Path(settings.base.state_dir))
    except AlreadyRunning:
        if quiet:
            return RUNNING
        raise
    own = None
    try:
        if args.supervised and supervised.stopped:  # `stop` came between the look above and the lock
            return OK
        # At once: a `stop` that comes while the rest is loaded leaves a mark that stays.
        problem = ("" if args.supervised else supervised.clear()) or supervised.started(clock.wall_ms())
        if problem:
            _faults([f"this start is not noted for --supervised: {problem}"], OK)
        own = begun(settings.base)
        from hip3.commands.ended import closing_table  # while that starts
        from hip3.service.app import App

        view = not args.plain and not args.quiet and not args.supervised and sys.stdout.isatty() and sys.stderr.isatty()
        app = App(settings, clock, view=view, quiet=args.quiet, own=own)
        running = app.running
        outcome = app.run(None if args.duration is None else int(args.duration * 1000))
        if not running.failed:
            supervised.good()
    finally:
        if own is not None:
            own.stop(0)  # of a run that began it has ended by now
        lock.release()
    if args.duration is None:
        _say(f"stopped: {outcome.sentence}", sys.stderr)
    else:
        _say_here(shown_table(closing_table(running, outcome), sys.stdout))
    _say_observed(app)
    if running.failed:
        return _faults([running.failed], FAILED)
    return OK if outcome.clean else NOT_AS_ASKED


def _say_observed(app: "App") -> None:
    from hip3.commands.observed import say_observed

    say_observed(app.running, _say_here)


def _demo(args: argparse.Namespace) -> int:
    from hip3.commands.demo import prepare

    args.settings = prepare(os.environ, _say_here, show=not args.no_open)
    args.supervised = args.quiet = False
    return _run(args)


def _init(args: argparse.Namespace) -> int:
    from hip3.commands.init import init

    init(ENV_FILE, input, _say_here)
    return _check(argparse.Namespace(json=False, sign=False))


def _accept(args: argparse.Namespace) -> int:
    from hip3.commands.accept import accept

    return OK if accept(_settings().base, args, _say_here) else CHECK_FAILED


def _say_here(text: str) -> None:
    _say(text, sys.stdout)


def _exchange(args: argparse.Namespace) -> int:
    from hip3.commands.exchange import serve
    from hip3.commands.exchange_state import move

    if args.action is not None:
        return move(args.action, args.file, f"http://{args.host}:{args.port}", _say_here)
    fault = serve(args)
    return _faults([fault], FAILED) if fault else OK


def _status(args: argparse.Namespace) -> int:
    from hip3.ops.control import ask, nobody
    from hip3.ops.state_dir import socket_path
    from hip3.ops.status_text import status_text

    root = Path(_settings().base.state_dir)
    if args.watch and not args.json:
        from hip3.commands.watch import watch

        return OK if watch(root) else _faults([nobody()], NOT_RUNNING)
    answer = ask(socket_path(root), {"command": "status"})
    if answer is None:
        return _faults([nobody()], NOT_RUNNING)
    if not args.json and sys.stdout.isatty():
        from hip3.ops.terminal import show

        show(answer)
    else:
        print(json.dumps(answer) if args.json else status_text(answer), end="\n" if args.json else "")
    return OK


def _completion(args: argparse.Namespace) -> int:
    from hip3.commands.words import completion

    print(completion(parser(), args.shell), end="")
    return OK


def _stop(args: argparse.Namespace) -> int:
    from hip3.commands.stop import stop

    timeout_ms = None if args.timeout is None else int(args.timeout * 1000)
    return stop(_settings().base, args.mode, timeout_ms)


def _operate(args: argparse.Namespace) -> int:
    from hip3.commands.by_hand import operate

    timeout_ms = None if args.timeout is None else int(args.timeout * 1000)
    return operate(_settings(), args.command, getattr(args, "market", None), timeout_ms)


def _pause(args: argparse.Namespace) -> int:
    from hip3.commands.pause import tell

    return tell(_settings().base, args.command, getattr(args, "market", None))


def _explain(args: argparse.Namespace) -> int:
    from hip3.commands.explain import explain

    return explain(Path(_settings().base.state_dir), args.cloid)


def _check(args: argparse.Namespace) -> int:
    from hip3.commands.check import run_checks, shown

    findings = run_checks(_settings(), sign=args.sign)
    plain = [{"name": f.name, "ok": f.ok, "text": f.text} for f in findings]
    print(json.dumps(plain) if args.json else shown(findings, sys.stdout))
    return OK if all(f.ok for f in findings) else CHECK_FAILED


def _markets(args: argparse.Namespace) -> int:
    from hip3.commands.markets import show
    from hip3.config import reading

    show(reading.load_markets_file(reading.load(os.environ, ENV_FILE, markets=False)), print)
    return OK


def _latch(args: argparse.Namespace) -> int:
    from hip3.commands.latch import reset, reset_live, show

    base = _settings().base
    root = Path(base.state_dir)
    if args.action == "show":
        return show(root)
    code = reset_live(root, args.reason, args.account)
    if code is not None:
        return code
    from hip3.clock import SystemClock
    from hip3.service.alerting import tell_reset

    was = dict(reset(root, args.reason, args.account))
    _faults(tell_reset(base, was, args.reason, SystemClock()), OK)
    return OK


def _bench(args: argparse.Namespace) -> int:
    from hip3.bench.command import bench, bench_all, bench_replay

    if args.all:
        return bench_all(args.out)
    return (bench if args.what is None else bench_replay)(as_json=args.json)


def _simulate(args: argparse.Namespace) -> int:
    from hip3.simulate.command import one, simulate

    if args.seed is not None and args.first:
        raise ConfigError(["--seed shows one seed, --from begins many: give one of them"])
    first = args.first if args.seed is None else args.seed
    count, jobs = args.seeds, args.jobs
    if count is None:
        count = 100 if args.seed is None else 1
    if first < 0 or count < 1 or (jobs is not None and jobs < 1):
        raise ConfigError(["--seed and --from must not be negative, --seeds and --jobs must be at least 1"])
    if args.seed is None or count > 1:
        return simulate(first, count, jobs, coverage=args.coverage)
    try:
        keep = None if args.keep is None else [int(i) for i in args.keep.replace("none", "").split(",") if i]
    except ValueError:
        raise ConfigError(["--keep takes numbers of mishaps, comma separated, or none"]) from None
    return one(first, keep, args.until, calm=args.calm)


def _evidence(args: argparse.Namespace) -> int:
    if args.command == "replay":
        from hip3.replay.command import run as replay

        return replay(args, ENV_FILE)
    if args.command == "report":
        from hip3.commands.report import run as report

        return report(args, ENV_FILE, _say_here)
    from hip3.imports.command import run as imported

    return imported(args)


def _record(args: argparse.Namespace) -> int:
    if args.action == "convert":
        return _evidence(args)
    from hip3.commands.record import record, stat_command, verify_command
    from hip3.config import reading

    if args.action is not None:
        return (verify_command if args.action == "verify" else stat_command)(args.recording)
    return record(args, reading.load_markets_file(reading.load(os.environ, ENV_FILE, markets=False)))


def _not_here(args: argparse.Namespace) -> int:
    tests = "the checks of the code are run by ./run.sh test, in a checkout"
    return _faults([tests if args.command == "test" else f"{args.command} is not offered until it exists"], USAGE)


_COMMANDS = {
    "run": _run,
    "demo": _demo,
    "init": _init,
    "accept": _accept,
    "exchange": _exchange,
    "status": _status,
    "completion": _completion,
    "check": _check,
    "latch": _latch,
    "stop": _stop,
    "pause": _pause,
    "resume": _pause,
    "cancel-all": _operate,
    "flatten": _operate,
    "explain": _explain,
    "markets": _markets,
    "bench": _bench,
    "simulate": _simulate,
    "record": _record,
    **dict.fromkeys(("import", "replay", "report"), _evidence),
    "sweep": _not_here,
    "test": _not_here,
}
