"""Books that are read over REST, where no frame tells them. Confined to the rest thread.

A market whose touch has not come after two seconds is read once for each connection: the touch comes only when it
changes. And without a socket a market that is being left is read again and again, with its mark, so that an exit by
HTTP has a price that is there: the last touch before a cut may be far from it by now.

A touch that stands while its market moves is asked for, too: silence of one stream alone proves nothing, since a quiet
book says nothing, but a mark that has left the touch, and a book that is another one, do.
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

from hip3.core.events import BboUpdate
from hip3.core.market import Level, MarketView, in_dexs
from hip3.core.money import bps_of, div, parse, shift_bps
from hip3.core.ports import Journal
from hip3.execution.link import Link
from hip3.execution.ports import MarketIn
from hip3.execution.truth.account import Rest
from hip3.feed.market_state import MarketState
from hip3.risk.market_flags import MarketFlags

FIRST_MS = 2000
"""So long after connecting a market's first bbo is awaited: it comes only when the touch changes
(docs/venue-facts.md F15)."""
RETRY_MS, SILENT_MS = 1000, 2000
STOOD_MS = 10_000
"""A touch that is older than this and does not hold the mark is compared with the book."""
AWAY_BPS = Decimal(5)
"""So far outside the touch the mark must be."""
DEAD_MS = 60_000
"""So long a market is not entered after its stream was found dead, and no other connection is asked for."""
DEAD = "dead_touch"
"""Owner of that flag."""


class BooksByRest:
    """See the module. `leaving()`: the markets that are being left; `held()`: those with a position; `connected()`:
    whether there is a socket; `marked` takes marks that were read, and when.

    `user` is None where there is no account: then nothing is left, and marks are not read. `step`s take monotonic
    milliseconds; VenueReadError, or what a shape raises that is another, ends the round.
    """

    def __init__(
        self,
        *,
        rest: Rest,
        user: str | None,
        dexs: Iterable[str],
        link: Link,
        market_in: MarketIn,
        market_state: MarketState,
        leaving: Callable[[], Iterable[str]],
        held: Callable[[], Iterable[str]],
        marked: Callable[[dict[str, Decimal], int], None],
        connected: Callable[[], bool],
        flags: MarketFlags,
        journal: Journal,
        reconnect: Callable[[str], None],
    ) -> None:
        self._flags = flags
        self._journal = journal
        self._reconnect = reconnect
        self._compared: dict[str, int] = {}
        self._next_reconnect_ms = 0
        self._rest = rest
        self._user = user
        self._dexs = frozenset(dexs)
        self._link = link
        self._market_in = market_in
        self._market_state = market_state
        self._leaving = leaving
        self._held = held
        self._marked = marked
        self._connected = connected
        self._asked: tuple[int, set[str]] = (0, set())
        self._next_first_ms = self._next_exits_ms = 0

    def first(self, now_ms: int) -> None:
        """Read the book of markets whose touch has not come; each once per epoch, a failed read again."""
        generation = self._link.generation
        if generation == 0 or now_ms - self._link.connected_ms < FIRST_MS or now_ms < self._next_first_ms:
            return
        if self._asked[0] != generation:
            self._asked = (generation, set())
        self._next_first_ms = now_ms + RETRY_MS
        asked = self._asked[1]
        for coin in self._market_state.unseen(generation):
            if coin in asked:
                continue
            update = self._book(coin)
            if update is not None:
                self._market_in.on_book_read(update, now_ms, generation)
                asked.add(coin)

    def of_exits(self, now_ms: int) -> None:
        """Without a socket: book and mark of what is being left, once a second (a weight of 4 for each market)."""
        if self._user is None or now_ms < self._next_exits_ms:
            return
        generation = self._link.generation  # what a later connection tells is newer
        if self._connected():
            self._silent(generation, now_ms)
            return
        coins = [coin for coin in self._leaving() if in_dexs(coin, self._dexs)]
        if not coins:
            return
        self._next_exits_ms = now_ms + RETRY_MS
        for coin, mark in self._read_marks(coins, now_ms):
            update = self._book(coin)
            if update is not None:
                self._market_state.apply_read(update, mark, generation)

    def _silent(self, generation: int, now_ms: int) -> None:
        """With a socket: the marks of positions whose contexts do not come. One that has gone elsewhere meanwhile shows
        that the stream is dead, whatever the touch says."""
        views = self._market_state.views()
        coins = [c for c in self._held() if in_dexs(c, self._dexs) and _unheard(views.get(c), generation, now_ms)]
        if not coins or now_ms - self._link.connected_ms < STOOD_MS:
            return
        self._next_exits_ms = now_ms + SILENT_MS
        for coin, new in self._read_marks(coins, now_ms):
            view = views.get(coin)
            old = None if view is None else view.mark
            if old and new and abs(bps_of(new - old, old)) > AWAY_BPS:
                self._tell_dead(coin, "its mark stood still while its price moved", now_ms)

    def _read_marks(self, coins: list[str], now_ms: int) -> Iterator[tuple[str, Decimal | None]]:
        """Each market with its mark by a reading of its dex; None: it has no position there. A dex that cannot be read
        ends it after those before it."""
        for dex in dict.fromkeys(coin.partition(":")[0] for coin in coins):
            marks = self._marks(dex)
            self._marked(marks, now_ms)
            yield from ((coin, marks.get(coin)) for coin in coins if coin.partition(":")[0] == dex)

    def standing(self, now_ms: int) -> None:
        """Touches that their marks have left: read one book a second, and where it is another one take it, keep entries
        away for a minute, and have the connection begun anew, once a minute."""
        generation = self._link.generation
        for view in self._market_state.views().values():
            if view.generation != generation or not _suspicious(view, now_ms):
                continue
            if now_ms - self._compared.get(view.coin, -STOOD_MS) < STOOD_MS:
                continue
            self._compared[view.coin] = now_ms
            book = self._book(view.coin)
            if book is None or (book.bid is None and book.ask is None):
                return  # an answer without a book proves nothing: a stream that lives on would be taken for dead
            if _other(book.bid, view.bid, book.ask, view.ask):
                self._found_dead(book, generation, now_ms)
            return

    def _found_dead(self, book: BboUpdate, generation: int, now_ms: int) -> None:
        if not self._market_state.apply_newer(book, now_ms, generation):
            return  # the stream has spoken meanwhile, or another connection
        self._tell_dead(book.coin, "its quotes stood still while its price moved", now_ms)

    def _tell_dead(self, coin: str, why: str, now_ms: int) -> None:
        """Keep entries away for a minute, and begin another connection, once a minute."""
        if self._flags.set(coin, DEAD, why, now_ms + DEAD_MS):
            self._journal.record("stream_dead", coin=coin, why=why)
        if now_ms >= self._next_reconnect_ms:
            self._next_reconnect_ms = now_ms + DEAD_MS
            self._reconnect(f"a stream of {coin} stands still")

    def _book(self, coin: str) -> BboUpdate | None:
        book = self._rest.info_json({"type": "l2Book", "coin": coin})
        if not isinstance(book, dict):
            return None
        sides = [_touch(side) for side in book["levels"]]
        return BboUpdate(coin, int(book["time"]), sides[0], sides[1])

    def _marks(self, dex: str) -> dict[str, Decimal]:
        """coin -> mark of each position there, from its value."""
        state = self._rest.info_json({"type": "clearinghouseState", "user": self._user, "dex": dex})
        held = ((p["position"]["coin"], p["position"]) for p in state["assetPositions"])
        return {str(coin): abs(div(parse(p["positionValue"]), parse(p["szi"]))) for coin, p in held if parse(p["szi"])}


def _touch(levels: Any) -> Level | None:
    return Level(parse(levels[0]["px"]), parse(levels[0]["sz"])) if levels else None


def _unheard(view: MarketView | None, generation: int, now_ms: int) -> bool:
    """Whether this connection has told no context of a market lately."""
    if view is None or view.generation != generation or view.ctx_at_ms is None:
        return True
    return now_ms - view.ctx_at_ms > STOOD_MS


def _suspicious(view: MarketView, now_ms: int) -> bool:
    """Whether a touch is old, its mark is new and away from it."""
    if view.bbo_at_ms is None or view.ctx_at_ms is None or view.mark is None or view.bid is None or view.ask is None:
        return False
    old = now_ms - view.bbo_at_ms > STOOD_MS and now_ms - view.ctx_at_ms < STOOD_MS
    return old and (view.mark > shift_bps(view.ask.px, AWAY_BPS) or view.mark < shift_bps(view.bid.px, -AWAY_BPS))


def _other(*levels: Level | None) -> bool:
    """Whether of (new bid, old bid, new ask, old ask) a price differs."""
    prices = [None if level is None else level.px for level in levels]
    return prices[0] != prices[1] or prices[2] != prices[3]
