"""For other people's tests: `from hip3.testing import exchange` in a conftest.py gives a fixture of that name.

A running embedded exchange with a funded key, on a port of its own, without the limits of an IP; it ends with the test.
"""

from collections.abc import Iterator

import msgspec
import pytest
import requests

from hip3.clock import SystemClock
from hip3.exchange.embedded import drip_request, key_number_one
from hip3.exchange.signing import SigningKey
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

    def control(self, **wish: object) -> object:
        """A wish to `POST /control` (docs/exchange.md): halts, moves, faults. HTTPError for an unknown one."""
        answer = requests.post(f"{self.url}/control", json=wish, timeout=TIMEOUT_S)
        answer.raise_for_status()
        return answer.json()


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    """See the module. The market is that of seed 1: the same prices in each run."""

    def make(now_ms: int) -> Venue:
        return Venue(load_setup(), seed=SEED, profile="lively", now_ms=now_ms, latency_ms=LATENCY_MS, limited=False)

    server = ExchangeServer(make, SystemClock(), host="127.0.0.1", port=0)
    server.start()
    secret = key_number_one(SEED)
    try:
        yield Exchange(
            url=f"http://127.0.0.1:{server.port}", key=f"0x{secret.hex()}", address=SigningKey(secret).address
        )
    finally:
        server.stop()
