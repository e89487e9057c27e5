"""What answers are made of: HTTP bodies, and the fields that requests share.

HTTP 200 also for refusals (docs/venue-facts.md F6); what does not parse gets 422 and plain text.
"""

from typing import Any

from hip3.venue.books.books import Books
from hip3.venue.engine.account import Account


class Text(str):
    """A plain-text body."""


UNPROCESSABLE = (422, Text("Failed to deserialize the JSON body into the target type"))
Answer = tuple[int, Any]
"""(HTTP status, body): JSON values, or a `Text`."""


def err(text: str) -> Answer:
    """A refusal of a whole action."""
    return 200, {"status": "err", "response": text}


def ok(kind: str, statuses: list[Any] | None = None) -> Answer:
    """Done; `statuses` has one entry per order or cancel."""
    response: dict[str, Any] = {"type": kind}
    if statuses is not None:
        response["data"] = {"statuses": statuses}
    return 200, {"status": "ok", "response": response}


def user_of(request: dict[str, Any]) -> str:
    user = request["user"]
    if not isinstance(user, str) or len(user) != 42 or not user.startswith("0x"):
        raise ValueError("not an address")
    int(user, 16)
    return user.lower()


def account_of(books: Books, request: dict[str, Any]) -> Account | None:
    return books.engine.account(user_of(request))


def dex_of(request: dict[str, Any]) -> str:
    dex = request.get("dex") or ""
    if not isinstance(dex, str):
        raise TypeError("dex")
    return dex


def is_cloid(cloid: Any) -> bool:
    """0x and 32 hexadecimal digits."""
    return (
        isinstance(cloid, str)
        and len(cloid) == 34
        and cloid.startswith("0x")
        and all(c in "0123456789abcdefABCDEF" for c in cloid[2:])
    )
