"""hip3: trades Hyperliquid's HIP-3 perpetuals from one small box.

The rooms. First the way of an order:

    exchange/   frames in, frames out: wire shapes, signing, nonces, session, connection, REST, registry
    feed/       the latest book and context of each market
    strategy/   the dislocation detector and its sizing (pure)
    execution/  flow, where messages meet, and four rooms around it:
                    entries/  may we: gates, budget
                    sending/  what leaves: queue, tick, posts in flight, replies
                    exits/    how positions end: rules at work, stops on the exchange, HardStop
                    truth/    what the exchange says is so: account, open orders, unknown outcomes
    position/   orders, fills and positions; the exit rules and each exit's state (pure, and one lock)
    risk/       RiskMonitor, guards, market gates, the HardStop latch

Then the life of the process:

    cli         the command line, nothing else; commands/ has one file for each command that is not the service
    config/     settings and how they are read
    service/    start, supervise, be asked, stop: App reads from top to bottom
    observe/    what became of signals and near misses: episodes, follow-ups, what they say (pure)
    record/     the frames themselves, on disk: segments, the recorder, what a recording is worth
    report/     what an account did, from its journal: figures, pictures, one page
    ops/        journal, intent log, logs, control channel, status pages, alerts: to the side, never in the way

And what it is proved with:

    venue/      the embedded exchange, a Hyperliquid in one process: setup, engine, books, market, answers,
                actions, serving
    onethread/  the whole service in one thread under its own clock
    replay/     the service over a recording, on that
    imports/    foreign recordings into ours
    simulate/   seeded fault simulation on that
    bench/      the benchmarks

At the bottom: core/, the vocabulary, values without clock, thread or input and output; errors, locks, clock, version.
docs/architecture.md has layers, threads and locks.
"""

from hip3.version import __version__

__all__ = ["__version__"]
