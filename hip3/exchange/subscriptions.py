"""Which subscriptions we want and which were acknowledged. Pure."""

from typing import Any

_FIELDS = ("type", "coin", "user", "dex", "interval")


def key_of(subscription: dict[str, Any]) -> str:
    """Identity of a subscription by the fields we send; the exchange may add others to the ack."""
    parts = []
    for field in _FIELDS:
        value = subscription.get(field)
        if value is not None:
            text = str(value)
            parts.append(text.lower() if field == "user" else text)
    return ":".join(parts)


def wanted(coins: list[str], user: str | None) -> list[dict[str, Any]]:
    """Everything one connection subscribes to; private streams first, since they matter most."""
    out: list[dict[str, Any]] = []
    if user is not None:
        out.append({"type": "orderUpdates", "user": user})
        out.append({"type": "userFills", "user": user})
        out.append({"type": "userFundings", "user": user})
    for coin in coins:
        out.append({"type": "bbo", "coin": coin})
        out.append({"type": "activeAssetCtx", "coin": coin})
    return out


class Subscriptions:
    """Wanted against acknowledged, for one connection. Confined to the ws-reader."""

    def __init__(self, subscriptions: list[dict[str, Any]]) -> None:
        self._wanted = {key_of(s): s for s in subscriptions}
        self._acked: set[str] = set()

    def acknowledge(self, key: str) -> bool:
        """Note an ack; False if we never asked for it."""
        if key not in self._wanted:
            return False
        self._acked.add(key)
        return True

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The subscribe messages to send after connecting."""
        return [{"method": "subscribe", "subscription": s} for s in self._wanted.values()]

    @property
    def missing(self) -> list[str]:
        """Keys not acknowledged yet, in the order wanted."""
        return [key for key in self._wanted if key not in self._acked]

    @property
    def complete(self) -> bool:
        return len(self._acked) == len(self._wanted)
