"""Margin type and leverage per market, set once after READY and before the market's first entry.

Confined to the rest thread. Markets are set isolated unless HIP3_MARGIN is "keep": a cross position is backed by the
whole account, in pooled modes over all dexs. Isolated-only ones are set isolated always. The leverage is
HIP3_LEVERAGE, or stays when that is 0. A market whose margin is not as wished is blocked from entries until the
exchange accepted the change and shows it; a refusal keeps that market closed and no other. The type of an open position
cannot change (docs/venue-facts.md F34): it waits until that is closed.
"""

from collections.abc import Callable, Iterable
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
from hip3.execution.sending.identity import Identity
from hip3.execution.truth.account import Rest
from hip3.execution.truth.resolver import Signed

WAITING = "margin type or leverage is not set yet"
"""Why a market with a wish is blocked."""
RETRY_MS = 2000
"""What failed is tried again after this, then after twice as long each time, up to:"""
MOST_RETRY_MS = 64_000


class Margin(msgspec.Struct, frozen=True):
    """How a market's positions are margined."""

    isolated: bool
    """Its positions have a margin of their own; else they share the dex's (cross)."""
    leverage: int
    """A whole number; how much it may be is the market's."""


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

    `leverage(coin)` is the wish, 0 to leave it; `isolate(coin)`: whether cross is to become isolated. What is isolated
    is never made cross.
    """
    out = {}
    for coin, have in now.items():
        isolated = have.isolated or specs[coin].isolated_only or isolate(coin)
        want = Margin(isolated, leverage(coin) or have.leverage)
        if want != have:
            out[coin] = want
    return out


class MarginSetter:
    """Sends one updateLeverage per market that needs it, over HTTP, each a recorded intent with a nonce of its own.

    `wishes` come from `changes`; `held(coin)`: whether a position is open in a market. `blocked` is shared with the
    gates: coin -> why it must not be entered, of this duty alone; it is written when this is made, before any thread
    could enter.
    `count_action` takes from the address budget.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        rest: Rest,
        signed: Signed,
        identity: Identity,
        specs: dict[str, MarketSpec],
        wishes: dict[str, Margin],
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
        self._wishes: dict[str, Margin] = {}
        self._blocked = blocked
        self._nonces = nonces
        self._intents = intents
        self._journal = journal
        self._count_action = count_action
        self._due: dict[str, tuple[int, int]] = {}
        """Coin -> when it is tried next, and how often it was."""
        self.wish(wishes)

    def wish(self, wishes: dict[str, Margin]) -> None:
        """More markets to set; they are closed to entries until it is done. The rest thread."""
        for coin, wish in wishes.items():
            self._wishes[coin], self._due[coin] = wish, (0, 0)
            self._blocked[coin] = WAITING

    def step(self, now_ms: int) -> None:
        """Set one market, or none that is due: others wait for this thread, too.

        VenueReadError: not known whether it was set; it is looked at, and if need be set again, later each time.
        NonceError, SigningError: nothing was sent.
        """
        coin = next((c for c in self._wishes if now_ms >= self._due[c][0] and not self._held(c)), None)
        if coin is None:
            return
        _, tries = self._due[coin]
        self._due[coin] = (now_ms + min(RETRY_MS << tries, MOST_RETRY_MS), tries + 1)
        wish = self._wishes[coin]
        if tries and read_margins(self._rest, self._identity.account, [coin], {})[coin] == wish:
            self._done(coin, wish)
            return
        outcome = parse_action_answer(self._send(coin, wish))
        if isinstance(outcome, Statuses):
            shown = read_margins(self._rest, self._identity.account, [coin], {})[coin]
            if shown != wish:
                raise VenueReadError(f"updateLeverage of {coin} was accepted, and activeAssetData shows {shown}")
            self._done(coin, wish)
        elif isinstance(outcome, ActionRefused):
            self._refused(coin, outcome.text)
        else:
            raise VenueReadError(f"updateLeverage of {coin}: the answer cannot be read")

    def _done(self, coin: str, wish: Margin) -> None:
        self._blocked.pop(coin, None)
        del self._wishes[coin], self._due[coin]
        self._journal.record("leverage", coin=coin, isolated=wish.isolated, leverage=wish.leverage)

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
