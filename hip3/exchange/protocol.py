"""The session with the exchange, sans-IO: frames in, events out, due messages out.

One `Session` is one life of a WebSocket connection (a generation). Confined to the ws-reader. It
holds no socket and reads no clock: times are monotonic milliseconds passed in.

The caller: after connecting sends `due(now)`; for each frame calls `receive(text, now)` and acts on
the event; between frames sends `due(now)` and closes the connection when `dead(now)` or `deaf(now)`. Nothing raises.
"""

from typing import Any

from hip3.core.events import Event, SubscriptionAck
from hip3.exchange.subscriptions import Subscriptions
from hip3.exchange.wire import parse_frame
from hip3.exchange.wire_out import frame

PING_AFTER_MS = 15_000
"""Ping after so long without an inbound frame; the exchange closes after 60 s of its own silence
(docs/venue-facts.md F9), and a quiet account and market can be silent for that long."""
DEAD_AFTER_MS = 30_000
"""A new connection after so long without an inbound frame, pings included."""

ACKNOWLEDGED_WITHIN_MS = 15_000
"""A new connection if some subscription is not acknowledged by then: what was lost never comes by itself."""

_PING = frame({"method": "ping"})


class Session:
    """State of one connection: what was asked for, what was acknowledged, when it last spoke. It is never used again
    for another one."""

    def __init__(self, generation: int, subscriptions: list[dict[str, Any]], now_ms: int) -> None:
        """`subscriptions` are those of `subscriptions.wanted`; `now_ms` is when the connection was made."""
        self.generation = generation
        """Which connection this is; what is decided on its frames may leave on no other."""
        self._began_ms = now_ms
        self.subscriptions = Subscriptions(subscriptions)
        """All of them acknowledged is a condition of READY: an account without orders sends nothing else
        (docs/venue-facts.md F14)."""
        self.last_inbound_ms = now_ms
        """When the last frame came; at first when the connection was made."""
        self._ping_sent_ms: int | None = None
        self._started = False

    def receive(self, text: str | bytes, now_ms: int) -> Event:
        """Parse one frame; any frame at all is a sign of life. Acknowledgements are noted here and passed on, too."""
        self.last_inbound_ms = now_ms
        self._ping_sent_ms = None
        event = parse_frame(text)
        if isinstance(event, SubscriptionAck):
            self.subscriptions.acknowledge(event.key)
        return event

    def due(self, now_ms: int) -> list[str]:
        """Messages to send now, each told once: the subscriptions at the first call, then a ping for each silence."""
        if not self._started:
            self._started = True
            return [frame(message) for message in self.subscriptions.messages]
        quiet = now_ms - self.last_inbound_ms
        if quiet >= PING_AFTER_MS and self._ping_sent_ms is None:
            self._ping_sent_ms = now_ms
            return [_PING]
        return []

    def dead(self, now_ms: int) -> bool:
        """Whether the connection has been silent for too long to be trusted."""
        return now_ms - self.last_inbound_ms >= DEAD_AFTER_MS

    def deaf(self, now_ms: int) -> bool:
        """Whether subscriptions were not acknowledged in time."""
        return now_ms - self._began_ms >= ACKNOWLEDGED_WITHIN_MS and not self.subscriptions.complete
