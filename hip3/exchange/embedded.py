"""What a client knows of the embedded exchange: its funded key, its faucet, its own info request. Pure.

Used on the network `embedded` alone; no real exchange is ever asked for these.
"""

from typing import Any

from hip3.exchange.signing import keccak256


def key_number_one(seed: int) -> bytes:
    """The 32 secret bytes of the account that is funded at start; public, like the seed, so worth nothing elsewhere."""
    return keccak256(f"hip3 embedded exchange, key number one of seed {seed}".encode())


def drip_request(address: str) -> dict[str, Any]:
    """The faucet, as an info request: 1,000 USDC on the main and on every builder dex; answer null."""
    return {"type": "claimDrip", "user": address}


UPSTREAM, FROM_ENVIRONMENT = "EXCHANGE_UPSTREAM", "-"
"""Where a mirror is told its upstream's address, and the word for that: a password or token may be in it, and anybody
can read a command line."""
SEED_REQUEST: dict[str, Any] = {"type": "embeddedExchange"}
"""Answers {"seed", "profile"}; no real exchange knows it."""
