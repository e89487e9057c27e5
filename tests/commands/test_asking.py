"""Whose service a command is for: of the network that the settings name, or whichever runs in the folder."""

from pathlib import Path

import pytest

from hip3 import cli
from hip3.commands.asking import ask_or_wait, meant
from hip3.commands.stop import stop
from hip3.config.settings import Settings
from hip3.errors import PreflightError
from hip3.ops.state_dir import StateLock, is_of
from hip3.ops.supervised import Supervised
from hip3.service.control_requests import handle
from tests.world import quiet_world

ACCOUNT = "0xabd7412900000000000000000000000000001234"


def test_a_command_for_another_network_does_nothing(tmp_path: Path) -> None:
    world = quiet_world(tmp_path)
    for request in (
        {"command": "flatten", "market": None},
        {"command": "stop", "mode": "flatten"},
        {"command": "pause"},
    ):
        answer = handle(world.running, request | {"place": "mainnet"})
        assert isinstance(answer, dict)
        assert answer["code"] == 2
        assert "embedded's" in answer["error"]
    assert not world.running.stop.asked
    assert world.ready
    handle(world.running, {"command": "pause", "place": "embedded"})
    assert not world.ready


def test_a_stop_that_is_refused_keeps_no_supervised_start_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"error": "the running service is paper-mainnet's", "code": 2}
    monkeypatch.setattr("hip3.commands.stop.ask_or_wait", lambda root, request, patience_s: answer)
    assert stop(Settings(state_dir=str(tmp_path)), "flatten", None) == 2
    assert not Supervised(tmp_path).stopped


def test_what_names_no_network_is_for_whatever_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop in an emergency needs no settings but the folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HIP3_NETWORK", raising=False)
    assert meant(Settings()) is None
    assert meant(Settings(mode="paper", network="testnet")) == "paper-testnet"
    (tmp_path / ".env").write_text("HIP3_NETWORK=mainnet\n")
    assert meant(Settings(network="mainnet")) == "mainnet"
    (tmp_path / ".env").unlink()
    monkeypatch.setenv("HIP3_NETWORK", "testnet")
    assert meant(Settings(network="testnet")) == "testnet"


@pytest.mark.parametrize(
    ("account", "whose"),
    [
        (ACCOUNT, True), (ACCOUNT.upper().replace("0X", "0x"), True), (ACCOUNT[:10], True), (f"embedded-{ACCOUNT[:10]}", True),
        ("embedded", False), ("0x", False), ("0xabd", False), (ACCOUNT[:6], True), ("0xabd74128" + ACCOUNT[10:], False),
    ],
)  # fmt: skip
def test_an_account_is_its_folder_s_by_its_address(account: str, whose: bool) -> None:
    assert is_of(f"embedded-{ACCOUNT[:10]}", account) is whose


def test_a_stop_that_comes_while_a_start_loads_keeps_supervised_starts_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start took the lock, loaded for half a second, and then took away the mark that `stop` had made meanwhile."""
    monkeypatch.setenv("HIP3_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("HIP3_LOG_DIR", str(tmp_path))

    def loaded(*args: object, **more: object) -> None:
        raise PreflightError(["the test ends the start here"])

    monkeypatch.setattr("hip3.service.start.begun", lambda settings: Supervised(tmp_path).mark(1) or None)
    monkeypatch.setattr("hip3.service.app.App", loaded)
    Supervised(tmp_path).mark(0)  # of before: this start takes it away
    assert cli.main(["run", "--duration", "1"]) == 4
    assert Supervised(tmp_path).stopped


def test_a_stop_that_was_answered_leaves_its_mark_whatever_took_the_first_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answered(*args: object) -> dict[str, object]:
        assert not Supervised(tmp_path).clear()  # by a start that has just taken the lock
        return {"clean": True, "proof": "flat", "mode": "cancel", "why": ""}

    monkeypatch.setattr("hip3.commands.stop.ask_or_wait", answered)
    assert stop(Settings(state_dir=str(tmp_path)), "cancel", None) == 0
    assert Supervised(tmp_path).stopped


def test_a_supervised_start_looks_for_the_mark_once_more_with_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop between the first look and the lock would be lost."""
    monkeypatch.setenv("HIP3_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("HIP3_LOG_DIR", str(tmp_path))

    class Late(StateLock):
        def __init__(self, root: Path) -> None:
            super().__init__(root)
            assert not Supervised(root).mark(1)

    def never(settings: Settings) -> None:
        raise PreflightError(["it was started"])

    monkeypatch.setattr("hip3.ops.state_dir.StateLock", Late)
    monkeypatch.setattr("hip3.service.start.begun", never)
    assert cli.main(["run", "--supervised"]) == 0


def test_a_command_waits_for_a_service_that_holds_its_lock_and_does_not_listen_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It said that nothing ran, and five seconds later the service traded."""
    answers: list[dict[str, object] | None] = [None, None, {"told": "paused"}]
    monkeypatch.setattr("hip3.commands.asking.ask", lambda path, request, timeout_s: answers.pop(0))
    monkeypatch.setattr("hip3.commands.asking.PAUSE_S", 0)
    lock = StateLock(tmp_path)
    assert ask_or_wait(tmp_path, {"command": "pause"}) == {"told": "paused"}
    answers[:] = [None] * 1000
    with pytest.raises(TimeoutError, match="does not listen"):
        ask_or_wait(tmp_path, {"command": "pause"})
    lock.release()
    answers[:] = [None]
    assert ask_or_wait(tmp_path, {"command": "pause"}) is None
