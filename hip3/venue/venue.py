"""The embedded exchange's core: requests in, answers and frames out. Confined to one thread, no IO.

Time is an argument; `advance(now)` lets everything happen that is due, `take_output` gives what is
to be sent. The server gives it sockets and a clock; tests and the simulation drive it directly.
"""

from decimal import Decimal

from hip3.exchange.embedded import key_number_one
from hip3.exchange.signing import SigningKey
from hip3.venue.actions.auth import Agents, NonceSet
from hip3.venue.actions.sub_accounts import SubAccounts, Vault
from hip3.venue.engine.engine import Engine
from hip3.venue.engine.funding import Funding
from hip3.venue.engine.mempool import Mempool
from hip3.venue.engine.model import Market, MarketInfo
from hip3.venue.engine.numbers import num
from hip3.venue.market.crowd import Crowd
from hip3.venue.market.recording import NOTHING, Recording
from hip3.venue.serving.faults import Faults, control
from hip3.venue.serving.gateway import Gateway
from hip3.venue.serving.hub import Hub
from hip3.venue.serving.limits import Limits
from hip3.venue.serving.output import HttpReply, Output, WsClose, WsText
from hip3.venue.serving.publisher import Publisher
from hip3.venue.setup.settings import Dex, VenueSetup

__all__ = ["HttpReply", "Venue", "WsClose", "WsText"]

DRIP_USD = Decimal(1000)


class Venue:
    """One exchange. `latency_ms` is how long an action travels before it is executed; the coins of a
    `recording` do what it says instead of what the seed does."""

    def __init__(
        self, setup: VenueSetup, *, seed: int, profile: str, now_ms: int, latency_ms: int = 0,
        recording: Recording = NOTHING,
    ) -> None:  # fmt: skip
        self.seed: int = seed
        self.profile: str = profile
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
            infos.append((info, recording.px(m)))
        self.engine: Engine = Engine(infos, setup.parameters)
        self._by_dex = {d: [m for m in self.engine.markets.values() if m.info.dex == d] for d in dex_index}
        self.agents: Agents = Agents()
        self._nonces: dict[str, NonceSet] = {}
        self.subs: SubAccounts = SubAccounts()
        for vault in setup.vaults:
            address = vault.address.lower()
            self.subs.vaults[address] = Vault(address, vault.leader.lower(), vault.name)
            self.engine.fund(address, "", Decimal(0))
        self.faults: Faults = Faults()
        for fault in setup.faults:
            self.faults.add(fault, now_ms)
        self.clock_offset_ms = 0
        """How far the exchange's clock is off, for whoever gives it the time."""
        self._now = now_ms
        self._limits = Limits(setup.parameters)
        self.hub: Hub = Hub(self._limits, setup.parameters.ws_users)
        self._out: list[Output] = []
        pool = Mempool(latency_ms, setup.parameters.latency_jitter_ms, seed)
        self._gateway = Gateway(self, self._limits, pool, self._out)
        self._crowd = Crowd(self.engine, setup, profile, seed, now_ms, recording)
        self._models = self._crowd.models
        self._funding = Funding(self.engine, now_ms)
        self.publisher: Publisher = Publisher(self, now_ms, self._out)
        self._next_block = now_ms
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

    def http(self, token: int, path: str, body: bytes, now_ms: int, ip: str = "") -> None:
        """One HTTP POST; its answer appears in the output, an action's after the latency."""
        self._now = now_ms
        if path == "/control":
            self._gateway.reply(token, *control(self, body, now_ms))
        else:
            self._gateway.http(token, path, body, now_ms, ip)

    def connect(self, conn: int, now_ms: int = 0, ip: str = "") -> None:
        """A WebSocket opened."""
        self.hub.connect(conn)
        if self.faults.refuses(now_ms) or not self._limits.connect(conn, ip, now_ms):
            self._out.append(WsClose(conn))

    def disconnect(self, conn: int) -> None:
        """A WebSocket is gone. Its orders stay."""
        self.hub.disconnect(conn)
        self._limits.disconnect(conn)

    def ws(self, conn: int, text: str, now_ms: int) -> None:
        """One message of a client."""
        self._now = now_ms
        self._gateway.ws(conn, text, now_ms)

    def take_output(self) -> list[Output]:
        """Everything to be sent since the last call."""
        out = list(self._out)
        self._out.clear()
        return self.faults.filter(out, self._now)

    def drop_all(self) -> None:
        """Cut every socket."""
        self._out.extend(WsClose(conn) for conn in self.hub.sockets)

    def say_to_all(self, frames: list[str]) -> None:
        """Frames for every socket."""
        self._out.extend(WsText(conn, text) for conn in self.hub.sockets for text in frames)

    def publish(self, now_ms: int) -> None:
        """Put what has happened into the output."""
        self.publisher.publish(now_ms)

    def move(self, coin: str, px: Decimal, now_ms: int) -> None:
        """Outside price, oracle, mark and makers jump to `px` at once: for tests and scripts."""
        self._crowd.move(coin, px, now_ms)
        self.publish(now_ms)

    # Time.

    def next_due(self) -> int:
        """When `advance` has something to do again."""
        late = [due for due in (self._gateway.next_due(), self.faults.next_due()) if due is not None]
        return min([self._next_block, *late])

    def advance(self, now_ms: int) -> None:
        """Let everything happen that is due."""
        self._now = max(self._now, now_ms)
        while True:
            late = self._gateway.next_due()
            if late is not None and late <= min(self._next_block, now_ms):
                self._gateway.arrive()
                continue
            due = self._next_block
            if due > now_ms:
                return
            self._next_block = due + self.engine.parameters.block_ms
            self._block(due)

    def _block(self, now_ms: int) -> None:
        self.faults.tick(self, now_ms)
        actions = self._gateway.block(now_ms)
        next(actions)  # makers and cancels of users, then those of the crowd, then takers
        self._crowd.advance(now_ms)
        for _ in actions:
            pass
        self.engine.run_switches(now_ms)
        self._funding.advance(now_ms)
        self.publish(now_ms)
        self.publisher.tick(now_ms)
