"""The settings of a market that is quoted. Pure."""

import random
from decimal import Decimal
from typing import Any

from hip3.onethread.clock import START_MS

_MINUTE = START_MS // 60_000 % 1440
SESSION = f"Mon-Sun {(_MINUTE - 180) // 60:02}:{_MINUTE % 60:02}-{(_MINUTE + 1) // 60:02}:{(_MINUTE + 1) % 60:02}"
"""It ends with the first minute of a run, 40 seconds after its beginning."""


def quoted(rng: random.Random, coins: tuple[str, ...]) -> dict[str, Any]:
    """One of the markets, after two seconds, by a ladder that moves as often as it may."""
    found: dict[str, Any] = {
        "quote_markets": rng.choice(coins), "quote_warmup_s": 2, "quote_fill_delay_ms": rng.choice((0, 500)),
        "quote_min_interval_ms": rng.choice((0, 1000)), "quote_levels": rng.choice((1, 2, 3)),
        "quote_size_decay": Decimal(1), "quote_size_usd": Decimal(12),
        "quote_max_inventory_usd": Decimal(rng.choice((26, 40, 40))),
        "quote_min_half_bps": Decimal(rng.choice((3, 8))), "quote_side_pull_ms": rng.choice((0, 3000)),
        "quote_jump_bps": Decimal(100), "quote_max_gap_bps": Decimal(100), "quote_vol_factor": Decimal(0),
        "quote_one_side_at": Decimal("0.5"),
        "quote_complete_at": Decimal(rng.choice(("0.6", "0.95"))), "quote_max_age_s": rng.choice((3, 900)),
        "quote_start": rng.choice(("cancel", "adopt")),
    }  # fmt: skip
    if rng.randrange(3) == 0:
        found |= {"quote_sessions": SESSION, "quote_cutoff_ms": rng.choice((20_000, 30_000))}
    found["quote_modify"] = rng.random() < 0.5
    return found
