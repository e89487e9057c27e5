"""What a mirror can say: nothing but market streams, ping and public reads, whatever a client wishes for."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hip3.venue.upstream.words import PUBLIC, READS, Stream, Word, body_of, frame_of, read_of, stream_of

FIELDS = {"type", "coin", "interval", "dex", "nSigFigs", "mantissa", "fast", "nLevels"}
READ_FIELDS = {"type", "dex", "coin", "id", "startTime", "endTime", "nSigFigs", "mantissa", "req"}
KINDS = st.sampled_from(
    [*sorted(PUBLIC | READS), "order", "userFills", "orderUpdates", "clearinghouseState", "action", "post"]
)
VALUES = st.one_of(
    st.none(), st.text(max_size=8), st.integers(-9, 9), st.booleans(), st.sampled_from(["xyz:GOLD", "1m"])
)
WISHES = st.builds(
    lambda kind, rest: {"type": kind} | rest,
    KINDS,
    st.dictionaries(
        st.sampled_from([*sorted((FIELDS | READ_FIELDS) - {"type"}), "user", "action", "signature", "nonce"]), VALUES
    ),
)


@settings(max_examples=150)
@given(WISHES)
def test_whatever_is_wished_for_only_market_streams_and_public_reads_can_be_spelled(wish: dict[str, Any]) -> None:
    stream, read = stream_of(wish), read_of(wish)
    if stream is not None:
        said = json.loads(frame_of(Word.SUBSCRIBE, stream))
        assert said.keys() == {"method", "subscription"}
        assert said["subscription"]["type"] in PUBLIC
        assert said["subscription"].keys() <= FIELDS
    if read is not None:
        body = json.loads(body_of(read))
        assert body["type"] in READS
        assert body.keys() <= READ_FIELDS


@pytest.mark.parametrize(
    "wish",
    [
        {"type": "orderUpdates", "user": "0x" + "1" * 40},
        {"type": "bbo", "coin": "xyz:GOLD", "user": "0x" + "1" * 40},
        {"type": "bbo", "coin": 'x","user":"0x1'},
        {"type": "bbo", "coin": "x" * 41},
        {"type": "clearinghouseState", "user": "0x" + "1" * 40},
        {"type": "meta", "user": "0x" + "1" * 40},
        {"type": "order", "orders": []},
        {"type": "candleSnapshot", "req": {"coin": "xyz:GOLD", "interval": "1m", "startTime": 0, "user": "0x1"}},
    ],
)
def test_what_is_of_an_account_or_hides_something_cannot_be_spelled(wish: dict[str, Any]) -> None:
    assert stream_of(wish) is None
    assert read_of(wish) is None


def test_a_ping_is_a_ping() -> None:
    assert json.loads(frame_of(Word.PING, Stream("bbo", coin="xyz:GOLD"))) == {"method": "ping"}
    assert {word.value for word in Word} == {"subscribe", "unsubscribe", "ping"}
