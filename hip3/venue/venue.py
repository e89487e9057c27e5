"""The embedded exchange's core: requests in, answers and frames out. Confined to one thread, no IO.

Time is an argument; `advance(now)` lets everything happen that is due, `take_output` gives what is
to be sent. The server gives it sockets and a clock; tests and the simulation drive it directly.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from hip3.exchange.embedded import key_number_one
from hip3.exchange.signing import SigningKey
from hip3.venue.books.books import DRIP_USD, Books
from hip3.venue.books.kept import Kept, restore
from hip3.venue.engine.engine import Engine
from hip3.venue.engine.funding import Funding
from hip3.venue.engine.mempool import Mempool
from hip3.venue.market.crowd import Crowd
from hip3.venue.market.recording import NOTHING, Recording
from hip3.venue.serving.control import control
from hip3.venue.serving.faults import Faults
from hip3.venue.serving.gateway import Gateway
from hip3.venue.serving.hub import Hub
from hip3.venue.serving.limits import Limits
from hip3.venue.serving.output import HttpReply, Output, WsClose, WsText
from hip3.venue.serving.pace import Pace
from hip3.venue.serving.publisher import Publisher
from hip3.venue.serving.view import view
from hip3.venue.setup.settings import VenueSetup

__all__ = ["HttpReply", "Venue", "WsClose", "WsText"]


class Venue:
    """One exchange. `latency_ms` is how long an action travels before it is executed; the coins of a
    `recording` do what it says instead of what the seed does. Without `limited` an IP may ask as much as it likes.

    `kept`: what an earlier run left (`exchange --state`); accounts, orders and prices go on from there, and nobody who
    was funded is funded again. ConfigError where its markets are not those of the setup.
    """

    def __init__(
        self, setup: VenueSetup, *, seed: int, profile: str, now_ms: int, latency_ms: int = 0,
        recording: Recording = NOTHING, limited: bool = True, kept: Kept | None = None,
        travels: Callable[[int, Any], int] | None = None,
    ) -> None:  # fmt: skip
        setup = setup if kept is None else _going_on(setup, kept)
        px = {m.coin: recording.px(m) for m in setup.markets}
        self.books: Books = Books(setup, px, seed=seed, profile=profile, now_ms=now_ms)
        self.engine: Engine = self.books.engine
        self.faults: Faults = Faults()
        for fault in setup.faults:
            self.faults.add(fault, now_ms)
        self.clock_offset_ms = 0
        """How far the exchange's clock is off, for whoever gives it the time."""
        self.pace: Pace = Pace()
        """Whether its time stands still; for the same."""
        self._now = now_ms
        self._out: list[Output] = []
        self._limited = limited
        self._limits = Limits(setup.parameters)
        self.hub: Hub = Hub(self.books, self._limits)
        self.publisher: Publisher = Publisher(self.books, self.hub, now_ms, self._out)
        self._gateway = Gateway(
            self.books, hub=self.hub, publisher=self.publisher, faults=self.faults, limits=self._limits,
            pool=Mempool(
                latency_ms, setup.parameters.latency_jitter_ms, seed,
                plain_cancels_last=setup.parameters.plain_cancels_last,
                plain_cancel_ms=setup.parameters.plain_cancel_ms, taking_ms=setup.parameters.taking_ms,
                travels=travels,
            ), out=self._out,
        )  # fmt: skip
        if kept is not None:
            restore(self.books, kept)
        self._crowd = Crowd(self.engine, setup, profile, seed, now_ms, recording)
        self._models = self._crowd.models
        self._funding = Funding(self.engine, now_ms)
        self._next_block = now_ms
        first = SigningKey(key_number_one(seed)).address
        for account, amount in [*setup.accounts.items(), (first, DRIP_USD)]:
            if kept is None or account.lower() not in kept.accounts:
                self.books.fund_all(account.lower(), amount)
        self.advance(now_ms)

    # Requests.

    def http(self, token: int, path: str, body: bytes, now_ms: int, ip: str = "") -> None:
        """One HTTP POST; its answer appears in the output, an action's after the latency."""
        self._now = now_ms
        if path == "/view":
            self._gateway.reply(token, 200, view(self, body.decode("ascii", "replace").strip('"'), now_ms))
        elif path == "/control":
            self._gateway.reply(token, *control(self, body, now_ms))
        else:
            self._gateway.http(token, path, body, now_ms, ip if self._limited else "")

    def connect(self, conn: int, now_ms: int = 0, ip: str = "") -> None:
        """A WebSocket opened."""
        self.hub.connect(conn)
        if self.faults.refuses(now_ms) or not self._limits.connect(conn, ip if self._limited else "", now_ms):
            self._out.append(WsClose(conn))

    def disconnect(self, conn: int) -> None:
        """A WebSocket is gone. Its orders stay."""
        self.hub.disconnect(conn)
        self._limits.disconnect(conn)

    def ws(self, conn: int, text: str, now_ms: int) -> None:
        """One message of a client."""
        self._now = now_ms
        self._gateway.ws(conn, text, now_ms)

    def take_output(self) -> list[Output]:
        """Everything to be sent since the last call."""
        out = list(self._out)
        self._out.clear()
        return self.faults.filter(out, self._now)

    def drop_all(self) -> None:
        """Cut every socket."""
        self._out.extend(WsClose(conn) for conn in self.hub.sockets)

    def say_to_all(self, frames: list[str]) -> None:
        """Frames for every socket."""
        self._out.extend(WsText(conn, text) for conn in self.hub.sockets for text in frames)

    def publish(self, now_ms: int) -> None:
        """Put what has happened into the output."""
        self.publisher.publish(now_ms)

    def move(self, coin: str, px: Decimal, now_ms: int) -> None:
        """Outside price, oracle, mark and makers jump to `px` at once: for tests and scripts."""
        self._crowd.move(coin, px, now_ms)
        self.publish(now_ms)

    # Time.

    def leap(self, ms: int) -> None:
        """The clock is about to be `ms` further: the market's agents sleep over it, and there is one block after it.

        What is due by the clock alone (actions under way, funding, switches, expiries) happens then, at once.
        """
        self._crowd.shift(ms)
        self._next_block += ms

    def next_due(self) -> int:
        """When `advance` has something to do again."""
        late = [due for due in (self._gateway.next_due(), self.faults.next_due()) if due is not None]
        return min([self._next_block, *late])

    def advance(self, now_ms: int) -> None:
        """Let everything happen that is due."""
        self._now = max(self._now, now_ms)
        while True:
            late = self._gateway.next_due()
            if late is not None and late <= min(self._next_block, now_ms):
                self._gateway.arrive()
                continue
            due = self._next_block
            if due > now_ms:
                return
            self._next_block = due + self.engine.parameters.block_ms
            self._block(due)

    def _block(self, now_ms: int) -> None:
        self.faults.tick(self, now_ms)
        actions = self._gateway.block(now_ms)
        next(actions)  # makers and cancels of users, then those of the crowd, then takers
        self._crowd.advance(now_ms)
        for _ in actions:
            pass
        self.engine.run_switches(now_ms)
        self._funding.advance(now_ms)
        self.publish(now_ms)
        self.publisher.tick(now_ms)


def _going_on(setup: VenueSetup, kept: Kept) -> VenueSetup:
    """The setup with every market at the mark that it had: outside prices go on from there."""
    px = {coin: market.mark for coin, market in kept.markets.items()}
    markets = [msgspec.structs.replace(m, px=px.get(m.coin, m.px)) for m in setup.markets]
    return msgspec.structs.replace(setup, markets=markets)
