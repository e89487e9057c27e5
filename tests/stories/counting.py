"""A proxy that writes down, word for word, what went to the exchange behind it: requests over HTTP, messages over WebSocket."""

import contextlib
import json
import socket
import threading
from typing import Any


def _frames(data: bytes) -> list[str]:
    """The text messages of a client's WebSocket bytes; a frame that is cut off is left out."""
    out, at = [], 0
    while at + 6 <= len(data):
        opcode, size, head = data[at] & 15, data[at + 1] & 127, 2
        if size == 126:
            size, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
        elif size == 127:
            size, head = int.from_bytes(data[at + 2 : at + 10], "big"), 10
        body = data[at + head + 4 : at + head + 4 + size]
        mask = data[at + head : at + head + 4]
        if len(body) == size and opcode in (1, 2):
            out.append(bytes(b ^ mask[i % 4] for i, b in enumerate(body)).decode())
        at += head + 4 + size
    return out


def said(data: bytes) -> list[tuple[str, Any]]:
    """(path, body) of each request of one connection; what went over its WebSocket has the path `ws`."""
    out: list[tuple[str, Any]] = []
    while b"\r\n\r\n" in data:
        head, _, data = data.partition(b"\r\n\r\n")
        lines = head.decode().lower().split("\r\n")
        path = head.decode().split(" ")[1]
        if "upgrade: websocket" in lines:
            return out + [("ws", json.loads(text)) for text in _frames(data)]
        size = next((int(line.split(":")[1]) for line in lines if line.startswith("content-length:")), 0)
        out.append((path, json.loads(data[:size] or b"null")))
        data = data[size:]
    return out


class Counting:
    """TCP in the middle. `cut()` breaks every connection; while `shut`, new ones are refused."""

    def __init__(self, target: str) -> None:
        self._target = int(target.rsplit(":", 1)[1])
        self._up: list[bytearray] = []
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.shut = self._closed = False
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def said(self) -> list[tuple[str, Any]]:
        """Everything so far."""
        return [word for data in list(self._up) for word in said(bytes(data))]

    @property
    def kinds(self) -> set[str]:
        """What it was: `ws subscribe bbo`, `/info meta`, …"""
        out = set()
        for path, body in self.said:
            kind = body.get("subscription", {}).get("type") if path == "ws" else body.get("type")
            out.add(f"{path} {body['method']} {kind}" if path == "ws" else f"{path} {kind}")
        return out

    def cut(self) -> None:
        pairs, self._open = self._open, []
        for sock in pairs:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(3)

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                continue
            if self.shut:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._target))
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open += [client, server]
            heard = bytearray()
            self._up.append(heard)
            for pair in ((client, server, heard), (server, client, None)):
                self._threads.append(threading.Thread(target=self._pump, args=pair, daemon=True))
                self._threads[-1].start()

    def _pump(self, source: socket.socket, sink: socket.socket, heard: bytearray | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if heard is not None:
                    heard += data
                sink.sendall(data)
        for sock in (source, sink):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
