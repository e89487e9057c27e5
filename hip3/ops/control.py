"""The local control channel: one JSON line in, one out, over a Unix socket of this user alone.

Two guards keep others out: the socket's mode (0600), and the user id that the kernel reports of the peer, which also
holds where somebody changed the mode. The client asks the same of the service, so that a foreign process that took
the path learns nothing.

Confined to the control thread, but for `finish`. Nobody waits for a client: bytes are taken as they come, and the
oldest of too many open connections is closed.
"""

import contextlib
import json
import os
import queue
import selectors
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hip3.errors import ConfigError
from hip3.ops.state_dir import DEMO, socket_path

Answer = dict[str, Any]
Later = Callable[[], Answer | None]
"""A command under way: called with each step until it has an answer."""
Handler = Callable[[dict[str, Any]], "Answer | Later | None"]
"""Answers a command, or gives what will; None: the answer comes when the service has stopped, by `finish`."""
MAX_LINE = 100_000
MOST_CLIENTS = 32
TIMEOUT_S = 5.0
SEND_S = 0.5
IDLE_S, BUSY_S = 0.3, 0.05
SOCKET_PATH_MAX = 100
"""Linux allows 107 bytes; a little less leaves room for other systems."""


class _Client:
    """One connection, what it has sent so far, and the command of its that is under way."""

    __slots__ = ("conn", "data", "later")

    def __init__(self, conn: socket.socket) -> None:
        self.conn = conn
        self.data = b""
        self.later: Later | None = None


class ControlServer:
    """Answers commands; `step` is the control thread's loop body."""

    def __init__(self, path: Path, handler: Handler) -> None:
        self._path, self._handler = path, handler
        path.unlink(missing_ok=True)  # the state lock is held: a socket left here is a dead one's
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            with _short(path) as name:
                self._socket.bind(name)
        finally:
            os.umask(before)
        self._socket.listen(64)
        self._socket.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._clients: list[_Client] = []
        self._final: Answer | None = None
        self._waiting: queue.Queue[socket.socket] = queue.Queue()

    def step(self) -> None:
        """Wait a moment for what clients send; answer what is complete."""
        busy = any(client.later is not None for client in self._clients)
        for key, _ in self._selector.select(BUSY_S if busy else IDLE_S):
            if key.data is None:
                self._accept()
            elif key.data in self._clients:  # else it was dropped a moment ago, for one too many
                self._read(key.data)
        for client in [c for c in self._clients if c.later is not None]:
            self._go_on(client)

    def _accept(self) -> None:
        try:
            conn, _ = self._socket.accept()
        except OSError:
            return  # it has gone already
        if peer_uid(conn) != os.geteuid():
            conn.close()
            return
        conn.setblocking(False)
        client = _Client(conn)
        self._clients.append(client)
        self._selector.register(conn, selectors.EVENT_READ, client)
        silent = [c for c in self._clients if c.later is None]
        if len(silent) > MOST_CLIENTS:
            self._drop(silent[0])

    def _read(self, client: _Client) -> None:
        try:
            part = client.conn.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        client.data += part
        if client.data.endswith(b"\n"):
            self._selector.unregister(client.conn)
            self._take(client)
        elif not part or len(client.data) > MAX_LINE:
            self._drop(client)

    def _take(self, client: _Client) -> None:
        """A whole command came."""
        try:
            request = json.loads(client.data)
            answer = self._handler({k: readable(v) for k, v in request.items()} if isinstance(request, dict) else {})
        except Exception as error:  # noqa: BLE001 a command that fails must not cost the channel
            answer = _failed(error)
        if callable(answer):
            client.later = answer
            return
        self._clients.remove(client)
        if answer is None and self._final is None:
            self._waiting.put(client.conn)
        else:
            _answer(client.conn, answer or self._final or {})

    def _go_on(self, client: _Client) -> None:
        assert client.later is not None
        try:
            answer = client.later()
        except Exception as error:  # noqa: BLE001 the same
            answer = _failed(error)
        if answer is None and self._final is not None:
            answer = self._overtaken()
        if answer is not None:
            self._clients.remove(client)
            _answer(client.conn, answer)

    def _overtaken(self) -> Answer:
        """What is said to a command that was under way when the service stopped."""
        return {"code": 8, "error": f"the service stopped meanwhile: {(self._final or {}).get('proof', '')}"}

    def _drop(self, client: _Client) -> None:
        self._selector.unregister(client.conn)
        self._clients.remove(client)
        client.conn.close()

    def finish(self, answer: Answer) -> None:
        """Answer everybody who was told to wait, and whoever still comes. Any thread."""
        self._final = answer
        while not self._waiting.empty():
            _answer(self._waiting.get_nowait(), answer)

    def close(self) -> None:
        """Stop listening and take the socket away; after the control thread ended."""
        while not self._waiting.empty():
            self._waiting.get_nowait().close()
        for client in self._clients:
            if client.later is not None:
                _answer(client.conn, self._overtaken())
            client.conn.close()
        self._selector.close()
        self._socket.close()
        self._path.unlink(missing_ok=True)


def readable(value: Any) -> Any:
    """A text that every file and answer takes: what a terminal sent that is no UTF-8 is a question mark."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def peer_uid(conn: socket.socket) -> int:
    """The user on the other side, as the kernel knows it."""
    _, uid, _ = struct.unpack("3i", conn.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return int(uid)


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """The name to bind or connect to: a deep state folder is reached through its descriptor, so that the socket is
    always in it, where no other user can take its place."""
    if len(os.fsencode(path)) <= SOCKET_PATH_MAX:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _failed(error: Exception) -> Answer:
    return {"code": 1, "error": f"{type(error).__name__}: {error}"}


def _answer(conn: socket.socket, answer: Answer) -> None:
    with conn:
        try:
            conn.settimeout(SEND_S)
            conn.sendall(json.dumps(answer).encode() + b"\n")
        except OSError:
            return  # who asked has gone, or does not read


def _foreign(path: Path) -> ConfigError:
    return ConfigError([f"{path}: the service runs as another user; give this command as that one"])


def _line(conn: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        part = conn.recv(65_536)
        if not part:
            break
        data += part
    return data


def ask(path: Path, request: dict[str, Any], timeout_s: float = TIMEOUT_S) -> Answer | None:
    """The answer of the service behind `path`; None if none is running. TimeoutError if it is silent.

    ConfigError if it runs as another user.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as conn:
        conn.settimeout(timeout_s)
        try:
            with _short(path) as name:
                conn.connect(name)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except PermissionError:
            raise _foreign(path) from None
        except BlockingIOError:
            raise TimeoutError("too many wait to be heard by the service") from None
        if peer_uid(conn) != os.geteuid():
            raise _foreign(path)
        try:
            conn.sendall(json.dumps(request).encode() + b"\n")
            line = _line(conn)
        except (ConnectionResetError, BrokenPipeError):
            return None
        if not line:
            return None  # it ended while we asked
        answer: Answer = json.loads(line)
        return answer


def nobody() -> str:
    """What to say where no service answers: a demo, which has a folder of its own, is named."""
    runs = ask(socket_path(Path(DEMO)), {"command": "status"}) is not None
    demo = f"; a demo runs: HIP3_STATE_DIR={DEMO} ./run.sh status" if runs else ""
    return f"no service is running here; start it with ./run.sh{demo}"
