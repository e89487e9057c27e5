"""`exchange`: the embedded exchange alone, until a signal or the end of standard input. Main; see docs/exchange.md."""

import argparse
import itertools
import secrets
import signal
import sys
import threading

from hip3.clock import SystemClock
from hip3.errors import ConfigError
from hip3.exchange.embedded import key_number_one
from hip3.exchange.signing import SigningKey
from hip3.venue.books.kept import Kept
from hip3.venue.market.recording import NOTHING, load_recording
from hip3.venue.server import ExchangeServer
from hip3.venue.setup.settings import load_setup
from hip3.venue.state_file import StateFile
from hip3.venue.venue import Venue

LOOK_S = 0.5
KEEP_EVERY = 10
"""Looks between two writings of `--state`."""


def serve(args: argparse.Namespace) -> str:
    """Serve until it is to end; why it failed, or "". ConfigError for what the arguments and files ask for."""
    state = None if args.state is None else StateFile(args.state)
    kept = None if state is None else state.read()
    server, seed = _server(args, kept)
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    server.start()
    print(f"listening on http://{args.host}:{server.port}", flush=True)  # noqa: T201
    secret = key_number_one(seed)
    print(f"funded {SigningKey(secret).address} key 0x{secret.hex()}", flush=True)  # noqa: T201 worth nothing elsewhere
    if args.port:  # a person's; another program reads the two lines above alone
        _say(f"its page: http://{args.host}:{server.port}/ (docs/exchange.md); Ctrl-C ends it")
    if args.until_eof:
        threading.Thread(target=_until_eof, args=(done,), name="eof", daemon=True).start()
    told = ""
    for look in itertools.count():
        if done.wait(LOOK_S):
            break
        if not server.alive:
            return _keep(server, state) or "the exchange's own thread ended"
        if look % KEEP_EVERY == 0:
            fault = _keep(server, state)
            if fault != told:
                _say(f"hip3: {fault or f'{args.state} is written again'}")
            told = fault
    server.stop()
    return _keep(server, state)


def _server(args: argparse.Namespace, kept: Kept | None) -> tuple[ExchangeServer, int]:
    setup = load_setup(args.config, args.faults)
    recording = NOTHING if args.recording is None else load_recording(args.recording, setup.markets)
    if kept is not None and args.seed not in (None, kept.seed):
        raise ConfigError([f"{args.state} is of seed {kept.seed}; leave --seed away, or name another --state"])
    seed = kept.seed if kept is not None else secrets.randbelow(2**32) if args.seed is None else args.seed
    if args.latency < 0 or seed < 0:
        raise ConfigError(["--latency and --seed must not be negative"])

    def make(now_ms: int, kept: Kept | None = kept) -> Venue:
        return Venue(
            setup,
            seed=seed,
            profile=args.profile,
            now_ms=now_ms,
            latency_ms=args.latency,
            recording=recording,
            limited=not args.no_limits,
            kept=kept,
        )

    begin_ms = 0 if kept is None else kept.at_ms
    try:
        server = ExchangeServer(
            make,
            SystemClock(),
            host=args.host,
            port=args.port,
            speed=args.speed,
            begin_ms=begin_ms,
            verbose=args.verbose,
            open_control=args.open_control,
        )
    except OSError:
        raise ConfigError([f"{args.host}:{args.port} cannot be bound; is it in use? choose another --port"]) from None
    _say(f"hip3 embedded exchange, profile {args.profile}, seed {seed}")
    return server, seed


def _keep(server: ExchangeServer, state: StateFile | None) -> str:
    """Write what a restart needs; why that failed, or "". The exchange goes on either way."""
    if state is None:
        return ""
    try:
        state.write(server.dump())
    except (OSError, TimeoutError) as error:
        return f"the state cannot be written: {error}"
    return ""


def _until_eof(done: threading.Event) -> None:
    sys.stdin.read()
    done.set()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201
