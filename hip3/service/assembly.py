"""What a start of the service reads of the account, and how its parts are put together with what was kept."""

import contextlib
import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from hip3.core.market import MarketSpec
from hip3.core.orders import PendingOrder, Post
from hip3.errors import ODD_ANSWERS, PreflightError, VenueReadError
from hip3.execution.exits.exiting import reopen
from hip3.execution.exits.risk_desk import KeptRisk
from hip3.execution.sending.identity import Identity
from hip3.execution.truth.account import Proof, Rest
from hip3.execution.truth.bootstrap import (
    ORPHAN,
    Beginning,
    Checked,
    dexs_of_ours,
    read_part_of_beginning,
    read_whole_beginning,
    with_orphans,
)
from hip3.execution.truth.margin import MarginRead, plain, still_known
from hip3.execution.truth.markets import KeptCaps
from hip3.execution.truth.signer import check_signer, check_vault
from hip3.execution.truth.universe import Universe, learn_universe
from hip3.ops.journal import EventLog
from hip3.ops.state_dir import began_ms, keep_began, keep_pause, pause_of
from hip3.position.held import Held
from hip3.position.tracked import KeptTotals
from hip3.risk.guards import TripNote
from hip3.service.kept import Before, margin_changes
from hip3.service.parts import Given, Links, Trading
from hip3.service.running import Running
from hip3.service.start import Who
from hip3.service.trading import build

PART_TRIES = 2
"""So often everything is tried before a start goes on with what answers."""
FINISH_MS = 5000
"""Between two tries to read what a start left out: each costs a tenth of a minute's request weight."""
UNSIGNED_MS = 30_000
"""The same while the key may not sign: that takes a person, and is dearer to ask."""


class StartReading:
    """What a start reads of the account, and keeps over tries that fail half-way. `read` runs on the rest thread."""

    def __init__(self, running: Running, rest: Rest, who: Who, universe: Universe, folder: Path) -> None:
        self._running, self._rest, self._who, self._universe, self._folder = running, rest, who, universe, folder
        self._margins: dict[str, MarginRead] = {}
        self._read_here: set[str] = set()
        """Markets whose margin this start has read itself."""
        self._also: list[str] = []
        self.universe = universe
        """The markets, with those that are left only because a position of ours is in them."""
        self.exchange_clock: tuple[int, int] | None = None
        """The exchange's time, and ours (monotonic) when it was read."""
        self.began_ms = 0
        """When this account's state began (exchange time)."""
        self.beginning: Beginning | None = None
        """The account as trading begins; None to observe, where there is none."""
        self.missing = ""
        """What could not be read: until it can, positions are left and nothing is entered."""
        self._tries, self._finishing = 0, False
        self._next_ms = 0

    def read(self) -> bool:
        """Read everything; True. From the second try on what can be read is enough where there is a position to leave;
        markets that were not read are missing all the same. VenueReadError: not now; PreflightError: not like this."""
        if self._who.key is None or self._who.account is None:
            return True
        self._tries += 1
        try:
            self._read_all()
        except (VenueReadError, *ODD_ANSWERS) as error:
            if self._tries < PART_TRIES or not self._read_part(str(error)):
                raise
        if self._universe.unread:
            unread = "; ".join(f"{what}: {why}" for what, why in self._universe.unread.items())
            self.missing = f"{self.missing}; {unread}" if self.missing else unread
        return True

    def _read_part(self, why: str) -> bool:
        """Whether enough could be read to look after a position that there is."""
        running, account = self._running, self._who.account
        assert account is not None
        self.began_ms = self.began_ms or began_ms(self._folder, running.clock.wall_ms())
        totals = running.journal.fact("totals", KeptTotals) or KeptTotals(since_ms=self.began_ms)
        held = running.journal.fact("held", list[Held]) or []
        margins = plain({coin: found for coin, found in self._margins.items() if coin in self._universe.open})
        beginning, missing = read_part_of_beginning(self._rest, account, self._universe, totals, held, margins)
        report = beginning.report
        if not report.at_ms:  # no dex answered
            report = msgspec.structs.replace(report, at_ms=running.clock.wall_ms())
            beginning = msgspec.structs.replace(beginning, report=report)
        if not any(szi for szi, _ in beginning.report.positions.values()):
            return False
        self.beginning, self.universe = beginning, with_orphans(self._universe, beginning.report, held)
        self.missing = "; ".join(f"dex {dex}: {text}" for dex, text in missing.items()) or why
        return True

    def finish(self, trading: Trading, now_ms: int) -> None:
        """Read what a start left out, every few seconds until it is all there; the rest thread. What it cannot read it
        raises, as `read` does."""
        if not self.missing or now_ms < self._next_ms:
            return
        self._next_ms = now_ms + FINISH_MS
        universe = self.universe
        assert self._running.rest is not None
        self._rest, self._finishing = self._running.rest, True  # the weight is shared with what trades
        try:
            if self._universe.unread:
                self._universe = self._learn(self._also)
                trading.markets.learned(self._universe)
            self._read_all()
        except PreflightError as error:
            self._next_ms = now_ms + UNSIGNED_MS
            self._running.readiness.hold("start", "; ".join(error.faults))
            return
        self.universe, self.missing = universe, ""  # the markets of this run are what it began with
        assert self.beginning is not None
        trading.view.mode = self.beginning.mode
        if trading.housekeeping.margin is not None:
            trading.housekeeping.margin.found(self.margins)
        self._running.readiness.hold("start", "")

    def _read_all(self) -> bool:
        who, running = self._who, self._running
        assert who.key is not None
        assert who.account is not None
        signer, now_ms = who.key.address, running.clock.wall_ms()
        checked = running.journal.fact("checked", Checked)
        fresh = checked is not None and checked.covers(signer, who.account, now_ms)
        unsigned = "" if fresh else self._check_signer(signer, who.account, who.vault)
        now = int(self._rest.info_json({"type": "exchangeStatus"})["time"])
        self.exchange_clock = (now, running.clock.mono_ms())
        self.began_ms = began_ms(self._folder, now)
        totals = running.journal.fact("totals", KeptTotals) or KeptTotals(since_ms=self.began_ms)
        held = running.journal.fact("held", list[Held]) or []
        self._reach(running.left_in)
        self._margins = self._known_margins(now_ms, fresh=fresh)
        self.beginning = self._read_beginning(who.account, totals, held, now_ms)
        if self._reach(f"{dex}:" for dex in dexs_of_ours(self.beginning.report.fills)):
            self.beginning = self._read_beginning(who.account, totals, held, now_ms)
        self.universe = with_orphans(self._universe, self.beginning.report, held)
        since = checked.at_ms if checked is not None and fresh else now_ms
        keep_began(self._folder, self.began_ms)
        self.missing = unsigned
        if not unsigned:
            running.journal.keep("checked", Checked(at_ms=since, signer=signer, account=who.account))
        return True

    def _check_signer(self, signer: str, account: str, vault: str | None) -> str:
        """Why the key may not trade for the account; empty: it may. PreflightError instead where nothing is left that
        has to be looked after: an agent may be approved again, and until then what is held is watched, tried and shown.
        """
        try:
            doubt = "" if vault is None else check_vault(self._rest, signer, vault)
            if vault is None:
                check_signer(self._rest, signer, account)
        except PreflightError as error:
            if self._finishing or not self._running.left_in:
                raise
            return "; ".join(error.faults)
        if doubt:  # the exchange will refuse every order, and says so itself
            self._running.journal.record("fault", what=doubt)
        return ""

    @property
    def margins(self) -> dict[str, MarginRead]:
        """How markets are margined, as far as it is known: read by this start, or kept by one a little before it. First
        those that the settings say something of: they are looked at again in this order."""
        known = [coin for coin in self._margins if coin in self.universe.specs and coin in self._universe.specs]
        return {coin: self._margins[coin] for coin in sorted(known, key=lambda coin: not self._wished(coin))}

    def _read_beginning(self, account: str, totals: KeptTotals, held: list[Held], now_ms: int) -> Beginning:
        margins = plain(self._margins)
        try:
            return read_whole_beginning(self._rest, account, self._universe, totals, held, margins)
        finally:  # what was read before something failed, each as of its own try
            here = {coin: MarginRead(m, now_ms) for coin, m in margins.items() if coin not in self._margins}
            self._margins |= here
            self._read_here |= here.keys()

    def _known_margins(self, now_ms: int, *, fresh: bool) -> dict[str, MarginRead]:
        """What this start has read, and of what earlier ones kept that which is as wished."""
        # However long ago: a slow start would never end. Nothing is changed by what is old without another look.
        own = {coin: found for coin, found in self._margins.items() if coin in self._read_here}
        known: dict[str, MarginRead] = {}
        if fresh and not self._finishing:
            kept = self._running.journal.fact("margins", dict[str, MarginRead]) or {}
            known = still_known({c: kept[c] for c in self._universe.open if c in kept}, now_ms, self._wished)
        wishes = margin_changes(self._running.settings, plain(known), self._universe.specs)
        known = {coin: found for coin, found in known.items() if coin not in wishes} | own
        return {coin: found for coin, found in known.items() if coin in self._universe.open}

    def _wished(self, coin: str) -> bool:
        """Whether the settings say how a market is to be margined, and the account might have it otherwise."""
        s = self._running.settings.for_market(coin)
        return bool(s.leverage) or (s.margin == "isolated" and not self._universe.specs[coin].isolated_only)

    def _recovered(self) -> list[tuple[PendingOrder, int, int | None]]:
        return [] if self._running.intents is None else self._running.intents.recovered.open

    def _reach(self, coins: Iterable[str]) -> bool:
        """Read the dexs of these markets, too, though they are not configured any more; whether there are such."""
        dexs = {coin.partition(":")[0] for coin in coins if ":" in coin} - set(self._universe.dexs)
        if not dexs:
            return False
        also = sorted(dexs | set(self._also))
        before = self._universe.dexs
        self._universe = self._learn(also)
        self._also = also
        return self._universe.dexs != before

    def _learn(self, also: Iterable[str]) -> Universe:
        running, leaving = self._running, bool(self._running.left_in)
        part = leaving and self._tries >= PART_TRIES and not self._finishing
        kept = (kept_markets(running.journal) or None) if part else None
        return learn_universe(self._rest, running.settings.base, self._who.account, also, leaving=leaving, kept=kept)


def kept_markets(journal: EventLog) -> dict[str, MarketSpec]:
    """The markets as a run of this account last read them: how they were approved says nothing of a lot since."""
    return approved_markets(journal) | (journal.fact("markets", dict[str, MarketSpec]) or {})


def approved_markets(journal: EventLog) -> dict[str, MarketSpec]:
    """The markets as they were approved, by a first sight or by a person."""
    return journal.fact("approved", dict[str, MarketSpec]) or {}


def learner(running: Running, rest: Rest, account: str | None) -> Callable[[], Universe]:
    """Learns the markets; on the rest thread, to be called until it raises nothing. From the second try on, where an
    earlier run left something, what does not answer is taken from what that run knew."""
    tries = itertools.count(1)
    leaving = bool(running.left_in)

    def learn() -> Universe:
        kept = (kept_markets(running.journal) or None) if leaving and next(tries) >= PART_TRIES else None
        return learn_universe(rest, running.settings.base, account, leaving=leaving, kept=kept)

    return learn


def assemble(running: Running, reading: StartReading) -> Trading:
    """Build the trading parts of a running service."""
    who, latch, rest, intents, journal = running.who, running.latch, running.rest, running.intents, running.journal
    for coin, why in reading.universe.blocked.items():
        journal.record("orphan" if why == ORPHAN else "market_blocked", coin=coin, why=why)
    assert who is not None
    assert latch is not None
    assert rest is not None
    assert intents is not None
    signer = None
    if who.key is not None and who.account is not None:
        signer = Identity(who.key, who.account, who.vault, running.settings.base.mainnet)
    cloids = running.runtime.cloids()
    if signer is not None:
        intents.begin(cloids.run, running.clock.wall_ms())
    before = Before(
        recovered=intents.recovered, risk=journal.fact("risk", KeptRisk),
        trips=journal.fact("trips", list[TripNote]) or [],
        approved=approved_markets(running.journal), caps=journal.fact("caps", KeptCaps),
        mode=journal.fact("mode", str), margins=reading.margins, began_ms=reading.began_ms,
        clock=reading.exchange_clock, late_ms=journal.late_ms() if running.settings.base.follows else None,
    )  # fmt: skip
    given = Given(
        settings=running.settings, clock=running.clock, universe=reading.universe, identity=signer, user=who.account,
        beginning=reading.beginning, before=before, latch=latch, readiness=running.readiness, sender=running.writer,
        rest=rest, journal=journal, intents=intents, cloids=cloids,
        signed=rest, links=_links(running), give_way=running.runtime.give_way,
    )  # fmt: skip
    trading = build(given)
    if reading.missing:
        running.readiness.hold("start", f"the start could not read everything: {reading.missing}")
        journal.record("start_in_part", missing=reading.missing)
        trading.housekeeping.finish_start = lambda now_ms: reading.finish(trading, now_ms)
    _hold_what_is_unknown(running, before)
    reopen(trading.exits, journal.fact("closed", dict[str, int]) or {}, running.clock)
    return trading


LOST = "the journal was lost: what today has come to is not known (./run.sh resume begins the day's limits anew)"
UNREAD = "the journal could not be read at the start: the limits of before are not known; put it right and restart"


def _hold_what_is_unknown(running: Running, before: Before) -> None:
    """A pause outlasts its process; limits whose measure is gone stop entries until a person has looked."""
    base, folder = running.settings.base, running.folder
    assert folder is not None
    asked = running.readiness.reduced_by("operator")
    if asked:  # before there was a folder to write it to
        with contextlib.suppress(OSError):
            keep_pause(folder, asked)
    limited = base.max_daily_loss_usd > 0 or base.max_drawdown_pct > 0
    lost = limited and running.knew_account and before.risk is None
    if not running.journal.facts_known:
        running.readiness.reduce("journal", UNREAD)
    elif lost and not pause_of(folder):
        with contextlib.suppress(OSError):  # then it holds for this run alone
            keep_pause(folder, LOST)  # also over the next start, which finds the facts that this one keeps
    running.readiness.reduce("operator", pause_of(folder) or asked or (LOST if lost else ""))


def _links(running: Running) -> Links:
    def ask_proof(proved: Callable[[Proof], None]) -> None:
        running.rest_jobs.submit(lambda: proved(running.read_proof()))

    def by_http(post: Post, body: dict[str, Any]) -> None:
        rest, trading = running.rest, running.trading
        assert rest is not None
        assert trading is not None
        # The inbox is never full: no more than one post per batch is in flight.
        running.rest_jobs.submit_urgent(lambda: trading.orders_in.send_by_http(post, lambda: rest.exchange(body)))

    def reconnect(why: str) -> None:
        assert running.connection is not None
        running.connection.drop(why)

    return Links(
        http=by_http, wake_rest=running.rest_jobs.wake, trip=running.trip,
        ask_proof=ask_proof, reconnect=reconnect,
    )  # fmt: skip
