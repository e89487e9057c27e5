"""Real processes over real sockets: an exchange, a proxy that can be cut or told to fail, a service."""

import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import requests

from hip3.clock import SystemClock
from hip3.exchange.signing import SigningKey, sign_l1_action
from hip3.exchange.wire_out import signed_body
from hip3.ops.control import ask
from hip3.ops.state_dir import socket_path
from hip3.venue.answers.info import answer
from hip3.venue.books.kept import Kept
from hip3.venue.server import ExchangeServer
from hip3.venue.setup.settings import DATA_FILE, VenueSetup, load_setup
from hip3.venue.venue import Venue

ROOT = Path(__file__).resolve().parents[2]
TABLE = ("--duration", "600")
"""A run that prints its table at its end. The test ends it when it has seen what it waits for: how much a service does in
so many seconds is the machine's."""
PAUSE = threading.Event()


def eventually(condition: Any, deadline_s: float, what: str) -> Any:
    """The first true answer of `condition`; fails with `what` at the deadline, and in no less than a minute.

    A deadline is there to end a test that fails. It says nothing about the speed of the machine.
    """
    end = time.monotonic() + max(deadline_s, 60)
    while time.monotonic() < end:
        answer = condition()
        if answer:
            return answer
        PAUSE.wait(0.05)
    raise AssertionError(f"not within {deadline_s} s: {what}")


def command(*args: str) -> list[str]:
    return [sys.executable, str(ROOT / "hip3.py"), *args]


STRICT = Path(__file__).with_name("strict.toml")


def few_markets(coins: Collection[str], **changed: str) -> str:
    """The file of an exchange that has these markets alone, with lines of theirs changed."""
    parts = DATA_FILE.read_text().split("[[markets]]")[1:]
    out = [STRICT.read_text()]
    for lines in (part.split("\n[")[0].splitlines() for part in parts):
        if any(f'coin = "{coin}"' in lines for coin in coins):
            kept = [line for line in lines if line.split(" = ")[0] not in changed]
            out.append("\n".join(["[[markets]]", *kept, *(f"{key} = {value}" for key, value in changed.items())]))
    return "\n".join(out) + "\n"


class Exchange:
    """`hip3.py exchange` as a process of its own."""

    def __init__(self, seed: int = 1, *args: str) -> None:
        strict = () if "--config" in args else ("--config", str(STRICT))  # ours sign for the network they are on
        self.process = subprocess.Popen(
            command("exchange", "--port", "0", "--seed", str(seed), *strict, *args),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        if not said:
            self.stop()
            raise AssertionError(f"the exchange did not start: it ended with {self.process.returncode}")
        self.url = said.split()[-1]

    def info(self, **request: Any) -> Any:
        return requests.post(self.url + "/info", json=request, headers=TESTER, timeout=5).json()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


TESTER = {"X-Forwarded-For": "192.0.2.1"}
"""The test asks as a client of its own: its requests must not use up the service's weight."""


class LocalExchange:
    """The embedded exchange in a thread of the test, whose core can be reached: `do(job)` runs on it."""

    def __init__(
        self, seed: int = 1, latency_ms: int = 30, setup: VenueSetup | None = None, *, limited: bool = True
    ) -> None:
        def make(now_ms: int, kept: Kept | None = None) -> Venue:
            given = setup or load_setup()
            free = msgspec.structs.replace(given.parameters, sub_account_volume=Decimal(0))
            return Venue(
                msgspec.structs.replace(given, parameters=free),
                seed=seed,
                profile="lively",
                now_ms=now_ms,
                latency_ms=latency_ms,
                limited=limited,
                kept=kept,
            )

        self._server = ExchangeServer(make, SystemClock(), host="127.0.0.1", port=0)
        self._server.start()
        self.venue = self._server.venue
        self.url = f"http://127.0.0.1:{self._server.port}"

    def do(self, job: Any) -> Any:
        """Run `job(venue, now_ms)` on the exchange's own thread; its answer."""
        done: queue.Queue[Any] = queue.Queue()
        self._server._inbox.put(lambda now_ms: done.put(job(self.venue, now_ms)))
        return done.get(timeout=10)

    def sign(self, key: SigningKey, action: dict[str, Any], nonce: int) -> Any:
        """A signed action of somebody else; its response."""
        body = signed_body(action, nonce, sign_l1_action(key, action, nonce, mainnet=False))
        answered = requests.post(self.url + "/exchange", json=body, headers=TESTER, timeout=5).json()
        assert answered["status"] == "ok", answered
        return answered["response"]

    def info(self, **request: Any) -> Any:
        """What the exchange would answer, asked of its core: a test may look as often as it likes."""
        return self.do(lambda venue, now_ms: json.loads(json.dumps(answer(venue.books, request, now_ms)[1])))

    def stop(self) -> None:
        self._server.stop()


class Proxy:
    """TCP in the middle: `cut()` breaks every connection, `fail(text)` answers requests with it by 500."""

    def __init__(self, target: str) -> None:
        self._target = int(target.rsplit(":", 1)[1])
        self._pairs: list[socket.socket] = []
        self._failing: bytes | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._closed = False
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._spawn(self._accept)

    def fail(self, text: str) -> None:
        self._failing = text.encode()

    def cut(self) -> None:
        pairs, self._pairs = self._pairs, []
        for sock in pairs:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def close(self) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(3)

    def _spawn(self, target: Any, *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                continue
            self._pairs += [client, server]
            self._spawn(self._pump, client, server, True)
            self._spawn(self._pump, server, client, False)

    def _pump(self, source: socket.socket, sink: socket.socket, requests_: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if requests_ and self._failing is not None and self._failing in data:
                    # The head of the request may have gone through already: end the connection with it.
                    source.sendall(
                        b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 4\r\n\r\nnull"
                    )
                    break
                sink.sendall(data)
        for sock in (source, sink):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


class Service:
    """`hip3.py run` as a process, with a state folder of its own."""

    def __init__(self, folder: Path, *args: str, rigged: list[str] | None = None, **settings: str) -> None:
        self.folder = folder
        (folder / "state" / "weight.json").unlink(missing_ok=True)  # as if a minute had passed since the last run
        clean = {k: v for k, v in os.environ.items() if not k.startswith("HIP3_")}
        self.env = clean | {
            "HIP3_STATE_DIR": str(folder / "state"),
            "HIP3_LOG_DIR": str(folder / "logs"),
            "HIP3_HTTP_PORT": "0",
        } | settings  # fmt: skip
        self._out = open(folder / "stdout.txt", "w+")  # noqa: SIM115
        self._err = open(folder / "stderr.txt", "w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [*rigged, "run", *args] if rigged else command("run", *args),
            cwd=folder,
            env=self.env,
            stdout=self._out,
            stderr=self._err,
            text=True,
        )

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Another command in the same place."""
        return subprocess.run(
            command(*args), cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=120, check=False
        )

    def status(self) -> dict[str, Any] | None:
        """What the command prints."""
        answer = self.run("status", "--json")
        return json.loads(answer.stdout) if answer.returncode == 0 else None

    def _told(self) -> dict[str, Any] | None:
        """The same from the control socket: a command for each look would cost more than the service itself."""
        try:
            return ask(socket_path(Path(self.env["HIP3_STATE_DIR"])), {"command": "status"})
        except TimeoutError:
            return None

    def wait_for(self, condition: Any, deadline_s: float, what: str) -> dict[str, Any]:
        def check() -> Any:
            assert self.process.poll() is None, f"the service ended: {self.stderr[-2000:]}"
            status = self._told()
            return status if status is not None and condition(status) else None

        return eventually(check, deadline_s, what)

    def terminate(self, deadline_s: float = 10) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(deadline_s)

    def flatten(self) -> int:
        """End it like the end of `--duration`, when the test has seen enough; its exit code."""
        self.run("stop", "--flatten")
        return self.process.wait(60)

    def wait(self, deadline_s: float) -> int:
        return self.process.wait(deadline_s)

    @property
    def stdout(self) -> str:
        return (self.folder / "stdout.txt").read_text()

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr.txt").read_text()

    def table(self) -> dict[str, str]:
        """The closing table: name -> value."""
        rows = (line.split("   ", 1) for line in self.stdout.splitlines())
        return {row[0].strip(): row[1].strip() for row in rows if len(row) == 2}

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(5)
        self._out.close()
        self._err.close()


@contextlib.contextmanager
def exchange(seed: int = 1, *args: str) -> Iterator[Exchange]:
    started = Exchange(seed, *args)
    try:
        yield started
    finally:
        started.stop()


@contextlib.contextmanager
def local_exchange(seed: int = 1, setup: VenueSetup | None = None, *, limited: bool = True) -> Iterator[LocalExchange]:
    started = LocalExchange(seed, setup=setup, limited=limited)
    try:
        yield started
    finally:
        started.stop()


@contextlib.contextmanager
def proxy(target: str) -> Iterator[Proxy]:
    started = Proxy(target)
    try:
        yield started
    finally:
        started.close()


@contextlib.contextmanager
def service(folder: Path, *args: str, rigged: list[str] | None = None, **settings: str) -> Iterator[Service]:
    """`rigged`: run this in place of `hip3.py` (see rigged.py)."""
    folder.mkdir(parents=True, exist_ok=True)
    started = Service(folder, *args, rigged=rigged, **settings)
    try:
        yield started
    finally:
        started.close()
