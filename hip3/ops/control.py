"""The local control channel: one JSON line in, one out, over a Unix socket of this user alone."""

import json
import os
import queue
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hip3.ops.state_dir import short_path

Handler = Callable[[dict[str, Any]], dict[str, Any] | None]
"""Answers a command; None: the answer comes later, by `finish`."""
MAX_LINE = 100_000
TIMEOUT_S = 5.0


class ControlServer:
    """Answers commands; `step` is the control thread's loop body."""

    def __init__(self, path: Path, handler: Handler) -> None:
        self._path, self._handler = path, handler
        path.unlink(missing_ok=True)  # the state lock is held: a socket left here is a dead one's
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            with short_path(path) as name:
                self._socket.bind(name)
        finally:
            os.umask(before)
        self._socket.listen(8)
        self._socket.settimeout(0.3)
        self._final: dict[str, Any] | None = None
        self._waiting: queue.Queue[socket.socket] = queue.Queue()

    def step(self) -> None:
        """Wait a moment for one command and answer it."""
        try:
            conn, _ = self._socket.accept()
        except TimeoutError:
            return
        conn.settimeout(TIMEOUT_S)
        try:
            request = json.loads(_line(conn))
            answer = self._handler(request if isinstance(request, dict) else {})
        except (OSError, ValueError) as error:
            answer = {"error": str(error)}
        if answer is None and self._final is None:
            self._waiting.put(conn)
        else:
            _answer(conn, answer or self._final or {})

    def finish(self, answer: dict[str, Any]) -> None:
        """Answer everybody who was told to wait, and whoever still comes. Any thread."""
        self._final = answer
        while not self._waiting.empty():
            _answer(self._waiting.get_nowait(), answer)

    def close(self) -> None:
        """Stop listening and take the socket away."""
        while not self._waiting.empty():
            self._waiting.get_nowait().close()
        self._socket.close()
        self._path.unlink(missing_ok=True)


def _answer(conn: socket.socket, answer: dict[str, Any]) -> None:
    with conn:
        try:
            conn.sendall(json.dumps(answer).encode() + b"\n")
        except OSError:
            return  # who asked has gone


def _line(conn: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n") and len(data) < MAX_LINE:
        part = conn.recv(65_536)
        if not part:
            break
        data += part
    return data


def ask(path: Path, request: dict[str, Any], timeout_s: float = TIMEOUT_S) -> dict[str, Any] | None:
    """The answer of the service behind `path`; None if none is running. TimeoutError if it is silent."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as conn:
        conn.settimeout(timeout_s)
        try:
            with short_path(path) as name:
                conn.connect(name)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        conn.sendall(json.dumps(request).encode() + b"\n")
        try:
            line = _line(conn)
        except ConnectionResetError:
            return None
        if not line:
            return None  # it ended while we asked
        answer: dict[str, Any] = json.loads(line)
        return answer
