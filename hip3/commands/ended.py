"""What a run with a duration says at its end: its figures, and what is proved. After the threads ended."""

from hip3.service.quote_view import quote_rows
from hip3.service.running import Running
from hip3.service.stopping import Outcome


def closing_table(running: Running, outcome: Outcome) -> str:
    """The figures of this run, a line each, name first."""
    trading, latch = running.trading, running.latch
    state = latch.state() if latch is not None else None
    asked = outcome.proof is None or running.intents is not None  # else nobody has read which orders were sent before
    return running.journal.figures.table(
        unknown_now=str(outcome.unknown) if asked else "not known",
        position=outcome.position,
        latch=None if state is None else state.reason,
        proof=outcome.sentence,
        quotes=[] if trading is None else quote_rows(trading),
    )
