"""Two processes in a row share one minute of request weight."""

from pathlib import Path

import pytest

from hip3.errors import RateLimited
from hip3.exchange.rate_limit import IP_WEIGHT_PER_MINUTE
from hip3.exchange.rest import KEPT_WEIGHT, RestClient
from hip3.exchange.spent import SpentFile
from tests.fakes import FakeClock

URL = "http://127.0.0.1:9"


def _client(clock: FakeClock, state: Path, url: str = URL) -> RestClient:
    rest = RestClient(url, clock, state)
    rest._post = lambda path, body, what: b"[]"  # type: ignore[method-assign]
    return rest


def _reads(rest: RestClient) -> int:
    """How many heavy readings pass until the budget is spent."""
    count = 0
    while True:
        try:
            rest.info({"type": "userFills", "user": "0x"})
        except RateLimited:
            return count
        count += 1


def test_a_second_process_finds_what_the_first_has_left(tmp_path: Path) -> None:
    clock = FakeClock()
    whole = _reads(_client(clock, tmp_path))
    assert whole == (IP_WEIGHT_PER_MINUTE - KEPT_WEIGHT) // 20
    clock.advance(10_000)
    assert _reads(_client(clock, tmp_path)) == 10  # 200 came back
    assert _reads(_client(clock, tmp_path, "http://127.0.0.1:8")) == whole
    clock.advance(60_000)
    assert _reads(_client(clock, tmp_path)) == whole


def test_a_kill_while_it_is_written_leaves_what_stood_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spent = SpentFile(tmp_path / "weight.json", URL)
    spent.note(700, 5)

    class Killed(BaseException):
        """Nothing of the process runs after it."""

    def torn(path: Path, body: bytes) -> int:
        with path.open("wb") as file:
            file.write(body[:3])
        raise Killed

    monkeypatch.setattr(Path, "write_bytes", torn)
    with pytest.raises(Killed):
        spent.note(800, 6)
    assert spent.read(0) == 700


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"url": "http://127.0.0.1:9", "weight": "x", "at_ms": 1}', None])
def test_a_file_that_says_nothing_holds_nothing_back(tmp_path: Path, body: bytes | None) -> None:
    if body is None:
        (tmp_path / "weight.json").mkdir()
    else:
        (tmp_path / "weight.json").write_bytes(body)
    rest = _client(FakeClock(), tmp_path)
    rest.info({"type": "userFills", "user": "0x"})
    assert rest.weight_used(FakeClock().mono_ms()) == 20


@pytest.mark.parametrize(
    ("weight", "later_ms", "left"),
    [(-5, 0, 0), (10**9, 0, 1200), (100, -(10**9), 100), (100, 1000, 80), (100, 10**9, 0)],
)
def test_whatever_the_file_and_the_clock_say_it_is_within_a_minute_s(
    tmp_path: Path, weight: int, later_ms: int, left: int
) -> None:
    file = SpentFile(tmp_path / "weight.json", URL)
    file.note(weight, 10**12)
    assert file.read(10**12 + later_ms) == left


def test_a_start_is_counted_and_never_held_back(tmp_path: Path) -> None:
    """Positions may wait for it: whether the weight is spent indeed the exchange says."""
    clock = FakeClock()
    rest = _client(clock, tmp_path)
    _reads(rest)
    for number in range(30):
        rest.unheld.info({"type": "userFills", "user": "0x"})
        assert rest.weight_used(clock.mono_ms()) == min(1000 + 20 * (number + 1), IP_WEIGHT_PER_MINUTE)
    with pytest.raises(RateLimited):
        rest.info({"type": "userFills", "user": "0x"})
