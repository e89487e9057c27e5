"""Other people's clients run in this process: what they set of it is put back after each test."""

from collections.abc import Iterator
from decimal import localcontext

import pytest


@pytest.fixture(autouse=True)
def _own_context() -> Iterator[None]:
    """ccxt leaves a rounding of its own in the thread's decimal context."""
    with localcontext():
        yield
