"""Formats in tables: tardis.dev's CSV, the archive's asset contexts, CoinAPI's oracle prices."""

from collections.abc import Callable, Iterator
from pathlib import Path

from hip3.imports import frames
from hip3.imports.cells import Cells, Table
from hip3.imports.faults import Faults
from hip3.imports.frames import Line, coin_of_symbol, iso_ns
from hip3.imports.reading import Wish, known
from hip3.imports.sheets import rows

QUOTES = ("exchange", "symbol", "timestamp", "local_timestamp", "ask_amount", "ask_price", "bid_price", "bid_amount")
TRADES = ("exchange", "symbol", "timestamp", "local_timestamp", "id", "side", "price", "amount")
TICKER = (
    "exchange", "symbol", "timestamp", "local_timestamp", "funding_timestamp", "funding_rate",
    "predicted_funding_rate", "open_interest", "last_price", "index_price", "mark_price",
)  # fmt: skip
CONTEXTS = (
    "time", "coin", "funding", "open_interest", "prev_day_px", "day_ntl_vlm", "premium", "oracle_px", "mark_px",
    "mid_px", "impact_bid_px", "impact_ask_px",
)  # fmt: skip
COINAPI = (
    "time_exchange", "time_coinapi", "coin_id", "update_class", "mark_px", "mark_daily_px", "oracle_px",
    "oracle_daily_px",
)  # fmt: skip


def _snapshot(depth: int) -> tuple[str, ...]:
    sides = [f"{side}[{n}].{what}" for n in range(depth) for side in ("asks", "bids") for what in ("price", "amount")]
    return ("exchange", "symbol", "timestamp", "local_timestamp", *sides)


SNAPSHOTS = {depth: _snapshot(depth) for depth in (5, 25)}


def _tables(heads: dict[str, tuple[str, ...]]) -> list[Table]:
    return [Table(name=name, needs=columns, ordered=True) for name, columns in heads.items()]


def tardis_csv(path: Path, faults: Faults, wish: Wish) -> Iterator[Line]:
    """quotes, trades, derivative_ticker, book_snapshot_5 and _25; times in microseconds."""
    heads = {"quotes": QUOTES, "trades": TRADES, "derivative_ticker": TICKER}
    heads |= {f"book_snapshot_{depth}": columns for depth, columns in SNAPSHOTS.items()}
    makers: dict[str, Callable[[Cells, str, int], bytes]] = {
        "quotes": _quote,
        "trades": _trade,
        "derivative_ticker": _tick,
    }
    for kind, cells in rows(path, faults, wish, _tables(heads)):
        coin = coin_of_symbol(cells.row["symbol"], wish.known)
        if not wish.wants(coin) or not known(coin, path, cells.where, faults, wish, column="symbol"):
            continue
        local_us, time_ms = cells.whole("local_timestamp"), cells.whole("timestamp") // 1000
        data = makers.get(kind, _book)(cells, coin, time_ms)
        if not cells.bad and data:
            yield Line(local_us * 1000, data, cells.where)


def _quote(cells: Cells, coin: str, time_ms: int) -> bytes:
    bid, ask = cells.side("bid_price", "bid_amount"), cells.side("ask_price", "ask_amount")
    return frames.bbo(coin, time_ms, bid, ask)


def _trade(cells: Cells, coin: str, time_ms: int) -> bytes:
    side = cells.one_of("side", {"buy": "B", "sell": "A"})
    px, sz, tid = cells.positive("price"), cells.positive("amount"), cells.whole("id")
    return frames.trades([{"coin": coin, "side": side, "px": px, "sz": sz, "time": time_ms, "tid": tid}])


def _tick(cells: Cells, coin: str, time_ms: int) -> bytes:
    """A ticker without an oracle yet says nothing."""
    oracle = cells.maybe("index_price")
    if oracle is None:
        return b""
    more = {"funding": cells.maybe("funding_rate"), "openInterest": cells.maybe("open_interest")}
    return frames.context(coin, oracle, cells.maybe("mark_price") or oracle, **more)


def _book(cells: Cells, coin: str, time_ms: int) -> bytes:
    depth = sum(column.startswith("asks[") for column in cells.row) // 2
    sides: list[list[frames.Deep]] = []
    for side in ("bids", "asks"):
        levels = [cells.side(f"{side}[{n}].price", f"{side}[{n}].amount") for n in range(depth)]
        sides.append([(*level, 1) for level in levels if level is not None])
    return frames.book(coin, time_ms, sides[0], sides[1])


def contexts(path: Path, faults: Faults, wish: Wish) -> Iterator[Line]:
    """hl-asset-ctxs: a row a minute; empty where nothing was known, and now and then twice."""
    seen: set[tuple[str, str]] = set()
    for _, cells in rows(path, faults, wish, _tables({"asset_ctxs": CONTEXTS})):
        coin, stamp = cells.row["coin"], cells.row["time"]
        if not wish.wants(coin) or not known(coin, path, cells.where, faults, wish):
            continue
        at_ns = iso_ns(stamp)
        if at_ns is None:
            cells.wrong("time", "a time like 2026-09-01T00:00:00Z")
            continue
        if (stamp, coin) in seen:
            continue
        seen.add((stamp, coin))
        oracle = cells.maybe("oracle_px")
        mark = cells.maybe("mark_px")
        more = {
            "funding": cells.maybe("funding"),
            "openInterest": cells.maybe("open_interest"),
            "midPx": cells.maybe("mid_px"),
        }
        if oracle is not None and not cells.bad:
            yield Line(at_ns, frames.context(coin, oracle, mark or oracle, **more), cells.where)


def coinapi(path: Path, faults: Faults, wish: Wish) -> Iterator[Line]:
    """Oracle and mark as the deployer published them, with the exchange's own time."""
    for _, cells in rows(path, faults, wish, _tables({"coinapi": COINAPI})):
        coin = coin_of_symbol(cells.row["coin_id"], wish.known)
        if not wish.wants(coin) or not known(coin, path, cells.where, faults, wish, column="coin_id"):
            continue
        at_ns = iso_ns(cells.row["time_coinapi"])
        if at_ns is None:
            cells.wrong("time_coinapi", "a time like 2026-09-01T00:00:00.0000000Z")
            continue
        data = frames.context(coin, cells.positive("oracle_px"), cells.positive("mark_px"))
        if not cells.bad:
            yield Line(at_ns, data, cells.where)
