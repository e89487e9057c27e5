"""Margin type and leverage per market, set once after READY and before the market's first entry.

Confined to the rest thread. Markets are set isolated unless HIP3_MARGIN is "keep": a cross position is backed by the
whole account, in pooled modes over all dexs. Isolated-only ones are set isolated always. The leverage is
HIP3_LEVERAGE, or stays when that is 0, as far as the market allows it. A market whose margin is not as wished is closed
to entries until the exchange accepted the change and shows it; a refusal keeps that market closed and no other. The
type of an open position cannot change (docs/venue-facts.md F34): it waits until that is closed.

What the start read is not for ever: a market that a person approves is looked at again, since its parameters have
changed, and a position that the account's reading shows cross where isolated is wished closes its market, too.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from hip3.core.events import ActionRefused, Statuses
from hip3.core.market import MarketSpec
from hip3.core.ports import Clock, Intents, Journal
from hip3.core.refusals import Kind, classify
from hip3.errors import JournalError, VenueReadError
from hip3.exchange.nonce import NonceManager
from hip3.exchange.signing import sign_l1_action
from hip3.exchange.wire_out import leverage_action, signed_body
from hip3.exchange.wire_reply import parse_action_answer
from hip3.execution.account_view import PositionMargin
from hip3.execution.sending.identity import Identity
from hip3.execution.truth.account import Rest
from hip3.execution.truth.resolver import Signed

WAITING = "margin type or leverage is not set yet"
"""Why a market with a wish is blocked."""
HELD = "its position is cross, and can be made isolated only once it is closed"
"""The same where its position has the other type."""
RETRY_MS = 2000
"""What failed is tried again after this, then after twice as long each time, up to:"""
MOST_RETRY_MS = 64_000
KEPT_MS = 3_600_000
"""How long what was read holds for the next start."""
KEPT_WISHED_MS = 120_000
"""The same where the settings say how a market is to be margined, and a person might have set it otherwise since:
restarts in a row need not ask again at once."""
FRESH_MS = 10_000
"""What was read longer ago is asked for again before a change is made of it, and by a service that begins with it:"""
AGAIN_MS, APART_MS = 60_000, 10_000
"""when what the starts have spent has come back, and one by one. A round that fails doubles what is between."""


class Margin(msgspec.Struct, frozen=True):
    """How a market's positions are margined."""

    isolated: bool
    """Its positions have a margin of their own; else they share the dex's (cross)."""
    leverage: int
    """A whole number; how much it may be is the market's."""


class MarginRead(msgspec.Struct, frozen=True):
    """What was read or set, and when. Those that are as wished are the journal's fact "margins", for the next start."""

    margin: Margin
    at_ms: int
    """Wall time."""


def plain(read: Mapping[str, MarginRead]) -> dict[str, Margin]:
    """The same without the times. Pure."""
    return {coin: found.margin for coin, found in read.items()}


def still_known(kept: Mapping[str, MarginRead], now_ms: int, wished: Callable[[str], bool]) -> dict[str, MarginRead]:
    """What need not be asked again at wall time `now_ms`; nothing where the clock was set back before it. Pure.
    `wished(coin)`: whether the settings ask for something that the account might have otherwise."""
    most = {True: KEPT_WISHED_MS, False: KEPT_MS}
    return {coin: known for coin, known in kept.items() if 0 <= now_ms - known.at_ms < most[wished(coin)]}


def read_margins(rest: Rest, user: str, coins: Iterable[str], known: dict[str, Margin]) -> dict[str, Margin]:
    """What holds now, from `activeAssetData`. VenueReadError if any cannot be read.

    What was read is noted in `known` and not read again: 100 markets cost more than a minute's request weight, and
    a try that began anew each time would never end. Returns `known` itself.
    """
    out = known
    for coin in coins:
        if coin in known:
            continue
        answer = rest.info_json({"type": "activeAssetData", "user": user, "coin": coin})
        try:
            leverage = answer["leverage"]
            out[coin] = Margin(leverage["type"] == "isolated", int(leverage["value"]))
        except (KeyError, TypeError, ValueError) as error:
            raise VenueReadError(f"activeAssetData of {coin} cannot be read: {error}") from None
    return out


def changes(
    now: dict[str, Margin],
    specs: dict[str, MarketSpec],
    leverage: Callable[[str], int],
    isolate: Callable[[str], bool],
) -> dict[str, Margin]:
    """The markets whose margin differs from what is wished, with the wish. Pure; KeyError for a coin without a spec.

    `leverage(coin)` is the wish, 0 to leave it where the market still allows it; `isolate(coin)`: whether cross is to
    become isolated. What is isolated is never made cross.
    """
    out = {}
    for coin, have in now.items():
        most = specs[coin].max_leverage or have.leverage
        isolated = have.isolated or specs[coin].isolated_only or isolate(coin)
        want = Margin(isolated, leverage(coin) or min(have.leverage, most))
        if want != have:
            out[coin] = want
    return out


class MarginSetter:
    """Sends one updateLeverage per market that needs it, over HTTP, each a recorded intent with a nonce of its own.

    `read`: what holds as the start read it, and `known` the same for others to read; both are kept up here, and what is
    as wished is kept for the next start. `wished` makes wishes of it by `changes`. `held(coin)`: whether a position is
    open in a market. `blocked` is shared with the gates: coin -> why it must not be entered, of this duty alone; it is
    written when this is made, before any thread could enter. `count_action` takes from the address budget.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        rest: Rest,
        signed: Signed,
        identity: Identity,
        specs: dict[str, MarketSpec],
        known: dict[str, Margin],
        read: Mapping[str, MarginRead],
        wished: Callable[[dict[str, Margin]], dict[str, Margin]],
        blocked: dict[str, str],
        nonces: NonceManager,
        intents: Intents,
        journal: Journal,
        count_action: Callable[[int], None],
        exchange_ms: Callable[[], int],
        held: Callable[[str], bool],
    ) -> None:
        self._exchange_ms = exchange_ms
        self._rest, self._held = rest, held
        self._clock = clock
        self._signed = signed
        self._identity = identity
        self._specs = specs
        self._known, self._wished = known, wished
        self._read: dict[str, MarginRead] = {}
        self._wishes: dict[str, Margin] = {}
        self._again: dict[str, tuple[int, int]] = {}
        """Markets to be looked at again -> when, and how often that was tried."""
        self._later: dict[str, None] = {}
        """Markets whose reading is old, in order: they are looked at, too, once they hold no position."""
        self._later_ms, self._later_failed = clock.mono_ms() + AGAIN_MS, 0
        self._blocked = blocked
        self._nonces = nonces
        self._intents = intents
        self._journal = journal
        self._count_action = count_action
        self._due: dict[str, tuple[int, int]] = {}
        """Coin -> when it is tried next, and how often it was."""
        self.found(read)

    def wish(self, wishes: dict[str, Margin]) -> None:
        """More markets to set; they are closed to entries until it is done. The rest thread."""
        for coin, wish in wishes.items():
            self._wishes[coin], self._due[coin] = wish, (0, 0)
            self._blocked[coin] = WAITING

    def found(self, read: Mapping[str, MarginRead]) -> None:
        """What a start has read, or had left out at first; the rest thread. What was learnt since stands."""
        new = {coin: found for coin, found in read.items() if coin not in self._read}
        self._read |= new
        self._known |= plain(new)
        self._later |= dict.fromkeys(coin for coin in read if not self._fresh(self._read[coin]))
        if new:  # a start that has read nothing yet leaves what an earlier one kept
            self._keep()
        self.wish(self._wished(plain(new)))

    def look_again(self, coin: str) -> None:
        """Close a market until its margin was read anew. Control, before a market is opened that was changed."""
        self._blocked[coin] = WAITING
        self._again[coin] = (0, 0)

    def shown(self, margins: Mapping[str, PositionMargin]) -> None:
        """What a reading of the account says of open positions: one that is cross though it is to be isolated closes
        its market. A leverage that a person has set since is left."""
        for coin, told in margins.items():
            if coin not in self._known or told.leverage is None or told.type not in ("isolated", "cross"):
                continue
            have = Margin(told.type == "isolated", told.leverage)
            self._learnt(coin, have)
            wish = self._wished({coin: have}).get(coin)
            if wish is None:
                self._later.pop(coin, None)
            if wish is not None and wish.isolated != have.isolated and coin not in self._wishes:
                self._journal.record("margin_differs", coin=coin, leverage=have.leverage)
                self.wish({coin: wish})

    def step(self, now_ms: int) -> None:
        """Set one market, or none that is due: others wait for this thread, too.

        VenueReadError: not known whether it was set; it is looked at, and if need be set again, later each time.
        NonceError, SigningError: nothing was sent.
        """
        again = next(((c, tries) for c, (due_ms, tries) in list(self._again.items()) if now_ms >= due_ms), None)
        if again is not None:
            self._look(*again, now_ms)
            return
        coin = next((c for c in self._wishes if not self._waits(c) and now_ms >= self._due[c][0]), None)
        if coin is None:
            self._look_later(now_ms)
            return
        _, tries = self._due[coin]
        self._due[coin] = (now_ms + min(RETRY_MS << tries, MOST_RETRY_MS), tries + 1)
        wish = self._wish_of(coin)
        # Of what holds now: a leverage that is to stay might have been set meanwhile.
        stays = wish is None or wish.leverage == self._read[coin].margin.leverage
        if tries or (stays and not self._fresh(self._read[coin])):
            self._learnt(coin, self._asked(coin))
            wish = self._wish_of(coin)
        if wish is None:
            self._done(coin)
            return
        self._wishes[coin] = wish
        if not self._waits(coin):
            self._set(coin, wish)

    def _set(self, coin: str, wish: Margin) -> None:
        outcome = parse_action_answer(self._send(coin, wish))
        if isinstance(outcome, Statuses):
            shown = self._asked(coin)
            if shown != wish:
                raise VenueReadError(f"updateLeverage of {coin} was accepted, and activeAssetData shows {shown}")
            self._learnt(coin, shown)
            self._done(coin)
        elif isinstance(outcome, ActionRefused):
            self._refused(coin, outcome.text)
        else:
            raise VenueReadError(f"updateLeverage of {coin}: the answer cannot be read")

    def _waits(self, coin: str) -> bool:
        """Whether its type is to change, and a position keeps it."""
        known = self._known.get(coin)
        waits = self._held(coin) and (known is None or known.isolated != self._wishes[coin].isolated)
        if waits or self._blocked.get(coin) == HELD:
            self._blocked[coin] = HELD if waits else WAITING
        return waits

    def _look(self, coin: str, tries: int, now_ms: int) -> None:
        due = self._again[coin] = (now_ms + min(RETRY_MS << tries, MOST_RETRY_MS), tries + 1)
        self._learnt(coin, self._asked(coin))
        if self._again[coin] is not due:
            return  # asked for once more meanwhile: the answer may be from before
        del self._again[coin]
        wishes = self._wished({coin: self._known[coin]})
        self.wish(wishes)
        if not wishes:
            self._wishes.pop(coin, None)
            self._due.pop(coin, None)
            self._blocked.pop(coin, None)

    def _look_later(self, now_ms: int) -> None:
        """Ask for one reading that this service began with, its market open. A position is shown by the account's
        readings, and its leverage is whose it is: the settings' comes after it."""
        coin = next((c for c in self._later if not self._held(c)), None) if now_ms >= self._later_ms else None
        if coin is None:
            return
        self._later[coin] = self._later.pop(coin)  # one that cannot be read keeps no other waiting
        rounds = self._later_failed // len(self._later)  # that failed from end to end
        self._later_ms = now_ms + min(APART_MS << min(rounds, 10), KEPT_MS)
        self._later_failed += 1
        self._learnt(coin, self._asked(coin))
        self._later_failed = 0
        wish = self._wish_of(coin)
        if wish is not None:
            self.wish({coin: wish})

    def _wish_of(self, coin: str) -> Margin | None:
        """The change that is due by what was read last."""
        return self._wished({coin: self._read[coin].margin}).get(coin)

    def _asked(self, coin: str) -> Margin:
        have = read_margins(self._rest, self._identity.account, [coin], {})[coin]
        self._later.pop(coin, None)
        return have

    def _fresh(self, found: MarginRead) -> bool:
        return 0 <= self._clock.wall_ms() - found.at_ms <= FRESH_MS

    def _learnt(self, coin: str, margin: Margin) -> None:
        before = self._read.get(coin)
        self._known[coin] = margin
        self._read[coin] = MarginRead(margin, self._clock.wall_ms())
        if before is None or before.margin != margin:
            self._keep()

    def _keep(self) -> None:
        wishes = self._wished(plain(self._read))
        self._journal.keep("margins", {coin: found for coin, found in self._read.items() if coin not in wishes})

    def _done(self, coin: str) -> None:
        have = self._known[coin]
        if coin not in self._again:  # else a person has just asked for another look
            self._blocked.pop(coin, None)
        del self._wishes[coin], self._due[coin]
        self._journal.record("leverage", coin=coin, isolated=have.isolated, leverage=have.leverage)

    def _refused(self, coin: str, text: str) -> None:
        """What passes by itself, like a spent limit, is tried again; else the market stays closed, and it is said."""
        self._blocked[coin] = f"margin could not be set: {text}"
        if classify(text).kind not in (Kind.TRANSIENT, Kind.ACCOUNT):
            del self._wishes[coin], self._due[coin]
            self._journal.record("leverage_refused", coin=coin, text=text)

    def _send(self, coin: str, wish: Margin) -> Any:
        """Sign, record and post one wish; the decoded answer. Without a durable record nothing is sent."""
        wall_ms = self._clock.wall_ms()
        nonce = self._nonces.next(self._exchange_ms())
        try:
            self._intents.action("updateLeverage", nonce, wall_ms)
        except JournalError as error:
            raise VenueReadError(str(error)) from None
        action = leverage_action(self._specs[coin].asset_id, is_cross=not wish.isolated, leverage=wish.leverage)
        identity = self._identity
        signature = sign_l1_action(identity.key, action, nonce, vault_address=identity.vault, mainnet=identity.mainnet)
        self._count_action(1)
        return self._signed.exchange(signed_body(action, nonce, signature, identity.vault))
