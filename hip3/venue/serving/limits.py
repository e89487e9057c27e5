"""Rate limits per IP: request weight, sockets, messages, subscriptions, users, posts. Pure: time is an argument.

An address of "" is not limited: the simulation and tests speak to the core directly (docs/venue-facts.md F10).
"""

from collections import deque
from typing import Any

from hip3.venue.setup.parameters import Parameters

MINUTE_MS = 60_000
MAX_SOCKETS = 10
NEW_SOCKETS = 30
MAX_SUBSCRIPTIONS = 1000
MAX_MESSAGES = 2000
TOO_MANY_MESSAGES = f"Cannot send more than {MAX_MESSAGES} messages per minute."
"""What the exchange says before it closes the socket (docs/venue-facts.md F10)."""
MAX_POSTS = 100

_LIGHT = frozenset(
    {"l2Book", "allMids", "clearinghouseState", "orderStatus", "spotClearinghouseState", "exchangeStatus"}
)
_HEAVY = {"userRole": 60, "claimDrip": 0, "embeddedExchange": 0}
"""The last two are our own."""
_ROWS = {
    "recentTrades": 20, "historicalOrders": 20, "userFills": 20, "userFillsByTime": 20, "fundingHistory": 20,
    "userFunding": 20, "userNonFundingLedgerUpdates": 20, "twapHistory": 20, "userTwapSliceFills": 20,
    "userTwapSliceFillsByTime": 20, "candleSnapshot": 60,
}  # fmt: skip
"""Requests whose answer costs one more per so many rows."""


def weight_of(path: str, request: Any, answer: Any = None) -> int:
    """What a request costs; with its answer, what its rows cost on top."""
    if not isinstance(request, dict):
        return 1
    if path == "/exchange":
        action = request.get("action")
        action = action if isinstance(action, dict) else {}
        items: list[Any] = next(
            (action[k] for k in ("orders", "cancels", "modifies") if isinstance(action.get(k), list)), []
        )
        return 1 + len(items) // 40
    kind = str(request.get("type"))
    if answer is not None:
        return len(answer) // _ROWS[kind] if kind in _ROWS and isinstance(answer, list) else 0
    return 2 if kind in _LIGHT else _HEAVY.get(kind, 20)


class _Window:
    """Sums over the last minute."""

    def __init__(self) -> None:
        self._items: deque[tuple[int, int]] = deque()
        self.total = 0

    def add(self, amount: int, now_ms: int) -> None:
        self._items.append((now_ms, amount))
        self.total += amount

    def at(self, now_ms: int) -> int:
        while self._items and self._items[0][0] <= now_ms - MINUTE_MS:
            self.total -= self._items.popleft()[1]
        return self.total


class _Ip:
    """What one IP has used and holds."""

    def __init__(self) -> None:
        self.weight, self.messages, self.opened = _Window(), _Window(), _Window()
        self.sockets: set[int] = set()


class Limits:
    """All IPs. Confined to the venue's thread."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._ips: dict[str, _Ip] = {}
        self._ip_of: dict[int, str] = {}
        self._posts: dict[int, int] = {}

    def _ip(self, address: str) -> _Ip:
        return self._ips.setdefault(address, _Ip())

    def spend(self, address: str, weight: int, now_ms: int) -> bool:
        """Take weight; False, and nothing taken, if it is more than the minute has left."""
        if not address or not weight:
            return True
        window = self._ip(address).weight
        if window.at(now_ms) + weight > self._parameters.ip_weight_per_minute:
            return False
        window.add(weight, now_ms)
        return True

    def charge(self, address: str, weight: int, now_ms: int) -> None:
        """Take weight of an answer that is already made, whatever is left."""
        if address and weight:
            self._ip(address).weight.add(weight, now_ms)

    def connect(self, conn: int, address: str, now_ms: int) -> bool:
        """A socket opens; False if the IP has too many, or opened too many within a minute."""
        self._ip_of[conn] = address
        if not address:
            return True
        ip = self._ip(address)
        if len(ip.sockets) >= MAX_SOCKETS or ip.opened.at(now_ms) >= NEW_SOCKETS:
            return False
        ip.opened.add(1, now_ms)
        ip.sockets.add(conn)
        return True

    def disconnect(self, conn: int) -> None:
        """A socket is gone."""
        address = self._ip_of.pop(conn, "")
        self._posts.pop(conn, None)
        if address:
            self._ip(address).sockets.discard(conn)

    def address_of(self, conn: int) -> str:
        """The IP behind a socket."""
        return self._ip_of.get(conn, "")

    def together(self, conn: int) -> set[int]:
        """All sockets of the same IP."""
        address = self.address_of(conn)
        return self._ip(address).sockets if address else {conn}

    def message(self, conn: int, now_ms: int) -> bool:
        """A message of a client; False if it is one too many."""
        address = self.address_of(conn)
        if not address:
            return True
        window = self._ip(address).messages
        if window.at(now_ms) >= MAX_MESSAGES:
            return False
        window.add(1, now_ms)
        return True

    def post(self, conn: int) -> bool:
        """A post begins; False if too many are under way."""
        waiting = sum(self._posts.get(c, 0) for c in self.together(conn))
        if waiting >= MAX_POSTS:
            return False
        self._posts[conn] = self._posts.get(conn, 0) + 1
        return True

    def posted(self, conn: int) -> None:
        """A post was answered."""
        if conn in self._posts:
            self._posts[conn] -= 1
