"""READY: one object, asked where a signal is accepted and again before a batch is sent.

Guards: the inputs below. READY is an epoch, the generation of a connection: it begins when every
subscription is acknowledged, every market was seen once and the account was read and compared over
REST, all in this generation; any disconnect ends it. Each input has one owner: ws-reader
(connection, acknowledgements, market data), rest (account), main (universe, stopping), and whoever holds it, or
allows exits and cancels alone (REDUCING), by name.

Called from: ws-reader and tick (may an entry pass, and their inputs), rest, risk, journal, main and control (inputs),
control, status-http, alerts and main (the word). One lock; reasons are sentences for people, and no caller decides by
their text.
"""

import enum
from collections.abc import Iterable

from hip3.locks import new_lock

PAUSED = "paused by the operator: exits and cancels only (./run.sh resume)"
"""The reason that `pause` gives; its owner is `operator`."""
UNSEEN_MS = 15_000
"""So long after a connection every market is waited for; one that is silent longer is not traded, and holds up no
other."""
SILENT_MS = 8000
"""Contexts come about once a second: so long without any frame means that what we know is old."""


class State(enum.Enum):
    """The state word of the status. The first that is true, in this order."""

    HARD_STOP = "HARD_STOP"
    """The latch is tripped."""
    NOT_READY = "NOT_READY"
    """Something that must be known is not, or somebody holds READY."""
    REDUCING = "REDUCING"
    """All is known, but entries are not wanted."""
    READY = "READY"
    """Entries may leave."""


class Readiness:
    """What must be true before an entry may leave. Exits and cancels never ask.

    `needs_account` is False where nothing is traded (observe): then no reading of an account is waited for. No method
    raises.
    """

    def __init__(self, *, needs_account: bool) -> None:
        self._lock = new_lock("Readiness")
        self._needs_account = needs_account
        self._universe = "the exchange has not been read yet"
        self._generation = 0
        self._connected = False
        self._acked = False
        self._unseen: set[str] = set()
        self._connected_ms = self._expected = 0
        self._account_generation = -1
        self._account_problem = "the account has not been read yet"
        self._ready_since: int | None = None
        self._stopping = False
        self._holds: dict[str, str] = {}
        self._reducing: dict[str, str] = {}
        self.heard_ms: int | None = None
        """When the last frame came (monotonic). Written by the ws-reader alone, without the lock."""
        self.last_disconnect = ""
        """Why the last connection, or the last try to make one, ended; empty before."""

    def universe_known(self) -> None:
        """Markets, precision and fees are known. Said once in a run, by main, before the threads that trade begin."""
        with self._lock:
            self._universe = ""

    def universe_unknown(self, why: str) -> None:
        """They are not, and this is why; main, while a start is tried again."""
        with self._lock:
            self._universe = why

    def connected(self, generation: int, coins: Iterable[str], now_ms: int) -> None:
        """A new connection is open: a new epoch begins, nothing of the old one holds. Each of `coins` is to be seen.

        All of them before READY; after `UNSEEN_MS` one is enough, and those that never speak are not traded.
        """
        with self._lock:
            self._connected_ms, self._expected = now_ms, len(set(coins))
            self._generation, self._connected, self._acked = generation, True, False
            self._unseen = set(coins)
            self._ready_since = None

    def disconnected(self, why: str) -> None:
        """The epoch is over. Holds and reasons of REDUCING stay: they are no part of it."""
        with self._lock:
            self._connected, self._acked, self._ready_since = False, False, None
            self.last_disconnect = why

    @property
    def connected_now(self) -> bool:
        """Whether there is a connection."""
        with self._lock:
            return self._connected

    def acknowledged(self) -> None:
        """Every subscription of this connection is."""
        with self._lock:
            self._acked = True

    def saw(self, coin: str) -> None:
        """A market has had a bbo and a context in this epoch; repeated, or for another coin, it changes nothing."""
        with self._lock:
            self._unseen.discard(coin)

    def silent(self, now_ms: int) -> list[str]:
        """Markets that have not spoken since the connection began, once READY waits for them no more."""
        with self._lock:
            late = self._connected and now_ms - self._connected_ms > UNSEEN_MS
            return sorted(self._unseen) if late else []

    def account_read(self, generation: int) -> None:
        """Orders, fills and positions were read and compared in this generation.

        It must be the generation of before the reading: one that a new connection overtook counts for nothing.
        """
        with self._lock:
            self._account_generation, self._account_problem = generation, ""

    def account_unknown(self, why: str) -> None:
        """The account could not be read: the next epoch does not begin. One that is READY goes on."""
        with self._lock:
            self._account_problem = why

    def stop_entries(self) -> None:
        """The service is stopping: exits and cancels only, for good."""
        with self._lock:
            self._stopping = True

    def hold(self, owner: str, why: str) -> None:
        """Keep READY away for a reason that `owner` alone sets and takes back (""): its latest word counts.

        NOT_READY while any stands. Owners: storm, second_instance, intents, intents of before, journal, latch,
        watchdog, thread rest, thread journal.
        """
        with self._lock:
            if why:
                self._holds[owner] = why
            else:
                self._holds.pop(owner, None)

    def reduce(self, owner: str, why: str) -> bool:
        """Exits and cancels only, for a reason that `owner` alone sets and takes back (""); whether it changed.

        Another text for the same is no change. Owners: account, key, operator, journal, drawdown, value,
        messages, posts, and those of `truth.streams`.
        """
        with self._lock:
            before = self._reducing.pop(owner, "")
            if why:
                self._reducing[owner] = why
            return bool(before) != bool(why)

    def reduced_by(self, owner: str) -> str:
        """Why `owner` wants exits and cancels only; empty if it does not."""
        with self._lock:
            return self._reducing.get(owner, "")

    def word(self, now_ms: int, *, tripped: bool) -> tuple[State, list[str]]:
        """The state, and why it is not READY; no reasons only when it is. `tripped` is the latch's, which is not asked
        here. For people: unlike `look`, it never begins the time of READY."""
        with self._lock:
            missing = self._missing_locked(now_ms)
            reducing = self._reducing_locked()
        if tripped:
            return State.HARD_STOP, missing + reducing
        if missing:
            return State.NOT_READY, missing + reducing
        return (State.REDUCING, reducing) if reducing else (State.READY, [])

    def reasons(self, now_ms: int) -> list[str]:
        """Why not READY, as sentences; empty when READY. The latch is not among them."""
        return self.look(now_ms)[0]

    def look(self, now_ms: int) -> tuple[list[str], int]:
        """Why not READY (empty when READY), and the generation this is said of; of one instant.

        The first look that finds nothing missing begins the time that `ready_for_ms` tells.
        """
        with self._lock:
            out = self._missing_locked(now_ms)
            # REDUCING is left out here: the connection is good, and that is what the back-off wants to know.
            if not out and self._ready_since is None:
                self._ready_since = now_ms
            return out + self._reducing_locked(), self._generation

    def _reducing_locked(self) -> list[str]:
        stopping = ["the service is stopping: exits and cancels only"] if self._stopping else []
        return stopping + list(self._reducing.values())

    def _missing_locked(self, now_ms: int) -> list[str]:
        """What is not known yet, most fundamental first: what follows from the first is not said with it."""
        if self._universe:
            return [self._universe]
        if not self._connected:
            return [f"no connection to the exchange ({self.last_disconnect})" if self.last_disconnect else "connecting"]
        out = []
        if self.heard_ms is not None and now_ms - self.heard_ms > SILENT_MS:
            out.append(f"not a word from the exchange for {(now_ms - self.heard_ms) // 1000} s")
        if not self._acked:
            out.append("subscriptions are not all acknowledged")
        late = now_ms - self._connected_ms > UNSEEN_MS and len(self._unseen) < self._expected
        if self._unseen and not late:
            shown = ", ".join(sorted(self._unseen)[:3]) + (" …" if len(self._unseen) > 3 else "")
            out.append(f"no market data yet of {len(self._unseen)}: {shown}")
        out += self._holds.values()
        if self._needs_account and self._account_generation != self._generation:
            out.append(self._account_problem or "the account is being read again")
        return out

    def epoch(self, now_ms: int) -> int | None:
        """The generation of the READY epoch; None while entries may not leave, REDUCING included."""
        reasons, generation = self.look(now_ms)
        return None if reasons else generation

    def ready_for_ms(self, now_ms: int) -> int:
        """Milliseconds since a look first found nothing missing in this connection; 0 before.

        Only `look`, `reasons` and `epoch` look. What is missing later, and REDUCING, do not set it back.
        """
        with self._lock:
            return 0 if self._ready_since is None else now_ms - self._ready_since
