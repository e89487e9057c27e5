"""A service on an exchange whose quotes the test says, by frames on the wire, and whose settings are environment text."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from hip3.config.reading import load, load_markets_file
from hip3.core.orders import PendingOrder, Side
from hip3.service.start import Who, configured_key, identity
from tests.service.apps import status_of
from tests.world import USUAL, World

Env = dict[str, str]
QUIET: Env = {"HIP3_MIN_EDGE_BPS": "5000", "HIP3_MIN_HOLDING_MS": "10000000", "HIP3_TIME_STOP_MS": "600000"}
"""No signal passes and no exit comes by itself."""
OURS: Env = {
    "HIP3_FOREIGN_POSITIONS": "manage",
    "HIP3_PROTECTIVE_STOP_BPS": "0",
    "HIP3_MAX_DAILY_LOSS_USD": "0",
    "HIP3_MARGIN": "keep",
}
"""A position opened by hand stands for one of ours, and nothing else acts on it."""
_PUBLIC = ('{"channel":"bbo"', '{"channel":"activeAssetCtx"')


class EnvWorld(World):
    """A `World` with settings by the production path: text, `config.load`, the markets file, the key, the identity."""

    def __init__(self, tmp_path: Path, env: Env, **more: Any) -> None:
        usual = {} if "HIP3_DEX" in env else {"HIP3_MARKETS": ",".join(USUAL)}
        self.env = {"HIP3_API_URL": "http://127.0.0.1:9"} | usual | OURS | env
        super().__init__(tmp_path, **more)

    def gather(self) -> None:
        self.settings = load_markets_file(load(self.env, None))

    def who(self) -> Who:
        """Who would trade, by the settings."""
        base = self.settings.base
        return identity(base, configured_key(base) or self.key, self.rest)  # type: ignore[arg-type]


class Stage:
    """READY, and from then on no quote but those of `quote`. Prices are basis points from the start's oracle."""

    def __init__(self, tmp_path: Path, env: Env, *, coins: tuple[str, ...] = ("xyz:GOLD",), **more: Any) -> None:
        tmp_path.mkdir(parents=True, exist_ok=True)
        self.world = EnvWorld(tmp_path, env, **more)
        self.coins, self._last = coins, {}  # type: ignore[var-annotated]
        self.world.filter_frame = self._keep
        assert self.world.run_until(lambda: self.world.ready and len(self._last) >= 2 * len(coins), 8000)
        self.world.filter_frame = lambda text: [] if text.startswith(_PUBLIC) else [text]
        self.base = {coin: self.world.venue.engine.markets[coin].oracle for coin in coins}
        self._number = 0
        for coin in coins:
            self.quote(coin)

    def _keep(self, text: str) -> list[str]:
        if text.startswith(_PUBLIC):
            frame = json.loads(text)
            if frame["data"]["coin"] in self.coins:
                self._last[frame["data"]["coin"], frame["channel"]] = frame
        return [text]

    def px(self, coin: str, bps: float) -> str:
        return str((self.base[coin] * (1 + Decimal(str(bps)) / 10_000)).quantize(Decimal("0.00001")))

    def quote(
        self,
        coin: str = "xyz:GOLD",
        *,
        bid: float = -1,
        ask: float = 1,
        oracle: float = 0,
        mark: float | None = None,
        usd: float = 1_000_000,
    ) -> None:
        """One context and one bbo of a market; the mark is the middle, `usd` stands at each touch."""
        self.context(coin, oracle=oracle, mark=(bid + ask) / 2 if mark is None else mark)
        self.touch(coin, bid=bid, ask=ask, usd=usd)

    def context(self, coin: str = "xyz:GOLD", *, oracle: float = 0, mark: float = 0) -> None:
        """An asset context alone."""
        ctx = json.loads(json.dumps(self._last[coin, "activeAssetCtx"]))
        ctx["data"]["ctx"] |= {"oraclePx": self.px(coin, oracle), "markPx": self.px(coin, mark)}
        self._send(ctx)

    def touch(self, coin: str = "xyz:GOLD", *, bid: float = -1, ask: float = 1, usd: float = 1_000_000) -> None:
        """A bbo alone."""
        bbo = json.loads(json.dumps(self._last[coin, "bbo"]))
        size = str((Decimal(str(usd)) / self.base[coin]).quantize(Decimal("0.0001")))
        for level, at in zip(bbo["data"]["bbo"], (bid, ask), strict=True):
            level |= {"px": self.px(coin, at), "sz": size}
        bbo["data"]["time"] = self.world.exchange_ms()
        self._send(bbo)

    def _send(self, frame: dict[str, Any]) -> None:
        self.world.inject(json.dumps(frame, separators=(",", ":")))

    def trip(self, net: str, coin: str = "xyz:GOLD") -> None:
        """A round trip that ended with this result, as the stream of fills tells it."""
        px, now = self.px(coin, 0), self.world.exchange_ms()
        for side, start, pnl, word in (("B", "0.0", "0.0", "Open Long"), ("A", "0.5", net, "Close Long")):
            self._number += 1
            fill = {
                "coin": coin, "px": px, "sz": "0.5", "side": side, "time": now + self._number, "startPosition": start,
                "dir": word, "closedPnl": pnl, "hash": f"0x{self._number:064x}", "oid": 10**12 + self._number,
                "crossed": True, "fee": "0.0", "tid": 10**12 + self._number, "feeToken": "USDC",
            }  # fmt: skip
            self._send({"channel": "userFills", "data": {"user": self.world.user, "fills": [fill]}})
        self.run(50)

    def run(self, ms: int) -> None:
        self.world.run(ms)

    def lag(self, coin: str = "xyz:GOLD", *, step: float = 30, steps: int = 6, **quote: Any) -> int | None:
        """The oracle rises in steps and the quote stays: after which step an entry leaves, or None."""
        before = len(self.entries())
        for number in range(1, steps + 1):
            self.quote(coin, oracle=step * number, **quote)
            self.run(50)
            if len(self.entries()) > before:
                return number
        return None

    def walk(self, *path: dict[str, float], pause_ms: int = 500) -> tuple[int, str] | None:
        """Quote by quote with a position: after which one it is left, and why; None if it stays."""
        for number, at in enumerate(path):
            self.quote(**at)  # type: ignore[arg-type]
            self.run(pause_ms)
            if self.exits():
                reason = self.exits()[0].exit_reason
                assert reason is not None
                return number, reason.value
        return None

    def hold(self, size: str = "0.05", coin: str = "xyz:GOLD", *, oracle: float = 0) -> "Stage":
        """Somebody opens a long position on the account, which the service looks after."""
        self.quote(coin, oracle=oracle)
        self.world.by_hand(coin, Side.BUY, Decimal(size))
        self.run(200)
        position = self.world.trading.tracker.position(coin)
        assert position is not None
        self.base[coin] = position.entry_px
        return self

    def entries(self) -> list[PendingOrder]:
        """Entries that left, in order."""
        return [o for o in self._left() if not o.reduce_only]

    def exits(self) -> list[PendingOrder]:
        """Exits that left, in order; stops on the exchange are none."""
        return [o for o in self._left() if o.reduce_only and not o.protective]

    def _left(self) -> list[PendingOrder]:
        """What the bytes of the wire say left, with what we know of it."""
        actions = self.world.sender.actions()
        cloids = [o["c"] for a in actions if a["type"] == "order" for o in a["orders"]]
        placed = {o.cloid: o for o in self.world.intents.placed}
        return [placed[cloid] for cloid in cloids]

    def status(self) -> dict[str, Any]:
        self.world.running.who = self.world.who()
        return status_of(self.world)

    def within(self, condition: Callable[[], bool], limit_ms: int = 20_000, every_ms: int = 10) -> int | None:
        """After how many milliseconds it holds, quotes repeated meanwhile; None if it does not."""
        began = self.world.clock.mono_ms()
        while self.world.clock.mono_ms() - began < limit_ms:
            if condition():
                return self.world.clock.mono_ms() - began
            if (self.world.clock.mono_ms() - began) % 1000 < every_ms:
                for coin in self.coins:
                    self.quote(coin)
            self.world.run(every_ms, every_ms)
        return None
