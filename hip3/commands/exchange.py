"""`exchange`: the embedded exchange alone, until a signal or the end of standard input. Main; see docs/exchange.md."""

import argparse
import itertools
import os
import secrets
import sys
import threading
from collections.abc import Callable

from hip3.clock import SystemClock
from hip3.config.settings import API_URLS
from hip3.core.urls import parts_of, shown_url
from hip3.errors import ODD_ANSWERS, ConfigError, VenueReadError
from hip3.exchange.embedded import FROM_ENVIRONMENT, UPSTREAM, key_number_one
from hip3.exchange.signing import SigningKey
from hip3.ops.ending import Ending
from hip3.venue.books.kept import Kept
from hip3.venue.market.answers import setup_from
from hip3.venue.market.filling import parse_fills
from hip3.venue.market.latency import Drawn, parse_latency
from hip3.venue.market.recording import NOTHING, load_recording
from hip3.venue.mirrored import MirrorVenue
from hip3.venue.mirroring import Mirror, delisted_of
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
    if args.mirror is None and args.fills is not None:
        raise ConfigError(["--fills is a mirror's: give --mirror, too, or leave it away"])
    mirror = None if args.mirror is None else mirror_of(args)
    server, seed = _server(args, kept) if mirror is None else mirror_server(args, kept, mirror)
    ending = Ending()
    ending.on_signals()
    server.start()
    print(f"listening on http://{args.host}:{server.port}", flush=True)  # noqa: T201
    secret = key_number_one(seed)
    print(f"funded {SigningKey(secret).address} key 0x{secret.hex()}", flush=True)  # noqa: T201 worth nothing elsewhere
    if args.port:  # a person's; another program reads the two lines above alone
        _say(f"its page: http://{args.host}:{server.port}/ (docs/exchange.md); Ctrl-C ends it")
    if args.until_eof:
        threading.Thread(target=_until_eof, args=(ending,), name="eof", daemon=True).start()
    told = ""
    for look in itertools.count():
        if ending.wait(LOOK_S):
            break
        if not server.alive:
            return _keep(server, state) or "the exchange's own thread ended"
        if mirror is not None and not mirror.alive:
            return _keep(server, state) or "a thread of the mirror ended"
        if look % KEEP_EVERY == 0:
            fault = _keep(server, state)
            if fault != told:
                _say(f"hip3: {fault or f'{args.state} is written again'}")
            told = fault
    if mirror is not None:
        mirror.end()
    server.stop()
    return _keep(server, state)


def _server(args: argparse.Namespace, kept: Kept | None) -> tuple[ExchangeServer, int]:
    setup = load_setup(args.config, args.faults)
    recording = NOTHING if args.recording is None else load_recording(args.recording, setup.markets)
    seed = _seed(args, kept)
    latency_ms = 100 if args.latency is None else args.latency

    def make(now_ms: int, kept: Kept | None = kept) -> Venue:
        return Venue(
            setup,
            seed=seed,
            profile=args.profile,
            now_ms=now_ms,
            latency_ms=latency_ms,
            recording=recording,
            limited=not args.no_limits,
            kept=kept,
        )

    server = _bound(args, make, kept)
    _say(f"hip3 embedded exchange, profile {args.profile}, seed {seed}")
    return server, seed


def _seed(args: argparse.Namespace, kept: Kept | None) -> int:
    if kept is not None and args.seed not in (None, kept.seed):
        raise ConfigError([f"{args.state} is of seed {kept.seed}; leave --seed away, or name another --state"])
    seed: int = kept.seed if kept is not None else secrets.randbelow(2**32) if args.seed is None else args.seed
    if (args.latency or 0) < 0 or seed < 0:
        raise ConfigError(["--latency and --seed must not be negative"])
    return seed


def _bound(args: argparse.Namespace, make: Callable[[int], Venue], kept: Kept | None) -> ExchangeServer:
    begin_ms = 0 if kept is None else kept.at_ms
    try:
        return ExchangeServer(
            make, SystemClock(), host=args.host, port=args.port, speed=args.speed, begin_ms=begin_ms,
            verbose=args.verbose, open_control=args.open_control,
        )  # fmt: skip
    except (OSError, SystemExit):
        raise ConfigError([f"{args.host}:{args.port} cannot be bound; is it in use? choose another --port"]) from None


def mirror_of(args: argparse.Namespace) -> Mirror:
    """The upstream of `--mirror`: a network's name or an address. ConfigError."""
    given = os.environ.get(UPSTREAM, "") if args.mirror == FROM_ENVIRONMENT else args.mirror
    url = API_URLS.get(given, given)
    parts = parts_of(url)
    if parts is None or parts.scheme not in ("http", "https"):
        raise ConfigError([f"--mirror {shown_url(url)}: expected mainnet, testnet or http://HOST:PORT"])
    for name in ("recording", "faults"):
        if getattr(args, name) is not None:
            raise ConfigError(
                [f"--{name} makes a market of its own, and --mirror passes on another's: give one of them"]
            )
    return Mirror(url, SystemClock(), lambda text: _say(f"hip3: {text}"), speed=args.speed)


def mirror_server(args: argparse.Namespace, kept: Kept | None, mirror: Mirror) -> tuple[ExchangeServer, int]:
    """The server of a mirror that listens already, and its seed. ConfigError; VenueReadError: no upstream."""
    seed, fills = _seed(args, kept), parse_fills(args.fills or "pessimistic")
    latency = parse_latency(None if args.latency is None else f"fixed:{args.latency}", 0)
    try:
        answers = mirror.answers()
        found, gone = setup_from(answers, load_setup(args.config)), delisted_of(answers)
    except ODD_ANSWERS as error:
        raise VenueReadError(f"the markets of the upstream cannot be read: {error}") from None
    if found is None:
        raise VenueReadError("the upstream has no builder dex: there is nothing to pass on")
    setup, px = found

    def make(now_ms: int) -> Venue:
        venue = MirrorVenue(
            setup, px, travels=Drawn(latency, seed), fills=fills, seed=seed, now_ms=now_ms,
            limited=not args.no_limits, kept=kept,
        )  # fmt: skip
        venue.relisted(gone, now_ms)
        return venue

    server = _bound(args, make, kept)
    assert isinstance(server.venue, MirrorVenue)
    if kept is not None:
        _pay_missed(mirror, server.venue, kept.at_ms)
    mirror.begin(server, server.venue)
    _say(f"hip3 mirror, fills {fills.text}, latency {latency.source}, seed {seed}")
    return server, seed


def _pay_missed(mirror: Mirror, venue: MirrorVenue, since_ms: int) -> None:
    """The account was there while nobody ran, and so was its funding."""
    for coin in venue.held():
        try:
            rows = mirror.fundings(coin, since_ms, SystemClock().wall_ms())
        except (VenueReadError, *ODD_ANSWERS) as error:
            _say(f"hip3 mirror: the funding of {coin} since {since_ms} ms is not known, and was not paid: {error}")
        else:
            venue.pay_missed(coin, rows)


def _keep(server: ExchangeServer, state: StateFile | None) -> str:
    """Write what a restart needs; why that failed, or "". The exchange goes on either way."""
    if state is None:
        return ""
    try:
        state.write(server.dump())
    except (OSError, TimeoutError) as error:
        return f"the state cannot be written: {error}"
    return ""


def _until_eof(ending: Ending) -> None:
    sys.stdin.read()
    ending.ask()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201
