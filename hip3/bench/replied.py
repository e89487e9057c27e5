"""From a signal to its processed reply, beside what other clients take for one order, and our own part of it.

Each after an equally long pause, all orders that find nothing to match, to one exchange without latency. What no
client can leave out is measured, too: an order that was signed before, sent over a bare socket, and its reply read
(transport and the exchange's work); and the least that a service of several threads does of its own, a hand-off with a
send and one signature as cold as everything else. The goals hold our own part against that least, and the whole
against the SDK's order as a caller sees it.
"""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

import websocket

from hip3.bench import reference
from hip3.bench.rig import DEX, Rig, funded_key, pause
from hip3.bench.rows import Row, absent, at_least, at_most, beside, ours
from hip3.bench.shots import BELOW
from hip3.bench.signed import signed_frame
from hip3.bench.stats import Samples, now_ns
from hip3.bench.wired import BETWEEN_S, hand_off
from hip3.core.money import half_even
from hip3.core.orders import OrderBatch, PendingOrder, Side, Tif
from hip3.exchange.signing import SigningKey

PATH = "signal to processed reply"
PURE_EVERY = 5
SDK, PURE, CCXT = "SDK's order", "SDK's, as it installs", "ccxt's order"
LEAST = "hand-off, send, signature"
SIZE, SIZE_OF_CLIENTS, TIMEOUT_S = Decimal("0.52"), 0.52, 10
"""Other clients are told sizes in floats."""


def measure(rig: Rig, url: str, count: int) -> Iterable[Row]:
    """The rows."""
    sdk, ccxt, key = _sdk_order(rig, url), _ccxt_order(rig, url), SigningKey(bytes(range(1, 33)))
    own, bare, least, signed = [], [], [], []
    theirs: dict[str, list[float]] = {SDK: [], PURE: [], CCXT: []}
    with hand_off(rig) as pass_on, _bare_order(rig, url) as order:
        for n in range(count):
            pause(BETWEEN_S)
            hit = rig.shoot(rig.coins[n % len(rig.coins)], count + n)
            own.append((hit.replied - hit.signalled) / 1000)
            bare.append(order(n))
            pause(BETWEEN_S)
            least.append(pass_on())
            pause(BETWEEN_S)
            signed.append(_timed(lambda n=n: key.sign_digest(n.to_bytes(32, "big"))))  # type: ignore[misc]
            for name, call in ((SDK, sdk), (CCXT, ccxt)):
                if call is not None:
                    pause(BETWEEN_S)
                    theirs[name].append(_timed(call))
            if sdk is not None and n % PURE_EVERY == 0:
                pause(BETWEEN_S)
                with reference.pure_python():
                    theirs[PURE].append(_timed(sdk))
    yield from _whole(Samples.of(own), theirs)
    yield from _part(Samples.of(own), Samples.of(bare), Samples.of(least).median + Samples.of(signed).median)


def _whole(own: Samples, theirs: dict[str, list[float]]) -> Iterable[Row]:
    yield ours(PATH, own)
    for name, goal in ((SDK, at_least(2.5)), (PURE, at_least(4)), (CCXT, None)):
        if theirs[name]:
            yield beside(PATH, own, name, Samples.of(theirs[name]), goal, faster=True)
        else:
            yield absent(PATH, name, goal)


def _part(own: Samples, bare: Samples, least_us: float) -> Iterable[Row]:
    path, part = f"{PATH}, own part", own.less(bare.median)
    yield ours(path, part, note=f"less {bare.median:,.0f} us of an order signed before, sent bare, and its reply read")
    yield beside(path, part, LEAST, Samples.of([least_us]), at_most(4))


def _timed(call: Callable[[], object]) -> float:
    began = now_ns()
    call()
    return (now_ns() - began) / 1000


@contextlib.contextmanager
def _bare_order(rig: Rig, url: str) -> Iterator[Callable[[int], float]]:
    """A call that sends an order, signed before a pause, over a socket of its own and reads its reply; microseconds."""
    loop = rig.trading.loop
    assert loop is not None
    ids, key, coin = loop._asset_ids, SigningKey(funded_key(url)), rig.coins[0]
    px = half_even(rig.price(coin) * BELOW, 1)
    sock = websocket.create_connection(url.replace("http", "ws", 1) + "/ws", timeout=TIMEOUT_S)

    def call(n: int) -> float:
        order = PendingOrder(
            cloid=f"0x{n:032x}", coin=coin, side=Side.BUY, px=px, sz=SIZE, reduce_only=False,
            created_ms=rig.clock.wall_ms(), tif=Tif.IOC,
        )  # fmt: skip
        text = signed_frame(OrderBatch((order,)), ids, key, rig.clock.wall_ms(), None, n + 1)
        pause(BETWEEN_S)
        began = now_ns()
        sock.send(text)
        while json.loads(answer := sock.recv()).get("channel") != "post":
            pass
        took = (now_ns() - began) / 1000
        assert b'"status":"ok"' in (answer.encode() if isinstance(answer, str) else answer), answer
        return took

    try:
        yield call
    finally:
        sock.close()


def _sdk_order(rig: Rig, url: str) -> Callable[[], object] | None:
    """One IOC order that finds nothing to match, as ours does; None without the SDK."""
    module = reference.module("exchange")
    if module is None:
        return None
    client: Any = module.Exchange(reference.wallet(funded_key(url)), url, perp_dexs=["", DEX])
    coin = rig.coins[0]
    price = int(rig.price(coin) * BELOW)
    return lambda: client.order(coin, True, SIZE_OF_CLIENTS, price, {"limit": {"tif": "Ioc"}})


def _ccxt_order(rig: Rig, url: str) -> Callable[[], object] | None:
    """The same by ccxt; None where that is not installed. An order that is not matched is an error there."""
    ccxt = reference.other("ccxt")
    if ccxt is None:
        return None
    secret = funded_key(url)
    client = ccxt.hyperliquid(
        {
            "walletAddress": SigningKey(secret).address, "privateKey": "0x" + secret.hex(), "enableRateLimit": False,
            "options": {"fetchMarkets": {"types": ["hip3"], "hip3": {"dex": [DEX]}}},
        }
    )  # fmt: skip
    client.urls["api"] = {"public": url, "private": url}
    client.load_markets()
    symbol = next(s for s, market in client.markets.items() if market["info"].get("name") == rig.coins[0])
    price = int(rig.price(rig.coins[0]) * BELOW)

    def order() -> None:
        with contextlib.suppress(ccxt.ExchangeError):
            client.create_order(symbol, "limit", "buy", SIZE_OF_CLIENTS, price, {"timeInForce": "ioc"})

    return order
