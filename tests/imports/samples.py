"""Foreign files in their exact shape, of our own making: a minute of one market."""

import gzip
import json
from pathlib import Path
from typing import Any

from hip3.imports.tables import COINAPI, CONTEXTS, QUOTES, SNAPSHOTS, TICKER, TRADES

T0_NS = 1_790_000_000_123_456_789
GOLD = "xyz:GOLD"
SECONDS = 60


def iso(t_ns: int, digits: int = 9) -> str:
    from datetime import UTC, datetime

    at = datetime.fromtimestamp(t_ns // 10**9, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{t_ns % 10**9:09d}"[: 20 + digits]


def bbo(n: int, coin: str = GOLD) -> dict[str, Any]:
    sides = [{"px": f"{4000 + n % 7}.1", "sz": "1.2500", "n": 2}, {"px": f"{4000 + n % 7}.4", "sz": "0.0300", "n": 1}]
    return {"channel": "bbo", "data": {"coin": coin, "time": T0_NS // 10**6 + n * 1000 - 40, "bbo": sides}}


def ctx(n: int) -> dict[str, Any]:
    return {
        "channel": "activeAssetCtx",
        "data": {
            "coin": GOLD,
            "ctx": {
                "oraclePx": f"{4000 + n % 5}.25",
                "markPx": "4000.30",
                "funding": "0.0000125",
                "openInterest": "12.5",
            },
        },
    }


def trade(n: int) -> dict[str, Any]:
    row = {
        "coin": GOLD,
        "side": "B",
        "px": "4000.4",
        "sz": "0.0100",
        "time": T0_NS // 10**6 + n * 1000,
        "hash": "0x0",
        "tid": 1000 + n,
    }
    return {"channel": "trades", "data": [row]}


def text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def frames() -> list[tuple[int, str]]:
    """(time, frame) as a collector hears them."""
    out = []
    for n in range(SECONDS):
        for late, value in enumerate((bbo(n), ctx(n), trade(n))):
            out.append((T0_NS + n * 10**9 + late * 1000, text(value)))
    return out


def hftbacktest() -> bytes:
    return gzip.compress("".join(f"{t} {f}\n" for t, f in frames()).encode())


def tardis_raw() -> bytes:
    return gzip.compress("".join(f"{iso(t)}Z {f}\n" for t, f in frames()).encode())


def csv(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> bytes:
    lines = [",".join(columns), *(",".join(str(row.get(c, "")) for c in columns) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def _tardis(n: int) -> dict[str, Any]:
    return {"exchange": "hyperliquid", "symbol": "XYZ:GOLD", "timestamp": T0_NS // 1000 + n * 10**6 - 40_000,
            "local_timestamp": T0_NS // 1000 + n * 10**6}  # fmt: skip


def tardis_csv() -> dict[str, bytes]:
    """By kind of table."""
    span = range(SECONDS)
    levels = {f"{side}[{n}].{what}": f"{4000 + (n + 1) * (1 if side == 'asks' else -1)}.0" if what == "price" else "2.5"
              for n in range(5) for side in ("asks", "bids") for what in ("price", "amount")}  # fmt: skip
    return {
        "quotes": csv(
            QUOTES,
            [
                _tardis(n)
                | {
                    "ask_amount": "0.0300",
                    "ask_price": f"{4000 + n % 7}.4",
                    "bid_price": f"{4000 + n % 7}.1",
                    "bid_amount": "1.2500",
                }
                for n in span
            ],
        ),
        "trades": csv(
            TRADES, [_tardis(n) | {"id": 1000 + n, "side": "buy", "price": "4000.4", "amount": "0.0100"} for n in span]
        ),
        "derivative_ticker": csv(
            TICKER,
            [
                _tardis(n)
                | {
                    "funding_rate": "1.25e-05",
                    "open_interest": "12.5",
                    "index_price": f"{4000 + n % 5}.25",
                    "mark_price": "4000.30",
                }
                for n in span
            ],
        ),
        "book_snapshot_5": csv(SNAPSHOTS[5], [_tardis(n) | levels for n in span]),
    }


def old() -> bytes:
    rows = [
        {"time_ms": T0_NS // 10**6 + n * 1000, "coin": GOLD, "bid": f"{4000 + n % 7}.1", "bid_sz": "1.2500", "ask": f"{4000 + n % 7}.4", "ask_sz": "0.0300", "oracle": f"{4000 + n % 5}.25"}
        for n in range(SECONDS)
    ]  # fmt: skip
    return "".join(text(row) + "\n" for row in rows).encode()


def contexts() -> bytes:
    rows = [
        {"time": f"{iso(T0_NS + n * 60 * 10**9, 0)[:19]}Z", "coin": GOLD, "funding": "0.0000125", "open_interest": "12.5", "prev_day_px": "4000", "day_ntl_vlm": "1", "premium": "null", "oracle_px": f"{4000 + n}.25" if n != 3 else "", "mark_px": "4000.30", "mid_px": "4000.2"}
        for n in [0, 1, 1, 2, 3, 4, 5, 6]
    ]  # fmt: skip
    return csv(CONTEXTS, rows)


def coinapi() -> bytes:
    rows = [
        {"time_exchange": iso(T0_NS + n * 3 * 10**9, 7) + "Z", "time_coinapi": iso(T0_NS + n * 3 * 10**9 + 5000, 7) + "Z", "coin_id": "xyz:GOLD", "update_class": "Deployer", "mark_px": "4000.30", "oracle_px": f"{4000 + n}.25"}
        for n in range(20)
    ]  # fmt: skip
    return csv(COINAPI, rows)


def books() -> bytes:
    lines = []
    for n in range(SECONDS * 2):
        levels = [
            [{"px": f"{4000 + n % 7}.1", "sz": "1.2500", "n": 2}, {"px": "3999.0", "sz": "3", "n": 1}],
            [{"px": f"{4000 + n % 7}.4", "sz": "0.0300", "n": 1}],
        ]
        raw = {"channel": "l2Book", "data": {"coin": GOLD, "time": T0_NS // 10**6 + n * 550, "levels": levels}}
        lines.append(text({"time": iso(T0_NS + n * 550 * 10**6), "ver_num": 1, "raw": raw}) + "\n")
    return "".join(lines).encode()


def fills() -> bytes:
    lines = []
    for n in range(SECONDS):
        rows = [
            [
                "0x" + str(k) * 40,
                {
                    "coin": GOLD,
                    "px": "4000.4",
                    "sz": "0.0100",
                    "side": "BA"[k],
                    "time": T0_NS // 10**6 + n * 1000,
                    "startPosition": "0",
                    "dir": "Open Long",
                    "closedPnl": "0",
                    "hash": "0x0",
                    "oid": n,
                    "crossed": k == 0,
                    "fee": "0.1",
                    "tid": 1000 + n,
                    "feeToken": "USDC",
                },
            ]
            for k in (0, 1)
        ]
        lines.append(
            text(
                {
                    "local_time": iso(T0_NS + n * 10**9),
                    "block_time": iso(T0_NS + n * 10**9),
                    "block_number": n,
                    "events": rows,
                }
            )
            + "\n"
        )
    return "".join(lines).encode()


def npz(path: Path, change: Any = None) -> None:
    import numpy as np

    from hip3.imports.arrays import BUYS, COLUMNS, DEPTH, LOCAL, SELLS, TRADE

    rows = []
    for n in range(SECONDS):
        at = T0_NS + n * 10**9
        for kind, side, px, qty in (
            (DEPTH, BUYS, 4000.1 + n % 7, 1.25),
            (DEPTH, SELLS, 4000.4 + n % 7, 0.03),
            (TRADE, BUYS, 4000.4, 0.01),
        ):
            rows.append((kind | side | LOCAL, at - 40_000_000, at, round(px, 1), qty, 0, 0, 0.0))
        rows.append((DEPTH | BUYS | LOCAL, at, at + 10**8, round(4000.1 + n % 7, 1), 0.0, 0, 0, 0.0))
        rows.append((DEPTH | SELLS | LOCAL, at, at + 10**8, round(4000.4 + n % 7, 1), 0.0, 0, 0, 0.0))
    data = np.array(rows, dtype=list(COLUMNS.items()))
    if change is not None:
        data = change(data)
    np.savez_compressed(path, data=data)
