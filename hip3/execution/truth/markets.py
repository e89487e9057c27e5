"""Markets: what the exchange says of our markets, every 60 s: their parameters and their open-interest caps.

Confined to the rest thread, but for `approve` (control). A market whose parameters differ from those that were
approved (precision, asset id, fee factor, margin mode, leverage, collateral), or that is gone, is entered no more
until a person approves them; approval survives restarts. The first sight of a market approves it. A reading that
fails changes nothing; caps that were not read for five minutes count as reached.

At its cap a market's positions can only shrink, and a halt shows as isDelisted, which can end again
(docs/venue-facts.md F29). Exits never ask whether a market is blocked. No lock: each value in `blocked` and `_seen` is
one step; where an approval meets a reading the market at worst stays closed, and is approved once more.
"""

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal

import msgspec

from hip3.core.market import DELISTED, MarketSpec
from hip3.core.money import ONE, div
from hip3.core.ports import Clock, Journal
from hip3.errors import VenueReadError
from hip3.exchange.registry import changed, read_again
from hip3.execution.truth.account import Rest
from hip3.execution.truth.universe import UNREAD, Universe
from hip3.risk.market_flags import CAP, MarketFlags

READ_MS = 60_000
RETRY_MS = 5000
"""The caps are tried again after this when their reading failed."""
CAP_VALID_MS = 300_000
"""So long a reading of the caps holds."""
APPROVE = "approve by ./run.sh resume"
"""How the reason of a blocked market ends, before its name: what a person can do."""


class KeptCaps(msgspec.Struct, frozen=True, kw_only=True):
    """The last reading of the caps, for a restart that would have to pay for it again."""

    at_ms: int
    """Wall time."""
    capped: list[str]
    """Coins at their cap, of all markets of the dexs we trade in."""


class Markets:
    """See the module."""

    def __init__(
        self,
        *,
        clock: Clock,
        rest: Rest,
        specs: dict[str, MarketSpec],
        dexs: list[str],
        blocked: dict[str, str],
        approved: Mapping[str, MarketSpec],
        caps: KeptCaps | None,
        flags: MarketFlags,
        journal: Journal,
        renewed: Callable[[MarketSpec], None],
        press: Callable[[int, str], None],
        reconnect: Callable[[str], None],
    ) -> None:
        """`blocked` is shared: coin -> why it must not be entered; so are `specs`, the markets as this run trades them.
        `approved`: what an earlier run kept; `renewed(spec)`: a person took a market as it is now;
        `press(now_ms, coin)`: it is there again, what could not be left is tried at once; `reconnect(why)`: so are
        its streams, which were refused while it was gone.

        Judges them at once, without a request; kept caps that are less than a minute old spare the first reading.
        """
        self._clock = clock
        self._rest = rest
        self._specs = specs
        self._dexs = dexs
        self._blocked = blocked
        self._approved = dict(approved)
        self._flags = flags
        self._journal = journal
        self._renewed, self._press, self._reconnect = renewed, press, reconnect
        self._paid: dict[str, tuple[bool, Decimal]] = {}
        """Markets whose fills cost something else than is assumed: whether one took, and the fee in basis points."""
        self._seen: dict[str, MarketSpec | None] = dict(specs)
        self._gone = {coin for coin in specs if blocked.get(coin) == DELISTED}
        self._began_closed = {coin for coin in specs if coin in blocked}
        """Their margin was not looked at: this run only looks after what is in them."""
        self._stopped: dict[str, str] = {}
        """Markets that this duty has blocked, and why: a person's word opens them again, once they are there."""
        self._next_ms = clock.mono_ms() + READ_MS
        self._read_ms = self._next_ms - READ_MS - RETRY_MS
        """When they were last read by this duty, or that was tried; at first so long ago that a doubt is heard."""
        self._next_caps_ms = 0
        self.opening: Callable[[str], None] = lambda coin: None
        """Told of a market before a person's word opens it where what bounds its margin has changed. Set once."""
        for coin, spec in specs.items():
            known = self._approved.setdefault(coin, spec)
            self._judge(coin, changed(known, spec))
        age_ms = clock.wall_ms() - caps.at_ms if caps is not None else -1
        if caps is not None and 0 <= age_ms < READ_MS:
            self._take_caps(caps.capped, clock.mono_ms() - age_ms)
        if self._approved != dict(approved):
            self._journal.keep("approved", dict(self._approved))

    def newest(self, coin: str) -> MarketSpec | None:
        """A market's facts as they were last read, approved or not: exits go by these. None: not ours, or gone."""
        return self._seen.get(coin)

    def listed(self) -> list[str]:
        """The markets that `meta` had when it was last read, delisted ones included: a subscription to another closes
        the socket of all (docs/venue-facts.md F9). Any thread."""
        return [coin for coin, seen in self._seen.items() if seen is not None]

    def doubt(self) -> None:
        """Read the markets with the next round: connections end as soon as they are made, or a refusal is about an
        order's form. 5 s after the last time at the earliest. Any thread."""
        self._next_ms = min(self._next_ms, self._read_ms + RETRY_MS)

    def step(self, now_ms: int) -> None:
        """Read what is due. VenueReadError, WireError: of what did not answer nothing changed, and it is tried again:
        caps after 5 s, markets after a minute."""
        if now_ms >= self._next_caps_ms:
            self._next_caps_ms = now_ms + RETRY_MS
            self._read_caps(now_ms)
        if now_ms >= self._next_ms:
            self._read_ms, self._next_ms = now_ms, now_ms + READ_MS
            found, failed = read_again(self._rest, self._specs, self._dexs)
            before = dict(self._seen)
            for coin, (spec, gone) in found.items():
                self._take(coin, spec, gone, now_ms)
            if self._seen != before:
                self._journal.keep("markets", {coin: seen for coin, seen in self._seen.items() if seen is not None})
            if failed:
                raise VenueReadError("; ".join(f"meta of {dex}: {why}" for dex, why in failed.items()))

    def _take(self, coin: str, spec: MarketSpec | None, gone: str | None, now_ms: int) -> None:
        """What a reading says of one market."""
        was, absent = coin in self._gone, self._seen[coin] is None
        self._seen[coin] = spec
        self._gone.discard(coin)
        if gone is not None or spec is None:
            self._gone.add(coin)
        elif was:
            self._press(now_ms, coin)
            if absent:
                self._reconnect(f"{coin} is listed again")
        if gone is not None:
            self._stop(coin, gone)  # meta itself says so: there is nothing to approve
        else:
            self._judge(coin, changed(self._approved[coin], spec))

    def _judge(self, coin: str, why: str | None) -> None:
        """Block a market whose parameters differ; one that agrees again is not opened by that, a person does."""
        if why is not None:
            self._stop(coin, f"{why}; {APPROVE} {coin}")

    def _stop(self, coin: str, why: str) -> None:
        self._stopped[coin] = why
        if self._blocked.get(coin) != why:
            self._blocked[coin] = why
            self._journal.record("market_blocked", coin=coin, why=why)

    def fee_differs(self, coin: str, crossed: bool, assumed_bps: Decimal, paid_bps: Decimal) -> None:
        """A fill of ours cost something else than is assumed: costs are not known then. Whoever books the fill."""
        self._paid[coin] = (crossed, paid_bps)
        leg = "taker" if crossed else "maker"
        self._stop(coin, f"its {leg} fills cost {paid_bps:.4f} bps, not {assumed_bps:.4f}; {APPROVE} {coin}")

    def _read_caps(self, now_ms: int) -> None:
        capped: set[str] = set()
        for dex in dict.fromkeys(coin.partition(":")[0] for coin in self._specs):
            answer = self._rest.info_json({"type": "perpsAtOpenInterestCap", "dex": dex})
            if not isinstance(answer, list):
                raise VenueReadError(f"perpsAtOpenInterestCap of {dex} cannot be read: {str(answer)[:120]}")
            capped.update(str(coin) for coin in answer)
        self._take_caps(capped, now_ms)
        self._journal.keep("caps", KeptCaps(at_ms=self._clock.wall_ms(), capped=sorted(capped)))

    def _take_caps(self, capped: Collection[str], read_ms: int) -> None:
        """Caps open and close markets by themselves: there is nothing to approve. `read_ms` is monotonic."""
        self._flags.caps_until_ms, self._next_caps_ms = read_ms + CAP_VALID_MS, read_ms + READ_MS
        for coin in self._specs:
            if coin in capped:
                self._flags.set(coin, CAP, "its open interest is at the cap")
            else:
                self._flags.clear(coin, CAP)

    def approve(self, coin: str) -> str:
        """Take a market's parameters as they are now; a sentence on what follows. KeyError: no market of ours.

        Called by control. As they are now means as last read, so at most a minute old, and what its last fill cost.
        They hold at once; only a market of another number, or one that was closed as the run began, waits for the next
        start.
        """
        seen, running = self._seen[coin], self._specs[coin]
        if seen is None or coin in self._gone:
            return f"{coin} is gone from the exchange: take it out of HIP3_MARKETS"
        self._approved[coin] = seen
        self._journal.keep("approved", dict(self._approved))
        self._journal.record("market_approved", coin=coin)
        if seen.asset_id != running.asset_id or coin in self._began_closed:
            return f"{coin} is approved; its parameters are taken with the next start"
        spec = self._specs[coin] = self._of_account(running, seen)
        self._renewed(spec)
        if (seen.isolated_only, seen.max_leverage) != (running.isolated_only, running.max_leverage):
            self.opening(coin)
        why = self._stopped.pop(coin, None)
        if why is not None and self._blocked.get(coin) == why:  # else another duty has closed it since
            del self._blocked[coin]
        return f"{coin} is approved: a taker leg costs {spec.taker_fee_bps.normalize():f} bps"

    def learned(self, universe: Universe) -> None:
        """What the start could not read and took from an earlier run is known now; the rest thread. A market that is as
        it was approved is opened, one that differs waits for a person, and one that must not be traded stays closed."""
        for coin, spec in ((c, universe.specs[c]) for c in self._specs if c in universe.specs):
            differs = changed(self._approved[coin], spec)
            self._seen[coin] = spec
            if differs is None:
                self._specs[coin] = spec
                self._renewed(spec)
            if self._blocked.get(coin) != UNREAD:
                continue
            if coin in universe.blocked:
                self._blocked[coin] = universe.blocked[coin]
                continue
            del self._blocked[coin]
            self._began_closed.discard(coin)
            self._judge(coin, differs)

    def _of_account(self, running: MarketSpec, seen: MarketSpec) -> MarketSpec:
        """A market as it was read, with the account's own fees: by its factor, or by what a fill has cost."""
        change = div(seen.fee_factor, running.fee_factor) if running.fee_factor else ONE
        taker, maker = running.taker_fee_bps * change, running.maker_fee_bps
        if maker is not None and maker > 0:
            maker *= change
        crossed, paid = self._paid.pop(seen.coin, (True, None))
        if paid is not None and change == ONE:  # else it was paid at the factor of before
            taker, maker = (paid, maker) if crossed else (taker, paid)
        return msgspec.structs.replace(seen, taker_fee_bps=taker, maker_fee_bps=maker)
