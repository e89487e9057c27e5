"""A tripped latch of real processes: no kill clears it, no entry leaves, and only a person with a reason resets it."""

import signal
from pathlib import Path

import pytest

from hip3.exchange.spent import SpentFile
from tests.stories.process import eventually, exchange, few_markets, service

MARKETS = ("xyz:GOLD", "xyz:NVDA", "xyz:TSLA")
SETTINGS = {
    "HIP3_EXCHANGE_SEED": "3",
    "HIP3_MARKETS": ",".join(MARKETS),
    "HIP3_TAKER_FEE_BPS": "0",  # it believes that trading is free where a leg costs more than any edge: it loses at once
    "HIP3_HARD_STOP_MAX_LOSS_USD": "0.001",
    "HIP3_TIME_STOP_MS": "300",
}


def _story(folder: Path, kills: int) -> None:
    # So many starts in a minute spend an address's weight, which is not what this is about.
    dear = folder / "dear.toml"
    dear.write_text(few_markets(MARKETS, growth="false", fee_scale='"3.0"'))
    with exchange(3, "--no-limits", "--latency", "30", "--config", str(dear)) as at:
        on = SETTINGS | {"HIP3_API_URL": at.url}
        with service(folder, **on) as run:
            user = run.wait_for(lambda s: s["hard_stop"]["tripped"], 90, "a loss")["account"]
            run.wait_for(lambda s: s["risk"]["stop_verified"] and not s["positions"], 30, "a flat account")
            run.process.send_signal(signal.SIGKILL)
            run.wait(5)
        assert SpentFile(folder / "state" / "weight.json", at.url).read(0) > 0  # the next process would know
        fills = at.info(type="userFills", user=user)
        for _ in range(kills):
            with service(folder, **on) as run:
                status = run.wait_for(lambda s: s["state"] == "HARD_STOP", 30, "a start")
                assert status["hard_stop"]["reason"].startswith("max_loss")
                eventually(lambda: run.stderr, 10, "its first line, which comes just after the latch was read")
                run.process.send_signal(signal.SIGKILL)
                run.wait(5)
                assert "HARD STOP max_loss" in run.stderr.splitlines()[0]
                assert "latch reset --reason" in run.stderr.splitlines()[0]
        assert at.info(type="userFills", user=user) == fills
        with service(folder, **on) as run:
            run.wait_for(lambda s: s["account"], 30, "a start")
            assert "still HARD_STOP" in run.run("resume").stdout
            assert run.run("pause").returncode == 0  # else the next loss trips it again
            assert run.run("latch", "reset", "--reason", " ").returncode == 2
            done = run.run("latch", "reset", "--reason", "while it runs")
            assert done.returncode == 0, done.stderr
            assert "was: max_loss" in done.stdout
            run.wait_for(lambda s: not s["hard_stop"]["tripped"], 10, "a reset")
            assert "no latch is tripped" in run.run("latch", "show").stdout
            assert run.terminate() == 0
        assert '"reason":"while it runs"' in next((folder / "state").glob("*/latch_resets.jsonl")).read_text()
        with service(folder, **on) as run:
            run.wait_for(lambda s: s["state"] == "REDUCING", 40, "a start that is still paused")
            assert run.run("resume").returncode == 0
            run.wait_for(lambda s: s["hard_stop"]["tripped"], 90, "another loss")
            assert run.terminate() == 0
            assert run.run("latch", "reset").returncode == 2
            assert run.run("latch", "reset", "--reason", " ").returncode == 2
            assert "max_loss" in run.run("latch", "show").stdout
            assert run.run("latch", "reset", "--reason", "the test is over").returncode == 0
        with service(folder, **on) as run:
            run.wait_for(lambda s: s["account"] and not s["hard_stop"]["tripped"], 30, "a start that may trade")
            assert run.terminate() == 0


def test_two_kills_do_not_clear_the_latch(tmp_path: Path) -> None:
    _story(tmp_path, 2)


@pytest.mark.long
def test_fifty_kills_do_not_clear_the_latch(tmp_path: Path) -> None:
    _story(tmp_path, 50)
