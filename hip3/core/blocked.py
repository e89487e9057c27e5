"""Why markets must not be entered, by who says so: one who takes his reason back must not open what another closed."""

from collections.abc import Iterator, Mapping
from typing import Any


class Blocked(Mapping[str, str]):
    """Coin -> why, the market's own reasons before its margin's. Each owner writes his own table, one step each."""

    def __init__(self, market: Mapping[str, str]) -> None:
        self.market: dict[str, str] = dict(market)
        """What the exchange says of it, or a person has to approve; written by the rest thread and control."""
        self.margin: dict[str, str] = {}
        """That its margin is not as wished; written by the rest thread."""

    def get(self, coin: str, default: Any = None) -> Any:
        """The hot path's way to ask."""
        return self.market.get(coin) or self.margin.get(coin, default)

    def __getitem__(self, coin: str) -> str:
        return self.market[coin] if coin in self.market else self.margin[coin]

    def __iter__(self) -> Iterator[str]:
        return iter({**self.margin, **self.market})

    def __len__(self) -> int:
        return len({**self.margin, **self.market})
