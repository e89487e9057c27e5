"""A WebSocket server over real TLS on loopback, with a certificate of its own that lives for an hour."""

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Event, Ping, Request, TextMessage


def certificate(folder: Path) -> Path:
    """Key and certificate for 127.0.0.1 in one file, which is also what a client is to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    return path


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
