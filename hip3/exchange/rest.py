"""REST: `POST /info` and `POST /exchange` with time-outs and weights.

Confined to the `rest` thread, which owns the one `requests.Session`. A read either gives the answer
or raises `VenueReadError`: a failed read is never "empty".

Before there are threads, and in commands, main has a client of its own or this one for itself. Only the weight level
is read from elsewhere; its bucket has a lock. No lock is held during a request.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import requests

from hip3.core.ports import Clock, Tap
from hip3.core.urls import shown_url, told
from hip3.errors import RateLimited, VenueReadError
from hip3.exchange.bounded import BoundedSession
from hip3.exchange.rate_limit import IP_WEIGHT_PER_MINUTE, TokenBucket
from hip3.exchange.spent import SpentFile

TIMEOUT_S = (3.0, 5.0)
"""To connect, and between two pieces of the answer."""
CALL_S = 8.0
"""From the first byte of connecting to the last of the answer, however it comes."""
KEPT_WEIGHT = 200
"""Of 1,200 a minute: enough to prove what is open on several dexs, whatever was asked before."""

_LIGHT = frozenset(
    {"l2Book", "allMids", "clearinghouseState", "orderStatus", "spotClearinghouseState", "exchangeStatus"}
)
_BY_ROWS = frozenset({"userFills", "userFillsByTime", "userFunding", "userNonFundingLedgerUpdates", "recentTrades"})


def weight_of(request: dict[str, Any]) -> int:
    """The IP weight of an info request (docs/venue-facts.md F10). Pure; a type that is new to us counts 20."""
    kind = request.get("type")
    if kind in _LIGHT:
        return 2
    return 60 if kind == "userRole" else 20


class RestClient:
    """One HTTP session to one exchange. `base_url` is without a path; `clock` feeds the weight budget alone.

    `state`: the folder where what is spent is kept for the next process; without it the budget begins whole.
    """

    def __init__(self, base_url: str, clock: Clock, state: Path | None = None) -> None:
        self._base_url, self._shown = base_url.rstrip("/"), shown_url(base_url)
        self._clock = clock
        self._session: requests.Session = BoundedSession(CALL_S)
        self.tap: Tap | None = None
        """Is shown the answers to info requests."""
        self.left_ms = 0
        """When the last read left (monotonic): what went before it is no part of its way."""
        self.refused_ms: int | None = None
        """When the exchange last said that the weight is spent (monotonic): by its count, whoever spent it. Any thread
        reads it."""
        self.before_read: Callable[[], None] = lambda: None
        """What must not wait for a read that may take seconds; it must not read itself."""
        self._session.trust_env = False  # a proxy of the environment must not see signed actions
        self._bucket = TokenBucket(IP_WEIGHT_PER_MINUTE, clock.mono_ms())
        self._spent = None if state is None else SpentFile(state / "weight.json", self._base_url)
        if self._spent is not None:
            self._bucket.try_take(self._spent.read(clock.wall_ms()), clock.mono_ms())

    def info(self, request: dict[str, Any], *, keep: int | None = KEPT_WEIGHT) -> bytes:
        """The body of the answer to one info request, as it came. VenueReadError, RateLimited.

        `keep` is the weight that stays for reads that are not held back; None: this is one of those, and is counted
        alone. Our own RateLimited carries `wait_ms`, after which it would pass; the exchange's has none. A request that
        fails has spent its weight, too.
        """
        self.before_read()
        weight = weight_of(request)
        now = self._clock.mono_ms()
        if keep is None:
            self._bucket.try_take(min(weight, self._bucket.level(now)), now)
        elif not self._bucket.try_take(weight, now, keep=keep):
            wait = self._bucket.wait_ms(weight + keep, now)
            raise RateLimited(f"{_named(request)}: the weight budget is spent, free in {wait} ms", wait_ms=wait)
        self._note_spent()
        asked_ns, self.left_ms = self._clock.wall_ns(), self._clock.mono_ms()
        answer = self._post("/info", msgspec.json.encode(request), _named(request))
        if request.get("type") in _BY_ROWS:  # one more for each 20 rows, which only the answer tells
            now = self._clock.mono_ms()
            self._bucket.try_take(min(answer.count(b'"time":') // 20, self._bucket.level(now)), now)
            self._note_spent()
        if self.tap is not None:
            self.tap.learnt(request, answer, asked_ns)
        return answer

    @property
    def unheld(self) -> "Unheld":
        """The same reads, whatever is spent by our own count: for a start, which may have positions to leave, and for
        proofs of what is open, which somebody waits for. If it is spent indeed the exchange says so."""
        return Unheld(self)

    def info_json(self, request: dict[str, Any]) -> Any:
        """The same, decoded. VenueReadError also where it is not JSON; its shape is the caller's to judge."""
        return _decoded(request, self.info(request))

    def exchange(self, body: dict[str, Any]) -> Any:
        """Post a signed action; the decoded answer, a refusal included. VenueReadError: the outcome is unknown.

        `body` is of `wire_out.signed_body`. It is sent once and never again from here.
        """
        # Counted, never held back: an action must not wait for what reads have spent.
        self._bucket.try_take(1, self._clock.mono_ms())
        self._note_spent()
        answer = self._post("/exchange", msgspec.json.encode(body), "/exchange")
        try:
            return msgspec.json.decode(answer)
        except (msgspec.DecodeError, RecursionError) as error:
            raise VenueReadError(f"/exchange: the answer is not JSON: {error}") from None

    def _post(self, path: str, body: bytes, what: str) -> bytes:
        """The body of a 200; VenueReadError for all else, RateLimited for a 429.

        `what` names the request in the error; nothing else of what was sent is quoted.
        """
        try:
            answer = self._session.post(
                self._base_url + path,
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=TIMEOUT_S,
                allow_redirects=False,  # a signed action goes to whom it was sent, and to nobody he names
            )
        except requests.Timeout:
            raise VenueReadError(f"{what}: no answer from {self._shown} in time") from None
        except requests.ConnectionError as error:
            refused = "Connection refused" in str(error)
            why = "connection refused" if refused else "the connection broke or could not be made"
            raise VenueReadError(f"{what}: cannot reach {self._shown}: {why}") from None
        except requests.RequestException as error:
            raise VenueReadError(f"{what}: {type(error).__name__}") from None  # its text may quote the address
        if answer.status_code == 429:
            self.refused_ms = self._clock.mono_ms()
            raise RateLimited(f"{what}: HTTP 429: the exchange's weight limit is reached")
        if answer.status_code != 200:
            said = told(answer.text, self._base_url)  # a gateway's page has many lines
            raise VenueReadError(f"{what}: HTTP {answer.status_code}: {said}", status=answer.status_code)
        return answer.content

    def _note_spent(self) -> None:
        if self._spent is not None:
            self._spent.note(self.weight_used(self._clock.mono_ms()), self._clock.wall_ms())

    def weight_used(self, now_ms: int) -> int:
        """Of the minute's request weight, what is spent and has not come back yet. Any thread."""
        return IP_WEIGHT_PER_MINUTE - self._bucket.level(now_ms)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def _named(request: dict[str, Any]) -> str:
    """An info request as errors name it: its type, and the dex it is about. Pure."""
    dex = request.get("dex")
    return f"{request.get('type')}" + (f" of dex {dex}" if isinstance(dex, str) and dex else "")


class Unheld:
    """See `RestClient.unheld`. Same thread, same session."""

    def __init__(self, rest: RestClient) -> None:
        self._rest = rest

    def info(self, request: dict[str, Any]) -> bytes:
        """See `RestClient.info`."""
        return self._rest.info(request, keep=None)

    def info_json(self, request: dict[str, Any]) -> Any:
        """See `RestClient.info_json`."""
        return _decoded(request, self.info(request))


def _decoded(request: dict[str, Any], body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise VenueReadError(f"{_named(request)}: the answer is not JSON: {error}") from None
