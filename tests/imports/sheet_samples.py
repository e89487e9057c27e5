"""Tables of foreign sources in their exact shape, of our own making, as rows and types: a minute of one market."""

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import polars as pl

from tests.imports.samples import GOLD, SECONDS, T0_NS, iso

MS = T0_NS // 10**6
LEVEL = pl.Struct({"px": pl.String, "sz": pl.String, "n": pl.UInt32})
MONEY = pl.Decimal(20, 10)
Row = dict[str, Any]
Sheet = tuple[dict[str, Any], list[Row]]
"""Types by column, and rows."""


def _sides(n: int) -> Row:
    return {
        "bids": [{"px": f"{4000 + n % 7}.1", "sz": "1.2500", "n": 2}, {"px": "3999.0", "sz": "3", "n": 1}],
        "asks": [{"px": f"{4000 + n % 7}.4", "sz": "0.0300", "n": 1}],
    }


def hydromancer_books() -> Sheet:
    types = {"block_time_ms": pl.Int64, "block_number": pl.UInt64, "bids": pl.List(LEVEL), "asks": pl.List(LEVEL)}
    rows = [{"block_time_ms": MS + n * 1000, "block_number": 900_000_000 + n} | _sides(n) for n in range(SECONDS)]
    return types, rows


def hydromancer_fills() -> Sheet:
    """Two rows of each trade: the taker's and the maker's."""
    words = ("coin", "dex", "asset_class", "base_symbol", "quote_symbol", "side", "direction", "tx_hash", "fee_token",
             "address", "client_order_id", "builder", "liquidation_method")  # fmt: skip
    money = ("price", "size", "realized_pnl", "fee", "start_position", "builder_fee", "deployer_fee", "priority_gas",
             "liquidation_mark_px")  # fmt: skip
    types = dict.fromkeys(words, pl.String) | dict.fromkeys(money, MONEY)
    types |= dict.fromkeys(("order_id", "trade_id", "twap_id"), pl.UInt64)
    types |= {"timestamp": pl.Datetime("ms", "UTC"), "crossed": pl.Boolean, "is_liquidation": pl.Boolean}
    rows = [
        dict.fromkeys(types) | {
            "coin": GOLD, "dex": "xyz", "asset_class": "perp", "base_symbol": "GOLD", "quote_symbol": "USDC",
            "price": Decimal("4000.4"), "size": Decimal("0.01"), "side": "sell" if maker else "buy",
            "timestamp": datetime.fromtimestamp((MS + n * 1000) / 1000, UTC), "direction": "Open Long",
            "realized_pnl": Decimal(0), "tx_hash": "0x0", "order_id": n, "trade_id": 1000 + n, "fee": Decimal("0.1"),
            "fee_token": "USDC", "address": "0x" + "1" * 40, "crossed": not maker, "start_position": Decimal(0),
        }
        for n in range(SECONDS) for maker in (False, True)
    ]  # fmt: skip
    return types, rows


def hyena() -> Sheet:
    types = {"time": pl.Int64, "coin": pl.String, "oracle": pl.String, "mark_px": pl.String, "mark_px_2": pl.String,
             "deployer": pl.String}  # fmt: skip
    rows = [
        {"time": MS + n * 400, "coin": "hyna:GOLD", "oracle": f"{4000 + n % 5}.25", "mark_px": "4000.30", "mark_px_2": None, "deployer": "0x0"}
        for n in range(SECONDS)
    ]  # fmt: skip
    return types, rows


def oxarchive_books() -> Sheet:
    types = {"coin": pl.String, "timestamp": pl.String, "bids": pl.List(LEVEL), "asks": pl.List(LEVEL),
             "mid_price": pl.String, "spread": pl.String, "spread_bps": pl.String}  # fmt: skip
    rows = [
        {"coin": GOLD, "timestamp": iso(T0_NS + n * 10**9, 3) + "Z", "mid_price": "4000.25", "spread": "0.3", "spread_bps": "0.75"} | _sides(n)
        for n in range(SECONDS)
    ]  # fmt: skip
    return types, rows


def oxarchive_interest() -> Sheet:
    names = ("coin", "timestamp", "open_interest", "mark_price", "oracle_price", "mid_price", "impact_bid_price",
             "impact_ask_price")  # fmt: skip
    rows = [
        dict.fromkeys(names, "4000.1") | {"coin": GOLD, "timestamp": str(MS + n * 1000), "open_interest": "12.5", "oracle_price": f"{4000 + n % 5}.25" if n != 3 else None}
        for n in range(SECONDS)
    ]  # fmt: skip
    return dict.fromkeys(names, pl.String), rows


def oxarchive_trades() -> Sheet:
    types = {"coin": pl.String, "side": pl.String, "price": pl.Float64, "size": pl.Float64, "timestamp": pl.Int64,
             "trade_id": pl.Int64}  # fmt: skip
    rows = [
        {"coin": GOLD, "side": "B", "price": 4000.4, "size": 1e-05, "timestamp": MS + n * 1000, "trade_id": 1000 + n}
        for n in range(SECONDS)
    ]  # fmt: skip
    return types, rows


def looks() -> Sheet:
    types = dict.fromkeys(("recv_ns", "exch_ms", "kind"), pl.Int64)
    types |= dict.fromkeys(
        ("bid_px", "bid_sz", "ask_px", "ask_sz", "oracle", "mark", "mid", "funding", "oi"), pl.String
    )
    types |= {"flags": pl.UInt16, "coin": pl.String}
    seen = {"bid_sz": "1.2500", "ask_sz": "0.0300", "mark": "4000.30", "funding": "-0.0000125", "oi": "12.5"}
    rows = [
        {"recv_ns": T0_NS + n * 10**9 + kind * 1000, "exch_ms": None if kind else MS + n * 1000 - 40, "kind": kind,
         "bid_px": f"{4000 + n % 7}.1", "ask_px": f"{4000 + n % 7}.4", "oracle": f"{4000 + n % 5}.25", "mid": None,
         "flags": 2 * kind, "coin": GOLD} | seen
        for n in range(SECONDS) for kind in (0, 1)
    ]  # fmt: skip
    return types, rows


def as_parquet(sheet: Sheet, metadata: dict[str, str] | None = None) -> bytes:
    types, rows = sheet
    out = io.BytesIO()
    pl.DataFrame(rows, schema=types).write_parquet(out, row_group_size=25, metadata=metadata)
    return out.getvalue()


def as_csv(sheet: Sheet) -> bytes:
    """As the same source writes it: lists are JSON, nothing is nothing."""
    types, rows = sheet
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(types)
    for row in rows:
        cells = (row[name] for name in types)
        writer.writerow(
            "" if c is None else msgspec.json.encode(c).decode() if isinstance(c, list) else c for c in cells
        )
    return out.getvalue().encode()
