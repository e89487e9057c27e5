"""0xArchive's tables, CSV or Parquet: order books, open interest with its prices, trades."""

from collections.abc import Callable, Iterator
from pathlib import Path

from hip3.imports import frames
from hip3.imports.cells import Cells, Table
from hip3.imports.faults import Faults
from hip3.imports.frames import Line, coin_of_symbol
from hip3.imports.reading import Wish, known
from hip3.imports.sheets import rows, snapshot

_COIN: dict[str, tuple[str, ...]] = {"coin": ("symbol",)}
BOOKS = Table(
    name="OrderBook", needs=("coin", "timestamp", "bids", "asks"), may=("mid_price", "spread", "spread_bps"), also=_COIN
)
INTEREST = Table(
    name="OpenInterest", needs=("coin", "timestamp", "open_interest", "mark_price", "oracle_price"),
    may=("mid_price", "impact_bid_price", "impact_ask_price", "day_ntl_volume", "prev_day_price"), also=_COIN,
)  # fmt: skip
TRADES = Table(
    name="Trade", needs=("coin", "side", "price", "size", "timestamp", "trade_id"),
    may=("crossed", "tx_hash", "order_id", "fee", "fee_token", "closed_pnl", "direction", "start_position",
         "user_address", "maker_address", "taker_address"), also=_COIN,
)  # fmt: skip


def oxarchive(path: Path, faults: Faults, wish: Wish) -> Iterator[Line]:
    """Books with their touch where it is another one, contexts, trades. Of rows that say who crossed only his."""
    touches = frames.Touches()
    makers: dict[str, Callable[[Cells, str, int], list[Line]]] = {
        BOOKS.name: lambda cells, coin, at_ns: snapshot(cells, coin, at_ns, touches),
        INTEREST.name: _context,
        TRADES.name: _trade,
    }
    for kind, cells in rows(path, faults, wish, (BOOKS, INTEREST, TRADES)):
        coin = coin_of_symbol(cells.row["coin"], wish.known)
        if wish.wants(coin) and known(coin, path, cells.where, faults, wish):
            yield from makers[kind](cells, coin, cells.moment("timestamp"))


def _context(cells: Cells, coin: str, at_ns: int) -> list[Line]:
    """A row without an oracle says nothing."""
    oracle = cells.maybe("oracle_price")
    mark = cells.maybe("mark_price") or oracle
    more = {"openInterest": cells.maybe("open_interest"), "midPx": cells.maybe("mid_price")}
    if oracle is None or mark is None or cells.bad:
        return []
    return [Line(at_ns, frames.context(coin, oracle, mark, **more), cells.where)]


def _trade(cells: Cells, coin: str, at_ns: int) -> list[Line]:
    crossed = cells.row.get("crossed", "").lower()
    side = cells.one_of("side", {"A": "A", "B": "B"})
    px, sz, tid = cells.positive("price"), cells.positive("size"), cells.whole("trade_id")
    if cells.bad or crossed == "false":
        return []
    trade = {"coin": coin, "side": side, "px": px, "sz": sz, "time": at_ns // 10**6, "tid": tid}
    return [Line(at_ns, frames.trades([trade]), cells.where)]
