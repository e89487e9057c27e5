"""Main: what breaks in a round of its supervision must not end the process that leaves positions."""

import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hip3.cli import main
from hip3.config.reading import MarketSettings
from hip3.config.settings import Settings
from hip3.errors import PreflightError, VenueReadError
from hip3.service.app import App
from hip3.service.start import NO_ANSWER, OwnExchange, begun
from tests.fakes import FakeClock, MemoryJournal


def test_a_round_of_supervision_that_breaks_is_told_once_of_each_kind_and_the_next_comes(tmp_path: Path) -> None:
    app = App(MarketSettings(Settings(state_dir=str(tmp_path))), FakeClock())
    journal = app.running.journal = MemoryJournal()  # type: ignore[assignment]
    rounds: list[Exception | None] = [ValueError("odd"), ValueError("odd"), KeyError("other"), None, ValueError("odd")]
    left = iter(rounds)

    def watch() -> None:
        error = next(left)
        if error is not None:
            raise error

    app.watch = watch  # type: ignore[method-assign]
    for _ in rounds:
        app._watch_guarded()
    assert next(left, "all rounds came") == "all rounds came"
    told = [f["what"] for f in journal.of("fault")]
    assert told == ["supervision: ValueError: odd", "supervision: KeyError: 'other'", "supervision: ValueError: odd"]


def test_a_hangup_that_nohup_ignores_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal closed, and the service stopped with its positions open."""
    taken: list[int] = []
    monkeypatch.setattr("signal.signal", lambda number, handler: taken.append(number))
    for ignored in (True, False):
        monkeypatch.setattr("signal.getsignal", lambda number, i=ignored: signal.SIG_IGN if i else signal.SIG_DFL)
        taken.clear()
        App._install_signals(SimpleNamespace(_on_signal=None))  # type: ignore[arg-type]
        assert (signal.SIGHUP in taken) is not ignored
        assert signal.SIGTERM in taken


def test_a_second_signal_gives_the_screen_back_and_says_what_is_left_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell was left on the other screen, without a cursor and a word."""
    written: list[bytes] = []
    ended: list[int] = []
    monkeypatch.setattr("os.write", lambda fd, data: written.append(data))
    monkeypatch.setattr("os.isatty", lambda fd: True)
    monkeypatch.setattr("os._exit", ended.append)
    app = SimpleNamespace(running=SimpleNamespace(stop=SimpleNamespace(signals=0)))
    App._on_signal(app, 2, None)  # type: ignore[arg-type]
    assert (written, ended) == ([], [])
    App._on_signal(app, 2, None)  # type: ignore[arg-type]
    assert ended == [8]
    assert written[0].startswith(b"\x1b[?1049l\x1b[?25h")
    assert b"./run.sh flatten" in written[0]


def test_an_exchange_that_was_begun_ends_with_a_run_that_cannot_begin(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It starts while the service is imported, which is before the key is looked at."""
    ended: list[str] = []
    own = SimpleNamespace(stop=lambda patience_s: ended.append("ended"))
    monkeypatch.setattr("hip3.service.start.begun", lambda settings: own)
    monkeypatch.chdir(tmp_path)
    for name, value in {"STATE_DIR": "state", "LOG_DIR": "logs", "PRIVATE_KEY_FILE": "none.key"}.items():
        monkeypatch.setenv(f"HIP3_{name}", value)
    assert main(["run"]) == 2
    assert "none.key" in capsys.readouterr().err
    assert ended == ["ended"]


@pytest.mark.parametrize(
    ("settings", "begins"), [({}, True), ({"api_url": "http://127.0.0.1:9"}, False), ({"mode": "paper"}, False)]
)
def test_only_an_embedded_exchange_of_our_own_is_begun_ahead(
    settings: dict[str, Any], begins: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mirror may have to be tried again, and another's exchange is none of ours."""
    monkeypatch.setattr("hip3.service.start.OwnExchange", lambda settings: SimpleNamespace())
    assert (begun(Settings(**settings)) is not None) is begins


@pytest.mark.parametrize(
    ("says", "code", "error"),
    [("hip3: no room", 1, PreflightError), ("hip3: it is away", NO_ANSWER, VenueReadError), ("", 0, PreflightError)],
)
def test_an_exchange_that_does_not_start_is_told_in_its_own_words(
    says: str, code: int, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"import sys; print({says!r}, file=sys.stderr); sys.exit({code})"
    monkeypatch.setattr("hip3.service.start.hip3_command", lambda *words: [sys.executable, "-c", script])
    own = OwnExchange(Settings())
    with pytest.raises(error, match=says.removeprefix("hip3: ") or "it ended at once"):
        own.listening()
    own.stop()
    assert not own.alive
