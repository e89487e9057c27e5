"""The control channel: who may use it, how deep its folder may be, and that nobody can hold it up."""

import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hip3.errors import ConfigError
from hip3.ops import control
from hip3.ops.control import Answer, ControlServer, Later, ask
from hip3.ops.state_dir import socket_path

Handle = Callable[[dict[str, Any]], "Answer | Later | None"]


@contextlib.contextmanager
def _served(root: Path, handler: Handle) -> Iterator[ControlServer]:
    root.mkdir(parents=True, exist_ok=True)
    server = ControlServer(socket_path(root), handler)
    done = threading.Event()

    def loop() -> None:
        while not done.is_set():
            server.step()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield server
    finally:
        done.set()
        thread.join(5)
        server.close()
        assert not socket_path(root).exists()


def _echo(request: dict[str, Any]) -> dict[str, Any]:
    return {"heard": request}


@pytest.mark.parametrize("depth", [1, 200, 900])
def test_a_state_folder_of_any_depth_has_its_socket_inside(tmp_path: Path, depth: int) -> None:
    root = tmp_path
    while len(os.fsencode(root)) < depth:
        root /= "x" * 60
    with _served(root, _echo):
        assert ask(socket_path(root), {"command": "status"}) == {"heard": {"command": "status"}}
        assert socket_path(root).parent == root.resolve()
        assert stat.S_IMODE(socket_path(root).stat().st_mode) == 0o600


def test_nobody_there_is_none_not_an_error(tmp_path: Path) -> None:
    assert ask(socket_path(tmp_path), {}) is None
    assert ask(socket_path(tmp_path / "missing" / ("x" * 200)), {}) is None
    with _served(tmp_path, _echo):
        pass
    assert ask(socket_path(tmp_path), {}) is None


_AS_NOBODY = """
import os, socket, sys
os.setgid(65534); os.setuid(65534)
with socket.socket(socket.AF_UNIX) as s:
    s.settimeout(5)
    try:
        s.connect(sys.argv[1])
    except PermissionError:
        print("refused by mode"); sys.exit()
    try:
        s.sendall(b'{"command": "stop"}\\n')
        print("answer", s.recv(1000))
    except (ConnectionResetError, BrokenPipeError):
        print("answer", b"")
"""


@pytest.mark.skipif(os.getuid() != 0, reason="becoming another user needs root")
def test_another_user_is_refused_by_the_mode_and_where_it_was_changed_by_the_kernel_s_word() -> None:
    heard: list[Any] = []
    with (
        tempfile.TemporaryDirectory() as name,
        _served(tmp_path := Path(name), lambda request: _echo(heard.append(request) or request)),
    ):
        path = str(socket_path(tmp_path))
        os.chmod(tmp_path, 0o755)  # the folder does not keep them out

        def nobody() -> str:
            return subprocess.run(
                [sys.executable, "-c", _AS_NOBODY, path], capture_output=True, text=True, timeout=20, check=True
            ).stdout.strip()  # fmt: skip

        assert nobody() == "refused by mode"
        os.chmod(path, 0o666)
        assert nobody() == "answer b''"
        assert heard == []


def test_a_peer_of_another_user_is_neither_heard_nor_told_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Any] = []
    with _served(tmp_path, lambda request: _echo(heard.append(request) or request)):
        monkeypatch.setattr(control, "peer_uid", lambda conn: os.geteuid() + 1)
        with pytest.raises(ConfigError, match="another user"):
            ask(socket_path(tmp_path), {"command": "stop"})
        monkeypatch.undo()
        assert ask(socket_path(tmp_path), {}) == {"heard": {}}
        assert heard == [{}]


def test_silent_and_dripping_clients_hold_nobody_up(tmp_path: Path) -> None:
    with _served(tmp_path, _echo), contextlib.ExitStack() as stack:
        for number in range(control.MOST_CLIENTS + 10):
            conn = stack.enter_context(socket.socket(socket.AF_UNIX))
            conn.connect(str(socket_path(tmp_path)))
            if number % 2:
                conn.sendall(b'{"half')
        for _ in range(3):
            assert ask(socket_path(tmp_path), {"n": 1}) == {"heard": {"n": 1}}


def test_a_command_under_way_does_not_hold_up_another_and_a_stop_answers_it(tmp_path: Path) -> None:
    ready = threading.Event()

    def handler(request: dict[str, Any]) -> "Answer | Later | None":
        if request["command"] == "long":
            return lambda: {"done": True} if ready.is_set() else None
        return None if request["command"] == "stop" else _echo(request)

    answers: dict[str, Any] = {}
    with _served(tmp_path, handler) as server:

        def wait_for(name: str) -> threading.Thread:
            def run() -> None:
                answers[name] = ask(socket_path(tmp_path), {"command": name.rstrip("12")}, 10)

            thread = threading.Thread(target=run)
            thread.start()
            return thread

        first = wait_for("long1")
        assert ask(socket_path(tmp_path), {"command": "status"}) is not None
        ready.set()
        first.join(5)
        ready.clear()
        others = [wait_for("long2"), wait_for("stop")]
        assert ask(socket_path(tmp_path), {"command": "status"}) is not None
        while server._waiting.empty():
            ask(socket_path(tmp_path), {"command": "status"})
        server.finish({"clean": True, "proof": "flat"})
        for thread in others:
            thread.join(5)
    assert answers["long1"] == {"done": True}
    assert answers["stop"] == {"clean": True, "proof": "flat"}
    assert "flat" in answers["long2"]["error"]


def test_what_is_no_command_or_fails_is_answered_and_costs_nothing_else(tmp_path: Path) -> None:
    def handler(request: dict[str, Any]) -> Answer:
        raise KeyError("broken")

    with _served(tmp_path, handler):
        for text in (b"not json\n", b"[1]\n", b'{"command": 1}\n', b"\xff\xfe\n"):
            with socket.socket(socket.AF_UNIX) as conn:
                conn.settimeout(5)
                conn.connect(str(socket_path(tmp_path)))
                conn.sendall(text)
                assert "error" in json.loads(conn.recv(10_000))


def test_a_text_that_is_no_utf_8_reaches_nobody_as_such(tmp_path: Path) -> None:
    """A reason typed in Latin-1 could be written to no file, and ended the risk thread."""
    seen: list[dict[str, Any]] = []

    def handler(request: dict[str, Any]) -> Answer:
        seen.append(request)
        return {"told": request["reason"]}

    with _served(tmp_path, handler):
        assert ask(socket_path(tmp_path), {"command": "x", "reason": "Ausl\udcf6ser"}) == {"told": "Ausl?ser"}
    assert seen[0]["reason"].encode() == b"Ausl?ser"
