"""From a signal to the socket, and on to the processed reply: the running service, over loopback.

Beside it, in turns and after equally long pauses: a `queue.Queue` hand-off between two threads and one send to a
socket that another process reads; the SDK's `Exchange.order` over one kept-alive HTTP connection to the same
exchange. The embedded exchange takes a millisecond for any HTTP request at all, which says nothing of the SDK: the
goal is judged with the time of an empty request taken from its orders, and that of a ping from ours.
"""

import contextlib
import queue
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import requests

from hip3.bench import reference
from hip3.bench.rig import DEX, Rig, funded_key, pause
from hip3.bench.rows import Goal, Row, absent, at_least, at_most, beside, ours
from hip3.bench.shots import BELOW
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
PURE_EVERY = 5
HAND_OFF, SDK_ORDER = "hand-off and one send", "SDK's order, net"


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


def measure_reply(rig: Rig, url: str, count: int) -> Iterable[Row]:
    """Rows of signal to processed reply, whole and less an empty message of the same channel."""
    path = "signal to processed reply"
    order, empty = _sdk_order(rig, url), _empty_request(url)
    replied, pings, theirs, slow, nothing = [], [], [], [], []
    for n in range(count):
        pause(BETWEEN_S)
        hit = rig.shoot(rig.coins[n % len(rig.coins)], count + n)
        replied.append((hit.replied - hit.signalled) / 1000)
        pause(BETWEEN_S)
        pings.append(rig.ping() / 1000)
        if order is not None:
            pause(BETWEEN_S)
            theirs.append(_timed(order))
            if n % PURE_EVERY == 0:
                with reference.pure_python():
                    slow.append(_timed(order))
        pause(BETWEEN_S)
        nothing.append(_timed(empty))
    own, ping, request = Samples.of(replied), Samples.of(pings), Samples.of(nothing)
    yield ours(path, own)
    if theirs:
        yield beside(path, own, "SDK's order", Samples.of(theirs), faster=True)
    path += ", net"
    own = own.less(ping.median)
    yield ours(
        path, own, note=f"less {ping.median:,.0f} us of a ping, and of an empty request {request.median:,.0f} us"
    )
    if theirs:
        yield beside(path, own, SDK_ORDER, Samples.of(theirs).less(request.median), at_least(3), faster=True)
        yield beside(path, own, "without coincurve, net", Samples.of(slow).less(request.median), faster=True)
    else:
        yield absent(path, SDK_ORDER, at_least(3))


def _timed(call: Callable[[], object]) -> float:
    began = now_ns()
    call()
    return (now_ns() - began) / 1000


def _empty_request(url: str) -> Callable[[], object]:
    session = requests.Session()
    return lambda: session.post(url + "/exchange", json={}, timeout=10)


def _sdk_order(rig: Rig, url: str) -> Callable[[], object] | None:
    """One IOC order that finds nothing to match, as ours does; None without the SDK."""
    module = reference.module("exchange")
    if module is None:
        return None
    client: Any = module.Exchange(reference.wallet(funded_key(url)), url, perp_dexs=["", DEX])
    coin = rig.coins[0]
    price = int(rig.price(coin) * BELOW)
    return lambda: client.order(coin, True, 0.52, price, {"limit": {"tif": "Ioc"}})


IDLE, LOADED = at_most(5), at_most(5000, "p99")
