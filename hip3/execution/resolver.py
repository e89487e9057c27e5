"""Resolver: ends UNKNOWN, by proof only.

Confined to the rest thread. An order whose outcome nobody knows stays counted at its full size until a
certificate is recorded:

    status    the exchange answers orderStatus by cloid, or a fill names it
    noop      a noop signed with the same nonce was accepted: the action can never land
    processed the nonce is used (duplicate), so the action or an earlier noop of ours was processed; its
              expiry passed 2 s ago by exchange time (without an expiry: 30 s), and two agreeing reads a second
              apart know neither order nor fill, and agree on the position
    expired   its expiry passed 2 s ago by exchange time, or its nonce is too low, and the same two reads

The order of attack: query, same-nonce noop, wait for expiry. The noop carries no expiry, goes over HTTP, and
is itself a recorded intent. Nothing is ever sent again under a doubt.
"""

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from hip3.core.events import ActionRefused, Statuses
from hip3.core.money import ZERO, parse
from hip3.core.order_state import OrderState
from hip3.core.orders import Tif
from hip3.core.ports import Clock, Intents, Journal
from hip3.errors import JournalError, VenueReadError
from hip3.exchange.signing import sign_l1_action
from hip3.exchange.wire import parse_fill_list, parse_order_record
from hip3.exchange.wire_out import signed_body
from hip3.exchange.wire_reply import parse_action_answer
from hip3.execution.account import Rest
from hip3.execution.flow import TradeFlow
from hip3.execution.identity import Identity
from hip3.position.tracked import TrackedOrder
from hip3.position.tracker import PositionTracker

ASK_EVERY_MS = 1000
LEFT_OPEN_MS = 2000
"""An IOC never rests: one that looks open for longer lost its last message."""
MARGIN_MS = 2000
NO_EXPIRY_MS = 30_000
READS = 2


class Signed(Protocol):
    """The part of REST that signed actions go through."""

    def exchange(self, body: dict[str, Any]) -> Any: ...


class _Case:
    """What was tried for one nonce."""

    __slots__ = ("next_ms", "reads", "used_ms", "verdict")

    def __init__(self) -> None:
        self.next_ms = 0
        self.verdict = ""
        """"": no noop answered yet; "duplicate" or "too low": it was refused with that."""
        self.used_ms: int | None = None
        """Exchange time at which the nonce was seen to be used."""
        self.reads = 0


class Resolver:
    """See the module."""

    def __init__(
        self,
        *,
        clock: Clock,
        rest: Rest,
        signed: Signed,
        identity: Identity,
        tracker: PositionTracker,
        flow: TradeFlow,
        intents: Intents,
        journal: Journal,
        count_action: Callable[[int], None],
    ) -> None:
        self._clock = clock
        self._rest = rest
        self._signed = signed
        self._identity = identity
        self._tracker = tracker
        self._flow = flow
        self._intents = intents
        self._journal = journal
        self._count_action = count_action
        self._cases: dict[str, _Case] = {}

    @property
    def _user(self) -> str:
        return self._identity.account

    def step(self, now_ms: int) -> None:
        """One round at monotonic `now_ms`. VenueReadError: nothing is known from it, try again."""
        doubtful = [*self._tracker.live(OrderState.UNKNOWN), *self._left_open(now_ms)]
        waiting = {t.order.cloid for t in doubtful}
        self._cases = {cloid: case for cloid, case in self._cases.items() if cloid in waiting}
        for tracked in doubtful:
            case = self._cases.setdefault(tracked.order.cloid, _Case())
            if now_ms >= case.next_ms:
                case.next_ms = now_ms + ASK_EVERY_MS
                self._ask(tracked, case, now_ms)

    def _left_open(self, now_ms: int) -> list[TrackedOrder]:
        opened = self._tracker.live(OrderState.OPEN)
        return [t for t in opened if t.order.tif is Tif.IOC and now_ms - t.sent_mono_ms > LEFT_OPEN_MS]

    def _ask(self, tracked: TrackedOrder, case: _Case, now_ms: int) -> None:
        cloid = tracked.order.cloid
        answer = self._rest.info_json({"type": "orderStatus", "user": self._user, "oid": cloid})
        status = answer.get("status") if isinstance(answer, dict) else None
        if status == "order":
            self._known(tracked, answer["order"], now_ms)
        elif status != "unknownOid":
            raise VenueReadError(f"orderStatus of {cloid}: {str(answer)[:120]}")
        elif tracked.state is OrderState.UNKNOWN:
            self._not_known(tracked, case, now_ms)

    def _known(self, tracked: TrackedOrder, record: Any, now_ms: int) -> None:
        """(status) The exchange knows the order; its fills come first, then its state."""
        update = parse_order_record(msgspec.json.encode(record))
        fills, _ = parse_fill_list(self._rest.info({"type": "userFills", "user": self._user}))
        self._flow.on_fills(fills, now_ms)
        self._flow.on_order_updates((update,), now_ms)
        self._certify(tracked, "status", update.status)

    def _certify(self, tracked: TrackedOrder, how: str, detail: str) -> None:
        self._journal.record("certificate", cloid=tracked.order.cloid, how=how, detail=detail)

    def _not_known(self, tracked: TrackedOrder, case: _Case, now_ms: int) -> None:
        if not case.verdict and self._burn_nonce(tracked, case, now_ms):
            return
        exchange_ms = int(self._rest.info_json({"type": "exchangeStatus"})["time"])
        how = self._over(tracked, case, exchange_ms)
        if how is None:
            case.reads = 0
            return
        case.reads = case.reads + 1 if self._reads_agree(tracked, now_ms) else 0
        if case.reads >= READS:
            self._dead(tracked, how, f"nonce {tracked.nonce}, expiry {tracked.expires_ms}, {READS} reads", now_ms)

    def _over(self, tracked: TrackedOrder, case: _Case, exchange_ms: int) -> str | None:
        """Which certificate two agreeing reads would give now; None: it might still land."""
        expired = tracked.expires_ms is not None and exchange_ms > tracked.expires_ms + MARGIN_MS
        if case.verdict == "too low":
            return "expired"
        if case.verdict == "duplicate":
            case.used_ms = exchange_ms if case.used_ms is None else case.used_ms
            # The nonce tells when it was signed by a clock that may have been ahead.
            signed_ms = min(tracked.nonce, case.used_ms)
            waited = exchange_ms > signed_ms + NO_EXPIRY_MS if tracked.expires_ms is None else expired
            return "processed" if waited else None
        return "expired" if expired else None

    def _burn_nonce(self, tracked: TrackedOrder, case: _Case, now_ms: int) -> bool:
        """Send a noop with the order's own nonce; True if that settled it."""
        wall_ms = self._clock.wall_ms()
        try:
            self._intents.noop(tracked.nonce, tracked.order.cloid, wall_ms)
        except JournalError as error:
            self._journal.record("fault", what=str(error))
            return False
        identity, action = self._identity, {"type": "noop"}
        signature = sign_l1_action(
            identity.key, action, tracked.nonce, vault_address=identity.vault, mainnet=identity.mainnet
        )
        body = signed_body(action, tracked.nonce, signature, identity.vault)
        self._count_action(1)
        outcome = parse_action_answer(self._signed.exchange(body))
        if isinstance(outcome, Statuses):
            for other in self._tracker.live(OrderState.UNKNOWN):
                if other.nonce == tracked.nonce:
                    self._dead(other, "noop", f"noop with nonce {tracked.nonce} accepted", now_ms)
            return True
        if isinstance(outcome, ActionRefused):
            text = outcome.text
            case.verdict = "duplicate" if "duplicate" in text else "too low" if "too low" in text else ""
            if not case.verdict:
                self._journal.record("noop_refused", cloid=tracked.order.cloid, text=text)
        return False

    def _dead(self, tracked: TrackedOrder, how: str, detail: str, now_ms: int) -> None:
        self._certify(tracked, how, detail)
        self._flow.dispatch(self._tracker.prove_dead(tracked.order.cloid, f"{how}: {detail}"), now_ms)

    def _reads_agree(self, tracked: TrackedOrder, now_ms: int) -> bool:
        """Neither order nor fill is known, and the position is what our books say."""
        order = tracked.order
        since = max(0, order.created_ms - NO_EXPIRY_MS)
        request = {"type": "userFillsByTime", "user": self._user, "startTime": since}
        fills, malformed = parse_fill_list(self._rest.info(request))
        self._flow.on_fills(fills, now_ms)  # also others' that were missing: the positions could never agree
        if any(f.cloid == order.cloid for f in fills):
            return False
        dex = order.coin.partition(":")[0]
        state = self._rest.info_json({"type": "clearinghouseState", "user": self._user, "dex": dex})
        held = {p["position"]["coin"]: parse(p["position"]["szi"]) for p in state["assetPositions"]}
        theirs = held.get(order.coin, ZERO)
        return not malformed and theirs == self._tracker.booked().get(order.coin, ZERO)
