"""HTTP as the service's own classes hold it in one thread: a session that asks a function, and what comes back."""

from collections.abc import Callable
from typing import NamedTuple


class Plain(NamedTuple):
    """What of a `requests.Response` the service reads."""

    status_code: int
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")


class Http:
    """What the service takes for a `requests.Session`. `request(path, body)` makes the caller wait for its answer;
    requests.Timeout, requests.ConnectionError."""

    trust_env = False

    def __init__(self, request: Callable[[str, bytes], Plain]) -> None:
        self._request = request

    def post(
        self, url: str, data: bytes, headers: dict[str, str], timeout: tuple[float, float], *, allow_redirects: bool
    ) -> Plain:
        """One request, answered after its way there and back."""
        return self._request("/" + url.rpartition("/")[2], data)

    def close(self) -> None:
        """Nothing is held."""
