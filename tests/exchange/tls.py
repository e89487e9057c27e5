"""A WebSocket server over real TLS on loopback, with a certificate of its own that lives for an hour."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Event, Ping, Request, TextMessage

from hip3.bench import secure


def certificate(folder: Path) -> Path:
    """Key and certificate for 127.0.0.1 in one file, which is also what a client is to trust."""
    made = secure.certificate(folder)
    assert made is not None
    return made


class _Echo:
    """Answers each text with itself, and says something of its own after each: both sides are always busy."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock, self._ws = sock, WSConnection(ConnectionType.SERVER)

    def run(self) -> None:
        with suppress(OSError), self._sock:
            while data := self._sock.recv(65_536):
                self._ws.receive_data(data)
                for event in self._ws.events():
                    self._answer(event)

    def _answer(self, event: Event) -> None:
        if isinstance(event, Request):
            self._sock.sendall(self._ws.send(AcceptConnection()))
        elif isinstance(event, TextMessage):
            noise = self._ws.send(TextMessage(data="noise " * 40))
            self._sock.sendall(self._ws.send(TextMessage(data=event.data)) + noise)
            self._sock.sendall(self._ws.send(Ping(payload=b"there?")))
        elif isinstance(event, CloseConnection):
            self._sock.sendall(self._ws.send(event.response()))


@contextmanager
def tls_server(pem: Path) -> Iterator[str]:
    """Its URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    listening = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                plain, _ = listening.accept()
                echo = _Echo(context.wrap_socket(plain, server_side=True))
                threads.append(threading.Thread(target=echo.run, daemon=True))
                threads[-1].start()

    threads.append(threading.Thread(target=accept, daemon=True))
    threads[0].start()
    try:
        yield f"wss://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for thread in threads:
            thread.join(5)
