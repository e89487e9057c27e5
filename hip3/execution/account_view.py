"""The account by its last whole reading, and whether that is doubted.

Written by: rest (readings); whoever finds a contradiction raises a doubt or a storm. Read by: ws-reader (gates, exits),
tick (exits), risk (limits on equity), status.
"""

from decimal import Decimal
from typing import NamedTuple

from hip3.core.ledger import PositionView
from hip3.core.refusals import Kind, classify

FATAL_MS = 60_000
"""So long nothing is entered after the exchange said that it takes nothing of ours; exits are tried all the while."""


class PositionMargin(NamedTuple):
    """How a position is margined."""

    type: str
    """"isolated": by cash of its own; "cross": by all that the account has there; else "unknown"."""
    leverage: int | None
    """None: not told."""
    read_ms: int = 0
    """The exchange's time of the reading."""


class Liquidation(NamedTuple):
    """Where the exchange would have closed a position, by one reading."""

    px: Decimal
    read_ms: int
    """Exchange time as of which it was read."""


class AccountView:
    """Written by the rest thread; any thread may doubt. Each value is one step, so nobody takes a lock.

    Nothing ties the values together: equity and marks of one reading are set one after the other.
    """

    def __init__(self, mode: str = "unknown") -> None:
        self.mode = mode
        """How the account's worth is read: see `truth.worth`."""
        self.equity: Decimal | None = None
        """What the account is worth, in USD; None while unknown, and then limits on equity say no."""
        self.unknown_why = "it has not been read yet"
        """Why the equity is unknown; empty while it is known."""
        self.worth_epoch = 0
        """Counts the times that a person took another mode: what was measured before is of another kind."""
        self.marks: dict[str, Decimal] = {}
        """Marks of the last reading: for positions in markets that are not configured, and so not fed.

        Coin -> USD for one unit. Replaced as a whole and never changed in place: a reader keeps what it took."""
        self._marks_ms = 0
        self.read_ms: int | None = None
        """When it was read last, whole or in part by a start (monotonic); None before."""
        self._lately: dict[str, tuple[Decimal, int]] = {}
        """Marks that were read since, where a stream is silent, and when; replaced as a whole."""
        self.liquidations: dict[str, Liquidation] = {}
        """Those of the last reading, of the positions that have one; replaced as a whole, too."""
        self.margins: dict[str, PositionMargin] = {}
        """How each position of the last reading is margined; replaced as a whole."""
        self.doubted = False
        """Something contradicts our books: the account is to be read soon. Rest takes it back before it reads."""
        self.clock_doubted = False
        """Our machine may have stood still: the next reading of the exchange's clock counts alone. Rest takes it
        back."""
        self._fatal: tuple[str, int] | None = None
        """The last word of the exchange that no order of ours can be taken, and when (monotonic)."""
        self.storm = False
        """Too many orders that are not ours: everything is to be read, and nothing entered before.

        Set by whoever books the update, taken back by rest."""

    def answered(self, why: str, now_ms: int) -> None:
        """An order was refused with `why`, or taken (empty); monotonic. Whoever books it."""
        kind = None if not why else classify(why).kind
        if kind is Kind.FATAL:
            self._fatal = (why, now_ms)
        elif kind in (None, Kind.EXPECTED):
            self._fatal = None

    def refused_for_good(self, now_ms: int) -> str:
        """Why nothing of ours is taken until a person acts: the key, the deposit, the vault; empty where orders may be.
        After a while without another word it may be tried again."""
        fatal = self._fatal
        if fatal is None or now_ms - fatal[1] > FATAL_MS:
            return ""
        return f"the exchange takes no order of ours: {fatal[0]} ({classify(fatal[0]).advice})"

    def take(
        self, marks: dict[str, Decimal], liquidations: dict[str, Liquidation], margins: dict[str, PositionMargin],
        now_ms: int,
    ) -> None:  # fmt: skip
        """What a reading of monotonic `now_ms` says of its positions: the start's, then each of the rest thread's."""
        self.marks, self.liquidations, self.margins, self._marks_ms = marks, liquidations, margins, now_ms
        self.read_ms = now_ms

    def liquidation_px(self, position: PositionView) -> Decimal | None:
        """At which price the exchange closes it by the last reading; None where that does not tell of this position.

        A reading of before it was opened is of another one, whose room may have been wider.
        """
        read = self.liquidations.get(position.coin)
        if read is None or read.read_ms < position.entry_ms:
            return None
        room = (position.entry_px - read.px) * (1 if position.szi > 0 else -1)
        return read.px if room > 0 else None

    def cross(self, position: PositionView) -> bool:
        """Whether the last reading shows it backed by the whole account; a reading of before it tells nothing."""
        read = self.margins.get(position.coin)
        return read is not None and read.type == "cross" and read.read_ms >= position.entry_ms

    def marked(self, marks: dict[str, Decimal], now_ms: int) -> None:
        """Marks that were read alone, at monotonic `now_ms`."""
        self._lately = self._lately | {coin: (mark, now_ms) for coin, mark in marks.items()}

    def mark_of(self, coin: str) -> tuple[Decimal, int] | None:
        """The newest mark that was read, and when (monotonic); None: no reading had a position there."""
        lately, mark = self._lately.get(coin), self.marks.get(coin)
        if mark is not None and (lately is None or lately[1] < self._marks_ms):
            return mark, self._marks_ms
        return lately

    def doubt(self) -> None:
        """Ask for a reading soon. Wakes nobody: the rest thread sees it in its next round, 2 s after the last
        comparison at the earliest."""
        self.doubted = True
