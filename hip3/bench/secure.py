"""Signal to socket and to its reply over TLS, beside the same over a plain socket: two services, in turns.

Both talk to one exchange through a relay, a process of its own (`python -m hip3.bench.secure PORT [PEM]`), which ends
TLS for one of them and does nothing else for the other, so that the way is the same. The certificate is made for the
run; the package that makes it is a test dependency.
"""

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hip3.bench import reference
from hip3.bench.rig import Broken, Rig, exchange, pause
from hip3.bench.rows import Row, absent, at_most, beside, ours
from hip3.bench.stats import Samples
from hip3.bench.wired import BETWEEN_S
from hip3.service.start import PACKAGE_PARENT

PATHS = ("signal to socket, TLS", "signal to processed reply, TLS")
SELF = "hip3.bench.secure"
PLAIN, MOST = "a plain socket", at_most(1.3)
TRUSTED = "WEBSOCKET_CLIENT_CA_BUNDLE"
"""The WebSocket library reads this variable when it connects."""


def certificate(folder: Path) -> Path | None:
    """Key and certificate for 127.0.0.1 in one file, good for an hour, which is also what a client is to trust. None
    where the package is missing that makes it."""
    x509 = reference.other("cryptography.x509")
    if x509 is None:
        return None
    hazmat = "cryptography.hazmat.primitives"
    hashes, serial = reference.other(f"{hazmat}.hashes"), reference.other(f"{hazmat}.serialization")
    ec = reference.other(f"{hazmat}.asymmetric.ec")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "127.0.0.1")])
    now, hour = datetime.datetime.now(datetime.UTC), datetime.timedelta(hours=1)
    built: Any = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - hour).not_valid_after(now + hour)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    private = key.private_bytes(serial.Encoding.PEM, serial.PrivateFormat.PKCS8, serial.NoEncryption())
    path = folder / "server.pem"
    path.write_bytes(private + built.public_bytes(serial.Encoding.PEM))
    return path


def measure(folder: Path, shots: int) -> Iterable[Row]:
    """The rows."""
    pem = certificate(folder)
    if pem is None:
        yield from (absent(path, PLAIN, MOST) for path in PATHS)
        return
    found: tuple[list[tuple[float, float]], list[tuple[float, float]]] = ([], [])
    with (
        exchange(folder, 2) as url, relayed(url, SELF) as plain, relayed(url, SELF, str(pem)) as secure,
        reference.variable(TRUSTED, str(pem)),
        Rig(folder / "tls", url, 1, ws_url=f"wss://{secure}/ws") as one,
        Rig(folder / "plain", url, 1, ws_url=f"ws://{plain}/ws") as other,
    ):  # fmt: skip
        for n in range(2 * shots):
            rig = (one, other)[n % 2]
            pause(BETWEEN_S)
            hit = rig.shoot(rig.coins[0], n)
            found[n % 2].append(((hit.sent - hit.signalled) / 1000, (hit.replied - hit.signalled) / 1000))
    for path, own, theirs in zip(PATHS, zip(*found[0], strict=True), zip(*found[1], strict=True), strict=True):
        yield ours(path, Samples.of(own))
        yield beside(path, Samples.of(own), PLAIN, Samples.of(theirs), MOST)


@contextlib.contextmanager
def relayed(url: str, module: str, *args: str) -> Iterator[str]:
    """`python -m MODULE PORT ARGS` as a relay to an exchange; its address and port."""
    command = [sys.executable, "-m", module, url.rpartition(":")[2], *args]
    child = subprocess.Popen(
        command, cwd=PACKAGE_PARENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        port = child.stdout.readline().strip()
        if not port:
            raise Broken("the relay did not start")
        yield f"127.0.0.1:{port}"
    finally:
        child.stdin.close()
        child.wait(10)
        child.stdout.close()


async def relay(port: int, pem: str | None) -> None:
    """Pass bytes on between every client and the port, until standard input ends."""
    context = None
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
        sink.close()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, there = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, there), copy(back, writer))

    server = await asyncio.start_server(client, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(relay(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None))
