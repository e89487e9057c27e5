"""Who listens to the page: told all the same, never waited for, dropped when they do not read."""

import socket

from hip3.ops.listeners import MOST_BEHIND, MOST_LISTENERS, PATIENCE_MS, Listeners


def _pair(listeners: Listeners) -> socket.socket:
    ours, theirs = socket.socketpair()
    listeners.take(ours)
    theirs.settimeout(5)
    return theirs


def test_each_is_greeted_once_and_told_the_rest() -> None:
    listeners = Listeners()
    first = _pair(listeners)
    assert (listeners.count, listeners.expecting) == (1, True)
    listeners.greet(b"hello ", 0)
    second = _pair(listeners)
    listeners.tell(b"one ", 0)
    listeners.greet(b"hello ", 0)
    listeners.tell(b"two", 0)
    listeners.close()
    with first, second:
        assert first.makefile("rb").read() == b"hello one two"
        assert second.makefile("rb").read() == b"hello two"


def test_one_that_reads_nothing_is_dropped_and_holds_up_nobody() -> None:
    listeners = Listeners()
    deaf, reader = _pair(listeners), _pair(listeners)
    listeners.greet(b"", 0)
    frame, heard, now = b"x" * 100_000, 0, 0
    with deaf, reader:
        while listeners.count == 2:
            listeners.tell(frame, now)
            heard += len(reader.recv(200_000))
            now += 1000
            assert now < 60_000
        assert listeners.dropped == 1
        listeners.tell(b"still here", now)
        assert listeners.count == 1
        listeners.close()
        while data := reader.recv(1_000_000):
            heard += len(data)
    assert heard == now // 1000 * len(frame) + len(b"still here"), "the one who reads lost nothing"


def test_one_that_stops_reading_small_frames_is_dropped_by_the_clock() -> None:
    listeners = Listeners()
    with _pair(listeners):
        listeners.greet(b"y" * (MOST_BEHIND - 1), 0)
        listeners.tell(b"y", PATIENCE_MS)
        assert listeners.count == 1, "it may take so long"
        listeners.tell(b"y", 3 * PATIENCE_MS)
        assert listeners.count == 0


def test_one_that_has_gone_is_no_fault() -> None:
    listeners = Listeners()
    _pair(listeners).close()
    listeners.greet(b"x", 0)
    listeners.tell(b"x", 0)
    assert (listeners.count, listeners.dropped) == (0, 0)


def test_beyond_so_many_the_oldest_goes() -> None:
    listeners = Listeners()
    pairs = [_pair(listeners) for _ in range(MOST_LISTENERS + 1)]
    listeners.greet(b"x", 0)
    assert listeners.count == MOST_LISTENERS
    pairs[0].recv(1)
    assert pairs[0].recv(1) == b""
    listeners.close()
    for one in pairs:
        one.close()
