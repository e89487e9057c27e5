"""One line of a recording: what passed, when, on which connection. Pure.

    {"n":7,"t":1790000000000000000,"m":1000000000,"c":1,"d":"in","f":{"channel":"bbo","data":{…}}}

`n` is the sequence number, `t` wall and `m` monotonic nanoseconds at receipt, `c` the connection's generation, `f` the
frame as it came; one that is not one line of JSON stands as base64 under `x`. `d` is `in` (from the exchange), `out`
(from us; of signed actions what was asked, never a signature), `meta` (an answer to a public request), `gap` (what is
missing, and why) or `clock` (how far the exchange's clock is from ours).
"""

import base64
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from hip3.errors import WireError

KINDS = ("in", "out", "meta", "gap", "clock")


class Record(msgspec.Struct, frozen=True):
    """One line, read. `data` has the frame as it was."""

    n: int
    t: int
    m: int
    c: int
    d: str
    f: msgspec.Raw = msgspec.Raw(b"")
    x: str = ""

    @property
    def data(self) -> bytes:
        """The frame's bytes."""
        return base64.b64decode(self.x) if self.x else bytes(self.f)

    @property
    def value(self) -> Any:
        """The frame decoded; WireError if it is no JSON."""
        try:
            return msgspec.json.decode(self.data)
        except (msgspec.DecodeError, RecursionError) as error:
            raise WireError(f"record {self.n} is no JSON: {error}") from None


Frame = tuple[int, int, int, bytes]
"""A frame of the exchange as it came: `t`, `m`, `c` and its bytes."""

_record = msgspec.json.Decoder(Record)
_raw = msgspec.json.Decoder(msgspec.Raw)
_raws = msgspec.json.Decoder(list[msgspec.Raw])


def encode_line(n: int, t: int, m: int, c: int, d: str, data: bytes) -> bytes:
    """The line with its end."""
    head = b'{"n":%d,"t":%d,"m":%d,"c":%d,"d":"%b",' % (n, t, m, c, d.encode())
    if _one_line(data):
        return b'%b"f":%b}\n' % (head, data)
    return b'%b"x":"%b"}\n' % (head, base64.b64encode(data))


def encode_frames(first: int, frames: Sequence[Frame]) -> list[bytes]:
    """The lines of frames that follow each other, as `encode_line` makes each of them; `first` is the number of the
    first. That they are whole lines of JSON is asked once for all."""
    if not _all_one_line([frame[3] for frame in frames]):
        return [encode_line(n, t, m, c, "in", data) for n, (t, m, c, data) in enumerate(frames, first)]
    return [
        b'{"n":%d,"t":%d,"m":%d,"c":%d,"d":"in","f":%b}\n' % (n, t, m, c, data)
        for n, (t, m, c, data) in enumerate(frames, first)
    ]


def channels(frames: Sequence[Frame]) -> dict[str, int]:
    """By channel, as `channel_of` tells it, how many frames there are."""
    found: dict[str, int] = {}
    for begin, count in Counter([f[3][: f[3].find(b'"', 12, 60) + 1] for f in frames]).items():
        name = channel_of(begin)
        found[name] = found.get(name, 0) + count
    return found


def _all_one_line(frames: list[bytes]) -> bool:
    """Whether `_one_line` holds for each."""
    text = b",".join(frames)
    if b"\n" in text or b"\r" in text:
        return False
    try:
        text.decode()
        return list(map(bytes, _raws.decode(b"[%b]" % text))) == frames
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _one_line(data: bytes) -> bool:
    """Whether the bytes stand in a line as they are, and come out of it as they are."""
    if not data or b"\n" in data or b"\r" in data:
        return False
    try:
        data.decode()
        return bytes(_raw.decode(data)) == data
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def decode_line(line: bytes) -> Record:
    """WireError for what is no line of a recording."""
    try:
        return _record.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise WireError(f"no line of a recording: {error}") from None


def channel_of(data: bytes) -> str:
    """The channel of a frame, without parsing it; "other" where it does not begin with it."""
    if data.startswith(b'{"channel":"'):
        end = data.find(b'"', 12, 60)
        if end > 0:
            return data[12:end].decode(errors="replace")
    return "other"


def _order(o: dict[str, Any]) -> dict[str, Any]:
    return {key: o.get(key) for key in ("a", "b", "p", "s", "r", "c", "t")}


def without_signature(text: str) -> bytes:
    """What left, as it may be kept: subscriptions and pings as they are, of a post what it asks.

    Key, signature and whatever else a post carries stay out: only what is named here goes in.
    """
    try:
        message = msgspec.json.decode(text)
        if message.get("method") != "post":
            return text.encode()
        payload = message["request"]["payload"]
        action = payload.get("action", {}) if isinstance(payload, dict) else {}
        shown: dict[str, Any] = {"id": message.get("id"), "kind": action.get("type", message["request"].get("type"))}
        shown["nonce"] = payload.get("nonce")
        moves = action.get("modifies")
        if isinstance(moves, list):
            shown["orders"] = [_order(m["order"]) | {"replaces": m.get("oid")} for m in moves]
        elif isinstance(action.get("orders"), list):
            shown["orders"] = [_order(o) for o in action["orders"]]
        if isinstance(action.get("cancels"), list):
            shown["cancels"] = [
                {k: c.get(k) for k in ("a", "o", "asset", "cloid") if k in c} for c in action["cancels"]
            ]
        return msgspec.json.encode({"method": "post", "post": shown})
    except (msgspec.DecodeError, AttributeError, KeyError, TypeError, RecursionError):
        return b'{"method":"unreadable"}'
