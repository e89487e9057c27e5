"""The official SDK as a measure. A test dependency: where it is missing, its rows say so.

Its signer, eth-account, uses coincurve's secp256k1 where that is installed, which the service's requirements see to,
and a pure Python one where it is not, as with the SDK's own requirements alone. `pure_python` chooses the latter.
"""

import contextlib
import importlib
import os
from collections.abc import Iterator
from typing import Any

from eth_account import Account

BACKEND = "ECC_BACKEND_CLASS"
"""eth-keys reads this variable at each signature."""


def module(name: str) -> Any:
    """A module of the SDK, or None where it is not installed."""
    try:
        return importlib.import_module(f"hyperliquid.{name}")
    except ImportError:
        return None


def other(name: str) -> Any:
    """Another package that is a test dependency, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def wallet(secret: bytes) -> Any:
    """eth-account's signer, which the SDK signs with."""
    return Account.from_key(secret)


@contextlib.contextmanager
def pure_python() -> Iterator[None]:
    """While this holds, eth-account signs as if coincurve were not installed."""
    with variable(BACKEND, "eth_keys.backends.NativeECCBackend"):
        yield


@contextlib.contextmanager
def variable(name: str, value: str) -> Iterator[None]:
    """While this holds, the process has this in its environment."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
