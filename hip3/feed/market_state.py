"""The latest snapshot of each market.

Guards: coin -> `MarketView`. Written by the ws-reader; read by tick, risk, status. Views are
immutable, so a reader keeps what it took. Ages are monotonic milliseconds since *receipt*: an
unchanged price that was just repeated is fresh.
"""

from collections.abc import Iterable
from decimal import Decimal

from hip3.core.events import BboUpdate, CtxUpdate
from hip3.core.market import MarketView
from hip3.locks import new_lock


class MarketState:
    """Holds one view per configured market; coins that are not configured are not ours."""

    def __init__(self, coins: Iterable[str]) -> None:
        self._lock = new_lock("MarketState")
        self._views = {coin: MarketView(coin) for coin in coins}
        self._marks: dict[str, Decimal] = {}
        """Of `_marks_generation` alone: a signal needs them all at once, so they are kept, not collected."""
        self._marks_generation = 0

    def apply_bbo(self, update: BboUpdate, now_ms: int, generation: int) -> MarketView | None:
        """The new view, or None for a coin we do not follow."""
        with self._lock:
            old = self._views.get(update.coin)
            return None if old is None else self._bbo_locked(old, update, now_ms, generation)

    def _bbo_locked(self, old: MarketView, update: BboUpdate, now_ms: int, generation: int) -> MarketView:
        assert self._lock.locked()
        view = MarketView(
            update.coin, update.bid, update.ask, update.time_ms, now_ms,
            old.oracle, old.mark, old.open_interest,
            old.ctx_at_ms if old.generation == generation else None, generation,
        )  # fmt: skip
        self._views[update.coin] = view
        return view

    def apply_first_bbo(self, update: BboUpdate, now_ms: int, generation: int) -> MarketView | None:
        """A book read over REST: only where no frame of this generation, or of a later one, came: that is newer."""
        with self._lock:
            old = self._views.get(update.coin)
            if (
                old is None
                or old.generation > generation
                or (old.generation == generation and old.bbo_at_ms is not None)
            ):
                return None
            return self._bbo_locked(old, update, now_ms, generation)

    def apply_newer(self, update: BboUpdate, now_ms: int, generation: int) -> bool:
        """A book read over REST beside the stream of `generation`; whether it was taken: nothing newer came, and no
        other connection."""
        with self._lock:
            old = self._views.get(update.coin)
            if old is None or old.generation != generation or update.time_ms <= old.book_time_ms:
                return False
            self._bbo_locked(old, update, now_ms, generation)
            return True

    def apply_read(self, update: BboUpdate, mark: Decimal | None, generation: int) -> None:
        """Book and mark read over REST while there was no connection later than `generation`: good to price an exit
        by, of no generation, so that no rule and no gate takes it for a stream's word. Without a mark the oracle goes,
        too: one from before the cut would bind the exit to a price that is gone."""
        with self._lock:
            old = self._views.get(update.coin)
            if old is not None and old.generation <= generation:
                self._views[update.coin] = MarketView(
                    update.coin, update.bid, update.ask, update.time_ms, mark=mark, open_interest=old.open_interest
                )

    def apply_ctx(self, update: CtxUpdate, now_ms: int, generation: int) -> MarketView | None:
        """The new view, or None for a coin we do not follow."""
        with self._lock:
            old = self._views.get(update.coin)
            if old is None:
                return None
            view = MarketView(
                update.coin, old.bid, old.ask, old.book_time_ms,
                old.bbo_at_ms if old.generation == generation else None,
                update.oracle, update.mark, update.open_interest, now_ms, generation,
            )  # fmt: skip
            self._views[update.coin] = view
            if self._marks_generation != generation:
                self._marks_generation, self._marks = generation, {}
            self._marks[update.coin] = update.mark
            return view

    def view(self, coin: str) -> MarketView | None:
        """The latest view of one market."""
        with self._lock:
            return self._views.get(coin)

    def views(self) -> dict[str, MarketView]:
        """All of them, as of one instant."""
        with self._lock:
            return dict(self._views)

    def marks(self, generation: int) -> dict[str, Decimal]:
        """Mark prices by the contexts of this generation; others may not be trusted."""
        with self._lock:
            return dict(self._marks) if self._marks_generation == generation else {}

    def unseen(self, generation: int) -> list[str]:
        """Coins that lack a bbo or a context in this generation."""
        with self._lock:
            return [
                coin
                for coin, view in self._views.items()
                if view.generation != generation or view.bbo_at_ms is None or view.ctx_at_ms is None
            ]
