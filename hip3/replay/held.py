"""What the recorded account held when the recording began, by its own answers. Pure."""

from decimal import Decimal
from typing import Any, NamedTuple

from hip3.core.money import ZERO, parse
from hip3.venue.engine.engine import Engine


class Held(NamedTuple):
    """A position: signed size, mean entry, leverage."""

    coin: str
    szi: Decimal
    entry: Decimal
    leverage: int
    isolated: bool

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.szi} {self.coin}"


def held_in(answer: Any) -> list[Held]:
    """The positions of an answer to `clearinghouseState`; one that cannot be read is none."""
    found = []
    for item in answer.get("assetPositions") or [] if isinstance(answer, dict) else []:
        try:
            p = item["position"]
            lever = p.get("leverage") or {}
            one = Held(
                str(p["coin"]), parse(str(p["szi"])), parse(str(p["entryPx"])), int(lever.get("value") or 1),
                lever.get("type") == "isolated",
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, ArithmeticError):
            continue
        if one.szi and one.entry > 0:
            found.append(one)
    return found


def take_over(engine: Engine, user: str, held: list[Held]) -> None:
    """Give the account what it held, at its mean entry. Markets that are not known are left out."""
    account = engine.account(user)
    for p in held:
        market = engine.markets.get(p.coin)
        if market is None or account is None:
            continue
        account.dex(market.info.dex).apply_fill(p.coin, p.szi, p.entry, p.leverage, isolated=p.isolated)
        market.holders[user] = None
        market.open_interest += max(p.szi, ZERO)
