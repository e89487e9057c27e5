"""Which subscriptions we want and which were acknowledged. Pure.

An ack says that a subscription stands; it comes before its first data (docs/venue-facts.md F9).
"""

from typing import Any

# What tells one subscription from another; whatever else an ack brings says nothing.
_FIELDS = ("type", "coin", "user", "dex", "interval")


def key_of(subscription: dict[str, Any]) -> str:
    """Identity of a subscription by the fields we send; the exchange may add others to the ack.

    Addresses are compared in lower case, coins as they are. Raises nothing; of an empty one it is "".
    """
    parts = []
    for field in _FIELDS:
        value = subscription.get(field)
        if value is not None:
            text = str(value)
            parts.append(text.lower() if field == "user" else text)
    return ":".join(parts)


def wanted(coins: list[str], user: str | None, *, trades: bool = False) -> list[dict[str, Any]]:
    """Everything one connection subscribes to; private streams first, since they matter most.

    `user` is None in observe mode: then there is market data alone. Orders and fills are one stream over all dexs
    (docs/venue-facts.md F13); the exchange allows 1,000 subscriptions (docs/venue-facts.md F10). A coin that is not
    listed would close the socket (docs/venue-facts.md F9): `coins` come from `meta`. `trades`: also those, which
    nothing here reads and a recording of paper needs, since its fills are judged by them.
    """
    out: list[dict[str, Any]] = []
    if user is not None:
        out.append({"type": "orderUpdates", "user": user})
        out.append({"type": "userFills", "user": user})
        out.append({"type": "userFundings", "user": user})
    for coin in coins:
        out.append({"type": "bbo", "coin": coin})
        out.append({"type": "activeAssetCtx", "coin": coin})
        if trades:
            out.append({"type": "trades", "coin": coin})
    return out


class Subscriptions:
    """Wanted against acknowledged, for one connection. Confined to the ws-reader.

    The same subscription twice is one. Nothing is ever taken out: a connection that lost one is given up.
    """

    def __init__(self, subscriptions: list[dict[str, Any]]) -> None:
        self._wanted = {key_of(s): s for s in subscriptions}
        self._account = {key for key, s in self._wanted.items() if "user" in s}
        self._acked: set[str] = set()

    def acknowledge(self, key: str) -> bool:
        """Note an ack by its `key_of`; False if we never asked for it. A second ack changes nothing."""
        if key not in self._wanted:
            return False
        self._acked.add(key)
        return True

    @property
    def account_told(self) -> bool:
        """Whether all streams of the account stand: what happens to it from now on is told."""
        return self._account <= self._acked

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The subscribe messages to send after connecting, in the order wanted."""
        return [{"method": "subscribe", "subscription": s} for s in self._wanted.values()]

    @property
    def missing(self) -> list[str]:
        """Keys not acknowledged yet, in the order wanted."""
        return [key for key in self._wanted if key not in self._acked]

    @property
    def complete(self) -> bool:
        """Whether all are acknowledged; so at once where none is wanted."""
        return len(self._acked) == len(self._wanted)
