"""A way in for clients whose addresses cannot be changed: a proxy that is taken for the host they call.

The client's process gets it as its HTTPS proxy and trusts its certificate. Whatever it then sends to that host comes to
the embedded exchange, decrypted; nothing else is let through.
"""

import contextlib
import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def _certificates(folder: Path, host: str) -> tuple[Path, Path]:
    """An authority of our own, and key and certificate of the host that it signed. Both live for an hour."""
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _signed("the tests", authority, "the tests", authority, x509.BasicConstraints(ca=True, path_length=None))
    leaf = _signed(host, key, "the tests", authority, x509.SubjectAlternativeName([x509.DNSName(host)]))
    trusted, server = folder / "trusted.pem", folder / "server.pem"
    trusted.write_bytes(root)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server.write_bytes(private + leaf)
    return trusted, server


def _signed(
    subject: str, key: ec.EllipticCurvePrivateKey, issuer: str, by: ec.EllipticCurvePrivateKey, more: x509.ExtensionType
) -> bytes:
    now, hour = datetime.datetime.now(datetime.UTC), datetime.timedelta(hours=1)
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in (subject, issuer)]
    built = (
        x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1]).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - hour).not_valid_after(now + hour)
        .add_extension(more, critical=isinstance(more, x509.BasicConstraints)).sign(by, hashes.SHA256())
    )  # fmt: skip
    return built.public_bytes(serialization.Encoding.PEM)


class _Gate:
    """Accepts CONNECT to the host, ends the TLS inside, and copies both ways."""

    def __init__(self, server: Path, host: str, port: int) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(server)
        self._host, self._port = host, port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._spawn(self._accept)

    def _spawn(self, job: object, *args: socket.socket) -> None:
        self._threads.append(threading.Thread(target=job, args=args, daemon=True))  # type: ignore[arg-type]
        self._threads[-1].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._spawn(self._serve, self._listening.accept()[0])

    def _serve(self, client: socket.socket) -> None:
        self._open.append(client)
        with contextlib.suppress(OSError), client:
            request = b""
            while b"\r\n\r\n" not in request:
                request += client.recv(4096)
            if not request.startswith(f"CONNECT {self._host}:443 ".encode()):
                client.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
                return
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            inside = self._context.wrap_socket(client, server_side=True)
            behind = socket.create_connection(("127.0.0.1", self._port))
            self._open += [inside, behind]
            self._spawn(_copy, behind, inside)
            _copy(inside, behind)

    def close(self) -> None:
        for sock in (self._listening, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(5)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def gate(folder: Path, host: str, url: str) -> Iterator[dict[str, str]]:
    """What to put into the client's environment, so that `host` is the exchange at `url`."""
    trusted, server = _certificates(folder, host)
    opened = _Gate(server, host, int(url.rsplit(":", 1)[1]))
    try:
        yield {"SSL_CERT_FILE": str(trusted), "HTTPS_PROXY": opened.url, "NO_PROXY": ""}
    finally:
        opened.close()
