"""For other people's tests: `from hip3.testing import exchange` in a conftest.py gives a fixture of that name.

A running embedded exchange with a funded key, on a port of its own, without the limits of an IP; it ends with the test.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import requests

from hip3.clock import SystemClock
from hip3.exchange.embedded import drip_request, key_number_one
from hip3.exchange.signing import SigningKey
from hip3.venue.books.kept import Kept
from hip3.venue.server import ExchangeServer
from hip3.venue.setup.settings import load_setup
from hip3.venue.venue import Venue

SEED = 1
LATENCY_MS = 10
TIMEOUT_S = 10


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """A running exchange. Any thread may ask it."""

    url: str
    """For `base_url` of a client; the WebSocket is at the same port, `/ws`."""
    key: str
    """The private key of the funded account, 0x and 64 hex digits; worth nothing elsewhere."""
    address: str

    def fund(self, address: str) -> None:
        """1,000 USDC for an address on the main and on every builder dex, as the faucet gives them."""
        requests.post(f"{self.url}/info", json=drip_request(address), timeout=TIMEOUT_S).raise_for_status()

    def control(self, **wish: object) -> Any:
        """A wish to `POST /control` (docs/exchange.md), and its answer. HTTPError for one that is not understood."""
        return self._post("/control", wish)

    def fault(self, kind: str, **fields: object) -> None:
        """Something goes wrong from now on, as docs/exchange.md has it: `fault("lose", on="orderUpdates", times=1)`."""
        self.control(fault={"kind": kind, **fields})

    def clear(self) -> None:
        """Nothing goes wrong any longer."""
        self.control(clear=True)

    def move(self, coin: str, px: float | str) -> None:
        """Outside price, oracle, mark and makers of a market jump there: stops fire, positions are liquidated."""
        self.control(move={"coin": coin, "px": str(px)})

    def pause(self) -> None:
        """Its time stands still until `resume`: nothing travels, nobody trades; `step` moves it."""
        self.control(clock={"pause": True})

    def step(self, seconds: float) -> None:
        """So much later, at once. Up to 10 s the market lives through it; over a longer step it sleeps, and what is due
        by the clock alone (actions under way, funding, a dead man's switch) happens at its end."""
        self.control(clock={"step_ms": round(seconds * 1000)})

    def resume(self) -> None:
        """Its time goes on from where it stood."""
        self.control(clock={"resume": True})

    @property
    def time_ms(self) -> int:
        """Its time, Unix milliseconds."""
        return int(self._post("/info", {"type": "exchangeStatus"})["time"])

    def snapshot(self) -> bytes:
        """All accounts, orders, fills, prices, for `restore`."""
        answer = requests.post(f"{self.url}/control", json={"snapshot": True}, timeout=TIMEOUT_S)
        answer.raise_for_status()
        return answer.content

    def restore(self, snapshot: bytes) -> None:
        """Go back to it; time goes on, sockets are cut, as after a restart of the real one."""
        headers = {"Content-Type": "application/json"}
        requests.post(f"{self.url}/restore", data=snapshot, headers=headers, timeout=TIMEOUT_S).raise_for_status()

    def _post(self, path: str, body: object) -> Any:
        answer = requests.post(self.url + path, json=body, timeout=TIMEOUT_S)
        answer.raise_for_status()
        return answer.json()


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    """See the module. The market is that of seed 1: the same prices in each run."""

    def make(now_ms: int, kept: Kept | None = None) -> Venue:
        return Venue(
            load_setup(), seed=SEED, profile="lively", now_ms=now_ms, latency_ms=LATENCY_MS, limited=False, kept=kept
        )

    server = ExchangeServer(make, SystemClock(), host="127.0.0.1", port=0)
    server.start()
    secret = key_number_one(SEED)
    try:
        yield Exchange(
            url=f"http://127.0.0.1:{server.port}", key=f"0x{secret.hex()}", address=SigningKey(secret).address
        )
    finally:
        server.stop()
