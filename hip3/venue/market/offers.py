"""What a recorded market offers an order of ours that takes, and what of it was ours before. Pure.

The touch goes by the fill model (`market.filling`). What we took of a price stays taken until the recorded touch leaves
that price, so that the same liquidity is never sold twice. Behind the touch there is nothing, or what the recorded
order book had there. Our own orders move no recorded price; `impact` is a supposition about it, to see what a result
is worth if they did.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, NamedTuple

from hip3.core.money import ZERO, div, round_price
from hip3.venue.market.filling import BLOCK_MS, Fills, offered
from hip3.venue.market.tape import Look, Side, Tape

HALF_LIFE_MS = 10_000
GONE = 20
"""After so many half-lives nothing is left of an impact."""
FRESH_MS = 1000
"""An order book that is older says nothing about what stands behind the touch."""
Behind = Literal["none", "depth"]


class Offer(NamedTuple):
    """A level of one side, as our order meets it."""

    px: Decimal
    """With the impact of what we did before."""
    sz: Decimal
    recorded: Decimal
    """The price in the recording, by which the ledger goes."""


class Offers:
    """See the module. Times are the exchange's. Confined to one thread."""

    def __init__(
        self, tapes: Mapping[str, Tape], model: Fills, behind: Behind = "none", impact: Decimal = ZERO
    ) -> None:
        self._tapes, self._model, self._behind, self._impact = tapes, model, behind, impact
        self._taken: dict[tuple[str, bool], dict[Decimal, Decimal]] = {}
        """(coin, whether it is the bid's side) -> price -> what we took there."""
        self._moved: dict[str, tuple[Decimal, int]] = {}
        """Coin -> how far its prices are worse for us, and as of when."""
        self.notional = self.large = ZERO
        """What we took, in USD, and what of it was more than half of what stood there."""

    @property
    def coins(self) -> set[str]:
        """Where something is taken that the tape has not given back."""
        return {coin for (coin, _), taken in self._taken.items() if taken}

    def levels(self, coin: str, now: int, *, is_buy: bool, sz_decimals: int) -> list[Offer]:
        """One side (`is_buy`: the bid's) for a taker that is executed at `now`, the end of its block."""
        tape = self._tapes.get(coin)
        arrived = None if tape is None else tape.look(now - BLOCK_MS)
        if tape is None or arrived is None:
            return []
        look = tape.look(now)
        found = offered(
            self._model, arrived.side(is_buy=is_buy), None if look is None else look.side(is_buy=is_buy),
            tape.traded_in(now - BLOCK_MS, now), is_ask=not is_buy, sz_decimals=sz_decimals,
        )  # fmt: skip
        if self._behind == "depth":
            found += self._deeper(tape, now, found, arrived, look, is_buy=is_buy)
        away = self._impact_of(coin, now)
        out = []
        for side in found:
            sz = self.left(coin, side, is_buy=is_buy)
            px = self._worse(side.px, away, sz_decimals, is_buy=is_buy)
            if sz > 0 and px is not None:
                out.append(Offer(px, sz, side.px))
        return out

    def _deeper(
        self, tape: Tape, now: int, touch: list[Side], arrived: Look, look: Look | None, *, is_buy: bool
    ) -> list[Side]:
        """What the order book has behind the touch of both moments, less what was traded there since."""
        book = tape.depth(now, FRESH_MS)
        if book is None:
            return []
        shown = [s.px for s in (arrived.side(is_buy=is_buy), None if look is None else look.side(is_buy=is_buy)) if s]
        shown += [s.px for s in touch]
        if not shown:
            return []
        last = min(shown) if is_buy else max(shown)
        out = []
        for px, sz in book.levels(is_buy=is_buy).items():
            if px < last if is_buy else px > last:
                gone = sum((t.sz for t in tape.traded_in(book.at_ms, now) if t.px == px), ZERO)
                out.append(Side(px, sz - gone))
        return out

    def left(self, coin: str, side: Side, *, is_buy: bool) -> Decimal:
        """What we have not taken of it yet."""
        return side.sz - self._taken.get((coin, is_buy), {}).get(side.px, ZERO)

    def took(self, coin: str, offer: Offer, size: Decimal, now: int, *, is_buy: bool) -> None:
        """An order of ours took `size` of an offer of that side."""
        taken = self._taken.setdefault((coin, is_buy), {})
        taken[offer.recorded] = taken.get(offer.recorded, ZERO) + size
        self.notional += size * offer.px
        if 2 * size > offer.sz:
            self.large += size * offer.px
        tape = self._tapes.get(coin)
        look = tape.look(now) if self._impact and tape is not None else None
        if look is not None and look.bid is not None and look.ask is not None:
            spread = max(look.ask.px - look.bid.px, ZERO)
            more = self._impact * div(size, offer.sz) * spread
            self._moved[coin] = (self._impact_of(coin, now) + more, now)

    def forget(self, coin: str, look: Look) -> None:
        """The touch goes on: what was taken at a price that it has left is nobody's any more."""
        for is_buy, side in ((True, look.bid), (False, look.ask)):
            taken = self._taken.get((coin, is_buy))
            if taken:
                self._taken[coin, is_buy] = {px: sz for px, sz in taken.items() if self._stays(px, side, is_buy=is_buy)}

    def _stays(self, px: Decimal, side: Side | None, *, is_buy: bool) -> bool:
        if side is None:
            return False
        behind = px < side.px if is_buy else px > side.px
        return px == side.px or (behind and self._behind == "depth")

    def _impact_of(self, coin: str, now: int) -> Decimal:
        moved, at = self._moved.get(coin, (ZERO, now))
        if now - at > GONE * HALF_LIFE_MS:
            return ZERO
        return moved * Decimal(2) ** div(Decimal(at - now), Decimal(HALF_LIFE_MS)) if moved else ZERO

    def _worse(self, px: Decimal, away: Decimal, sz_decimals: int, *, is_buy: bool) -> Decimal | None:
        if not away:
            return px
        moved = px - away if is_buy else px + away
        if moved <= 0:
            return None
        # To the nearest price: what is left of an impact after a while must not cost a whole tick.
        low, high = round_price(moved, sz_decimals, up=False), round_price(moved, sz_decimals, up=True)
        return low if moved - low < high - moved or (is_buy and moved - low == high - moved) else high
