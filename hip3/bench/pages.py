"""What fifty open pages cost trading: signal to socket with them and without, in turns, in one running service.

The pages are sockets that another process reads as fast as it is sent to, as a browser does; the service does for them
all that it ever does: one snapshot a second, encoded once, written to each.
"""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator

from hip3.bench.rig import Rig, pause
from hip3.bench.rows import Row, at_most, beside, ours
from hip3.bench.stats import Samples
from hip3.ops.listeners import Listeners

PATH, NONE_OPEN = "signal to socket, pages open", "no page open"
BETWEEN_S = 0.13
"""Four hundred shots are a minute, and leave the socket's messages of that minute to others."""
TURN = 10
"""Shots in a row before pages are opened or closed again: what the machine does else hits both alike."""
READER = """
import selectors, socket, sys
chosen = selectors.DefaultSelector()
for number in map(int, sys.argv[1:]):
    chosen.register(socket.socket(fileno=number), selectors.EVENT_READ)
left = len(sys.argv) - 1
while left:
    for key, _ in chosen.select():
        if not key.fileobj.recv(1 << 20):
            chosen.unregister(key.fileobj)
            left -= 1
"""


@contextlib.contextmanager
def _open(listeners: Listeners, rig: Rig, count: int) -> Iterator[None]:
    pairs = [socket.socketpair() for _ in range(count)]
    numbers = [theirs.fileno() for _, theirs in pairs]
    child = subprocess.Popen([sys.executable, "-c", READER, *map(str, numbers)], pass_fds=numbers)
    for own, theirs in pairs:
        theirs.close()
        listeners.take(own)
    try:
        rig.wait(lambda: not listeners.expecting, "pages that were greeted")
        yield
    finally:
        for own, _ in pairs:
            with contextlib.suppress(OSError):
                own.shutdown(socket.SHUT_RDWR)
        child.wait(10)


def measure(rig: Rig, pages: int, shots: int) -> Iterable[Row]:
    """The rows; the goal is five percent of the median."""
    listeners = rig.app.live.listeners
    found: tuple[list[float], list[float]] = ([], [])
    with _open(listeners, rig, pages):
        for n in range(2 * shots):
            is_open = n // TURN % 2 == 1
            listeners.paused = not is_open
            pause(BETWEEN_S)
            hit = rig.shoot(rig.coins[n % len(rig.coins)], n)
            found[is_open].append((hit.sent - hit.signalled) / 1000)
    without, own = Samples.of(found[0]), Samples.of(found[1])
    yield ours(PATH, own, note=f"{pages} pages, a frame each second")
    yield beside(PATH, own, NONE_OPEN, without, at_most(1.05))
