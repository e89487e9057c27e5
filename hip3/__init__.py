"""hip3: trades Hyperliquid's HIP-3 perpetuals from one small box.

The folders, in the order in which an order travels:

    exchange/   frames in, frames out: wire shapes, signing, session, connection, REST, registry
    feed/       the latest book and context of each market
    strategy/   the dislocation detector and its sizing (pure)
    execution/  gates, scheduler, the tick, posts in flight, readiness
    position/   orders, fills and positions; the exits
    risk/       RiskMonitor and the HardStop latch
    ops/        journal, logs, status, control channel: to the side, never in the way
    venue/      the embedded exchange: a Hyperliquid in one process
    core/       the vocabulary: values without clock, thread or input and output

`app` builds the service out of these and owns every thread; `cli` is the command line.
"""

from hip3.version import __version__

__all__ = ["__version__"]
