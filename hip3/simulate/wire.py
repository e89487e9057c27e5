"""What passes between service and exchange, and who has a say in it or looks on."""

from typing import NamedTuple, Protocol

from hip3.venue.serving.output import Output, WsText


class Plain(NamedTuple):
    """What of a `requests.Response` the service reads."""

    status_code: int
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")


class Call:
    """One HTTP request under way."""

    def __init__(self, path: str, body: bytes) -> None:
        self.path, self.body = path, body
        self.reply: Plain | None = None
        self.broken = False


class Fates(Protocol):
    """Decides what becomes of what passes."""

    def connecting(self) -> None: ...
    def sending(self, text: str) -> tuple[bool, int]: ...
    def requesting(self, call: Call) -> Plain | str: ...
    def saying(self, item: WsText) -> list[tuple[str, int]]: ...


class Onlooker(Protocol):
    """Is told of all that passes."""

    def connected(self, conn: int) -> None: ...
    def closed(self, conn: int) -> None: ...
    def broke(self, text: str) -> None: ...
    def sent_frame(self, conn: int, text: str) -> None: ...
    def lost_frame(self, conn: int, text: str) -> None: ...
    def sent_request(self, token: int, call: Call) -> None: ...
    def read(self, call: Call) -> None: ...
    def reply_read(self, text: str) -> None: ...
    def said(self, item: Output) -> None: ...
    def exchange_moved(self) -> None: ...
