"""`record`: the network's public market data on disk, without a key; `record verify` and `record stat` read it.

Threads: the connection's reader, the recorder, and main, which reads meta every ten minutes, tells how it goes and
ends at a signal or at the end of `--duration`.
"""

import argparse
import itertools
import sys
import time
from pathlib import Path
from typing import Any

from hip3.clock import SystemClock
from hip3.config.reading import MarketSettings
from hip3.config.settings import Settings, ws_url_of
from hip3.core.events import Event
from hip3.errors import ODD_ANSWERS, ConfigError, PreflightError, VenueReadError
from hip3.exchange.clock_offset import ClockOffset
from hip3.exchange.connection import Connection
from hip3.exchange.protocol import Session
from hip3.exchange.rest import RestClient
from hip3.exchange.writer import WriteHandle
from hip3.ops.ending import Ending
from hip3.ops.progress import Progress, progress, steps
from hip3.record.folder import segments
from hip3.record.recorder import Keep, Recorder
from hip3.record.verify import Findings, MarketStat, quantile, stat, verify
from hip3.service.start import OwnExchange
from hip3.service.workers import Worker

META_MS, CLOCK_MS = 600_000, 60_000
STILL_MS = 10_000
"""Frames arrive and the file has not grown for so long: that is no recording."""
OK, FAILED, CHECK_FAILED = 0, 1, 4
MOST_SUBSCRIPTIONS = 1000


class _Listener:
    """The `Inbound` of a connection that only listens: what arrives was shown to the recorder already."""

    def __init__(self, clock: SystemClock) -> None:
        self._clock, self._since_ms = clock, clock.mono_ms()

    def on_connected(self, session: Session) -> None:
        self._since_ms = self._clock.mono_ms()

    def on_event(self, session: Session, event: Event, now_ms: int) -> None:
        """Nothing is done with it here."""

    def on_disconnected(self, generation: int, reason: str) -> None:
        _tell(f"connection {generation}: {reason}")

    def ready_for_ms(self, now_ms: int) -> int:
        return now_ms - self._since_ms


def record(args: argparse.Namespace, settings: MarketSettings) -> int:
    """Record until a signal or the end of `--duration`; the exit code. AlreadyRunning: another process writes there."""
    base = settings.base
    own = OwnExchange(base).listening() if base.fresh_exchange else None
    url = own.url if own is not None else base.public_url
    ending = Ending()
    ending.on_signals()
    keep = Keep(days=base.record_keep_days, gb=base.record_keep_gb)

    def trouble(why: str) -> None:
        _tell(why or "recording goes on")

    recorder = Recorder(Path(args.out) / base.network, SystemClock(), keep=keep, trouble=trouble)
    try:
        run = _Run(args, base, url, recorder, ending)
        return run.run()
    finally:
        if own is not None:
            own.stop()


class _Run:
    """One run of the command. Main."""

    def __init__(self, args: argparse.Namespace, base: Settings, url: str, recorder: Recorder, ending: Ending) -> None:
        self._args, self._base, self._recorder, self._ending = args, base, recorder, ending
        self._clock = SystemClock()
        self._rest = RestClient(url, self._clock)
        self._rest.tap = recorder
        self._ws_url = base.ws_url or ws_url_of(url)
        self._coins: list[str] = []
        self._dexs: list[str] = []
        self._grown = (0, self._clock.mono_ms())
        self._offset = ClockOffset(self._clock)
        recorder.offset = lambda: self._offset.offset_ms if self._offset.known else None
        self._reader, self._writer = Worker("ws-reader", self._clock), Worker("recorder", self._clock)

    def run(self) -> int:
        clock, recorder, args = self._clock, self._recorder, self._args
        self._coins = self._learn()
        self._read_clock()
        writer = WriteHandle(clock)
        writer.tap = recorder
        connection = Connection(
            url=self._ws_url, subscriptions=self._subscriptions, inbound=_Listener(clock), writer=writer, clock=clock,
            stop=self._reader.stopping, beat=self._reader.beat, tap=recorder,
        )  # fmt: skip
        self._reader.start(connection.run)
        self._writer.start(self._record)
        end = None if args.duration is None else clock.mono_ms() + int(args.duration * 1000)
        code = self._watch(end)
        for worker in (self._reader, self._writer):
            worker.stop()
            worker.join(1)
        recorder.close()
        for line in table(recorder, self._coins):
            print(line)  # noqa: T201
        return code

    def _record(self) -> None:
        self._recorder.wake()
        self._writer.stopping.wait(0.05)

    def _watch(self, end: int | None) -> int:
        clock, began = self._clock, self._clock.mono_ms()
        with progress("record", None if end is None else end - began, clock) as line:
            return self._until(end, line, began)

    def _until(self, end: int | None, line: Progress, began: int) -> int:
        clock, next_meta, next_clock = self._clock, began + META_MS, began + CLOCK_MS
        while not self._ending.wait(0.2):
            now = clock.mono_ms()
            if end is not None and now >= end:
                break
            fault = self._fault(now)
            if fault:
                _tell(fault)
                return FAILED
            if now >= next_meta:
                next_meta = now + META_MS
                self._read_again()
            if now >= next_clock:
                next_clock = now + CLOCK_MS
                self._read_clock()
            line.at(now - began, self._figures)
        return OK

    def _figures(self) -> str:
        state = self._recorder.state()
        return f"{state['frames']:,} lines, {state['bytes'] / 1e6:.1f} MB of text, {state['lost']} lost"

    def _fault(self, now: int) -> str:
        """Growth is the only proof that a recorder records."""
        recorder, (frames, since) = self._recorder, self._grown
        if recorder.frames != frames or not recorder.offered - recorder.frames:
            self._grown = (recorder.frames, now)
        elif now - since > STILL_MS and not recorder.stopped:
            return f"frames arrive and nothing was written for {STILL_MS // 1000} s"
        dead = [w for w in (self._reader, self._writer) if not w.alive]
        return f"thread {dead[0].name} died: {dead[0].failure}" if dead else ""

    # What there is to record.

    def _learn(self) -> list[str]:
        """The markets asked for, checked against the exchange's."""
        args, base = self._args, self._base
        wished = [w.strip() for w in (args.markets or "").split(",") if w.strip()] or list(base.coins)
        dexs = [args.all_of] if args.all_of else list(dict.fromkeys(c.split(":")[0] for c in wished)) or list(base.dexs)
        try:
            listed = self._read_meta(dexs)
        except ODD_ANSWERS as error:
            raise VenueReadError(f"the markets cannot be read: {error}") from None
        self._dexs = list(listed)
        coins = [coin for coins in listed.values() for coin in coins]
        if args.all_of or not wished:
            wished = coins
        unknown = [coin for coin in wished if coin not in coins]
        if unknown:
            raise PreflightError([f"{coin} is no market of the exchange; see ./run.sh markets" for coin in unknown])
        streams = 2 + bool(args.trades) + bool(args.depth)
        if len(wished) * streams > MOST_SUBSCRIPTIONS:
            most = MOST_SUBSCRIPTIONS // streams
            raise ConfigError([f"{len(wished)} markets with {streams} streams are more than 1000; name {most} at most"])
        return wished

    def _read_meta(self, dexs: list[str] | None = None) -> dict[str, list[str]]:
        """Markets by dex; every answer is shown to the recorder as it comes. VenueReadError, PreflightError, or one of
        ODD_ANSWERS."""
        rest, out = self._rest, dict[str, list[str]]()
        entries = rest.info_json({"type": "perpDexs"})
        names = [e["name"] for e in entries if isinstance(e, dict)]
        for dex in dexs or self._dexs or names:
            if dex not in names:
                raise PreflightError([f"dex {dex} does not exist on the exchange; it has {', '.join(names)}"])
            meta, _ = rest.info_json({"type": "metaAndAssetCtxs", "dex": dex})
            out[dex] = [m["name"] for m in meta["universe"] if not m.get("isDelisted")]
            rest.info({"type": "perpsAtOpenInterestCap", "dex": dex})
        return out

    def _read_clock(self) -> None:
        """How far the exchange's clock is off this machine's: a replay goes by it. Tried again in a minute."""
        sent = self._clock.mono_ms()
        try:
            answer = self._rest.info_json({"type": "exchangeStatus"})
            self._offset.add(int(answer["time"]), self._clock.mono_ms() - sent)
        except (VenueReadError, *ODD_ANSWERS) as error:
            _tell(f"the exchange's clock is read again later: {error}")

    def _read_again(self) -> None:
        """What the markets are by now, for the recording. Without it the recording goes on."""
        try:
            self._read_meta()
        except (VenueReadError, PreflightError, *ODD_ANSWERS) as error:
            _tell(f"the markets are read again later: {error}")

    def _subscriptions(self) -> list[dict[str, Any]]:
        out: list[dict[str, Any]] = []
        for coin in self._coins:
            out += [{"type": "bbo", "coin": coin}, {"type": "activeAssetCtx", "coin": coin}]
            if self._args.trades:
                out.append({"type": "trades", "coin": coin})
            if self._args.depth:
                out.append({"type": "l2Book", "coin": coin, "fast": True})
        return out


def _tell(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)  # noqa: T201


def table(recorder: Recorder, coins: list[str]) -> list[str]:
    """The closing table: one line per figure, name first."""
    state = recorder.state()
    rows = {
        "lines": state["frames"], "text MB": f"{state['bytes'] / 1e6:.2f}", "lost": state["lost"],
        "markets": len(coins), "folder": recorder.folder,
    }  # fmt: skip
    return [f"{name:<10} {value}" for name, value in rows.items()]


def verify_command(where: Path) -> int:
    """Print what a recording is worth; 4 if something is wrong with it."""
    with steps("verify", len(segments(where)), SystemClock()) as told:
        begun = itertools.count()
        found = verify(where, lambda path: told(next(begun), path.name))
    for line in shown(found):
        print(line)  # noqa: T201
    return CHECK_FAILED if found.faults else OK


def shown(found: Findings) -> list[str]:
    """The findings, one line each, what is wrong last."""
    span = (found.last_ns - found.first_ns) / 1e9
    rows = [
        f"segments   {found.segments}", f"bytes      {found.bytes}", f"lines      {found.records}",
        f"frames     {found.frames}", f"lost       {found.lost}", f"seconds    {span:.0f}",
        f"covered    {found.covered:.2%}",
    ]  # fmt: skip
    rows += [f"note       {note}" for note in found.notes[:20]]
    if len(found.notes) > 20:
        rows.append(f"note       and {len(found.notes) - 20} more")
    return rows + ([f"WRONG      {fault}" for fault in found.faults] or ["verdict    whole"])


def stat_command(where: Path) -> int:
    """Print its figures by market."""
    markets, streams = stat(where)
    for line in stat_lines(markets, streams):
        print(line)  # noqa: T201
    return OK


def stat_lines(markets: dict[str, MarketStat], streams: dict[str, int]) -> list[str]:
    """A row for each market: frames, time between touches and way of a touch in milliseconds."""
    head = ("market", "bbo", "contexts", "gap p50", "p95", "p99", "way p50", "p95", "p99")
    cells: list[tuple[Any, ...]] = [head]
    shares = (0.5, 0.95, 0.99)
    for coin, m in sorted(markets.items()):
        cells.append(
            (coin, m.bbo, m.ctx, *(quantile(m.gaps_ms, s) for s in shares), *(quantile(m.lags_ms, s) for s in shares))
        )
    widths = [max(len(str(row[at])) for row in cells) for at in range(len(head))]
    lines = [
        "  ".join(str(c).rjust(w) if i else str(c).ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in cells
    ]
    return [*lines, "", *(f"{name:<22} {count}" for name, count in sorted(streams.items()))]
