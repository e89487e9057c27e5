"""Mishaps at work: which are going on, and what they do to what passes by.

`begin` and `end` are told by the world; the network asks for everything that it carries.
"""

import random
from decimal import Decimal

import msgspec

from hip3.core.money import floor_size, round_price
from hip3.onethread.http import Plain
from hip3.ops.intents import Intent
from hip3.simulate.disk import Disk
from hip3.simulate.mishap import Mishap
from hip3.simulate.network import Network
from hip3.simulate.operator import Operator
from hip3.simulate.scene import Scene
from hip3.simulate.wire import Call
from hip3.simulate.witness import Witness
from hip3.venue.engine import halts
from hip3.venue.engine.model import Request
from hip3.venue.serving.output import WsText
from hip3.venue.setup.fault import Fault

NOTICED_MS, LEAST_USD = 6500, 12
DEAD_CONTEXT = "dead context"
CHANNELS = {"post": "reply", "orderUpdates": "update", "userFills": "fill"}
ACTIONS_ONLY = {"lost action": "lost request", "lost answer": "lost reply"}
"""Ways of HTTP that hit signed actions and no reading."""
JUNK = (
    '{"channel":"flood","data":{}}', '{"channel":"error","data":"Invalid subscription"}', "{", "[]", "null",
    '{"channel":"bbo","data":{"coin":"xyz:NONE","time":1,"bbo":[null,null]}}', '{"channel":"orderUpdates","data":[{}]}',
)  # fmt: skip


def channel_of(text: str) -> str:
    """What kind of message a frame is: reply, update, fill, or market."""
    name = text[12 : text.index('"', 12)] if text.startswith('{"channel":"') else ""
    return CHANNELS.get(name, "market")


def _state_of(call: Call) -> str | None:
    """The dex whose clearinghouseState is asked for, if that is what a request is about."""
    if call.path != "/info" or b'"clearinghouseState"' not in call.body:
        return None
    return str(msgspec.json.decode(call.body).get("dex"))


def _thin(text: str, side: int) -> str:
    """The frame with one side of the touch a fifth away: its makers are gone for an instant."""
    frame = msgspec.json.decode(text)
    levels = frame["data"]["bbo"]
    index, away = (0, Decimal("0.8")) if side < 0 else (1, Decimal("1.25"))
    if levels[index] is not None:
        levels[index]["px"] = str(int(Decimal(levels[index]["px"]) * away) or levels[index]["px"])
    return msgspec.json.encode(frame).decode()


class Mishaps:
    """See the module."""

    def __init__(self, scene: Scene, network: Network, witness: Witness, disk: Disk, operator: Operator) -> None:
        self._scene, self._network, self._witness = scene, network, witness
        self._disk, self._operator = disk, operator
        self._rng = random.Random(f"{scene.plan.seed}:mishaps")
        self._active: list[Mishap] = []
        self._touches: dict[str, str] = {}
        """The newest touch of each market, as the exchange said it."""
        self._thinned: dict[Mishap, tuple[str, int]] = {}
        """Market and side of a touch that became thin where a position was held."""
        self._silent_since = 0
        self._full_fd = -1

    def _acts(self, kind: str, on: str | None = None) -> Mishap | None:
        """A mishap of this kind that hits what passes now."""
        for m in self._active:
            if m.kind == kind and on in (None, m.on) and self._rng.randrange(100) < m.share:
                self._scene.hit(m)
                return m
        return None

    # What the network asks.

    def connecting(self) -> None:
        """A connection is being made."""
        if self._acts("refuse"):
            raise OSError("refused")

    def sending(self, text: str) -> tuple[bool, int]:
        """A frame leaves: (whether the send breaks, how late it arrives)."""
        if not text.startswith('{"method":"post"'):
            return False, 0
        self._kill("after send")
        late = self._acts("late post")
        return self._acts("break send") is not None, late.ms if late else 0

    def requesting(self, call: Call) -> Plain | str:
        """A request leaves: a status instead of its answer, "lost request", "lost reply", or ""."""
        wished = call.path == "/exchange" and b'"noop"' not in call.body
        if wished and (held := self._take("hold up", "request")) is not None:
            self._scene.threads.sleep(held.ms)
        for m in self._active:
            if m.on in ACTIONS_ONLY and call.path != "/exchange":
                continue
            if m.kind == "unread dex" and _state_of(call) == m.on:
                self._scene.hit(m)
                return Plain(500, b"null")
            if m.kind == "http" and self._rng.randrange(100) < m.share:
                self._scene.hit(m)
                return Plain(int(m.on), b"null") if m.on.isdigit() else ACTIONS_ONLY.get(m.on, m.on)
        return ""

    def saying(self, item: WsText) -> list[tuple[str, int]]:
        """A frame of the exchange: what really arrives, and how much later than it should."""
        out = self._fate(item)
        name = channel_of(item.text)
        if self._scene.untold and name in ("update", "fill") and any(t == item.text for t, _ in out):
            told = {oid for oid in self._scene.untold if f'"oid":{oid},' in item.text}
            if name == "fill":  # any fill says from which position it was, and so that something is missing
                told |= {oid for oid, coin in self._scene.untold.items() if f'"{coin}"' in item.text}
            for oid in told:
                del self._scene.untold[oid]
        return out

    def _fate(self, item: WsText) -> list[tuple[str, int]]:
        if self._acts("silence"):
            return []
        name = channel_of(item.text)
        if name == "market":
            return [(text, 0) for text in self._market_frame(item.text)]
        if name == "reply" and self._take("accept then cut"):
            self._network.drop(item.conn)
            return []
        self._kill(f"at {name}")
        if self._acts("double", name):
            return [(item.text, 0), (item.text, self._rng.choice((0, 700)))]
        if self._acts("lose", name):
            return []
        if self._acts("damage", name):
            return [(self._damaged(item.text, name), 0)]
        if (late := self._acts("delay", name)) is not None:
            return [(item.text, late.ms)]
        if (swap := self._acts("swap", name)) is not None:
            return [(item.text, self._rng.randint(0, swap.ms))]
        return [(item.text, 0)]

    def _market_frame(self, text: str) -> list[str]:
        """A frame of a market: quotes that stop coming, or that are thin for an instant."""
        if text.startswith('{"channel":"activeAssetCtx"'):
            dead = (m for m in self._active if m.kind == DEAD_CONTEXT and f'"coin":"{m.on}"' in text)
            for m in dead:
                self._scene.hit(m)
                return []
        if not text.startswith('{"channel":"bbo"'):
            return [text]
        self._touches[msgspec.json.decode(text)["data"]["coin"]] = text
        for m in self._active:
            coin, side = self._thinned.get(m, (m.on, m.ms))
            if m.kind in ("dead stream", "thin touch") and f'"{coin}"' in text and self._rng.randrange(100) < m.share:
                self._scene.hit(m)
                if m.kind == "dead stream":
                    return []
                # For an instant, or until the market changes again.
                return [_thin(text, side)] if m.for_ms % 2 else [_thin(text, side), text]
        return [text]

    def _damaged(self, text: str, name: str) -> str:
        """Half of a frame; or, of a reply to what was executed, a failure on its way back."""
        if name == "reply" and self._rng.random() < 0.6:
            post_id = msgspec.json.decode(text)["data"]["id"]
            failed = {"type": "error", "payload": "502 Bad Gateway"}
            frame = {"channel": "post", "data": {"id": post_id, "response": failed}}
            return msgspec.json.encode(frame).decode()
        return text[: len(text) // 2]

    def _take(self, kind: str, on: str = "") -> Mishap | None:
        """A mishap that waits for its moment, and happens once."""
        for m in self._active:
            if m.kind == kind and on in ("", m.on):
                self._active.remove(m)
                self._scene.hit(m)
                return m
        return None

    def intent_written(self, record: Intent) -> None:
        """An intent is on disk, its bytes have not left."""
        self._kill("after intent")
        if self._take("cut in"):
            self._network.drop_all()
            self._scene.threads.crowd()
        side = "" if not record.orders else "exit" if record.orders[0].reduce_only else "entry"
        held = self._take("hold up", side) if side else None
        if held is None and side and (held := self._take("hold up", f"{side} cut off")) is not None:
            self._network.drop_all()
        if held is not None:
            self._scene.threads.hold_soon(held.ms)

    def _kill(self, where: str) -> None:
        if self._take("kill", where):
            self._scene.threads.kill_soon()

    # What the world tells.

    def begin(self, m: Mishap) -> None:
        """It happens, or it is going on from now."""
        slow = {"queued": "tick", "unknown": "rest", "unbooked": "rest"}.get(m.when)
        if slow is not None and m.kind != "http":  # so that the state lasts
            self._begin_stall(Mishap(kind="stall", at_ms=0, on=slow, for_ms=self._rng.randint(50, 1500)))
        if m.for_ms or m.kind in ("accept then cut", "cut in", "hold up") or (m.kind == "kill" and m.on != "anywhere"):
            self._active.append(m)
        if m.kind == "silence":
            self._silent_since = self._scene.clock.mono_ms()
        if (start := getattr(self, "_begin_" + m.kind.replace(" ", "_"), None)) is not None:
            self._scene.hit(m)
            start(m)

    def end(self, m: Mishap) -> None:
        """It is over."""
        if m in self._active:
            self._active.remove(m)
        # A reader that stood still has heard later what came before the silence.
        silent_since = max(self._silent_since, self._scene.heard_ms)
        if m.kind == "silence" and self._scene.clock.mono_ms() - silent_since > NOTICED_MS:
            self._scene.unread = bool(self._scene.untold)
            if self._streams_stand():
                self._scene.untold.clear()  # so long a silence makes the service read everything, soon
        if (stop := getattr(self, "_end_" + m.kind.replace(" ", "_"), None)) is not None:
            stop(m)

    def _streams_stand(self) -> bool:
        """Whether the silence took no acknowledgement: then nothing is read until there is another connection."""
        running = self._scene.running
        trading = None if running is None else running.trading
        return trading is not None and trading.link.told_generation == trading.link.generation

    def end_all(self, but: str = "") -> None:
        """Nothing goes wrong any longer, except of the kind `but`."""
        for m in [m for m in self._active if m.kind != but]:
            self.end(m)

    def going_on(self, kind: str) -> set[str]:
        """What those of this kind hit that last."""
        return {m.on for m in self._active if m.kind == kind}

    def _begin_gap(self, m: Mishap) -> None:
        """The price is elsewhere at once, and everybody knows."""
        scene = self._scene
        market = scene.venue.engine.markets[m.on]
        if not market.halted:
            away = 1 + Decimal(m.ms) / 10_000
            scene.gapped[m.on] = scene.clock.mono_ms()
            px = round_price(market.oracle * away, market.info.sz_decimals, up=False)
            scene.venue.move(m.on, px, scene.exchange_ms())

    def _begin_cut(self, m: Mishap) -> None:
        self._network.drop_all()

    def _begin_refuse(self, m: Mishap) -> None:
        self._network.drop_all()

    def _begin_empty_account(self, m: Mishap) -> None:
        self._fault(Fault(kind="empty", dex=m.on, for_ms=m.for_ms))

    def _begin_stale_account(self, m: Mishap) -> None:
        # Half of them by a node whose clock is right: what it says is older than the time in it.
        self._fault(Fault(kind="stale", dex=m.on, for_ms=m.for_ms, dated="now" if m.for_ms % 2 else "then"))

    def _begin_stale_fills(self, m: Mishap) -> None:
        self._fault(Fault(kind="stale", on="userFills", for_ms=m.for_ms))

    def _end_empty_account(self, m: Mishap) -> None:
        self._scene.venue.faults.clear()

    _end_stale_account = _end_empty_account

    def _end_stale_fills(self, m: Mishap) -> None:
        self._scene.venue.faults.clear()
        self._scene.unread = True  # whoever has read them meanwhile reads them again with a comparison

    def _fault(self, fault: Fault) -> None:
        self._scene.venue.faults.add(fault, self._scene.exchange_ms())

    def _begin_clock(self, m: Mishap) -> None:
        self._scene.clock.step_wall(m.ms)
        self._scene.skew_ms += m.ms

    def _end_clock(self, m: Mishap) -> None:
        if m.for_ms:  # somebody set it, and set it right again
            self._scene.clock.step_wall(-m.ms)
            self._scene.skew_ms -= m.ms

    def _begin_suspend(self, m: Mishap) -> None:
        """Nothing of ours runs while the exchange goes on; `on` says whether the wall clock is right afterwards."""
        if m.on == "wall":
            self._scene.clock.step_wall(m.ms)
        else:
            self._scene.skew_ms -= m.ms

    def _begin_exchange_clock(self, m: Mishap) -> None:
        self._scene.venue.clock_offset_ms += m.ms

    def _begin_halt(self, m: Mishap) -> None:
        venue = self._scene.venue
        halts.halt(venue.engine, venue.engine.markets[m.on], self._scene.exchange_ms())

    def _end_halt(self, m: Mishap) -> None:
        halts.resume(self._scene.venue.engine.markets[m.on])

    def _begin_change(self, m: Mishap) -> None:
        market = self._scene.venue.engine.markets[m.on]
        market.info = market.info._replace(sz_decimals=market.info.sz_decimals - 1)

    def _end_change(self, m: Mishap) -> None:
        market = self._scene.venue.engine.markets[m.on]
        market.info = market.info._replace(sz_decimals=market.info.sz_decimals + 1)

    def _begin_flood(self, m: Mishap) -> None:
        self._network.inject([self._rng.choice(JUNK) for _ in range(200)])

    def _begin_full(self, m: Mishap) -> None:
        if self._scene.running is not None:
            self._disk.fill(self._scene.running, journal=m.on != "intents", intents=m.on != "journal")

    def _end_full(self, m: Mishap) -> None:
        if self._scene.running is not None:
            self._disk.free(self._scene.running)

    def _begin_stall(self, m: Mishap) -> None:
        if m.on == "tick":
            self._scene.lure()
        actor = self._scene.threads.actors.get(m.on)
        if actor is not None:
            actor.stalled_until = self._scene.clock.mono_ms() + m.for_ms

    def _begin_kill(self, m: Mishap) -> None:
        if m.on == "anywhere":
            self._scene.threads.kill_soon()

    def _begin_stop(self, m: Mishap) -> None:
        self._operator.stop(m.on)

    def _begin_hard_stop(self, m: Mishap) -> None:
        self._operator.trip()

    def _begin_thin_touch(self, m: Mishap) -> None:
        """Where a position is held it is the side that it would be left at, and it is so at once."""
        held = self._scene.positions()
        if not held:
            return
        coin, szi = self._rng.choice(sorted(held.items()))
        self._thinned[m] = coin, -1 if szi > 0 else 1
        if coin in self._touches:
            self._network.inject([_thin(self._touches[coin], self._thinned[m][1])])

    def _begin_hand_trade(self, m: Mishap) -> None:
        held = self._scene.positions()
        if held and self._rng.random() < 0.7:  # some of a position of ours, the other way
            coin, szi = self._rng.choice(sorted(held.items()))
            oracle = self._scene.venue.engine.markets[coin].oracle
            usd = int(abs(szi) * oracle * self._rng.randint(30, 80) / 100)
            m = msgspec.structs.replace(m, on=coin, ms=-usd if szi > 0 else usd)
        self._by_hand(m, Decimal("0.01") if m.ms > 0 else Decimal("-0.01"), "Ioc")

    def _begin_hand_swap(self, m: Mishap) -> None:
        """Half of a position is taken and given back at once: what stood for all of it stands for half."""
        for coin, szi in sorted(self._scene.positions().items()):
            usd = int(abs(szi) * self._scene.venue.engine.markets[coin].oracle / 2) * (1 if szi > 0 else -1)
            if abs(usd) >= LEAST_USD:
                for part in (-usd, usd):
                    away = Decimal("0.01") if part > 0 else Decimal("-0.01")
                    self._by_hand(msgspec.structs.replace(m, on=coin, ms=part), away, "Ioc")

    def _begin_hand_order(self, m: Mishap) -> None:
        self._by_hand(m, Decimal("-0.1") if m.ms > 0 else Decimal("0.1"), "Gtc")

    def _begin_hand_cancel(self, m: Mishap) -> None:
        """Somebody ends all that rests, stops and quotes of ours among it."""
        engine = self._scene.venue.engine
        account = engine.account(self._scene.user)
        assert account is not None  # it has its money since the beginning
        for coin in sorted({o.coin for o in account.open_orders.values()}):
            self._witness.by_hand(coin)
            engine.cancel_all(account, coin, self._scene.exchange_ms())

    def _by_hand(self, m: Mishap, away: Decimal, tif: str) -> None:
        """Somebody else acts on the account: past our nonces, like from the exchange's own page."""
        scene = self._scene
        market = scene.venue.engine.markets[m.on]
        account = scene.venue.engine.account(scene.user)
        if account is None:
            return
        px = round_price(market.oracle * (1 + away), market.info.sz_decimals, up=m.ms > 0)
        sz = floor_size(abs(m.ms) / market.oracle, market.info.sz_decimals)
        self._witness.by_hand(m.on)
        now = scene.exchange_ms()
        entry = scene.venue.engine.place(account, Request(market, m.ms > 0, px, sz, False, tif, None), now)
        for done in ("resting", "filled"):
            if done in entry:
                scene.untold[entry[done]["oid"]] = m.on
