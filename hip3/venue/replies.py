"""Bodies of `POST /exchange` answers. HTTP 200 also for refusals (docs/venue-facts.md F6)."""

from typing import Any

from hip3.venue.info import Answer


def err(text: str) -> Answer:
    """A refusal of a whole action."""
    return 200, {"status": "err", "response": text}


def ok(kind: str, statuses: list[Any] | None = None) -> Answer:
    """Done; `statuses` has one entry per order or cancel."""
    response: dict[str, Any] = {"type": kind}
    if statuses is not None:
        response["data"] = {"statuses": statuses}
    return 200, {"status": "ok", "response": response}
