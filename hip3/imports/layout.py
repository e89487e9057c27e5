"""Our derived columns: what `record convert` writes and `import columns` reads. Pure.

    looks/COIN/DATE.parquet    a touch or a context, with what was known of the other when it came
    trades/COIN/DATE.parquet   a trade
    depth/COIN/DATE.parquet    a level of an order book

`recv_ns` is when it was received, `exch_ms` the exchange's time. In Parquet the columns of `NUMBERS` are whole numbers,
scaled as the file's metadata `hip3` says (`About`), or text, decimals, floats; in CSV they are numbers as text.
"""

import msgspec

from hip3.imports.cells import Table
from hip3.imports.scales import Scale

LOOKS = Table(
    name="looks", needs=("recv_ns", "kind", "bid_px", "bid_sz", "ask_px", "ask_sz", "oracle", "mark"),
    may=("exch_ms", "mid", "funding", "oi", "flags", "coin"),
)  # fmt: skip
TRADES = Table(
    name="trades", needs=("recv_ns", "tid", "side", "px", "sz"), may=("exch_ms", "crossed_user", "coin")
)  # fmt: skip
DEPTH = Table(name="depth", needs=("recv_ns", "side", "level", "px", "sz"), may=("exch_ms", "n", "coin"))
TABLES = (LOOKS, TRADES, DEPTH)
TOUCH, CONTEXT = 0, 1
"""`kind` of a look: which of the two came. A touch's row has the context before it, and a context's the touch."""
EXCH_UNKNOWN = 2
"""Flag of a row whose `exch_ms` nobody knows: contexts carry no time. 1 (`recv_ns` unknown), 4 (way assumed) and 8
(touch of an order book) are others' to set; they are not looked at."""
NUMBERS = {
    "looks": ("bid_px", "bid_sz", "ask_px", "ask_sz", "oracle", "mark", "mid", "funding", "oi"),
    "trades": ("px", "sz"), "depth": ("px", "sz"),
}  # fmt: skip
KEY = "hip3"


class About(msgspec.Struct, frozen=True):
    """A file's metadata."""

    coin: str = ""
    scales: dict[str, Scale] = {}
    """Of the columns that hold whole numbers."""
