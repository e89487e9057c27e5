"""Session, back-off, token bucket, nonces: time is an argument."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip3.core.nonce_floor import MAX_LEAD_MS, floor_of
from hip3.core.urls import shown_url, told
from hip3.errors import NonceError
from hip3.exchange.backoff import Backoff
from hip3.exchange.clock_offset import ClockOffset
from hip3.exchange.nonce import NonceManager
from hip3.exchange.protocol import ACKNOWLEDGED_WITHIN_MS, DEAD_AFTER_MS, PING_AFTER_MS, Session
from hip3.exchange.rate_limit import TokenBucket
from hip3.exchange.rest import RestClient
from hip3.exchange.subscriptions import key_of, wanted
from tests.fakes import FakeClock

USER = "0x" + "Ab" * 20


def _ack(kind: str, **fields: str) -> str:
    import json

    data = {"method": "subscribe", "subscription": {"type": kind} | fields}
    return json.dumps({"channel": "subscriptionResponse", "data": data})


def test_it_subscribes_once_and_is_complete_by_acknowledgements_alone() -> None:
    session = Session(1, wanted(["xyz:GOLD"], USER), 0)
    assert len(session.due(0)) == 5
    assert session.due(0) == []
    session.receive(_ack("orderUpdates", user=USER.lower()), 1)
    session.receive(_ack("userFills", user=USER.lower()), 1)
    session.receive(_ack("userFundings", user=USER.lower()), 1)
    session.receive(_ack("bbo", coin="xyz:GOLD"), 1)
    session.receive(_ack("bbo", coin="xyz:OTHER"), 1)
    assert session.subscriptions.missing == ["activeAssetCtx:xyz:GOLD"]
    session.receive(_ack("activeAssetCtx", coin="xyz:GOLD"), 1)
    assert session.subscriptions.complete


def test_it_pings_after_silence_once_and_any_frame_is_life() -> None:
    session = Session(1, [], 0)
    session.due(0)
    assert session.due(PING_AFTER_MS - 1) == []
    assert session.due(PING_AFTER_MS) == ['{"method":"ping"}']
    assert session.due(PING_AFTER_MS + 1) == []
    assert not session.dead(DEAD_AFTER_MS - 1)
    assert session.dead(DEAD_AFTER_MS)
    session.receive('{"channel":"pong"}', DEAD_AFTER_MS)
    assert not session.dead(DEAD_AFTER_MS + 1)
    assert session.due(DEAD_AFTER_MS + PING_AFTER_MS) == ['{"method":"ping"}']


def test_subscriptions_that_are_never_acknowledged_end_the_connection_although_data_flows() -> None:
    session = Session(1, wanted(["xyz:GOLD"], None), 0)
    session.receive(_ack("bbo", coin="xyz:GOLD"), 1)
    session.receive('{"channel":"pong"}', ACKNOWLEDGED_WITHIN_MS)
    assert not session.deaf(ACKNOWLEDGED_WITHIN_MS - 1)
    assert session.deaf(ACKNOWLEDGED_WITHIN_MS)
    session.receive(_ack("activeAssetCtx", coin="xyz:GOLD"), ACKNOWLEDGED_WITHIN_MS)
    assert not session.deaf(ACKNOWLEDGED_WITHIN_MS)


def test_added_fields_of_an_acknowledgement_do_not_matter() -> None:
    assert key_of({"type": "l2Book", "coin": "A", "nSigFigs": None}) == key_of({"type": "l2Book", "coin": "A"})


def test_back_off_doubles_to_thirty_seconds_and_resets() -> None:
    backoff = Backoff()
    delays = [backoff.next_delay_ms(0.999999) for _ in range(9)]
    assert [round(d, -2) for d in delays] == [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]
    backoff.reset()
    assert 250 <= backoff.next_delay_ms(0.0) <= 500


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 60)), max_size=60))
def test_a_bucket_never_gives_more_than_its_capacity_and_refill(steps: list[tuple[int, int]]) -> None:
    bucket, now, taken = TokenBucket(120, 0), 0, 0
    for wait, tokens in steps:
        now += wait
        if bucket.try_take(tokens, now):
            taken += tokens
        assert taken <= 120 + now * 120 // 60_000 + 1
        needed = bucket.wait_ms(tokens, now)
        assert (needed == 0) == (bucket.level(now) >= tokens)


def test_nonces_rise_whatever_the_clock_does() -> None:
    nonces = NonceManager()
    times = [1000, 1000, 999, 500, 2000, 1999]
    assert [nonces.next(t) for t in times] == [1000, 1001, 1002, 1003, 2000, 2001]
    assert nonces.last == 2001
    assert NonceManager(floor=9000).next(2000) == 9001


def test_a_nonce_an_hour_ahead_is_refused() -> None:
    nonces = NonceManager(floor=MAX_LEAD_MS + 5000)
    with pytest.raises(NonceError):
        nonces.next(5000)
    assert nonces.next(5001) == MAX_LEAD_MS + 5001


def test_a_kept_nonce_of_a_wrong_clock_is_no_floor() -> None:
    assert floor_of(5000, 4000) == 5000
    assert floor_of(4000 + MAX_LEAD_MS, 4000) == 4000 + MAX_LEAD_MS
    assert floor_of(4001 + MAX_LEAD_MS, 4000) == 0
    assert floor_of(5000, None) == 5000


def test_no_nonce_twice_from_eight_threads() -> None:
    nonces, found, barrier = NonceManager(), [[] for _ in range(8)], threading.Barrier(8)

    def work(mine: list[int]) -> None:
        barrier.wait()
        mine.extend(nonces.next(1000) for _ in range(2000))

    threads = [threading.Thread(target=work, args=(mine,)) for mine in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    every = [n for mine in found for n in mine]
    assert len(set(every)) == len(every) == 16_000
    assert all(mine == sorted(mine) for mine in found)


def test_the_clock_offset_is_the_median_of_five_without_half_the_round_trip() -> None:
    clock = FakeClock()
    offset = ClockOffset(clock)
    assert not offset.known
    assert offset.exchange_ms() == clock.wall_ms()
    for ahead in (1000, 1010, 99_000, 990, 1005):
        offset.add(clock.wall_ms() + ahead - 50, 100)
    assert offset.offset_ms == 1005
    assert offset.exchange_ms() == clock.wall_ms() + 1005


def test_after_a_doubt_the_first_reading_counts_alone() -> None:
    clock = FakeClock()
    offset = ClockOffset(clock)
    for _ in range(5):
        offset.add(clock.wall_ms(), 0)
    before = offset.exchange_ms()
    offset.doubt()
    assert offset.exchange_ms() == before  # until something better is known
    offset.add(clock.wall_ms() + 60_000, 0)
    assert offset.exchange_ms() == before + 60_000
    offset.add(clock.wall_ms() + 60_010, 0)
    assert offset.exchange_ms() == before + 60_010


def test_setting_the_wall_clock_does_not_move_the_exchange_s_time() -> None:
    clock = FakeClock()
    offset = ClockOffset(clock)
    offset.add(clock.wall_ms(), 0)
    before = offset.exchange_ms()
    clock.step_wall(-3_600_000)
    clock.advance(250)
    assert offset.exchange_ms() == before + 250


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://api.hyperliquid.xyz", "https://api.hyperliquid.xyz"),
        ("http://127.0.0.1:3001/", "http://127.0.0.1:3001"),
        ("https://node.example/secret-token", "https://node.example/…"),
        ("wss://user:secret@node.example:8443/ws?key=secret", "wss://node.example:8443/…"),
        ("https://node.example?token=secret", "https://node.example/…"),
        ("https://[half", "an address that cannot be read"),
        ("localhost:3001", "localhost:3001"),
        ("ws://127.0.0.1:3001/ws", "ws://127.0.0.1:3001/ws"),
        ("http://[::1]:3001/", "http://[::1]:3001"),
        ("https://node.example:99999/secret", "an address that cannot be read"),
        ("user:secret@node.example", "an address that cannot be read"),
    ],
)
def test_no_token_of_an_address_is_shown(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@pytest.mark.parametrize(
    "url", ["https://[half/abcdef12345", "https://host:99999/abcdef12345", "wss://host/abcdef12345"]
)
def test_what_was_said_at_an_address_repeats_no_token_of_it_whatever_the_address(url: str) -> None:
    assert "abcdef12345" not in told(f"no page at {url}, try another", url)


def test_a_list_costs_one_more_for_each_twenty_rows() -> None:
    """Fifty readings of 2,000 fills were allowed in an instant; the exchange takes ten a minute."""
    clock = FakeClock()
    rest = RestClient("http://127.0.0.1:9", clock)
    rows = b"[" + b",".join([b'{"coin":"xyz:GOLD","time":5,"tid":1}'] * 2000) + b"]"
    rest._post = lambda path, body, name: rows  # type: ignore[method-assign,assignment]
    before = rest._bucket.level(clock.mono_ms())
    rest.info({"type": "userFills", "user": "0x"})
    assert before - rest._bucket.level(clock.mono_ms()) == 120
    rest.info({"type": "meta"})
    assert before - rest._bucket.level(clock.mono_ms()) == 140
    rest.close()
