"""What the core wants sent, in order: the server gives it to sockets, tests read it."""

from typing import NamedTuple


class HttpReply(NamedTuple):
    """Answer to an HTTP request, by the token it came with."""

    token: int
    status: int
    body: bytes
    plain: bool


class WsText(NamedTuple):
    """A frame for one socket."""

    conn: int
    text: str


class WsClose(NamedTuple):
    """Drop one socket without a close frame."""

    conn: int


Output = HttpReply | WsText | WsClose
