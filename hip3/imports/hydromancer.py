"""Hydromancer's reservoir (Parquet): an order book a minute of each market, and the fills of a day.

by_dex/DEX/orderbook/1m/perps/date=…/COIN.parquet
by_dex/DEX/fills/perp/all/date=…/fills.parquet
"""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from hip3.imports import frames
from hip3.imports.cells import Cells, Table
from hip3.imports.faults import Faults
from hip3.imports.frames import Line
from hip3.imports.reading import Wish, known
from hip3.imports.sheets import rows, snapshot

BOOKS = Table(name="orderbook", needs=("block_time_ms", "block_number", "bids", "asks"))
FILLS = Table(
    name="fills", needs=("coin", "price", "size", "side", "timestamp", "trade_id", "crossed"),
    may=("dex", "asset_class", "base_symbol", "quote_symbol", "direction", "realized_pnl", "tx_hash", "order_id", "fee",
         "fee_token", "address", "start_position", "client_order_id", "builder", "builder_fee", "deployer_fee",
         "priority_gas", "twap_id", "is_liquidation", "liquidation_mark_px", "liquidation_method"),
)  # fmt: skip
"""The columns that are looked at, and the others: what came later is missing in older files."""
_PART = re.compile(r"fills/[a-z]+/(liquidations|adl|builder_fills|twap_fills)/")
_DEX = re.compile(r"by_dex/([^/]+)/orderbook/")
NATIVE = "hyperliquid"
"""The reservoir's name of the exchange's own dex, whose markets have none in front."""


def hydromancer(path: Path, faults: Faults, wish: Wish) -> Iterator[Line]:
    """Books with their touch where it is another one; of fills the takers' rows as trades: each is there twice."""
    if _PART.search(path.absolute().as_posix()):
        faults.file(path, "is a part of fills/…/all and would count trades twice; leave it away")
        return
    coin, touches = _market(path, wish), frames.Touches()
    for kind, cells in rows(path, faults, wish, (BOOKS, FILLS)):
        if kind == FILLS.name:
            yield from _trade(cells, path, faults, wish)
            continue
        if coin is None:
            do = "keep its folders from by_dex on, or name it, and only it, with --coins"
            faults.file(path, f"does not say which market it is of; {do}")
            return
        if wish.wants(coin) and known(coin, path, cells.where, faults, wish):
            yield from snapshot(cells, coin, cells.moment("block_time_ms"), touches)


def _market(path: Path, wish: Wish) -> str | None:
    """The market of a book, which its folders name and its rows do not."""
    dex = _DEX.search(path.absolute().as_posix())
    if dex is None:
        return wish.coins[0] if len(wish.coins) == 1 else None
    name = unquote(path.stem)
    return name if dex[1] == NATIVE else f"{dex[1]}:{name}"


def _trade(cells: Cells, path: Path, faults: Faults, wish: Wish) -> Iterator[Line]:
    coin = cells.row["coin"]
    crossed = cells.one_of("crossed", {"true": "taker", "false": "maker"})
    if crossed == "maker" or not wish.wants(coin) or not known(coin, path, cells.where, faults, wish):
        return
    side, at_ns = cells.one_of("side", {"buy": "B", "sell": "A"}), cells.moment("timestamp")
    px, sz, tid = cells.positive("price"), cells.positive("size"), cells.whole("trade_id")
    trade = {"coin": coin, "side": side, "px": px, "sz": sz, "time": at_ns // 10**6, "tid": tid}
    if not cells.bad:
        yield Line(at_ns, frames.trades([trade]), cells.where)
