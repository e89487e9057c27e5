"""Resolver: ends UNKNOWN, by proof only.

Confined to the rest thread. An order whose outcome nobody knows stays counted at its full size until a
certificate is recorded:

    status    the exchange answers orderStatus by cloid, or a fill names it
    noop      a noop signed with the same nonce was accepted: the action can never land
    processed the nonce is used (duplicate), so the action or an earlier noop of ours was processed; its
              expiry passed 2 s ago by exchange time (without an expiry: 30 s), and two agreeing reads a second
              apart know neither order nor fill, and agree on the position
    expired   its expiry passed 2 s ago by exchange time, or its nonce is too low, or for 30 s it is further ahead than
              the exchange takes (a clock that was wrong signed it), and the same two reads

The order of attack: query, same-nonce noop, wait for expiry. The noop carries no expiry, goes over HTTP, and
is itself a recorded intent. Nothing is ever sent again under a doubt.

It rests on the exchange taking each nonce of a signer once, and none below the smallest of the 100 it keeps
(docs/venue-facts.md F6): of an action and a noop with one nonce only one can ever be processed. Orders of one batch
share their nonce, and so its proof. An IOC that looks open for 2 s is asked for, too, and what a cancel did not find.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from hip3.core.events import ActionRefused, Fill, Statuses
from hip3.core.market import EVERY_DEX
from hip3.core.money import ZERO, parse
from hip3.core.order_state import OrderState
from hip3.core.orders import Tif
from hip3.core.ports import Clock, Intents, Journal
from hip3.errors import JournalError, VenueReadError
from hip3.exchange.signing import sign_l1_action
from hip3.exchange.wire import parse_order_record
from hip3.exchange.wire_fills import FillList, parse_fill_list
from hip3.exchange.wire_out import signed_body
from hip3.exchange.wire_reply import parse_action_answer
from hip3.execution.ports import Consequences, OrdersIn
from hip3.execution.sending.identity import Identity
from hip3.execution.truth.account import Rest
from hip3.position.tracked import TrackedOrder
from hip3.position.tracker import PositionTracker

ASK_EVERY_MS, ASK_SELDOM_MS = 1000, 5000
"""How soon an order is asked for again: later each time while only time can prove it dead, and when it can."""
LEFT_OPEN_MS = 2000
"""An IOC never rests: one that looks open for longer lost its last message."""
MARGIN_MS = 2000
"""An expiry counts as passed only so long after it, by exchange time."""
NO_EXPIRY_MS = 30_000
"""Without an expiry: so long after its nonce was used or signed an order counts as landed or lost."""
READS = 2
"""So many readings in a row must agree; any that does not begins anew."""
MOST_FILLS = 2000
"""userFillsByTime gives no more at once, the oldest first: the newest may be missing."""


class Signed(Protocol):
    """The part of REST that signed actions go through."""

    def exchange(self, body: dict[str, Any]) -> Any:
        """Post a signed action; the decoded answer. VenueReadError: its outcome is unknown."""
        ...


class _Case:
    """What was tried for one order, by cloid; a noop's verdict is noted for the whole batch of its nonce."""

    __slots__ = ("asked", "next_ms", "reads", "used_ms", "verdict")

    def __init__(self) -> None:
        self.asked = self.next_ms = 0
        self.verdict = ""
        """"": no noop answered yet; "duplicate", "too low" or "too high": it was refused with that."""
        self.used_ms: int | None = None
        """Exchange time at which the nonce was seen to be used, or to be further ahead than the exchange takes."""
        self.reads = 0


class _Round:
    """What one round reads at most once, however many orders are doubtful: it is dear, and about all of them.

    None of it is newer than what is asked about an order itself afterwards, so nothing is proved by it too early.
    """

    def __init__(self, rest: Rest, user: str) -> None:
        self._rest, self._user = rest, user
        self._exchange_ms: int | None = None
        self._fills: tuple[int, FillList] | None = None
        self._positions: dict[str, dict[str, Decimal]] = {}

    def exchange_ms(self) -> int:
        """The exchange's time, not later than now."""
        if self._exchange_ms is None:
            self._exchange_ms = int(self._rest.info_json({"type": "exchangeStatus"})["time"])
        return self._exchange_ms

    def fills(self, since_ms: int) -> tuple[tuple[Fill, ...], frozenset[str], bool]:
        """(fills since then and perhaps before, the markets of which one could not be read, "" for one that does not
        say; whether they were read just now)."""
        if self._fills is not None:
            since, known = self._fills
            if not known.malformed and since <= since_ms and known.rows < MOST_FILLS:
                return known.fills, frozenset(), False
        request = {"type": "userFillsByTime", "user": self._user, "startTime": since_ms}
        found = parse_fill_list(self._rest.info(request), EVERY_DEX)
        self._fills = (since_ms, found)
        return found.fills, found.unread, True

    def position(self, coin: str) -> Decimal:
        """The signed size that the exchange shows."""
        dex = coin.partition(":")[0]
        if dex not in self._positions:
            state = self._rest.info_json({"type": "clearinghouseState", "user": self._user, "dex": dex})
            self._positions[dex] = {p["position"]["coin"]: parse(p["position"]["szi"]) for p in state["assetPositions"]}
        return self._positions[dex].get(coin, ZERO)


class Resolver:
    """See the module. `count_action` takes noops from the address budget; `identity` signs them as it signed the order.

    What it keeps of a case is forgotten with the order's end, and with the process: a new one begins by asking.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        rest: Rest,
        signed: Signed,
        identity: Identity,
        tracker: PositionTracker,
        orders_in: OrdersIn,
        consequences: Consequences,
        intents: Intents,
        journal: Journal,
        count_action: Callable[[int], None],
    ) -> None:
        self._clock = clock
        self._rest = rest
        self._signed = signed
        self._identity = identity
        self._tracker = tracker
        self._orders_in = orders_in
        self._consequences = consequences
        self._intents = intents
        self._journal = journal
        self._count_action = count_action
        self._cases: dict[str, _Case] = {}
        self._round = _Round(rest, identity.account)

    @property
    def _user(self) -> str:
        return self._identity.account

    def step(self, now_ms: int) -> None:
        """One round at monotonic `now_ms`. VenueReadError: nothing is known from it, try again.

        Each doubtful order is asked for when it is due: after a second, or later where only time can tell. Where an
        order's answer raises, those after it wait for the next round. It may take seconds, for the requests it makes.
        """
        doubtful = [*self._tracker.live(OrderState.UNKNOWN), *self._left_open(now_ms)]
        waiting = {t.order.cloid for t in doubtful}
        self._cases = {cloid: case for cloid, case in self._cases.items() if cloid in waiting}
        self._round = _Round(self._rest, self._user)
        for tracked in doubtful:
            if tracked.state.terminal:  # proved dead with another order of its batch
                continue
            case = self._cases.setdefault(tracked.order.cloid, _Case())
            if now_ms >= case.next_ms:
                case.asked += 1
                case.next_ms = now_ms + ASK_EVERY_MS
                self._ask(tracked, case, now_ms)

    def _left_open(self, now_ms: int) -> list[TrackedOrder]:
        """Orders whose last message was lost: an IOC, or one that a cancel did not find."""
        opened = self._tracker.live(OrderState.OPEN)
        late = now_ms - LEFT_OPEN_MS
        return [t for t in opened if t.said_gone or (t.order.tif is Tif.IOC and t.sent_mono_ms < late)]

    def _ask(self, tracked: TrackedOrder, case: _Case, now_ms: int) -> None:
        """orderStatus by cloid. `unknownOid` is no proof: the order may be on its way still."""
        cloid = tracked.order.cloid
        answer = self._rest.info_json({"type": "orderStatus", "user": self._user, "oid": cloid})
        status = answer.get("status") if isinstance(answer, dict) else None
        if status == "order":
            self._known(tracked, case, answer["order"], now_ms)
        elif status != "unknownOid":
            raise VenueReadError(f"orderStatus of {cloid}: {str(answer)[:120]}")
        elif tracked.state is OrderState.UNKNOWN:
            self._not_known(tracked, case, now_ms)
        else:  # it was known once: the comparison with the list of open orders ends it
            case.next_ms = now_ms + min(ASK_SELDOM_MS, ASK_EVERY_MS * case.asked)

    def _known(self, tracked: TrackedOrder, case: _Case, record: Any, now_ms: int) -> None:
        """(status) The exchange knows the order; its fills come first, then its state."""
        update = parse_order_record(msgspec.json.encode(record))
        case.next_ms = now_ms + min(ASK_SELDOM_MS, ASK_EVERY_MS * case.asked)  # should it be open still
        untouched = update.status == "open" and update.remaining == update.orig_sz
        if not untouched and not update.status.endswith("Rejected"):  # such have no fills
            found = parse_fill_list(self._rest.info({"type": "userFills", "user": self._user}))
            self._orders_in.on_fills(found.fills, now_ms)
        self._orders_in.on_order_updates((update,), now_ms)
        self._certify(tracked, "status", update.status)

    def _certify(self, tracked: TrackedOrder, how: str, detail: str) -> None:
        self._journal.record("certificate", cloid=tracked.order.cloid, how=how, detail=detail)

    def _not_known(self, tracked: TrackedOrder, case: _Case, now_ms: int) -> None:
        """One step towards the proof that it never lands: the noop first, then time, then agreeing readings."""
        if case.verdict in ("", "too high"):  # what is too high now may be taken later
            if self._burn_nonce(tracked, now_ms):
                return
            self._round = _Round(self._rest, self._user)  # it may have landed while the noop was under way
        left_ms = self._left_ms(tracked, case, self._round.exchange_ms())
        if left_ms > 0:
            case.reads = 0
            case.next_ms = now_ms + min(left_ms, ASK_SELDOM_MS, ASK_EVERY_MS * case.asked)
            return
        case.reads = case.reads + 1 if self._reads_agree(tracked, now_ms) else 0
        case.next_ms = self._clock.mono_ms() + ASK_EVERY_MS  # a second between the readings, however long they took
        if case.reads >= READS:
            how = "processed" if case.verdict == "duplicate" else "expired"
            self._dead(tracked, how, f"nonce {tracked.nonce}, expiry {tracked.expires_ms}, {READS} reads", now_ms)

    def _left_ms(self, tracked: TrackedOrder, case: _Case, exchange_ms: int) -> int:
        """How long until two agreeing reads prove it dead; 0: they do so now. Until then it might still land."""
        if case.verdict in ("duplicate", "too high") and case.used_ms is None:
            case.used_ms = exchange_ms
        if case.verdict == "too low":
            return 0
        over = [] if tracked.expires_ms is None else [tracked.expires_ms + MARGIN_MS]
        if case.used_ms is not None:
            # The nonce tells when it was signed by a clock that may have been ahead; its expiry is of that clock, too.
            over.append(min(tracked.nonce, case.used_ms) + NO_EXPIRY_MS)
        if not over:
            return ASK_EVERY_MS  # without an expiry only a noop's answer can tell
        return max(0, min(over) + 1 - exchange_ms)

    def _burn_nonce(self, tracked: TrackedOrder, now_ms: int) -> bool:
        """Send a noop with the order's own nonce; True if that settled it."""
        wall_ms = self._clock.wall_ms()
        try:
            self._intents.noop(tracked.nonce, tracked.order.cloid, wall_ms)
        except JournalError as error:
            self._journal.record("fault", what=str(error))
            return False  # nothing signed leaves unrecorded; an expiry can still prove it dead
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
            verdict = next((word for word in ("duplicate", "too low", "too high") if word in text), "")
            for other in self._tracker.live(OrderState.UNKNOWN):  # its batch, too
                if other.nonce == tracked.nonce:
                    self._cases.setdefault(other.order.cloid, _Case()).verdict = verdict
            if not verdict:
                self._journal.record("noop_refused", cloid=tracked.order.cloid, text=text)
        return False

    def _dead(self, tracked: TrackedOrder, how: str, detail: str, now_ms: int) -> None:
        """Certificate and books. An order that ended otherwise meanwhile stays as it ended."""
        self._certify(tracked, how, detail)
        self._consequences.dispatch(self._tracker.prove_dead(tracked.order.cloid, f"{how}: {detail}"), now_ms)

    def _reads_agree(self, tracked: TrackedOrder, now_ms: int) -> bool:
        """Neither order nor fill is known, and the position is what our books say."""
        order = tracked.order
        fills, unread, new = self._round.fills(max(0, order.created_ms - NO_EXPIRY_MS))
        if new:
            self._orders_in.on_fills(fills, now_ms)  # also others' that were missing: the positions could never agree
        if any(f.cloid == order.cloid for f in fills):
            return False
        theirs = self._round.position(order.coin)
        # A row of another market that cannot be read is none of this order's.
        return not unread & {order.coin, ""} and theirs == self._tracker.booked().get(order.coin, ZERO)
