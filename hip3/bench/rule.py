"""The rule by which all engines of `bench replay` trade, as plain numbers: that of this service, in its least form.

Bought (or sold) at the touch when the oracle has moved twice in that direction and stands beyond the touch by more than
two fees, slippage and the smallest edge; left when the touch is back near the oracle, or after the time stop.
"""

STEP_BPS, LAST_STEP_BPS, STEPS = 2.0, 3.0, 2
FEE_BPS = 0.9
EDGE_BPS = 2 * FEE_BPS + 2.0 + 5.0
BACK_BPS = 5.0
HOLD_NS, STOP_NS = 1_000_000_000, 30_000_000_000
ORDER_USD, SHARE = 50.0, 0.1
"""An order's size: so much, and no more than this part of the touch."""
LEAST_USD, MOST_HELD = 11.0, 5
ORDER_NS = 60_000_000
"""An order's way, and its answer's."""
CASH = 1000
