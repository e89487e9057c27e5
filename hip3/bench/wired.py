"""From a signal to the socket: the running service, over loopback.

Beside it, in turns and after equally long pauses: a `queue.Queue` hand-off between two threads and one send to a
socket that another process reads.
"""

import contextlib
import queue
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator

from hip3.bench.rig import Rig, pause
from hip3.bench.rows import Goal, Row, at_most, beside, ours
from hip3.bench.stats import Samples, now_ns
from hip3.service.workers import Worker

BETWEEN_S = 0.02
"""A signal comes rarely: caches have forgotten the last one."""
FRAME_BYTES = 640
"""About the length of a signed order."""
SINK = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
client, _ = listener.accept()
while client.recv(65536):
    pass
"""
HAND_OFF = "hand-off and one send"


@contextlib.contextmanager
def hand_off(rig: Rig) -> Iterator[Callable[[], float]]:
    """A call that passes one item through a queue to a thread that sends; its microseconds."""
    child = subprocess.Popen([sys.executable, "-c", SINK], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    sock = socket.create_connection(("127.0.0.1", int(child.stdout.readline())))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    inbox: queue.Queue[int] = queue.Queue()
    done: queue.Queue[int] = queue.Queue()
    payload = b"x" * FRAME_BYTES

    def step() -> None:
        if inbox.get():
            sock.send(payload)
            done.put(now_ns())

    worker = Worker("bench-hand-off", rig.clock)
    worker.start(step)

    def call() -> float:
        began = now_ns()
        inbox.put(began)
        return (done.get(timeout=10) - began) / 1000

    try:
        yield call
    finally:
        worker.stop()
        inbox.put(0)
        worker.join(5)
        sock.close()
        child.wait(5)
        child.stdout.close()


def measure_socket(rig: Rig, count: int, path: str, *, ratio: Goal | None, p99: Goal | None) -> Iterable[Row]:
    """Rows of signal to socket."""
    sent, bare = [], []
    with hand_off(rig) as call:
        for n in range(count):
            pause(BETWEEN_S)
            hit = rig.shoot(rig.coins[n % len(rig.coins)], n)
            sent.append((hit.sent - hit.signalled) / 1000)
            pause(BETWEEN_S)
            bare.append(call())
    own = Samples.of(sent)
    yield ours(path, own, p99)
    yield beside(path, own, HAND_OFF, Samples.of(bare), ratio)


IDLE, LOADED = at_most(3.5), at_most(5000, "p99")
