"""Our answers against captured ones: the same keys, types, nesting and number formats, in two different states.

And the arithmetic that captured account states obey, held by ours to the last digit.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.core.money import ZERO, truncate
from hip3.exchange.signing import SigningKey, sign_l1_action
from hip3.venue.actions.actions import exchange
from hip3.venue.setup.parameters import DEFAULT
from hip3.venue.setup.settings import VaultSetup, load_setup
from tests.venue.desk import GOLD, GOLD_ID, START, D, Desk, wire
from tests.venue.shapes import differences, shape

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "venue_shapes.json").read_text())
VAULT = "0x" + "7" * 40
CLOID = "0x" + "c" * 32
ALLOWED = {
    "frontendOpenOrders": ("$[].cloid: not captured", "$[].children[].cloid: not captured"),  # 2023; orderStatus has it
    "userRateLimit": ("$.nRequestsSurplus: not captured",),  # since 2026, after the capture
    "perpDexs": (  # documented later than the capture
        "$[].assetToFundingInterestRate: not captured",
        "$[].assetToFundingClamp: not captured",
    ),
    "historicalOrders": (  # captured without triggers and cloids; frontendOpenOrders and the streams have them
        "$[].order.tif: null, captured text",
        "$[].order.cloid: cloid, captured null",
    ),
    "userFillsByTime": ("$[].builderFee: not captured", "$[].cloid: not captured"),  # in captured streams
    "ws userFills": ("$.data.fills[].builderFee: not captured",),  # in captured streams of userEvents
}
"""What this capture has not, and why it may be."""


class Scene:
    """A venue, an account that has traded, and what was streamed to it.

    Candles on demand: their listener has months of them made, which takes ten times what everything else here does.
    """

    def __init__(self, build: Callable[["Scene"], None], *, candles: bool = False) -> None:
        leader = SigningKey(bytes([1]) * 32).address
        old = msgspec.structs.replace(DEFAULT, market_fee_scales=False)  # as it was when these were captured
        markets = [
            msgspec.structs.replace(m, margin_mode=m.margin_mode or ("noCross" if m.dex else None))
            for m in load_setup().markets
        ]
        self.desk = Desk(vaults=[VaultSetup(VAULT, leader, "Ours")], parameters=old, markets=markets)
        self.one, self.two, self.builder = (self.desk.key(n, "20000") for n in (1, 2, 3))
        self.user = self.one.address
        self.streamed: list[Any] = []
        self.desk.venue.connect(1)
        for kind in ("orderUpdates", "userFills", "userEvents", "notification"):
            self.listen(type=kind, user=self.user)
        for kind in ("bbo", "trades", "activeAssetCtx", "l2Book"):
            self.listen(type=kind, coin=GOLD)
        if candles:
            self.listen(type="candle", coin=GOLD, interval="1m")
        self.listen(type="allDexsAssetCtxs")
        self.desk.venue.books.agents.approve(self.user, "0x" + "9" * 40, f"bot valid_until {START * 2}", START)
        deposit = {"type": "vaultTransfer", "vaultAddress": VAULT, "isDeposit": True, "usd": 100_000_000}
        assert self.desk.act(self.one, deposit)["status"] == "ok"
        build(self)
        self.desk.order(self.two, True, "3600", "2")
        self.desk.order(self.two, False, "4300", "2")
        self.pump()
        self.streamed += self.desk.wait(6000)

    def listen(self, **subscription: Any) -> None:
        ask = {"method": "subscribe", "subscription": subscription}
        self.desk.venue.ws(1, json.dumps(ask), self.desk.now)
        self.pump()

    def pump(self) -> None:
        self.desk.venue.publish(self.desk.now)
        self.streamed += self.desk.frames()

    def frame(self, channel: str, has: str = "") -> Any:
        """The last frame of a channel whose text holds `has`."""
        return [f for f in self.streamed if f["channel"] == channel and has in json.dumps(f)][-1]

    def post(self, action: dict[str, Any]) -> Any:
        """An action as a post: the frame that answers it."""
        nonce = self.desk.now + 5000
        self.desk.now += 1
        signature = sign_l1_action(self.one, action, nonce, mainnet=False)
        payload = {"action": action, "nonce": nonce, "signature": signature, "vaultAddress": None}
        message = {"method": "post", "id": 7, "request": {"type": "action", "payload": payload}}
        self.desk.venue.ws(1, json.dumps(message), self.desk.now)
        frames = self.desk.frames()
        return next(f for f in frames if f["channel"] == "post")

    def order(self, *args: Any, **more: Any) -> dict[str, Any]:
        """The whole answer to an order."""
        return self.desk.act(self.one, {"type": "order", "orders": [wire(*args, **more)], "grouping": "na"})  # type: ignore[no-any-return]


def _calm(scene: Scene) -> None:
    """A small long on two dexs, one order on the book."""
    desk = scene.desk
    desk.order(scene.two, False, "4000", "0.1")
    desk.order(scene.one, True, "4000", "0.1", "Ioc", cloid="0x" + "1" * 32)
    desk.trade(scene.one, scene.two, "0.001", "83757", asset=0)
    desk.order(scene.one, True, "3900", "0.0123", cloid="0x" + "2" * 32)
    _family(scene)
    _pay_funding(scene)


def _busy(scene: Scene) -> None:
    """Shorts, losses, a builder, a resting order that was filled, spot cash, both sides of the book."""
    desk = scene.desk
    desk.by_user(1, {"type": "approveBuilderFee", "maxFeeRate": "0.05%", "builder": scene.builder.address})
    desk.order(scene.two, True, "4000", "2.5")
    item = wire(False, "3990", "1.25", "Ioc", cloid="0x" + "3" * 32)
    action = {"type": "order", "orders": [item], "grouping": "na", "builder": {"b": scene.builder.address, "f": 10}}
    assert "filled" in desk.act(scene.one, action)["response"]["data"]["statuses"][0]
    desk.trade(scene.two, scene.one, "0.05", "83001", asset=0)
    desk.order(scene.one, False, "4050", "0.3333", cloid="0x" + "4" * 32)
    desk.order(scene.two, True, "4050", "0.3333", "Ioc")
    desk.order(scene.one, False, "4066.6", "0.5", cloid="0x" + "5" * 32)
    desk.by_user(1, {"type": "usdClassTransfer", "amount": "30.5", "toPerp": False})
    _family(scene)
    _pay_funding(scene)
    market = desk.venue.engine.markets[GOLD]
    desk.venue.engine.set_mark(market, D("4011.7"), desk.now)


def _family(scene: Scene) -> None:
    """A parent with two children."""
    children = [
        wire(False, px, "0.05", reduce_only=True)
        | {"t": {"trigger": {"isMarket": True, "triggerPx": px, "tpsl": kind}}}
        for px, kind in (("3600.5", "sl"), ("4300", "tp"))
    ]
    for number, child in enumerate(children):
        child["c"] = f"0x{number + 10:032x}"
    orders = [wire(True, "3700", "0.05", cloid="0x" + "6" * 32), *children]
    reply = scene.desk.act(scene.one, {"type": "order", "orders": orders, "grouping": "normalTpsl"})
    assert reply["response"]["data"]["statuses"][1:] == ["waitingForFill"] * 2


def _pay_funding(scene: Scene) -> None:
    """The hour is over."""
    for coin in (GOLD, "BTC"):
        scene.desk.venue._funding.pay(scene.desk.venue.engine.markets[coin], scene.desk.now)
    scene.pump()


def _info(kind: str, **request: Any) -> Callable[[Scene], Any]:
    return lambda s: s.desk.info(kind, **{k: s.user if v == "USER" else v for k, v in request.items()})


def _post_order(*args: Any, **more: Any) -> Callable[[Scene], Any]:
    return lambda s: s.post({"type": "order", "orders": [wire(*args, **more)], "grouping": "na"})


def _position_only(coin: str) -> Callable[[Scene], Any]:
    """clearinghouseState with the position of one coin, so that each capture meets its own kind."""

    def ask(scene: Scene) -> Any:
        state = scene.desk.info(
            "clearinghouseState", user=scene.user, dex=coin.split(":", maxsplit=1)[0] if ":" in coin else ""
        )
        state["assetPositions"] = [p for p in state["assetPositions"] if p["position"]["coin"] == coin]
        assert state["assetPositions"]
        return state

    return ask


def _unknown(scene: Scene) -> Any:
    stranger = scene.desk.key(77, cash=None)
    return scene.desk.act(stranger, {"type": "noop"})


def _cancelled(scene: Scene) -> Any:
    oid = scene.desk.order(scene.one, True, "3800", "0.01")["resting"]["oid"]
    return scene.desk.act(scene.one, {"type": "cancel", "cancels": [{"a": GOLD_ID, "o": oid}]})


def _modified(scene: Scene) -> Any:
    oid = scene.desk.order(scene.one, True, "3800", "0.01")["resting"]["oid"]
    item = {"oid": oid, "order": wire(True, "3800", "0.01", "Ioc")}
    return scene.desk.act(scene.one, {"type": "batchModify", "modifies": [item]})


def _filled(scene: Scene) -> Any:
    scene.desk.order(scene.two, False, "4200", "0.01")
    return scene.order(True, "4200", "0.01", "Ioc", cloid=CLOID)


def _post_filled(scene: Scene) -> Any:
    scene.desk.order(scene.two, False, "4200", "0.01")
    return scene.post({"type": "order", "orders": [wire(True, "4200", "0.01", "Ioc", cloid=CLOID)], "grouping": "na"})


def _again(scene: Scene) -> Any:
    scene.listen(type="bbo", coin=GOLD)
    return scene.frame("error")


def _pong(scene: Scene) -> Any:
    scene.desk.venue.ws(1, '{"method":"ping"}', scene.desk.now)
    return scene.desk.frames()[-1]


def _fresh_fills(scene: Scene) -> Any:
    """The snapshot of fills as a new listener gets it."""
    scene.desk.venue.connect(2)
    ask = {"method": "subscribe", "subscription": {"type": "userFills", "user": scene.user}}
    scene.desk.venue.ws(2, json.dumps(ask), scene.desk.now)
    return scene.desk.frames()[-1]


def _resting_filled(scene: Scene) -> Any:
    scene.desk.order(scene.one, True, "4190", "0.01")
    scene.desk.order(scene.two, False, "4190", "0.01", "Ioc")
    scene.pump()
    return scene.frame("notification")


def _streamed(channel: str, has: str = "") -> Callable[[Scene], Any]:
    return lambda s: s.frame(channel, has)


def _own_stream(channel: str) -> Callable[[Scene], Any]:
    """What an order with a cloid that fills at once sends."""

    def ask(scene: Scene) -> Any:
        scene.pump()
        _filled(scene)
        scene.pump()
        return scene.frame(channel, CLOID)

    return ask


def _last_record(scene: Scene) -> Any:
    scene.desk.order(scene.two, False, "4200", "0.01")
    scene.order(True, "4200", "0.01", "Ioc")
    return scene.desk.info("orderStatus", user=scene.user, oid=scene.desk.info("userFills", user=scene.user)[0]["oid"])


ASKS: dict[str, Callable[[Scene], Any]] = {
    "perpDexs": _info("perpDexs"),
    "metaAndAssetCtxs xyz": _info("metaAndAssetCtxs", dex="xyz"),
    "perpDexLimits": _info("perpDexLimits", dex="xyz"),
    "perpDexStatus": _info("perpDexStatus", dex="xyz"),
    "l2Book": _info("l2Book", coin=GOLD),
    "candleSnapshot": _info("candleSnapshot", req={"coin": GOLD, "interval": "1h", "startTime": 0}),
    "fundingHistory": _info("fundingHistory", coin=GOLD, startTime=0),
    "clearinghouseState cross": _position_only("BTC"),
    "clearinghouseState isolated": _position_only(GOLD),
    "clearinghouseState empty": _info("clearinghouseState", user="0x" + "0" * 40),
    "spotClearinghouseState": _info("spotClearinghouseState", user="USER"),
    "frontendOpenOrders": _info("frontendOpenOrders", user="USER", dex="xyz"),
    "historicalOrders": _info("historicalOrders", user="USER"),
    "orderStatus": _last_record,
    "userFillsByTime": _info("userFillsByTime", user="USER", startTime=0),
    "userRateLimit": _info("userRateLimit", user="USER"),
    "userRole": _info("userRole", user=VAULT),
    "extraAgents": _info("extraAgents", user="USER"),
    "portfolio": _info("portfolio", user="USER"),
    "userVaultEquities": _info("userVaultEquities", user="USER"),
    "activeAssetData": _info("activeAssetData", user="USER", coin="BTC"),
    "order resting": lambda s: s.order(True, "3800", "0.01", cloid=CLOID),
    "order filled": _filled,
    "order refused": lambda s: s.order(True, "3800", "0.001"),
    "signer unknown": _unknown,
    "cancel": _cancelled,
    "cancel refused": lambda s: s.desk.act(s.one, {"type": "cancel", "cancels": [{"a": GOLD_ID, "o": 1}]}),
    "modify refused": _modified,
    "post order": _post_order(True, "3800", "0.01", cloid=CLOID),
    "post order refused": _post_order(True, "3800", "0.001"),
    "post order filled": _post_filled,
    "post cancel": lambda s: s.post({"type": "cancel", "cancels": [{"a": GOLD_ID, "o": 1}]}),
    "ws bbo": _streamed("bbo"),
    "ws l2Book": _streamed("l2Book"),
    "ws trades": _streamed("trades", "px"),
    "ws candle": _streamed("candle"),
    "ws activeAssetCtx": _streamed("activeAssetCtx"),
    "ws allDexsAssetCtxs": _streamed("allDexsAssetCtxs"),
    "ws orderUpdates": _own_stream("orderUpdates"),
    "ws user fills": _own_stream("user"),
    "ws user funding": _streamed("user", "funding"),
    "ws userFills": _fresh_fills,
    "ws notification": _resting_filled,
    "ws error": _again,
    "ws subscriptionResponse": lambda s: s.frame("subscriptionResponse", '"bbo"'),
    "ws pong": _pong,
}


def test_every_captured_payload_has_its_question() -> None:
    assert set(ASKS) == set(GOLDEN)


@pytest.mark.parametrize("build", [_calm, _busy], ids=["calm", "busy"])
@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_our_answer_has_the_captured_shape(name: str, build: Callable[[Scene], None]) -> None:
    answer = ASKS[name](Scene(build, candles=name == "ws candle"))
    found = differences(shape(answer), GOLDEN[name]["shape"])
    assert sorted(set(found) - set(ALLOWED.get(name, ()))) == []


def test_a_difference_would_be_seen() -> None:
    captured = shape([{"px": "1.0", "n": 1, "x": None}, {"px": "2.5", "n": 2, "x": "0.1", "c": "a"}])
    assert differences(shape([{"px": "3.0", "n": 5, "x": None}]), captured) == []
    for wrong in ({"px": "3", "n": 5, "x": None}, {"px": "3.0", "n": "5.0", "x": None}, {"px": "3.0", "n": 5},
                  {"px": "3.0", "n": 5, "x": None, "y": 1}, {"px": "3.0", "n": 5, "x": True}):  # fmt: skip
        assert differences(shape([wrong]), captured)


def _signed(position: dict[str, Any]) -> Any:
    return D(position["positionValue"]) * (1 if D(position["szi"]) > 0 else -1)


@pytest.mark.parametrize("build", [_calm, _busy], ids=["calm", "busy"])
@pytest.mark.parametrize("dex", ["", "xyz"])
def test_the_margin_algebra_of_captured_states_holds(build: Callable[[Scene], None], dex: str) -> None:
    scene = Scene(build)
    state = scene.desk.info("clearinghouseState", user=scene.user, dex=dex)
    positions = [p["position"] for p in state["assetPositions"]]
    assert positions
    isolated = [p for p in positions if p["leverage"]["type"] == "isolated"]
    cross = [p for p in positions if p["leverage"]["type"] == "cross"]
    whole, part = state["marginSummary"], state["crossMarginSummary"]
    assert D(whole["accountValue"]) == D(whole["totalRawUsd"]) + sum(map(_signed, positions), ZERO)
    assert D(part["accountValue"]) == D(part["totalRawUsd"]) + sum(map(_signed, cross), ZERO)
    assert D(whole["accountValue"]) == D(part["accountValue"]) + sum((D(p["marginUsed"]) for p in isolated), ZERO)
    for p in positions:
        mark = scene.desk.venue.engine.markets[p["coin"]].mark
        side, size = (1 if D(p["szi"]) > 0 else -1), abs(D(p["szi"]))
        assert D(p["positionValue"]) == size * mark
        entry_ntl = D(p["positionValue"]) - side * D(p["unrealizedPnl"])
        assert truncate(entry_ntl / size, len(p["entryPx"].split(".")[1])) == D(p["entryPx"])
        roe = D(p["unrealizedPnl"]) * p["leverage"]["value"] / entry_ntl
        assert abs(D(p["returnOnEquity"]) - roe) < D("1e-9")
        if p in cross:
            assert D(p["marginUsed"]) == truncate(D(p["positionValue"]) / p["leverage"]["value"], 6)
        else:
            assert D(p["marginUsed"]) == D(p["leverage"]["rawUsd"]) + side * D(p["positionValue"])
    maintenance = sum((D(p["positionValue"]) / (2 * p["maxLeverage"]) for p in cross), ZERO)
    assert D(state["crossMaintenanceMarginUsed"]) == truncate(maintenance, 6)


def test_a_duplicate_nonce_and_a_broken_signature_answer_as_captured() -> None:
    desk = Desk()
    one = desk.key(1)
    nonce = desk.now + 9
    desk.act(one, {"type": "noop"}, nonce=nonce)
    again = desk.act(one, {"type": "noop"}, nonce=nonce)
    assert again == {"status": "err", "response": f"Invalid nonce: duplicate nonce {nonce}"}
    broken = {"action": {"type": "noop"}, "nonce": nonce + 1, "signature": {"r": "0x0", "s": "0x0", "v": 27}}
    assert exchange(desk.venue.books, broken, desk.now)[1] == {"status": "err", "response": "Unable to recover signer."}
