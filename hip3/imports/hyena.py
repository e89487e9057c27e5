"""HyENA's oracle updates (Parquet, `hour=HH/HH_NAME.parquet`): the only sub-second oracle of a dex that is sold.

Its columns are not published as a whole: the file's own head says where they are, under the names that such a column
usually has. What else is in it is not looked at.
"""

from collections.abc import Iterator
from pathlib import Path

from hip3.imports import frames
from hip3.imports.cells import Table
from hip3.imports.faults import Faults
from hip3.imports.frames import Line, coin_of_symbol
from hip3.imports.reading import Wish, known
from hip3.imports.sheets import rows

DEX = "hyna"
ORACLE = Table(
    name="oracle updates", needs=("coin", "time", "oracle", "mark_px"), may=("mark_px_2",), others=True,
    also={
        "coin": ("market", "symbol", "asset"),
        "time": ("time_ms", "timestamp", "timestamp_ms", "block_time_ms", "block_time", "ts"),
        "oracle": ("oracle_px", "oracle_price"), "mark_px": ("mark_px_1", "mark", "mark_price"),
    },
)  # fmt: skip


def hyena(path: Path, faults: Faults, wish: Wish) -> Iterator[Line]:
    """Oracle and mark as the deployer set them. The mark is the first that was given; without one it is the oracle."""
    for _, cells in rows(path, faults, wish, (ORACLE,)):
        name = cells.row["coin"]
        coin = coin_of_symbol(name if ":" in name else f"{DEX}:{name}", wish.known)
        if not wish.wants(coin) or not known(coin, path, cells.where, faults, wish):
            continue
        at_ns, oracle = cells.moment("time"), cells.positive("oracle")
        mark = cells.maybe("mark_px") or cells.maybe("mark_px_2") or oracle
        if not cells.bad:
            yield Line(at_ns, frames.context(coin, oracle, mark), cells.where)
