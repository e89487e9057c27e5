"""What `run` says at its end: what is proved, and of a run with a duration its figures. After the threads ended."""

from hip3.service.quote_view import quote_rows
from hip3.service.running import Running
from hip3.service.stopping import Outcome


def what_is_proved(running: Running, outcome: Outcome) -> str:
    """The sentence of the stop, and by our books what is held where nobody could read it."""
    if outcome.proof is None or outcome.proof.positions is not None or running.trading is None:
        return outcome.sentence
    held = ", ".join(f"{p.coin} {p.szi}" for p in running.trading.tracker.positions())
    return f"{outcome.sentence}; by our books: {held or 'flat'}"


def closing_table(running: Running, outcome: Outcome, proved: str) -> str:
    """The figures of this run, a line each, name first."""
    trading, latch = running.trading, running.latch
    state = latch.state() if latch is not None else None
    return running.journal.figures.table(
        unknown_now=outcome.unknown,
        positions=None if trading is None else {p.coin: p.szi for p in trading.tracker.positions()},
        latch=None if state is None else state.reason,
        proof=proved,
        quotes=[] if trading is None else quote_rows(trading),
    )
