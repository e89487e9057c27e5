"""An intent made durable: the production path beside one `write` of the same bytes to a file."""

import os
from collections.abc import Iterable
from pathlib import Path

from hip3.bench.rows import Row, beside, ours
from hip3.bench.signed import EXPIRES, NONCE, sample_order
from hip3.bench.stats import side_by_side
from hip3.core.orders import OrderBatch
from hip3.ops.intents import IntentLog


def measure(folder: Path, count: int) -> Iterable[Row]:
    """Rows of a batch of one order."""
    path = "intent made durable, 1 order"
    log = IntentLog(folder / "intents.log")
    batch = OrderBatch((sample_order(1),))
    log.orders(batch, NONCE, EXPIRES, NONCE)
    line = (folder / "intents.log").read_bytes()
    bare = os.open(folder / "bare.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        taken = side_by_side(
            {
                "ours": lambda n: log.orders(batch, NONCE + n, EXPIRES, NONCE),
                "bare": lambda n: os.write(bare, line),
            },
            count,
        )
    finally:
        os.close(bare)
        log.close()
    yield ours(path, taken["ours"])
    yield beside(path, taken["ours"], "one write", taken["bare"])
