"""Alerts of real processes, received by a local listener: start, loss of READY, latch, reset, stop, and failure."""

import json
import sys
from pathlib import Path

from tests.stories.listener import Listener, listener
from tests.stories.process import eventually, exchange, local_exchange, service

RIG = [sys.executable, str(Path(__file__).with_name("rigged.py"))]


def _texts(hook: Listener, kind: str) -> list[str]:
    return [m["message"] for m in hook.of(kind)]


def test_a_session_tells_its_start_and_its_stop_with_their_proofs_and_beats(tmp_path: Path) -> None:
    with listener() as hook, exchange(3) as venue:
        on = {"HIP3_ALERT_URLS": hook.json_url, "HIP3_DEADMAN_URL": f"http://{hook.place}/beat"}
        with service(tmp_path, HIP3_API_URL=venue.url, HIP3_EXCHANGE_SEED="3", **on) as run:
            run.wait_for(lambda s: s["state"] == "READY", 30, "READY")
            eventually(lambda: hook.of("start"), 10, "the start's alert")
            assert "READY: flat, 0 open orders, 0 unknown" in _texts(hook, "start")[0]
            eventually(lambda: hook.asked == ["/beat"], 10, "a heartbeat")
            status = run.status()
            assert status is not None
            assert [(c["channel"], c["ok"]) for c in status["alerts"]] == [("1 json", True), ("dead man", True)]
            assert run.run("stop", "--flatten").returncode == 0
        assert "flat, no open orders, 0 unknown" in _texts(hook, "stop")[0]
        for path in [*tmp_path.rglob("*")]:
            assert not path.is_file() or b"token5up3rs3cret" not in path.read_bytes(), path


def test_ready_lost_for_longer_than_the_limit_is_told_and_the_stop_of_such_a_start(tmp_path: Path) -> None:
    with listener() as hook:
        on = {"HIP3_ALERT_URLS": hook.json_url, "HIP3_NOT_READY_ALERT_MS": "500"}
        key = {"HIP3_PRIVATE_KEY": "0x" + "11" * 32, "HIP3_MARKETS": "xyz:GOLD"}
        # A token in the path of an address is shown nowhere.
        with service(tmp_path, HIP3_API_URL="http://127.0.0.1:9/token5up3rs3cret", **on, **key) as run:
            eventually(lambda: hook.of("not_ready"), 20, "the alert")
            assert "cannot reach http://127.0.0.1:9/…" in _texts(hook, "not_ready")[0]
            assert (run.run("stop", "--flatten", "--timeout", "2").returncode, run.wait(5)) == (8, 8)
        assert "not proved" in _texts(hook, "stop_open")[0]
        logged = (tmp_path / "logs" / "hip3.log").read_text()
        assert "http://127.0.0.1:9/…" in logged
        assert "token5up3rs3cret" not in logged


def test_a_start_that_fails_delivers_its_alert(tmp_path: Path) -> None:
    with listener() as hook, exchange(3) as venue:
        on = {"HIP3_ALERT_URLS": hook.json_url, "HIP3_MARKETS": "xyz:NOPE", "HIP3_EXCHANGE_SEED": "3"}
        with service(tmp_path, HIP3_API_URL=venue.url, **on) as run:
            assert run.wait(20) == 4
        assert "market xyz:NOPE does not exist" in _texts(hook, "failed")[0]


def test_an_address_that_apprise_does_not_know_ends_the_start_with_2_and_is_not_shown(tmp_path: Path) -> None:
    with service(tmp_path, HIP3_ALERT_URLS="json://h/t,nonesuch://s3cret-token") as run:
        assert run.wait(20) == 2
        (line,) = run.stderr.splitlines()
        assert "HIP3_ALERT_URLS: entry 2 nonesuch" in line
        assert "s3cret" not in line


def test_a_latch_that_ends_the_process_and_its_reset_by_another_are_told(tmp_path: Path) -> None:
    with listener() as hook, local_exchange() as at:
        on = {"HIP3_ALERT_URLS": hook.json_url, "HIP3_EXCHANGE_SEED": "1", "HIP3_MARKETS": "xyz:GOLD"}
        with service(tmp_path, rigged=[*RIG, "die", "risk"], HIP3_API_URL=at.url, **on) as run:
            assert run.wait(40) == 1, run.stderr[-2000:]
            assert "thread_dead" in _texts(hook, "latch")[0]
            assert "thread risk died" in _texts(hook, "failed")[0]
            hook.received.clear()
            reset = run.run("latch", "reset", "--reason", "found the bug")
            assert (reset.returncode, reset.stderr) == (0, "")
        (told,) = _texts(hook, "latch_reset")
        assert "found the bug" in told
        assert "thread_dead" in told


def test_a_latch_from_before_is_told_at_the_start_and_a_dead_channel_ends_nothing(tmp_path: Path) -> None:
    with listener() as hook, listener() as stuck, exchange(3) as venue:
        on = {"HIP3_ALERT_URLS": f"{stuck.json_url},{hook.json_url}", "HIP3_EXCHANGE_SEED": "3"}
        stuck.go_on.clear()
        with service(tmp_path, HIP3_API_URL=venue.url, **on) as run:
            account = run.wait_for(lambda s: s["state"] == "READY", 30, "READY")["account"]
            assert run.terminate(5) == 0  # and not a moment longer: TimeoutExpired fails the test
        folder = tmp_path / "state" / f"embedded-{account[:10]}"
        (folder / "latch.json").write_text(json.dumps({"tripped": True, "reason": "manual: told to", "at_ms": 5}))
        with service(tmp_path, HIP3_API_URL=venue.url, **on) as run:
            eventually(lambda: "manual: told to" in "".join(_texts(hook, "latch")), 20, "the alert")
            assert run.terminate(5) == 0
        assert len(hook.of("stop")) == 2
        assert not stuck.received
