"""Public reads of the upstream: `POST /info` to the one host that was named. IO; confined to one thread.

No redirect is followed, no proxy of the environment is asked, and a body is made of a `Read` alone.
"""

import msgspec
import requests

from hip3.core.urls import shown_url, told
from hip3.errors import VenueReadError
from hip3.exchange.bounded import BoundedSession
from hip3.venue.upstream.words import Read, body_of

CALL_S = 8.0
TIMEOUT_S = (3.0, 5.0)


class Reads:
    """One HTTP session. `base_url` is without a path."""

    def __init__(self, base_url: str) -> None:
        self._url, self._shown = base_url.rstrip("/") + "/info", shown_url(base_url)
        self._session = BoundedSession(CALL_S)
        self._session.trust_env = False

    def ask(self, read: Read) -> tuple[int, bytes]:
        """(HTTP status, body) as it came. VenueReadError: no answer, or one that sends us elsewhere."""
        try:
            answer = self._session.post(
                self._url,
                data=body_of(read),
                headers={"Content-Type": "application/json"},
                timeout=TIMEOUT_S,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise VenueReadError(f"{read.type}: no answer from {self._shown} ({type(error).__name__})") from None
        if 300 <= answer.status_code < 400:
            raise VenueReadError(f"{read.type}: {self._shown} answered with a redirect, which is not followed")
        return answer.status_code, answer.content

    def need(self, read: Read) -> bytes:
        """The body of a 200 that is JSON. VenueReadError for all else."""
        status, body = self.ask(read)
        if status != 200:
            said = told(body.decode(errors="replace"), self._url)
            raise VenueReadError(f"{read.type}: {self._shown} answers HTTP {status}: {said}", status=status)
        try:
            msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise VenueReadError(f"{read.type}: the answer of {self._shown} is not JSON: {error}") from None
        return body

    def close(self) -> None:
        """Close the connections."""
        self._session.close()
