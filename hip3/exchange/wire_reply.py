"""Replies to actions: from the wire to core types. Beside `wire`, the home of resting, filled, totalSz, avgPx.

Pure. What a reply means for each order of its batch is `execution.sending.replies`'s to say; here nothing is guessed:
what has another shape is `Unreadable`, or None in the place of one entry, and its outcome stays unknown.
"""

from decimal import Decimal
from typing import Any

import msgspec

from hip3.core.events import (
    Accepted,
    ActionRefused,
    Event,
    Filled,
    PostOutcome,
    PostReply,
    Refused,
    RequestFailed,
    Resting,
    Status,
    Statuses,
    Unreadable,
)
from hip3.exchange.wire_numbers import DECODE_ERRORS


class _PostData(msgspec.Struct):
    """`response` is read apart: an odd one must not cost the id, without which no post is found."""

    id: int
    response: msgspec.Raw


class _PostResponse(msgspec.Struct):
    type: str
    payload: msgspec.Raw = msgspec.Raw(b"null")


_decode_post = msgspec.json.Decoder(_PostData).decode
_decode_post_response = msgspec.json.Decoder(_PostResponse).decode
_decode_any = msgspec.json.Decoder().decode


def parse_post(data: bytes) -> Event:
    """A post reply, from the `data` of its frame. Only its id must be readable: the rest may be `Unreadable`.

    ValueError (msgspec's) without an id.
    """
    post = _decode_post(data)
    try:
        response = _decode_post_response(post.response)
        return PostReply(post.id, _post_outcome(response))
    except DECODE_ERRORS as error:
        return PostReply(post.id, Unreadable(f"{error}: {bytes(post.response)[:120]!r}"))


def _post_outcome(response: _PostResponse) -> PostOutcome:
    """By the type of the response: "action", "error", or one that we did not ask for."""
    payload = _decode_any(response.payload)
    if response.type == "error":
        return RequestFailed(payload if isinstance(payload, str) else str(payload))
    if response.type != "action":
        return Unreadable(f"reply of type {response.type!r}")
    return parse_action_answer(payload)


def parse_action_answer(payload: Any) -> PostOutcome:
    """The body of an /exchange answer (HTTP or post): statuses, a refusal, or unreadable. Raises nothing.

    Never `RequestFailed`: HTTP tells that by its status. An action that has no entries (`default`: leverage, noop)
    counts as one entry that is accepted.
    """
    if not isinstance(payload, dict):
        return Unreadable(f"not an object: {str(payload)[:120]}")
    status, response = payload.get("status"), payload.get("response")
    if status == "err":
        return ActionRefused(response if isinstance(response, str) else str(response))
    if status != "ok" or not isinstance(response, dict):
        return Unreadable(f"status {status!r}: {str(payload)[:120]}")
    data = response.get("data")
    if response.get("type") == "default" and data is None:
        return Statuses((Accepted("default"),))
    statuses = data.get("statuses") if isinstance(data, dict) else None
    if not isinstance(statuses, list):
        return Unreadable(f"no statuses: {str(payload)[:120]}")
    return Statuses(tuple(_status(item) for item in statuses))


def _status(item: Any) -> Status | None:
    """One entry; None if it has a shape we do not know. A size or price that is not finite is such a one."""
    try:
        if isinstance(item, str):
            return Accepted(item)
        if "resting" in item:
            return Resting(int(item["resting"]["oid"]))
        if "filled" in item:
            body = item["filled"]
            total, average = Decimal(body["totalSz"]), Decimal(body["avgPx"])
            if not (total.is_finite() and average.is_finite()):
                return None
            return Filled(int(body["oid"]), total, average)
        if "error" in item:
            return Refused(str(item["error"]))
    except (KeyError, TypeError, ValueError, ArithmeticError):
        pass  # None says that the entry is of a shape we do not know
    return None
