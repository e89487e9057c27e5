"""The witness: what really left the service, and what of it can still happen at the exchange.

It reads the bytes on the wire, the intent log on disk and the exchange's own books, never the service's memory,
and objects at once (`Violation`) to whatever must not leave.
"""

from collections import Counter
from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgspec

from hip3.core.money import ZERO, parse
from hip3.core.nonce_floor import floor_of
from hip3.core.orders import ExitReason, PendingOrder, Post
from hip3.core.refusals import Kind, classify
from hip3.onethread.threads import Violation
from hip3.ops.intents import Intent
from hip3.simulate.disk import Disk
from hip3.simulate.quoting import DRIFT, QuotesThatLeft, check_completion, entered_at, worst_sides
from hip3.simulate.scene import Scene
from hip3.simulate.sizes import Sizes
from hip3.simulate.wire import Call
from hip3.venue.serving.output import HttpReply, Output, WsText

Key = tuple[str, int, int]
SILENT_MS = 8000
FURTHEST = Decimal("0.08")
"""From the mark to an exit's limit: the widest step is 3 %, and in a silence the mark may have gone on as much."""
GAP_MS, LEFT_WITHIN_MS = 3000, 700
"""From an entry's intent to its bytes: what allowed it may be so no more."""
RACES = ("Invalid TP/SL price", "badTriggerPxRejected", "Invalid nonce: duplicate")
"""Refusals that a correct order or noop can meet."""


class WireOrder(msgspec.Struct, frozen=True):
    """One order as its bytes said it."""

    cloid: str
    coin: str
    is_buy: bool
    px: Decimal
    sz: Decimal
    reduce_only: bool
    stop: bool
    replaces: int | None = None


class Sent(msgspec.Struct, frozen=True):
    """One signed action that left."""

    key: Key
    kind: str
    nonce: int
    orders: tuple[WireOrder, ...]
    at_ms: int
    expires_ms: int | None


class Witness:
    """See the module."""

    def __init__(self, scene: Scene, disk: Disk) -> None:
        self._scene, self._disk = scene, disk
        self.admitted: dict[str, PendingOrder] = {}
        """Every order whose intent was on disk."""
        self.left: dict[str, WireOrder] = {}
        """Every order whose bytes left."""
        self.under_way: dict[Key, Sent] = {}
        """What the exchange may still execute."""
        self._nonces: dict[int, str] = {}
        self._floor = 0
        """The highest nonce of earlier processes."""
        self._intended_ms: dict[str, int] = {}
        """cloid -> when its intent was on disk."""
        self.unwritten: set[int] = set()
        """Nonces whose record the disk did not take."""
        self._posted: dict[int, Sent] = {}
        """Posts of this process."""
        self._replies: Counter[int] = Counter()
        """How often the reply to each was read."""
        self.given_up: set[int] = set()
        """Posts whose orders became unknown before, by the journal."""
        self._never: set[int] = set()
        """Nonces of posts that were given up before a byte of them left."""
        self.sizes = Sizes(scene)
        self._highest = 0
        """Nonce on disk."""
        self._log_at, self._log = 0, b""
        self.hands: set[str] = set()
        """Markets in which somebody else trades on the account."""
        self._conn = 0
        self._reads: set[str] = set()
        self._latched = self._reducing = False
        self._exits: dict[str, Sent] = {}
        self._quotes = QuotesThatLeft(scene)
        self.refusals = 0
        self.posts = 0
        """Posts of this process."""

    def new_process(self) -> None:
        """The service starts anew."""
        self._conn, self.posts, self._log_at, self._log = 0, 0, 0, b""
        self._exits.clear()
        self._quotes.new_process()
        self._posted.clear()
        self._replies.clear()
        self.given_up.clear()
        self._floor = self._highest

    # What is on disk.

    def intent(self, record: Intent) -> None:
        """A record was written, as far as the service knows."""
        self._highest = max(self._highest, floor_of(record.nonce, self._scene.exchange_ms()))
        for order in record.orders:
            self.admitted[order.cloid] = order
            self._intended_ms[order.cloid] = self._scene.clock.mono_ms()

    def _durable(self, nonce: int) -> bool:
        """Whether the intent log on disk holds the nonce."""
        path = self._scene.file("intents.log")
        if path is None:
            return False
        with open(path, "rb") as file:
            file.seek(self._log_at)
            self._log += file.read()
            self._log_at = file.tell()
        return b'"nonce":%d' % nonce in self._log

    # What the service knows as a round of the tick begins.

    def tick_began(self) -> None:
        """Entries of this round are decided on what is so now."""
        running = self._scene.running
        assert running is not None
        assert running.latch is not None
        self._latched = running.latch._state.tripped
        self._reducing = self._scene.stopping

    def connected(self, conn: int) -> None:
        """A connection opened: nothing of the account was read in it yet."""
        self._conn, self._reads = conn, set()

    def closed(self, conn: int) -> None:
        """A connection is gone."""
        if conn == self._conn:
            self._conn = 0

    def read(self, call: Call) -> None:
        """The service has read something over HTTP."""
        if call.reply is not None and call.reply.status_code == 200 and b'"clearinghouseState"' in call.body:
            self._reads.add(str(msgspec.json.decode(call.body).get("dex")))

    def by_hand(self, coin: str) -> None:
        """Somebody else acts in a market."""
        self.hands.add(coin)

    # What leaves.

    def sent_frame(self, conn: int, text: str) -> None:
        """A WebSocket frame left."""
        if text.startswith('{"method":"post"'):
            message = msgspec.json.decode(text)
            self.posts += 1
            self._sent(("ws", conn, message["id"]), message["request"]["payload"])

    def sent_request(self, token: int, call: Call) -> None:
        """An HTTP request left."""
        if call.path == "/exchange":
            self._sent(("http", 0, token), msgspec.json.decode(call.body))

    def broke(self, text: str) -> None:
        """A frame of which not a byte left, though the service cannot know."""
        self.posts += text.startswith('{"method":"post"')

    def _sent(self, key: Key, body: dict[str, Any]) -> None:
        action, nonce = body["action"], body["nonce"]
        kind = action["type"]
        moves = [(m["order"], m["oid"]) for m in action.get("modifies", ())]
        orders = tuple(self._order(*item) for item in [*((o, None) for o in action.get("orders", ())), *moves])
        sent = Sent(key, kind, nonce, orders, self._scene.clock.mono_ms(), body.get("expiresAfter"))
        self._say(sent)
        self._check_nonce(sent)
        if orders:
            self._check_orders(sent, body)
        self.under_way[key] = sent
        if key[0] == "ws":
            self._posted[key[2]] = sent
        for order in orders:
            if order.cloid in self.left:
                raise Violation(f"{order.cloid} left twice")
            self.left[order.cloid] = order
            if not order.reduce_only:
                self._check_entry(order, sent)
            elif not order.stop:
                self._check_exit(order, sent)
        self.check_exposure()

    def _say(self, sent: Sent) -> None:
        """What leaves."""
        lane = sent.key[0]
        for o in sent.orders:
            side, what = ("buy" if o.is_buy else "sell"), ("stop" if o.stop else "exit" if o.reduce_only else "entry")
            self._scene.say(f"{lane} {what} {self._scene.name(o.cloid)} {side} {o.sz} {o.coin} at {o.px}")
            self._scene.counts[what] += 1
        if not sent.orders:
            self._scene.say(f"{lane} {sent.kind}")

    def late_reply(self, post_id: int) -> None:
        """A reply came that nobody waits for: its time must be over, or its connection, or it came twice."""
        sent = self._posted.get(post_id)
        if sent is None or post_id in self.given_up or self._replies[post_id] > 1 or sent.key[1] != self._conn:
            return
        if self._scene.clock.mono_ms() - sent.at_ms < self._scene.settings.base.post_timeout_ms:
            raise Violation(f"the reply to post {post_id} came in time and nobody took it")

    def reply_read(self, text: str) -> None:
        """A reply was read from the socket; what follows from it follows now."""
        with suppress(msgspec.DecodeError):
            self._replies[msgspec.json.decode(text)["data"]["id"]] += 1

    def gave_up(self, post: Post, why: str) -> None:
        """The service no longer waits for a post: its orders are unknown from here, and their fate is being proved."""
        sent = self._posted.get(post.post_id)
        waited = None if sent is None else self._scene.clock.mono_ms() - sent.at_ms
        if why == "no reply in time" and waited is not None and waited < self._scene.settings.base.post_timeout_ms:
            raise Violation(f"post {post.post_id} was given up {waited} ms after it had left")
        self.given_up.add(post.post_id)
        if post.nonce not in self._nonces:
            self._never.add(post.nonce)

    def _order(self, item: dict[str, Any], replaces: int | None) -> WireOrder:
        market = self._scene.venue.engine.by_asset.get(item["a"])
        coin = "?" if market is None else market.info.coin
        return WireOrder(
            item["c"], coin, item["b"], parse(item["p"]), parse(item["s"]), item["r"], "trigger" in item["t"], replaces
        )

    def _check_nonce(self, sent: Sent) -> None:
        before = self._nonces.setdefault(sent.nonce, "")
        if before and sent.kind != "noop":
            raise Violation(f"nonce {sent.nonce} was signed for two actions ({before}, {sent.kind})")
        self._nonces[sent.nonce] = before or sent.kind
        if sent.nonce in self._never and sent.kind != "noop":
            raise Violation(f"the {sent.kind} with nonce {sent.nonce} left after its post had been given up")
        if sent.nonce <= self._floor and not before and sent.kind != "noop":
            raise Violation(f"nonce {sent.nonce} is below {self._floor}, which an earlier process gave out")
        may_lack = sent.kind == "cancel" or (sent.orders and sent.orders[0].reduce_only)
        if not self._durable(sent.nonce) and not (may_lack and sent.nonce in self.unwritten):
            raise Violation(f"the {sent.kind} with nonce {sent.nonce} left before its intent was on disk")

    def _check_orders(self, sent: Sent, body: dict[str, Any]) -> None:
        if len({o.reduce_only for o in sent.orders}) > 1:
            raise Violation("entries and exits in one action")
        if self._scene.settings.base.expires_after_ms and "expiresAfter" not in body:
            raise Violation("orders without expiry")
        for order in sent.orders:
            meant = self.admitted.get(order.cloid)
            if meant is None:
                if not (order.reduce_only and sent.nonce in self.unwritten):
                    raise Violation(f"{order.cloid} left without an intent of its own")
            elif (meant.coin, meant.side.is_buy, meant.px, meant.sz, meant.reduce_only, meant.replaces) != (
                order.coin, order.is_buy, order.px, order.sz, order.reduce_only, order.replaces,
            ):  # fmt: skip
                raise Violation(f"{order.cloid} left as {order}, meant as {meant}")

    def _check_entry(self, order: WireOrder, sent: Sent) -> None:
        scene, coin = self._scene, order.coin
        if self._latched:
            raise Violation(f"entry {order.cloid} left after the latch had tripped")
        if self._reducing:
            raise Violation(f"entry {order.cloid} left while the service was stopping")
        if sent.key[0] != "ws" or sent.key[1] != self._conn:
            raise Violation(f"entry {order.cloid} did not leave on the connection of its epoch")
        if not set(scene.dexs) <= self._reads:
            raise Violation(f"entry {order.cloid} left before the account was read in this epoch")
        if scene.clock.mono_ms() - scene.heard_ms > SILENT_MS + 1000:
            raise Violation(f"entry {order.cloid} left though nothing was heard for so long")
        if scene.clock.mono_ms() - self._intended_ms.get(order.cloid, 0) > LEFT_WITHIN_MS:
            raise Violation(f"entry {order.cloid} left long after it was looked at")
        meant = self.admitted.get(order.cloid)
        if meant is not None and meant.level is not None:
            self._quotes.check(meant, [o.cloid for o in self.may_land()], leaving=self._leaving(coin))
            return
        if coin in self.hands:
            return
        if self._scene.positions().get(coin):
            raise Violation(f"entry {order.cloid} left on top of a position in {coin}")
        if len(others := [o for o in self.may_land() if o.coin == coin]) > 1:
            raise Violation(f"two entries of {coin} are live: {[o.cloid for o in others]}")

    def _leaving(self, coin: str) -> bool:
        """Whether an exit is under way, or one that was no completion has left something a moment ago."""
        exit_ = self._exits.get(coin)
        if exit_ is None or exit_.key in self.under_way:
            return exit_ is not None
        reasons = {o.exit_reason for o in (self.admitted.get(w.cloid) for w in exit_.orders) if o is not None}
        lately = self._scene.clock.mono_ms() - exit_.at_ms < LEFT_WITHIN_MS
        return lately and ExitReason.COMPLETION not in reasons and coin in self._scene.positions()

    def _check_exit(self, order: WireOrder, sent: Sent) -> None:
        before = self._exits.get(order.coin)
        soon = before is not None and sent.at_ms - before.at_ms < self._scene.settings.base.post_timeout_ms
        if before is not None and soon and before.key in self.under_way and before.key[:2] == sent.key[:2]:
            raise Violation(f"two exits of {order.coin} are under way")
        self._exits[order.coin] = sent
        meant = self.admitted.get(order.cloid)
        if meant is not None and meant.exit_reason is ExitReason.COMPLETION:
            check_completion(self._scene, meant)
        mark = self._scene.venue.engine.markets[order.coin].mark
        worse = (mark - order.px) / mark * (-1 if order.is_buy else 1)
        # What was decided before a gap leaves at a price of before.
        lately = sent.at_ms - self._scene.gapped.get(order.coin, -GAP_MS) < GAP_MS
        if worse > FURTHEST and not lately:
            raise Violation(f"an exit of {order.coin} leaves at {order.px}, its mark is {mark}")

    # What the exchange does.

    def said(self, item: Output) -> None:
        """An answer, before anything happens to it: what it is about was executed, or will never be."""
        key: Key | None = None
        if isinstance(item, HttpReply):
            key = ("http", 0, item.token)
        elif isinstance(item, WsText) and item.text.startswith('{"channel":"post"'):
            data = msgspec.json.decode(item.text)["data"]
            key = ("ws", item.conn, data["id"])
        if key is None:
            return
        sent = self.under_way.pop(key, None)
        if sent is None:
            return
        self._check_refusal(sent, item.text if isinstance(item, WsText) else getattr(item, "body", b"").decode())

    def lost_frame(self, conn: int, text: str) -> None:
        """A frame never arrived."""
        if text.startswith('{"method":"post"'):
            self.under_way.pop(("ws", conn, msgspec.json.decode(text)["id"]), None)

    def _check_refusal(self, sent: Sent, reply: str) -> None:
        """What the exchange refuses as wrong in itself should never have left."""
        for part in reply.split('"error":"')[1:]:
            self._refused(sent, part.partition('"')[0])
        if '"status":"err"' in reply:
            self._refused(sent, reply.rsplit('"response":"', maxsplit=1)[-1].partition('"')[0])

    def _refused(self, sent: Sent, text: str) -> None:
        self.refusals += 1
        wrong_clock = "nonce too high" in text and all(o.reduce_only for o in sent.orders)  # nothing told the time
        race = text.startswith(RACES) or wrong_clock or self._scene.rules_change
        if classify(text).kind in (Kind.OURS, Kind.FATAL) and not race:
            raise Violation(f"the exchange refuses a {sent.kind} as wrong: {text}")

    def exchange_moved(self) -> None:
        """The exchange had its step."""
        self.sizes.note()
        if self.hands:
            account = self._scene.venue.engine.account(self._scene.user)
            held = self._scene.positions()
            resting = {o.coin for o in account.open_orders.values() if o.cloid is None} if account else set()
            self.hands = {c for c in self.hands if c in held or c in resting}
        self.check_exposure()

    def may_land(self) -> list[WireOrder]:
        """Entries that the exchange may still execute: their nonce is unused, their time is not over."""
        now, used = self._scene.exchange_ms(), self._scene.venue.books.nonces(self._scene.user).kept
        return [
            order
            for sent in self.under_way.values()
            if sent.nonce not in used and (sent.expires_ms is None or now <= sent.expires_ms)
            for order in sent.orders
            if not order.reduce_only
        ]

    def check_exposure(self) -> None:
        """Positions, and every entry that may still land, each at the price of its admission, within the limits."""
        if self.hands:
            return
        under_way = [(o.coin, o.is_buy, o.sz * o.px) for o in self.may_land()]
        usd = worst_sides(self._scene, under_way, self.admitted)
        quoted = self._scene.settings.base.quoted_coins
        for coin, szi in ((c, s) for c, s in self._scene.positions().items() if c not in quoted):
            usd[coin] = abs(szi) * entered_at(self._scene, self.admitted, coin)
        for order in (o for o in self.may_land() if o.coin not in quoted):
            usd[order.coin] = usd.get(order.coin, ZERO) + order.sz * self._admission(order)
        base = self._scene.settings.base
        for coin, used in usd.items():
            if coin not in quoted and used > base.max_notional_per_market:
                raise Violation(f"{coin} may come to {used:.2f} USD, its limit is {base.max_notional_per_market}")
        if sum(usd.values(), ZERO) > base.max_notional_total * (DRIFT if quoted else 1):
            raise Violation(
                f"all may come to {sum(usd.values(), ZERO):.2f} USD, the limit is {base.max_notional_total}"
            )
        if len(usd) > base.max_concurrent_positions:
            raise Violation(f"{len(usd)} markets are occupied, the limit is {base.max_concurrent_positions}")

    def _admission(self, order: WireOrder) -> Decimal:
        meant = self.admitted.get(order.cloid)
        return order.px if meant is None else meant.admission_px
