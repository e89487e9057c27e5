"""One suite for the `Sender` port: the mock and the real write handle keep the same promises."""

from collections.abc import Callable
from typing import Any

import pytest

from hip3.core.ports import Sender, SendOutcome
from hip3.exchange.writer import WriteHandle
from tests.fakes import FakeClock, MockSender


class _Socket:
    """A WebSocket that records, and breaks when told."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.broken = False
        self.down = False

    def send(self, payload: str) -> None:
        if self.broken:
            raise ConnectionResetError("broken")
        self.sent.append(payload)

    def shutdown(self) -> None:
        self.down = True


def _mock() -> tuple[Sender, Callable[[str], None], Callable[[], list[str]]]:
    sender = MockSender()
    sender.generation = 7

    def make(state: str) -> None:
        outcomes = {"absent": SendOutcome.NOT_SENT, "breaking": SendOutcome.MAYBE_SENT}
        if state in outcomes:
            sender.fail_next(outcomes[state])

    return sender, make, lambda: sender.sent


def _real() -> tuple[Sender, Callable[[str], None], Callable[[], list[str]]]:
    writer, socket = WriteHandle(FakeClock()), _Socket()
    writer.attach(socket, 7)

    def make(state: str) -> None:
        socket.broken = state == "breaking"
        if state == "absent":
            writer.detach(7)
        else:
            writer.attach(socket, 7)

    return writer, make, lambda: socket.sent


@pytest.fixture(params=[_mock, _real], ids=["mock", "real"])
def port(request: pytest.FixtureRequest) -> Any:
    return request.param()


def test_what_is_sent_is_sent_once_in_order_with_its_generation(port: Any) -> None:
    sender, make, sent = port
    make("open")
    results = [sender.send(text) for text in ("a", "b")]
    assert [r.outcome for r in results] == [SendOutcome.SENT] * 2
    assert {r.generation for r in results} == {7}
    assert sent() == ["a", "b"]


def test_without_a_connection_not_one_byte_leaves(port: Any) -> None:
    sender, make, sent = port
    make("absent")
    result = sender.send("a")
    assert result.outcome is SendOutcome.NOT_SENT
    assert result.detail
    assert sent() == []


def test_what_belongs_to_another_connection_does_not_leave(port: Any) -> None:
    sender, make, sent = port
    make("open")
    result = sender.send("a", 6)
    assert (result.outcome, result.generation) == (SendOutcome.NOT_SENT, 7)
    assert result.detail
    assert sender.send("b", 7).outcome is SendOutcome.SENT
    assert sent() == ["b"]


def test_a_send_that_breaks_may_have_left(port: Any) -> None:
    sender, make, sent = port
    make("breaking")
    assert sender.send("a").outcome is SendOutcome.MAYBE_SENT
    make("open")
    assert sender.send("b").outcome is SendOutcome.SENT
    assert sent() == ["b"]


def test_the_real_one_closes_what_it_could_not_write_to() -> None:
    writer, socket = WriteHandle(FakeClock()), _Socket()
    writer.attach(socket, 1)
    socket.broken = True
    assert writer.send("a").outcome is SendOutcome.MAYBE_SENT
    assert socket.down
    assert not writer.connected
    assert writer.send("b").outcome is SendOutcome.NOT_SENT


def test_the_real_one_stops_at_two_thousand_messages_in_any_minute() -> None:
    """A bucket that refills gave 4,000 in its first minute; the exchange closes the socket at 2,001."""
    clock = FakeClock()
    writer, socket = WriteHandle(clock), _Socket()
    writer.attach(socket, 1)
    sent, left = [], []
    for _ in range(3 * 60 * 50):  # fifty a second
        left.append(writer.messages_left(clock.mono_ms()))
        if writer.send("x").outcome is SendOutcome.SENT:
            sent.append(clock.mono_ms())
        clock.advance(20)
    assert (left[0], left[1999], left[2000], left[2999]) == (2000, 1, 0, 0)
    assert all(later - first >= 60_000 for first, later in zip(sent, sent[2000:], strict=False))
    assert len(sent) == 6000


def test_the_mock_holds_and_answers_late() -> None:
    got: list[str] = []
    sender = MockSender(got.append)
    sender.hold()
    sender.send("a")
    assert got == []
    sender.release()
    assert got == ["a"]
