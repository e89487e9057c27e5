"""`cancel-all` and `flatten`: through the running service if there is one, else by hand.

By hand means: under the state lock, above the nonce floor of the intent log, and with every signed action in that log
before its bytes leave, so that the next start resolves whatever is left open here. The latch is not asked: both
commands only make the account smaller. Everything runs on the main thread.
"""

import contextlib
import sys
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from loguru import logger

from hip3.clock import SystemClock
from hip3.commands.asking import meant
from hip3.config.reading import MarketSettings
from hip3.core.events import Filled, OrderUpdate, Refused
from hip3.core.ledger import OrderChanged, PositionView
from hip3.core.market import Level, MarketSpec, MarketView, in_dexs
from hip3.core.money import ZERO, parse
from hip3.core.nonce_floor import floor_of
from hip3.core.order_state import OrderState
from hip3.core.orders import ExitReason, OrderBatch, PendingCancel, PendingOrder, is_ours
from hip3.core.ports import Clock
from hip3.errors import ODD_ANSWERS, AlreadyRunning, ConfigError, JournalError, NonceError, SigningError, VenueReadError
from hip3.exchange.clock_offset import ClockOffset
from hip3.exchange.nonce import NonceManager
from hip3.exchange.rest import RestClient
from hip3.exchange.signing import sign_l1_action
from hip3.exchange.wire_out import cancel_action, order_action, signed_body
from hip3.exchange.wire_reply import parse_action_answer
from hip3.execution.exits.exiting import CLOSED_MS, no_price_helps
from hip3.execution.sending.cloids import CloidSource
from hip3.execution.sending.replies import Fate, Resolution, refused_together, resolve
from hip3.execution.truth.account import Proof, prove
from hip3.execution.truth.bootstrap import dexs_with, left_by_us
from hip3.execution.truth.stops_in_doubt import StopsInDoubt
from hip3.execution.truth.universe import learn_universe
from hip3.ops import logs
from hip3.ops.control import ask
from hip3.ops.intents import IntentLog
from hip3.ops.journal import EventLog
from hip3.ops.state_dir import StateLock, account_dir, socket_path
from hip3.position.flatten import build
from hip3.risk.hard_stop import HardStopLatch
from hip3.service.assembly import PART_TRIES, kept_markets
from hip3.service.kept import latch_path, left_by
from hip3.service.operating import NO_ANSWER, NOT_AS_ASKED, OK, TIMEOUT_MS
from hip3.service.params import exit_params
from hip3.service.start import Who, configured_key, identity, key_source

FAILED, NOT_RUNNING, NO_JOURNAL = 1, 3, 7
PATIENCE_S = 5.0
BETWEEN_MS = 500
BATCH = 50
MARGIN_MS = 2000
NONCE_WINDOW_MS = 2 * 86_400_000
"""The exchange takes no nonce that is older (docs/venue-facts.md F6)."""


def operate(settings: MarketSettings, command: str, market: str | None, timeout_ms: int | None) -> int:
    """Run one command; its exit code. The proof goes to stdout."""
    root, wait_ms = Path(settings.base.state_dir), timeout_ms or TIMEOUT_MS
    request = {"command": command, "market": market, "timeout_ms": wait_ms, "place": meant(settings.base)}
    for tries in range(20):
        answer = ask(socket_path(root), request, PATIENCE_S + wait_ms / 1000)
        if answer is not None:
            return _told(answer)
        try:
            lock = StateLock(root)
        except AlreadyRunning:
            if tries == 19:
                raise
            threading.Event().wait(0.25)  # it starts or ends just now
            continue
        try:
            return _by_hand(settings, command, market, wait_ms)
        finally:
            lock.release()
    raise AssertionError


def _told(answer: dict[str, Any]) -> int:
    if "error" in answer:
        print(f"hip3: {answer['error']}", file=sys.stderr)  # noqa: T201
        return int(answer.get("code", NOT_AS_ASKED))
    print(f"before: {answer['before']}\n{answer['command']}: {answer['proof']}")  # noqa: T201
    if answer.get("nothing"):
        print(answer["nothing"])  # noqa: T201
    return int(answer["code"])


def _by_hand(settings: MarketSettings, command: str, market: str | None, wait_ms: int) -> int:
    base, clock = settings.base, SystemClock()
    if not base.trading:
        raise ConfigError(["HIP3_MODE is observe: there is no key to act with"])
    if base.own_exchange:
        print("hip3: no service is running here, and its own exchange ended with it", file=sys.stderr)  # noqa: T201
        return NOT_RUNNING
    source = key_source(base)
    logs.setup(
        Path(base.log_dir),
        logs.secret_forms(base.private_key, base.keystore_password, source.text if source else None),
    )
    key, rest, pause = configured_key(base), RestClient(base.http_url, clock), threading.Event().wait
    end_ms = clock.mono_ms() + wait_ms
    while True:
        try:
            who = identity(base, key, rest)
            break
        except (VenueReadError, *ODD_ANSWERS) as error:
            if clock.mono_ms() >= end_ms:
                raise TimeoutError(str(error)) from None
            pause(BETWEEN_MS / 1000)
    hand = Hand(settings, clock, rest, who, pause)
    try:
        return hand.run(command, market, end_ms)
    except (NonceError, SigningError) as error:
        return _told({"code": FAILED, "error": str(error)})
    finally:
        hand.close()
        logger.complete()


class Hand:
    """One command without a service."""

    def __init__(
        self, settings: MarketSettings, clock: Clock, rest: RestClient, who: Who, pause: Callable[[float], object]
    ) -> None:
        assert who.key is not None
        assert who.account is not None
        self._settings, self._clock, self._rest, self._who, self._pause = settings, clock, rest, who, pause
        self._key, self._account = who.key, who.account
        base = settings.base
        self._dexs: list[str] = []
        self._specs: dict[str, MarketSpec] = {}
        self._ours: set[str] = set()
        """Markets in which something of ours may be, wherever they are."""
        self._nowhere = self._missing = ""
        """Why it is not known in which dexs to look, and what else could not be learnt; empty where it is."""
        self._offset = ClockOffset(clock)
        self._timed = False
        folder = account_dir(Path(base.state_dir), base.network, who.account)
        HardStopLatch(
            latch_path(folder)
        )  # first, as at a start: a journal without one beside it would count as tripped
        self._intents = IntentLog(folder / "intents.log", sync=base.journal_sync)
        self._journal = EventLog(clock.wall_ms)
        self._journal.open(folder / "journal.db", self._intents)
        self._nonces = NonceManager(0)
        self._cloids = CloidSource()
        self._intents.begin(self._cloids.run, clock.wall_ms())
        self._plainly: set[int] = set()
        """Orders whose cancel was refused with the flag that keeps its place: the next goes without."""
        self._attempts: dict[str, tuple[int, str | None]] = {}
        """coin -> (attempts so far, the last one's cloid)."""
        self._doubtful = {o.cloid: (nonce, expires) for o, nonce, expires in self._intents.recovered.open}
        """Orders without an outcome, of earlier runs and of this one: cloid -> (nonce, expiry)."""
        self._doubt = StopsInDoubt()
        self._together = BATCH
        """So many exits or cancels share an action; each goes alone once one had the others refused with it."""
        self._unwritten = ""
        self._unread = self._intents.unread
        """Why it is not known what was sent before; empty where it is."""

    def close(self) -> None:
        """Write what was recorded."""
        self._journal.drain(0)
        self._journal.close()
        self._rest.close()

    def run(self, command: str, market: str | None, end_ms: int) -> int:
        """Act until nothing is left or the time is up; the exit code. TimeoutError: nobody tells the markets."""
        tries = 0
        while why := self._learn(part=tries >= PART_TRIES - 1):
            tries += 1
            if tries >= PART_TRIES and self._specs and market in (None, *self._specs):
                break  # enough to leave what is shown
            if self._clock.mono_ms() >= end_ms:
                raise TimeoutError(why)
            self._pause(BETWEEN_MS / 1000)
        self._read_clock()
        self._nonces = NonceManager(floor_of(self._intents.recovered.nonce_floor, self._offset.exchange_ms()))
        if market is not None and market not in self._specs:
            raise ConfigError([f"there is no market {market} in the configured dexs ({', '.join(self._dexs)})"])
        if command == "flatten":
            coins = [market] if market is not None else sorted(self._specs)
            self._journal.keep("closed", dict.fromkeys(coins, self._clock.wall_ms() + CLOSED_MS))
        before: Proof | None = None
        nothing = ""
        while True:
            self._read_clock()
            if self._missing:
                self._learn(part=True)
            # What might still land is counted before the reading that is to show all of it.
            unknown, proof = self._unknown(), self._prove()
            if before is None:  # an order without an outcome may still make a position
                before, nothing = proof, "" if unknown else proof.nothing_in(market)
            read = proof.orders is not None and proof.positions is not None
            left = self._act(command, market, proof)
            if (read and not left and not unknown) or self._clock.mono_ms() >= end_ms:
                return self._end(command, before, proof, nothing, clean=not left and not unknown)
            self._journal.drain(0)
            self._pause(BETWEEN_MS / 1000)

    def _learn(self, *, part: bool) -> str:
        """Read where to look, and the markets there; what is missing. `part`: markets that do not answer are as
        an earlier run knew them, so that no position stays open for it that can be left."""
        unread, self._ours = "", set(left_by(self._journal, self._intents, others=False))
        try:
            self._ours |= left_by_us(self._rest.unheld, self._account)
        except (VenueReadError, *ODD_ANSWERS) as error:
            unread = f"where else ours are: {error}"
        also = sorted(dexs_with(self._ours))
        try:
            found = learn_universe(
                self._rest.unheld, self._settings.base, None, also, leaving=True,
                kept=kept_markets(self._journal) if part else None,
            )  # fmt: skip
        except (VenueReadError, *ODD_ANSWERS) as error:
            self._missing = str(error)
            return self._missing
        self._dexs, self._specs = found.dexs, found.specs | found.others
        if not self._settings.base.dexs and "perpDexs" in found.unread:
            unread = f"the dexs: {found.unread['perpDexs']}"
        self._nowhere, self._missing = unread, "; ".join(filter(None, [unread, *found.unread.values()]))
        return self._missing

    def _end(self, command: str, before: Proof, proof: Proof, nothing: str, *, clean: bool) -> int:
        unknown = len(self._doubtful)
        known = proof.orders is not None and proof.positions is not None
        code = OK if clean and known else NOT_AS_ASKED if known else NO_ANSWER
        code = NO_JOURNAL if code == OK and (self._unwritten or self._unread) else code
        blind = f"; what was sent before is not known: {self._unread}" if self._unread else ""
        answer = {
            "command": command, "code": code, "before": before.sentence(unknown) + blind,
            "proof": proof.sentence(unknown) + blind,
        }  # fmt: skip
        if nothing and code == OK:
            answer["nothing"] = nothing
        self._journal.record("operator", **answer)
        if self._unwritten:
            print(f"hip3: {self._unwritten}; it was done all the same", file=sys.stderr)  # noqa: T201
        return _told(answer)

    def _prove(self) -> Proof:
        proof = prove(self._rest.unheld, self._account, self._dexs)
        if self._nowhere:
            return proof if proof.unproved else msgspec.structs.replace(proof, positions=None, doubt=self._nowhere)
        still = self._doubt.look(proof.doubtful, (), self._clock.mono_ms())
        return proof.believed() if proof.doubtful and not still else proof

    def _act(self, command: str, market: str | None, proof: Proof) -> bool:
        """Send what this reading asks for; whether there was anything."""
        if command == "cancel-all":
            wished = [o for o in proof.to_cancel() if self._concerns(o.coin) or is_ours(o.cloid)]
            self._cancel_all(wished)
            return bool(wished)
        # As through the service: what rests of ours, an entry or a quote, would make a position that nobody watches.
        ours = [o for o in proof.orders or () if is_ours(o.cloid) and not o.reduce_only and market in (None, o.coin)]
        self._cancel_all(ours)
        held = {c: szi for c, szi in proof.to_leave.items() if market in (None, c) and self._concerns(c)}
        exits = [self._exit(c, szi, proof.marks.get(c)) for c, szi in held.items() if c in self._specs]
        orders = [order for order in exits if order is not None]
        for start in range(0, len(orders), self._together):
            self._send(tuple(orders[start : start + self._together]))
        return bool(held or ours)

    def _concerns(self, coin: str) -> bool:
        """Whether a position there is to be left: in a dex that is not configured what others opened is theirs."""
        return coin in self._ours or in_dexs(coin, self._settings.base.dexs or self._dexs)

    # What is sent.

    def _cancel_all(self, orders: list[OrderUpdate]) -> None:
        left = [o for o in orders if o.coin in self._specs]
        for limit in (True, False):  # the flag of the former is refused for stops
            kind = [o for o in left if (o.trigger_px is None and o.oid not in self._plainly) is limit]
            for start in range(0, len(kind), step := self._together):
                self._cancel([(o.coin, o.oid) for o in kind[start : start + step]], limit=limit)

    def _cancel(self, wished: list[tuple[str, int]], *, limit: bool) -> None:
        now = self._clock.wall_ms()
        nonce = self._nonces.next(self._offset.exchange_ms())
        self._record(lambda: self._intents.cancels(nonce, now))
        cancels = [PendingCancel(coin=coin, oid=oid, created_ms=now, limit=limit) for coin, oid in wished]
        action = cancel_action(cancels, {coin: spec.asset_id for coin, spec in self._specs.items()})
        answers = self._post(action, nonce, None, len(cancels))
        if refused_together(answers):
            self._together = 1
        for cancel, res in zip(cancels, answers, strict=True):
            if res.fate is not Fate.STATUS:
                self._plainly.add(cancel.oid)  # it may be the flag that was refused
                self._journal.record("cancel_refused", cancel=cancel, text=res.text)

    def _exit(self, coin: str, szi: Decimal, mark: Decimal | None) -> PendingOrder | None:
        """The next attempt for a position, one price step worse than the last; None without any price."""
        params = exit_params(self._settings, coin)
        tries, predecessor = self._attempts.get(coin, (0, None))
        position = PositionView(coin=coin, szi=szi, entry_px=ZERO, entry_ms=0, entry_edge_bps=ZERO)
        order = build(
            position, self._view(coin, mark), self._specs[coin], cloid=self._cloids.next(), reason=ExitReason.MANUAL,
            slippage_bps=min(params.slippage_bps + params.step_bps * tries, params.max_slippage_bps),
            attempt=tries + 1, predecessor=predecessor, wall_ms=self._clock.wall_ms(), mono_us=self._clock.mono_us(),
        )  # fmt: skip
        if order is not None:
            self._attempts[coin] = (tries + 1, order.cloid)
            self._journal.record("exit", order=order, position=position)
        return order

    def _view(self, coin: str, mark: Decimal | None) -> MarketView:
        try:
            bids, asks = self._rest.info_json({"type": "l2Book", "coin": coin})["levels"]
        except (VenueReadError, *ODD_ANSWERS):
            return MarketView(coin, mark=mark)
        bid, ask = (Level(parse(s[0]["px"]), parse(s[0]["sz"])) if s else None for s in (bids, asks))
        return MarketView(coin, bid=bid, ask=ask, mark=mark)

    def _send(self, orders: tuple[PendingOrder, ...]) -> None:
        now = self._clock.wall_ms()
        after = self._settings.base.expires_after_ms
        exchange_ms = self._offset.exchange_ms()
        nonce, expires = self._nonces.next(exchange_ms), exchange_ms + after if after else None
        batch = OrderBatch(orders)
        self._record(lambda: self._intents.orders(batch, nonce, expires, now))
        action = order_action(orders, {coin: spec.asset_id for coin, spec in self._specs.items()})
        self._doubtful |= {o.cloid: (nonce, expires) for o in orders}
        answers = self._post(action, nonce, expires, len(orders))
        if refused_together(answers):
            self._together = 1
        for order, res in zip(orders, answers, strict=True):
            self._outcome(order, res)

    def _outcome(self, order: PendingOrder, res: Resolution) -> None:
        """Note how an exit ended; what is unknown stays in the intent log for the next start."""
        if res.fate is Fate.UNKNOWN:
            after = OrderState.UNKNOWN
        else:
            del self._doubtful[order.cloid]
            after = OrderState.REJECTED if res.fate is Fate.REFUSED else OrderState.CANCELED
        text = res.status.text if isinstance(res.status, Refused) else res.text
        if res.fate is not Fate.STATUS and (res.fate is Fate.UNKNOWN or no_price_helps(text)):
            tries, last = self._attempts[order.coin]
            self._attempts[order.coin] = (tries - 1, last)  # nothing was learnt about the price
        executed, px = ZERO, ZERO
        if isinstance(res.status, Filled):
            executed, px = res.status.total_sz, res.status.avg_px
            after = OrderState.FILLED if executed >= order.sz else OrderState.CANCELED
        event = OrderChanged(
            order=order, before=OrderState.SENT, after=after, why=res.text, executed=executed, avg_px=px
        )
        self._journal.record("order", event=event)

    def _post(self, action: dict[str, Any], nonce: int, expires: int | None, count: int) -> list[Resolution]:
        vault = self._who.vault
        signature = sign_l1_action(
            self._key, action, nonce, vault_address=vault, expires_after=expires, mainnet=self._settings.base.mainnet
        )
        try:
            answer = self._rest.exchange(signed_body(action, nonce, signature, vault, expires))
            return resolve(parse_action_answer(answer), count)
        except (VenueReadError, *ODD_ANSWERS) as error:
            return [Resolution(Fate.UNKNOWN, text=str(error))] * count

    def _record(self, write: Callable[[], None]) -> None:
        """Durable before it leaves. On a disk that takes nothing a smaller account is worth more than its record."""
        try:
            write()
        except JournalError as error:
            self._unwritten = str(error)

    # What could still land.

    def _read_clock(self) -> None:
        """Once; until it answers the machine's clock has to do."""
        if self._timed:
            return
        sent = self._clock.mono_ms()
        with contextlib.suppress(VenueReadError, *ODD_ANSWERS):
            answer = self._rest.info_json({"type": "exchangeStatus"})
            self._offset.add(int(answer["time"]), self._clock.mono_ms() - sent)
            self._timed = True

    def _unknown(self) -> int:
        """Orders that the exchange might still take: neither expired nor too old for it."""
        if not self._doubtful:
            return 0
        now = self._offset.exchange_ms() - MARGIN_MS
        self._doubtful = {
            cloid: (nonce, expires)
            for cloid, (nonce, expires) in self._doubtful.items()
            if (now <= expires if expires is not None else now - NONCE_WINDOW_MS <= nonce)
        }
        return len(self._doubtful)
