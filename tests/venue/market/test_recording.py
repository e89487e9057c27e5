"""A recording in place of a synthetic market: through the core, and through the command line."""

import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.exchange.signing import SigningKey
from hip3.venue.market.recording import load_recording
from hip3.venue.setup.settings import load_setup
from tests.stories.process import command, eventually, exchange
from tests.venue.desk import GOLD, START, Desk

D = Decimal
FIRST: dict[str, Any] = {
    "time_ms": 5_000_000, "coin": GOLD, "bid": "3900.1", "bid_sz": "0.5", "ask": "3900.7", "ask_sz": "0.25", "oracle": "3901.2",
}  # fmt: skip
SECOND = FIRST | {"time_ms": 5_002_000, "bid": "3950.1", "ask": "3950.4", "oracle": "3950"}


def _file(folder: Path, *lines: Any) -> Path:
    path = folder / "recorded.jsonl"
    path.write_text("".join((x if isinstance(x, str) else msgspec.json.encode(x).decode()) + "\n" for x in lines))
    return path


class Replay(Desk):
    """A venue that plays a recording, and a bot with 1000 USDC."""

    def __init__(self, folder: Path, *lines: Any) -> None:
        recording = load_recording(_file(folder, *lines), load_setup().markets)
        super().__init__(quiet=False, recording=recording)
        self.bot: SigningKey = self.key(7)

    def touch(self) -> list[tuple[str, str]]:
        """(price, size) of all that is quoted, bids first."""
        return [(level["px"], level["sz"]) for side in self.info("l2Book", coin=GOLD)["levels"] for level in side]

    def oracle(self) -> Decimal:
        return self.venue.engine.markets[GOLD].oracle

    def until(self, ms: int) -> None:
        """Up to so long after the start."""
        self.wait(START + ms - self.now)


def test_touch_and_oracle_are_what_was_recorded_when_it_was(tmp_path: Path) -> None:
    replay = Replay(tmp_path, FIRST, FIRST | {"coin": "xyz:TSLA", "bid": "370", "ask": "371"}, SECOND)
    replay.until(1900)
    assert replay.touch() == [("3900.1", "0.5"), ("3900.7", "0.25")]
    assert replay.oracle() == D("3901.2")
    assert replay.venue.engine.markets[GOLD].mark == pytest.approx(D("3901"), abs=1)
    replay.until(2100)
    assert replay.touch() == [("3950.1", "0.5"), ("3950.4", "0.25")]
    assert replay.oracle() == D(3950)


def test_it_is_played_once_and_its_end_stays(tmp_path: Path) -> None:
    replay = Replay(tmp_path, FIRST, SECOND)
    replay.until(60_000)
    assert replay.touch() == [("3950.1", "0.5"), ("3950.4", "0.25")]
    assert replay.oracle() == D(3950)


def test_what_was_taken_stays_taken_until_the_touch_changes(tmp_path: Path) -> None:
    again = [FIRST | {"time_ms": FIRST["time_ms"] + 500 * n} for n in range(1, 4)]
    replay = Replay(tmp_path, FIRST, *again, SECOND)
    filled = replay.order(replay.bot, True, "3910", "0.4", "Ioc")["filled"]
    assert (filled["totalSz"], filled["avgPx"]) == ("0.25", "3900.7")
    replay.until(1900)
    assert replay.touch() == [("3900.1", "0.5")]
    replay.until(2100)
    assert replay.touch() == [("3950.1", "0.5"), ("3950.4", "0.25")]


def test_a_resting_order_is_hit_when_the_recorded_touch_crosses_it(tmp_path: Path) -> None:
    replay = Replay(tmp_path, FIRST, SECOND)
    assert "resting" in replay.order(replay.bot, False, "3940", "0.1")
    replay.until(2100)
    assert replay.info("userFills", user=replay.bot.address)[0]["px"] == "3940.0"


def test_a_rest_below_the_minimum_is_quoted_at_the_minimum(tmp_path: Path) -> None:
    replay = Replay(tmp_path, FIRST | {"ask_sz": "0.0001"})
    assert replay.touch()[1] == ("3900.7", "0.0026")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{", "truncated"),
        (FIRST | {"bid": "x"}, "$.bid"),
        ({k: v for k, v in FIRST.items() if k != "oracle"}, "oracle"),
        (FIRST | {"last": "1"}, "last"),
        (FIRST | {"coin": "xyz:NONE"}, "xyz:NONE is not a market"),
        (FIRST | {"time_ms": 4_999_999}, "before the line above"),
        (FIRST | {"ask_sz": "0"}, "ask_sz is 0"),
        (FIRST | {"oracle": "NaN"}, "oracle is NaN"),
        (FIRST | {"ask": "3900.1"}, "not below ask"),
        (FIRST | {"bid": "3900.11"}, "bid 3900.11 is no price"),
        (FIRST | {"bid_sz": "0.00001"}, "bid_sz 0.00001 has more"),
    ],
)
def test_a_bad_line_ends_the_start_with_its_number_and_fault(tmp_path: Path, line: Any, fault: str) -> None:
    path = _file(tmp_path, FIRST, line, FIRST)
    with pytest.raises(Exception, match="line 2: ") as raised:
        load_recording(path, load_setup().markets)
    assert fault in str(raised.value)


@pytest.mark.parametrize("name", ["recorded.jsonl", "missing.jsonl"])
def test_an_empty_or_missing_file_is_a_fault(tmp_path: Path, name: str) -> None:
    _file(tmp_path)
    with pytest.raises(Exception, match=name):
        load_recording(tmp_path / name, load_setup().markets)


def test_the_command_line_plays_a_recording_at_its_speed(tmp_path: Path) -> None:
    later = SECOND | {"time_ms": FIRST["time_ms"] + 120_000}
    with exchange(1, "--recording", str(_file(tmp_path, FIRST, later)), "--speed", "60") as started:

        def oracle() -> str:
            meta, contexts = started.info(type="metaAndAssetCtxs", dex="xyz")
            coins = [market["name"] for market in meta["universe"]]
            return str(contexts[coins.index(GOLD)]["oraclePx"])

        eventually(lambda: D(oracle()) == D(3950), 30, "two minutes at 60 times the speed")


def test_the_command_line_refuses_a_bad_recording(tmp_path: Path) -> None:
    path = _file(tmp_path, FIRST, FIRST | {"ask": "1"})
    run = subprocess.run(
        command("exchange", "--port", "0", "--recording", str(path)),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert run.returncode == 2
    assert f"{path}, line 2: bid 3900.1 is not below ask 1" in run.stderr
