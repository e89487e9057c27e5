"""What a refusal says beside its own order: that its text is new to us, that the market is halted, or has changed.

No lock of its own; a set's `add` is one step. Called from whichever thread hears of the refusal: ws-reader, rest.
Two that hear the same new text at once may both report it, which costs a line.
"""

from collections.abc import Callable

from hip3.core.ports import Journal
from hip3.core.refusals import FORM, UNKNOWN_TEXT, classify
from hip3.risk.market_flags import MarketFlags

MAX_NEW_TEXTS = 100
"""More are not reported: a text with a figure in it would be new each time."""
HALTED = "Trading is halted"
"""How the refusal of an order in a halted market begins."""
HALT_MS = 60_000
"""So long a market that said so is left alone; then it may say so again."""


class RefusalWatch:
    """See the module."""

    def __init__(self, flags: MarketFlags, journal: Journal, doubt_markets: Callable[[], None]) -> None:
        """`doubt_markets()`: the markets' parameters are read anew, soon."""
        self._flags = flags
        self._doubt_markets = doubt_markets
        self._journal = journal
        self._new_texts: set[str] = set()

    def note(self, coin: str, text: str, now_ms: int) -> None:
        """An order in `coin` was refused; a text that no row of the table knows is reported once.

        `text` is the exchange's, or the name of an order status; `now_ms` is monotonic. Raises nothing.
        """
        # The live exchange appends the asset (docs/venue-facts.md F11): texts that differ in it alone are one.
        shape = text.partition(" asset=")[0]
        if classify(shape) is UNKNOWN_TEXT and shape not in self._new_texts and len(self._new_texts) < MAX_NEW_TEXTS:
            self._new_texts.add(shape)
            self._journal.record("unknown_refusal", text=text)
        if text.startswith(FORM):
            self._doubt_markets()  # an exit goes by the newest lot and tick, and these are older than the refusal
        if text.startswith(HALTED) and self._flags.set(coin, "halt", text, now_ms + HALT_MS):
            self._journal.record("halted", coin=coin, why=text)
