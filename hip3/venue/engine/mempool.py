"""Actions on their way: they travel for the latency and are executed with the next block. Pure.

Within a block, actions that send neither GTC nor IOC come first (makers), then cancels, then actions with at least
one GTC or IOC (takers), each class in the order of arrival. A modify counts by its new orders
(docs/venue-facts.md F32). What a request says is looked at only as far as its class needs it: whether it is any good
is found out when it is executed.
"""

import heapq
import itertools
import random
from collections.abc import Callable
from typing import Any

MAKES, CANCELS, TAKES = 0, 1, 2
"""The classes, in the order in which a block executes them."""
_TAKING = frozenset({"Gtc", "Ioc", "FrontendMarket"})


def class_of(request: Any, *, plain_cancels_last: bool = False) -> int:
    """The class of one signed action, the body of a `POST /exchange`; what does not parse is the first, it does
    nothing. A trigger order sends neither GTC nor IOC. `plain_cancels_last`: a cancel needs `f` to come before takers.
    """
    action = request.get("action") if isinstance(request, dict) else None
    if not isinstance(action, dict):
        return MAKES
    kind = action.get("type")
    if kind in ("cancel", "cancelByCloid"):
        return TAKES if plain_cancels_last and action.get("f") is not True else CANCELS
    orders = action.get("orders") if kind == "order" else []
    if kind == "modify":
        orders = [action.get("order")]
    elif kind == "batchModify":
        items = action.get("modifies")
        orders = [m.get("order") for m in items if isinstance(m, dict)] if isinstance(items, list) else []
    return TAKES if isinstance(orders, list) and any(_takes(order) for order in orders) else MAKES


def _takes(order: Any) -> bool:
    kind = order.get("t") if isinstance(order, dict) else None
    limit = kind.get("limit") if isinstance(kind, dict) else None
    return isinstance(limit, dict) and limit.get("tif") in _TAKING


class Mempool:
    """What has been sent and not executed. Confined to the venue's thread.

    At most `jitter_ms` is added to the latency at random, from a seed: two actions may then overtake each other.
    Cancels without `f`, and actions that may take, can travel longer (`Parameters`). What arrives in the same
    millisecond keeps the order in which it was sent.
    """

    def __init__(
        self,
        latency_ms: int,
        jitter_ms: int,
        seed: int,
        *,
        plain_cancels_last: bool = False,
        plain_cancel_ms: int = 0,
        taking_ms: int = 0,
        travels: Callable[[int, Any], int] | None = None,
    ) -> None:
        """`travels(now_ms, request)` says how long each action takes, in place of all the rest."""
        self._travels = travels
        self._plain_cancels_last = plain_cancels_last
        self._plain_cancel_ms, self._taking_ms = plain_cancel_ms, taking_ms
        self.latency_ms, self._jitter_ms = latency_ms, jitter_ms
        self._rng = random.Random(f"{seed}:latency")
        self._late: list[tuple[int, int, Any, Any]] = []
        self._serial = itertools.count()

    def add(self, now_ms: int, request: Any, item: Any) -> None:
        """An action leaves its client at `now_ms`; `item` says whose answer it is and comes back untouched."""
        delay = (
            self._travels(now_ms, request)
            if self._travels is not None
            else self.latency_ms
            + (self._rng.randint(0, self._jitter_ms) if self._jitter_ms else 0)
            + self._more(request)
        )
        # The serial number decides a tie: requests cannot be compared.
        heapq.heappush(self._late, (now_ms + delay, next(self._serial), request, item))

    def _more(self, request: Any) -> int:
        """How much longer some kinds travel; nothing does where there is no latency at all."""
        if not self.latency_ms or not (self._plain_cancel_ms or self._taking_ms):
            return 0
        kind = class_of(request, plain_cancels_last=False)
        plain = kind == CANCELS and request["action"].get("f") is not True
        return self._plain_cancel_ms if plain else self._taking_ms if kind == TAKES else 0

    def next_due(self) -> int | None:
        """When the next action arrives, in exchange milliseconds; None if nothing is on its way."""
        return self._late[0][0] if self._late else None

    def peek(self) -> Any:
        """The request that arrives next; None if nothing is on its way."""
        return self._late[0][2] if self._late else None

    def pop(self) -> tuple[int, Any]:
        """(arrival, item) of the next action, for an exchange without blocks. IndexError if there is none."""
        when, _, _, item = heapq.heappop(self._late)
        return when, item

    def block(self, now_ms: int) -> tuple[list[Any], list[Any]]:
        """The items of a block: (makers and cancels, takers), in the order of execution.

        All that arrived up to `now_ms` leaves the pool. Between the two halves the market's own makers move.
        """
        arrived: list[tuple[int, int, Any]] = []
        while self._late and self._late[0][0] <= now_ms:
            _, serial, request, item = heapq.heappop(self._late)
            arrived.append((class_of(request, plain_cancels_last=self._plain_cancels_last), serial, item))
        arrived.sort(key=lambda a: a[:2])
        return [i for c, _, i in arrived if c != TAKES], [i for c, _, i in arrived if c == TAKES]
