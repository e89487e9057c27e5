"""Reading the account over REST: complete, or not at all; and proving what is open at the end.

Confined to the `rest` thread (in `commands/by_hand.py`, without a service, to main). A part that cannot be read makes
the whole unknown: it never reads as flat or empty.

Account reads of a builder dex are per dex, fills are one list over all (docs/venue-facts.md F13). Values are USD,
prices USD for one unit, sizes signed units of the asset.
"""

from collections.abc import Callable, Collection, Iterable
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from hip3.core.events import Fill, OrderUpdate
from hip3.core.market import in_dexs
from hip3.core.money import ZERO, div, parse
from hip3.core.orders import is_ours
from hip3.errors import ODD_ANSWERS, VenueReadError
from hip3.exchange.wire import parse_order_record
from hip3.exchange.wire_fills import parse_fill_list
from hip3.execution.account_view import Liquidation, PositionMargin
from hip3.execution.truth.fill_order import newest_first, newest_of

SPENT_MS = 60_000
SPENT = "the exchange's weight limit is reached (429): what protects and leaves a position might be refused, too"
FILLS_CAP = 2000
"""So many fills are in one answer at most, of all dexs together (docs/venue-facts.md F13)."""


class Rest(Protocol):
    """What we ask of `exchange.rest.RestClient`."""

    def info(self, request: dict[str, Any]) -> bytes:
        """The body of the answer to `POST /info`; VenueReadError, RateLimited."""
        ...

    def info_json(self, request: dict[str, Any]) -> Any:
        """The same, decoded."""
        ...


def weight_spent(rest: Rest, now_ms: int) -> str:
    """Why nothing is entered where the exchange said within the last minute that the weight is spent, else ""."""
    refused_ms: int | None = getattr(rest, "refused_ms", None)
    return SPENT if refused_ms is not None and now_ms - refused_ms < SPENT_MS else ""


class ClockedRest:
    """A `Rest` that tells `told(exchange_ms, round_trip_ms)` what answers say of the exchange's clock.

    exchangeStatus and clearinghouseState carry its time; the round trip is measured on our monotonic clock.
    """

    def __init__(self, rest: Rest, mono_ms: Callable[[], int], told: Callable[[int, int], None]) -> None:
        self._rest, self._mono_ms, self._told = rest, mono_ms, told

    def info(self, request: dict[str, Any]) -> bytes:
        """As it is."""
        return self._rest.info(request)

    def info_json(self, request: dict[str, Any]) -> Any:
        """As it is, with a look at the time in it; KeyError, TypeError or ValueError where it should be and is not."""
        sent = self._mono_ms()
        answer = self._rest.info_json(request)
        if request["type"] in ("exchangeStatus", "clearinghouseState"):
            left = max(sent, getattr(self._rest, "left_ms", sent))
            self._told(int(answer["time"]), self._mono_ms() - left)
        return answer


class PositionReport(msgspec.Struct, frozen=True, kw_only=True):
    """One complete reading of positions and fills: known as of `at_ms` (exchange time), or not at all.

    Its parts are several requests, so they are not of one instant: a fill may have come in between.
    """

    times: dict[str, int] = {}
    """As of when each dex's positions are."""
    at_ms: int
    """The newest of the positions' times."""
    since_ms: int
    """The oldest of the positions' times: what was filled before it is in them."""
    positions: dict[str, tuple[Decimal, Decimal]]
    """coin -> (signed size, entry price), over all configured dexs."""
    remembered: dict[str, int] = {}
    """Those of them that no answer shows, since an earlier run kept them: until when fills are in them."""
    fills: tuple[Fill, ...]
    """The latest of all dexs, newest first."""
    cut_off: bool = False
    """There may be older ones: the exchange lists 2,000."""
    unread: frozenset[str] = frozenset()
    """Coins with fills that cannot be read: what others of them say of a position may be over; "": any coin's may."""
    equity: Decimal
    """Sum of the configured dexs' account values, in USD; what it means depends on the mode: `worth.equity_of`."""
    marks: dict[str, Decimal]
    """Mark price of each position, from its value."""
    liquidations: dict[str, Liquidation] = {}
    """Liquidation price of each position that has one, by its margin."""
    margins: dict[str, PositionMargin] = {}
    """How each position is margined."""


class AccountReport(PositionReport, frozen=True, kw_only=True):
    """The same with what rests: an order may have come in between, too."""

    orders: tuple[OrderUpdate, ...]
    """All that rest in the configured dexs, ours and others', triggers included."""


def _open_orders(rest: Rest, user: str, dex: str) -> list[OrderUpdate]:
    out = []
    # The frontend's list is the one that tells triggers and reduce-only orders from plain limits; tif is null in it
    # for triggers (docs/venue-facts.md F17).
    for item in rest.info_json({"type": "frontendOpenOrders", "user": user, "dex": dex}):
        record = {"order": item, "status": "open", "statusTimestamp": item["timestamp"]}
        out.append(parse_order_record(msgspec.json.encode(record)))
    return out


def _margin_of(leverage: Any, read_ms: int) -> PositionMargin:
    """How a position is margined, as far as it is told."""
    told = leverage if isinstance(leverage, dict) else {}
    value = told.get("value")
    return PositionMargin(str(told.get("type", "unknown")), value if isinstance(value, int) else None, read_ms)


class _Parts:
    """What the dexs say, one after the other; of resting orders only where `resting`."""

    def __init__(self, *, resting: bool) -> None:
        self._resting = resting
        self.positions: dict[str, tuple[Decimal, Decimal]] = {}
        self.orders: list[OrderUpdate] = []
        self.times: dict[str, int] = {}
        self.equity = ZERO
        self.marks: dict[str, Decimal] = {}
        self.liquidations: dict[str, Liquidation] = {}
        self.margins: dict[str, PositionMargin] = {}

    def add(self, rest: Rest, user: str, dex: str) -> None:
        """Read one dex. VenueReadError, or one of ODD_ANSWERS; what was read before it stays."""
        state = rest.info_json({"type": "clearinghouseState", "user": user, "dex": dex})
        self.times[dex] = int(state["time"])
        self.equity += parse(state["marginSummary"]["accountValue"])
        for item in state["assetPositions"]:
            body = item["position"]
            szi = parse(body["szi"])
            self.positions[body["coin"]] = (szi, parse(body["entryPx"] or "0"))
            if szi:
                self.marks[body["coin"]] = div(parse(body["positionValue"]), abs(szi))
                self.margins[body["coin"]] = _margin_of(body.get("leverage"), self.times[dex])
                if body.get("liquidationPx"):
                    self.liquidations[body["coin"]] = Liquidation(parse(body["liquidationPx"]), self.times[dex])
        if self._resting:
            self.orders += _open_orders(rest, user, dex)


def read_account(rest: Rest, user: str, dexs: Collection[str], missing: dict[str, str] | None = None) -> AccountReport:
    """Orders, fills and positions. VenueReadError if any part fails: a partial reading is none.

    Only where `missing` is given a dex that cannot be read is noted there, with the reason, and what it did say stands:
    evidence of what is held, and no proof of anything else. Fills are read last, so that what the positions already
    hold is among them; one of these dexs that cannot be read makes the reading fail, too: it might be the one that
    counts. It stays in the list for as long as 2,000 others do not come, so `missing` notes it like a dex, as "fills".
    """
    parts = _Parts(resting=True)
    report = _read(parts, rest, user, dexs, missing)
    return AccountReport(orders=tuple(parts.orders), **msgspec.structs.asdict(report))


def read_positions(
    rest: Rest, user: str, dexs: Collection[str], missing: dict[str, str] | None = None
) -> PositionReport:
    """As `read_account`, without what rests: its list costs ten times the weight of a dex's positions."""
    return _read(_Parts(resting=False), rest, user, dexs, missing)


def _read(
    parts: _Parts, rest: Rest, user: str, dexs: Collection[str], missing: dict[str, str] | None
) -> PositionReport:
    try:
        for dex in dexs:
            try:
                parts.add(rest, user, dex)
            except (VenueReadError, *ODD_ANSWERS) as error:
                if missing is None:
                    raise
                missing[dex] = f"{type(error).__name__}: {error}"
        found = parse_fill_list(rest.info({"type": "userFills", "user": user}), dexs)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise VenueReadError(f"the account cannot be read: {type(error).__name__}: {error}") from None
    if found.malformed and missing is None:
        raise VenueReadError(f"{found.malformed} fills of the account cannot be read")
    if found.malformed and missing is not None:
        missing["fills"] = f"{found.malformed} of them cannot be read"
    return PositionReport(
        times=parts.times, at_ms=max(parts.times.values(), default=0),
        since_ms=min(parts.times.values(), default=0), positions=parts.positions,
        fills=newest_first(found.fills), cut_off=found.rows >= FILLS_CAP,
        equity=parts.equity, marks=parts.marks,
        liquidations=parts.liquidations, margins=parts.margins, unread=found.unread,
    )  # fmt: skip


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What the exchange says is open, read after the last action; proved only if positions and orders are known."""

    positions: dict[str, Decimal] | None
    """Coin -> signed size, those that are not zero. None: could not be read."""
    orders: tuple[OrderUpdate, ...] | None
    """All that rest in the dexs asked for. None: could not be read."""
    source: str
    """Which answers it is by, or why they could not be read."""
    doubt: str = ""
    """Why what could be read proves nothing."""
    marks: dict[str, Decimal] = {}
    """Mark price of each position, where its value was read."""
    shown: dict[str, Decimal] = {}
    """Positions that some answer shows, proved or not: enough to leave them."""
    doubtful: tuple[OrderUpdate, ...] = ()
    """Stops of ours whose positions nobody shows, and no fill has closed: alone in the way of a proof."""
    by_fills: bool = False
    """Some positions follow from fills alone: who asks whether all is closed asks our own books, too."""

    @property
    def unproved(self) -> str:
        """Why nobody knows what is open; empty where it is known."""
        if self.positions is not None and self.orders is not None:
            return ""
        shown = ", ".join(f"{coin} {szi}" for coin, szi in sorted(self.shown.items()))
        return f"not proved: {self.doubt or self.source}" + (f"; held at least: {shown}" if shown else "")

    def sentence(self, unknown: int) -> str:
        """One line for people; `unknown` is how many orders of ours still have no outcome."""
        if self.positions is None or self.orders is None:
            return self.unproved
        held = ", ".join(f"{coin} {szi}{self._stop_of(coin)}" for coin, szi in sorted(self.positions.items()))
        resting = ", ".join(f"{o.coin} {o.oid}" for o in self.orders)
        return (
            f"{'positions ' + held if held else 'flat'}, {'orders ' + resting if resting else 'no open orders'}, "
            f"{unknown} unknown (by {self.source})"
        )

    @property
    def bare(self) -> list[str]:
        """Markets with a position and no stop on the exchange."""
        stops = {o.coin for o in self.orders or () if o.protects}
        return sorted(coin for coin in self.positions or {} if coin not in stops)

    def _stop_of(self, coin: str) -> str:
        """What stands between a position and a market that nobody of ours watches."""
        stops = [str(o.trigger_px) for o in self.orders or () if o.protects and o.coin == coin]
        return f" with a stop at {' and '.join(stops)}" if stops else " WITHOUT a stop on the exchange"

    def nothing_in(self, coin: str | None) -> str:
        """For people: that a market has neither a position nor an order; empty where it has, nobody knows, or none is
        named."""
        if coin is None or self.unproved or coin in self.to_leave or coin in {o.coin for o in self.orders or ()}:
            return ""
        return f"{coin}: nothing to close"

    @property
    def to_leave(self) -> dict[str, Decimal]:
        """What has to be closed to be flat: what is shown, and what doubtful stops stand for. The exchange refuses a
        reduce-only order for what is not there."""
        hidden = {o.coin: -o.side.sign * o.remaining for o in self.doubtful}
        return hidden | self.shown

    def believed(self) -> "Proof":
        """The same, once a doubt has lasted for as long as it takes to believe that these positions are gone."""
        return msgspec.structs.replace(self, positions=self.shown, doubtful=(), doubt="")

    def to_cancel(self) -> list[OrderUpdate]:
        """What `cancel-all` ends: every order but the protective stops of positions that stay.

        Where positions could not be read every protective stop counts as wanted: none is taken from a position.
        """
        held = self.positions
        return [o for o in self.orders or () if not (o.protects and (held is None or o.coin in held))]


def prove(rest: Rest, user: str, dexs: Iterable[str]) -> Proof:
    """Read open orders and positions per dex. Positions of a dex whose clearinghouseState fails follow from the
    account's fills, but only if these are all there are: the newest of a market says where it started and what it did.

    A list of fills that is cut off proves nothing, since the market in question may be on no row of it. What any answer
    shows is in `shown` all the same, also where open orders cannot be read: it can be left. An answer without the
    position of a stop of ours proves nothing either, unless a fill tells that it was closed: one that was empty has
    hidden real ones before. Raises nothing that an answer can cause: what could not be read is None in the proof.
    """
    dexs, unread = list(dexs), ""
    orders: list[OrderUpdate] = []
    try:
        for dex in dexs:
            orders += _open_orders(rest, user, dex)
    except (VenueReadError, *ODD_ANSWERS) as error:
        unread = f"open orders cannot be read: {error}"
    positions: dict[str, Decimal] = {}
    marks: dict[str, Decimal] = {}
    failed: dict[str, str] = {}
    for dex in dexs:
        try:
            held, at = _held(rest, user, dex)
        except (VenueReadError, *ODD_ANSWERS) as error:
            failed[dex] = f"clearinghouseState of dex {dex or 'main'}: {error}"
        else:
            positions, marks = positions | held, marks | at
    source = "clearinghouseState and openOrders"
    if unread:  # what is shown is left all the same
        return Proof(positions=None, orders=None, source=unread, marks=marks, shown=positions)
    if failed:
        by_fills, why = _by_all_fills(rest, user, failed)
        if by_fills is None:
            why = f"{'; '.join(failed.values())}; {why}"
            return Proof(positions=None, orders=tuple(orders), source=why, marks=marks, shown=positions)
        positions, source = positions | by_fills, "userFills and openOrders"
    alone = [o for o in orders if o.protects and is_ours(o.cloid) and o.coin not in positions]
    proof = Proof(
        positions=positions, orders=tuple(orders), source=source, marks=marks, shown=positions, by_fills=bool(failed)
    )
    hidden, why = _hidden(rest, user, alone, dexs) if alone else ([], "")
    return msgspec.structs.replace(proof, positions=None, doubt=why, doubtful=tuple(hidden)) if hidden else proof


def closed_since(stop: OrderUpdate, fills: Iterable[Fill]) -> bool:
    """Whether the newest fill of a stop's market is not older than the stop and left nothing. `fills` newest first.

    A stop is placed for a position that stands: what closed the position came after it, or in the same block.
    """
    newest = newest_of(fills, stop.coin)
    return newest is not None and newest.time_ms >= stop.placed_ms and newest.end_position == 0


def _hidden(rest: Rest, user: str, stops: list[OrderUpdate], dexs: Collection[str]) -> tuple[list[OrderUpdate], str]:
    """(those of these stops whose positions cannot be said to be closed, why)."""
    why = "no fill tells that these closed"
    try:
        found = parse_fill_list(rest.info({"type": "userFills", "user": user}), dexs)
    except (VenueReadError, ValueError) as error:
        hidden, why = stops, f"userFills cannot tell: {error}"
    else:
        fills = newest_first(found.fills)
        hidden = [o for o in stops if found.malformed or not closed_since(o, fills)]
    which = ", ".join(f"{o.coin} {o.oid}" for o in hidden)
    return hidden, f"stops of ours rest ({which}) whose positions are not shown, and {why}; ask again in a minute"


def _by_all_fills(rest: Rest, user: str, dexs: Collection[str]) -> tuple[dict[str, Decimal] | None, str]:
    """(positions in these dexs by the account's fills, ""); or (None, why they prove nothing)."""
    try:
        found = parse_fill_list(rest.info({"type": "userFills", "user": user}), dexs)
    except (VenueReadError, ValueError) as error:
        return None, f"userFills: {error}"
    if found.malformed:
        # The newest fill of a market may be among them: what the others say would prove nothing.
        return None, f"{found.malformed} fills cannot be read"
    if found.rows >= FILLS_CAP:
        return None, f"only the newest {found.rows} fills can be read"
    return {coin: szi for coin, szi in positions_of(newest_first(found.fills)).items() if in_dexs(coin, dexs)}, ""


def _held(rest: Rest, user: str, dex: str) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """(signed sizes, marks) of the positions in one dex."""
    positions: dict[str, Decimal] = {}
    marks: dict[str, Decimal] = {}
    for item in rest.info_json({"type": "clearinghouseState", "user": user, "dex": dex})["assetPositions"]:
        body = item["position"]
        szi = parse(body["szi"])
        if szi:
            positions[body["coin"]] = szi
            marks[body["coin"]] = div(parse(body["positionValue"]), abs(szi))
    return positions, marks


def positions_of(fills: Iterable[Fill]) -> dict[str, Decimal]:
    """Positions as the newest fill of each market leaves them (fills newest first), in all dexs; flat ones are left
    out, and so are markets whose last fill is older than the list."""
    out: dict[str, Decimal] = {}
    for fill in fills:
        out.setdefault(fill.coin, fill.end_position)
    return {coin: szi for coin, szi in out.items() if szi}
