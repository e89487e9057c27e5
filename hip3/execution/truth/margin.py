"""Margin type and leverage per market, set once after READY and before the market's first entry.

Confined to the rest thread. Markets are set isolated unless HIP3_MARGIN is "keep": a cross position is backed by the
whole account, in pooled modes over all dexs. Isolated-only ones are set isolated always. The leverage is
HIP3_LEVERAGE, or stays when that is 0. A market whose margin is not as wished is blocked from entries until the
exchange accepted the change and shows it; a refusal keeps that market closed and no other. The type of an open position
cannot change (docs/venue-facts.md F24): it waits until that is closed.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from hip3.core.events import ActionRefused, Statuses
from hip3.core.market import MarketSpec
from hip3.core.ports import Clock, Intents, Journal
from hip3.errors import JournalError, VenueReadError
from hip3.exchange.nonce import NonceManager
from hip3.exchange.signing import sign_l1_action
from hip3.exchange.wire_out import leverage_action, signed_body
from hip3.exchange.wire_reply import parse_action_answer
from hip3.execution.sending.identity import Identity
from hip3.execution.truth.account import Rest
from hip3.execution.truth.resolver import Signed

WAITING = "margin type or leverage is not set yet"
"""Why a market with a wish is blocked; only this reason is taken back here."""
RETRY_MS = 2000
"""A round that ended early is begun again after this."""


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
    gates: coin -> why it must not be entered; it is written when this is made, before any thread could enter.
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
        self._next_ms = 0
        self.wish(wishes)

    def wish(self, wishes: dict[str, Margin]) -> None:
        """More markets to set; they are closed to entries until it is done. The rest thread."""
        for coin, wish in wishes.items():
            self._wishes[coin] = wish
            self._blocked[coin] = WAITING

    def step(self, now_ms: int) -> None:
        """Set what is left to set. VenueReadError: not known whether it was set; tried again, which is safe, since the
        same wish twice is one. NonceError, SigningError: nothing was sent for that market."""
        if not self._wishes or now_ms < self._next_ms:
            return
        self._next_ms = now_ms + RETRY_MS
        for coin, wish in list(self._wishes.items()):
            if self._held(coin):
                continue
            outcome = parse_action_answer(self._send(coin, wish))
            if isinstance(outcome, Statuses):
                self._prove(coin, wish)
                self._release(coin)
                self._journal.record("leverage", coin=coin, isolated=wish.isolated, leverage=wish.leverage)
            elif isinstance(outcome, ActionRefused):
                self._release(coin, f"margin could not be set: {outcome.text}")
                self._journal.record("leverage_refused", coin=coin, text=outcome.text)
            else:
                raise VenueReadError(f"updateLeverage of {coin}: the answer cannot be read")
            del self._wishes[coin]

    def _prove(self, coin: str, wish: Margin) -> None:
        """VenueReadError unless the exchange shows what it has accepted."""
        shown = read_margins(self._rest, self._identity.account, [coin], {})[coin]
        if shown != wish:
            raise VenueReadError(f"updateLeverage of {coin} was accepted, and activeAssetData shows {shown}")

    def _release(self, coin: str, why: str | None = None) -> None:
        """Open the market, or close it for `why`; what another duty blocked meanwhile stays blocked."""
        if self._blocked.get(coin) == WAITING:
            del self._blocked[coin]
            if why is not None:
                self._blocked[coin] = why

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
