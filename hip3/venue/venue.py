"""The embedded exchange's core: requests in, answers and frames out. Confined to one thread, no IO.

Time is an argument; `advance(now)` lets everything happen that is due, `take_output` gives what is
to be sent. The server gives it sockets and a clock; tests and the simulation drive it directly.
"""

import heapq
import itertools
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from hip3.exchange.embedded import key_number_one
from hip3.exchange.signing import SigningKey
from hip3.venue import streams
from hip3.venue.actions import exchange
from hip3.venue.auth import Agents, NonceSet
from hip3.venue.crowd import Crowd
from hip3.venue.engine import Engine
from hip3.venue.funding import Funding
from hip3.venue.info import answer
from hip3.venue.model import Market, MarketInfo
from hip3.venue.numbers import num
from hip3.venue.replies import UNPROCESSABLE, Text
from hip3.venue.settings import Dex, VenueSetup
from hip3.venue.sub_accounts import SubAccounts, Vault
from hip3.venue.user_streams import user_frames

BLOCK_MS = 70
CTX_MS = 1000
BOOK_MS = 5400
MIDS_MS = 1000
DRIP_USD = Decimal(1000)


class HttpReply(NamedTuple):
    """Answer to an HTTP request, by the token it came with."""

    token: int
    status: int
    body: bytes
    plain: bool


class WsText(NamedTuple):
    """A frame for one socket."""

    conn: int
    text: str


class WsClose(NamedTuple):
    """Drop one socket without a close frame."""

    conn: int


Output = HttpReply | WsText | WsClose


class Venue:
    """One exchange. `latency_ms` is how long an action travels before it is executed."""

    def __init__(self, setup: VenueSetup, *, seed: int, profile: str, now_ms: int, latency_ms: int = 0) -> None:
        self.seed: int = seed
        self.profile: str = profile
        self.latency_ms = latency_ms
        self.dexs: list[Dex] = setup.dexs
        dex_index = {"": 0} | {dex.name: i for i, dex in enumerate(setup.dexs, 1)}
        scales = {dex.name: dex.fee_scale for dex in setup.dexs}
        counts = dict.fromkeys(dex_index, 0)
        infos = []
        for m in setup.markets:
            base = 100_000 + 10_000 * dex_index[m.dex] if m.dex else 0
            info = MarketInfo(
                m.coin, m.dex, base + counts[m.dex], m.sz_decimals, m.max_leverage, m.margin_mode, m.growth,
                scales.get(m.dex), tuple((lower, leverage) for lower, leverage in m.margin_tiers),
                m.oi_cap if m.dex else None,
            )  # fmt: skip
            counts[m.dex] += 1
            infos.append((info, m.px))
        self.engine: Engine = Engine(infos, setup.parameters)
        self._by_dex = {d: [m for m in self.engine.markets.values() if m.info.dex == d] for d in dex_index}
        self.agents: Agents = Agents()
        self._nonces: dict[str, NonceSet] = {}
        self.subs: SubAccounts = SubAccounts()
        for vault in setup.vaults:
            address = vault.address.lower()
            self.subs.vaults[address] = Vault(address, vault.leader.lower(), vault.name)
            self.engine.fund(address, "", Decimal(0))
        self.hub = streams.Hub()
        self._out: list[Output] = []
        self._late: list[tuple[int, int, Any]] = []
        self._serial = itertools.count()
        self._crowd = Crowd(self.engine, setup, profile, seed, now_ms)
        self._models = self._crowd.models
        self._funding = Funding(self.engine, now_ms)
        self._cadence = {coin: now_ms + i * 37 % CTX_MS for i, coin in enumerate(self.engine.markets)}
        self._next_book = now_ms + BOOK_MS
        self._next_mids = now_ms + MIDS_MS
        self._next_block = now_ms
        self._bbo: dict[str, Any] = {}
        for account, amount in setup.accounts.items():
            self._fund_all(account.lower(), amount)
        self._fund_all(SigningKey(key_number_one(seed)).address, DRIP_USD)
        self.advance(now_ms)

    # Accounts.

    def has_dex(self, name: str) -> bool:
        return name in self._by_dex

    def markets_of(self, dex: str) -> list[Market]:
        """Markets of a dex in the order of its universe."""
        return self._by_dex.get(dex, [])

    def drip(self, address: str, now_ms: int) -> None:
        """The faucet: 1,000 USDC on the main and on every builder dex."""
        self._fund_all(address, DRIP_USD)
        delta = {"type": "deposit", "usdc": num(DRIP_USD * len(self._by_dex))}
        self.engine.note(self.engine.accounts[address], delta, now_ms)

    def _fund_all(self, address: str, amount: Decimal) -> None:
        for dex in self._by_dex:
            self.engine.fund(address, dex, amount)

    def owner_of(self, signer: str, now_ms: int) -> str | None:
        """The account a signer may act for: its own, or its master's."""
        return signer if self.engine.account(signer) is not None else self.agents.account_of(signer, now_ms)

    def nonces(self, signer: str) -> NonceSet:
        """The nonce set of a signer."""
        return self._nonces.setdefault(signer, NonceSet())

    # Requests.

    def http(self, token: int, path: str, body: bytes, now_ms: int) -> None:
        """One HTTP POST; its answer appears in the output, an action's after the latency."""
        try:
            request = msgspec.json.decode(body)
        except msgspec.DecodeError as error:
            self._reply(token, 400, Text(f"Failed to parse the request body as JSON: {error}"))
            return
        if path == "/exchange":
            self._later(now_ms, ("http", token, request))
        else:
            self._reply(token, *answer(self, request, now_ms))

    def connect(self, conn: int) -> None:
        """A WebSocket opened."""
        self.hub.connect(conn)

    def disconnect(self, conn: int) -> None:
        """A WebSocket is gone. Its orders stay."""
        self.hub.disconnect(conn)

    def ws(self, conn: int, text: str, now_ms: int) -> None:
        """One frame of a client."""
        try:
            message = msgspec.json.decode(text)
            method = str(message["method"])
        except (msgspec.DecodeError, TypeError, KeyError):
            self._frames(conn, [streams.bad_request(text)])
            return
        subscription = message.get("subscription")
        if method == "ping":
            self._frames(conn, ['{"channel":"pong"}'])
        elif method == "post":
            self._post(conn, message, now_ms)
        elif method in ("subscribe", "unsubscribe") and isinstance(subscription, dict):
            if method == "unsubscribe":
                self._frames(conn, self.hub.unsubscribe(conn, subscription))
                return
            if not all(isinstance(v, str | int | bool | None) for v in subscription.values()):
                self._frames(conn, [streams.bad_request(text)])
                return
            frames = self.hub.subscribe(self, conn, subscription, now_ms)
            if frames is None:
                self._out.append(WsClose(conn))
            else:
                self._frames(conn, frames)
        else:
            self._frames(conn, [streams.bad_request(text)])

    def _post(self, conn: int, message: Any, now_ms: int) -> None:
        request, post_id = message.get("request"), message.get("id")
        if not isinstance(request, dict) or not isinstance(post_id, int):
            self._frames(conn, [streams.bad_request(str(message))])
        elif request.get("type") == "action":
            self._later(now_ms, ("ws", conn, post_id, request.get("payload")))
        else:
            status, body = answer(self, request.get("payload"), now_ms)
            payload = request.get("payload")
            kind = payload.get("type") if isinstance(payload, dict) else None
            self._post_reply(conn, post_id, "info", status, {"type": kind, "data": body} if status == 200 else body)

    def _post_reply(self, conn: int, post_id: int, kind: str, status: int, payload: Any) -> None:
        if status != 200:
            kind, payload = "error", f"{status} {payload}"
        response = {"type": kind, "payload": payload}
        self._frames(conn, [streams.text_of({"channel": "post", "data": {"id": post_id, "response": response}})])

    def _later(self, now_ms: int, item: Any) -> None:
        if self.latency_ms == 0:
            self._execute(item, now_ms)
        else:
            heapq.heappush(self._late, (now_ms + self.latency_ms, next(self._serial), item))

    def _execute(self, item: Any, now_ms: int) -> None:
        if item[0] == "http":
            status, body = self._exchange(item[2], now_ms)
            self._reply(item[1], status, body)
        else:
            _, conn, post_id, payload = item
            status, body = self._exchange(payload, now_ms)
            self._post_reply(conn, post_id, "action", status, body)
        self._publish(now_ms)

    def _exchange(self, payload: Any, now_ms: int) -> Any:
        """One signed action; whatever a client made up, the exchange lives on."""
        try:
            return exchange(self, payload, now_ms)
        except (TypeError, ValueError, ArithmeticError, KeyError, AttributeError):
            return UNPROCESSABLE

    def _reply(self, token: int, status: int, body: Any) -> None:
        if isinstance(body, Text):
            self._out.append(HttpReply(token, status, body.encode(), plain=True))
        else:
            self._out.append(HttpReply(token, status, msgspec.json.encode(body), plain=False))

    def _frames(self, conn: int, frames: list[str]) -> None:
        self._out.extend(WsText(conn, text) for text in frames)

    def take_output(self) -> list[Output]:
        """Everything to be sent since the last call."""
        out, self._out = self._out, []
        return out

    def move(self, coin: str, px: Decimal, now_ms: int) -> None:
        """Outside price, oracle, mark and makers jump to `px` at once: for tests and scripts."""
        self._crowd.move(coin, px, now_ms)
        self._publish(now_ms)

    # Time.

    def next_due(self) -> int:
        """When `advance` has something to do again."""
        return min(self._next_block, self._late[0][0]) if self._late else self._next_block

    def advance(self, now_ms: int) -> None:
        """Let everything happen that is due."""
        while (due := self.next_due()) <= now_ms:
            if self._late and self._late[0][0] <= self._next_block:
                when, _, item = heapq.heappop(self._late)
                self._execute(item, when)
                continue
            self._next_block = due + BLOCK_MS
            self._block(due)

    def _block(self, now_ms: int) -> None:
        self._crowd.advance(now_ms)
        self.engine.run_switches(now_ms)
        self._funding.advance(now_ms)
        self._publish(now_ms)
        for coin, due in self._cadence.items():
            if due <= now_ms:
                self._cadence[coin] = now_ms + CTX_MS
                self._send(f"activeAssetCtx:{coin}", lambda c=coin: streams.ctx_frame(self, c))
        if self._next_book <= now_ms:
            self._next_book = now_ms + BOOK_MS
            for coin in self.engine.markets:
                self._send(f"l2Book:{coin}", lambda c=coin: streams.book_frame(self, c, now_ms))
        if self._next_mids <= now_ms:
            self._next_mids = now_ms + MIDS_MS
            for dex in self._by_dex:
                key = f"allMids:{dex}" if dex else "allMids"
                self._send(key, lambda d=dex: streams.mids_frame(self, d))

    def _send(self, key: str, make: Any) -> None:
        if self.hub.heard(key):
            text = make()
            self._out.extend(WsText(conn, text) for conn in sorted(self.hub.listeners(key)))

    def _publish(self, now_ms: int) -> None:
        """Tell users what happened to them, and everybody what the touches are now."""
        events, self.engine.events = self.engine.events, []
        if events:
            for key, text in user_frames(events):
                self._send(key, lambda t=text: t)
        touched, self.engine.touched = self.engine.touched, set()
        for coin in sorted(touched):
            if not self.hub.heard(f"bbo:{coin}"):
                continue
            book = self.engine.markets[coin].book
            touch = (book.touch(is_buy=True), book.touch(is_buy=False))
            if self._bbo.get(coin) != touch:
                self._bbo[coin] = touch
                self._send(f"bbo:{coin}", lambda c=coin: streams.bbo_frame(self, c, now_ms))
