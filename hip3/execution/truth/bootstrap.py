"""What must be learned before anything is built, beside the markets: the account's beginning.

Confined to the rest thread (in `commands/`, without a service, to main). `VenueReadError` means "not now, try again";
`PreflightError` means "not like this": the settings and the exchange contradict each other. Nothing here writes or
sends: what a start finds is a value, and what an earlier run kept is handed in.

Addresses are lower case, with 0x. Times of fills and positions are the exchange's.
"""

from collections.abc import Collection, Container, Iterable
from decimal import Decimal

import msgspec

from hip3.core.events import Fill
from hip3.core.market import in_dexs
from hip3.core.money import ZERO
from hip3.core.orders import is_ours
from hip3.errors import VenueReadError
from hip3.exchange.clock_offset import MOST_BEHIND_MS
from hip3.exchange.wire_fills import parse_fill_list
from hip3.execution.truth.account import FILLS_CAP, PositionReport, Rest, positions_of, read_positions
from hip3.execution.truth.fill_order import newest_first, newest_of
from hip3.execution.truth.margin import Margin, read_margins
from hip3.execution.truth.universe import Universe
from hip3.execution.truth.worth import UNKNOWN, read_mode
from hip3.position.held import Held
from hip3.position.tracked import KeptTotals, Opening

AGREEING_TRIES = 5
"""So often positions and fills are read at once, until no fill came between them."""
CHECKED_MS = 3_600_000
"""How long what a start found in order holds for the next one."""
SAME_MS = 10_000
"""A position known from its order alone may have been kept with our clock's time of the order."""
PAGE = FILLS_CAP
"""A page of fills: as many as one answer has."""


ORPHAN = "not among the configured markets any more: its position is ours, and is left"


def with_orphans(universe: Universe, report: PositionReport, held: Iterable[Held]) -> Universe:
    """The universe with the markets that are not configured any more and hold a position of ours: they are watched and
    left like the others, and not entered. Pure."""
    known = still_held(report, held)
    ours = [
        coin
        for coin, (szi, _) in report.positions.items()
        if szi and coin in universe.others and not opening(report, coin, known.get(coin)).foreign
    ]
    if not ours:
        return universe
    return msgspec.structs.replace(
        universe, specs=universe.specs | {coin: universe.others[coin] for coin in ours},
        blocked=universe.blocked | dict.fromkeys(ours, ORPHAN),
        others={coin: spec for coin, spec in universe.others.items() if coin not in ours},
    )  # fmt: skip


def dexs_of_ours(fills: Iterable[Fill]) -> set[str]:
    """The builder dexs in which orders of ours left a position, by the account's fills (newest first). Pure."""
    fills = list(fills)
    tagged = {f.coin for f in fills if is_ours(f.cloid)}
    return dexs_with(coin for coin in positions_of(fills) if coin in tagged)


def dexs_with(coins: Iterable[str]) -> set[str]:
    """The builder dexs of these markets. Pure."""
    return {coin.partition(":")[0] for coin in coins if ":" in coin}


def left_by_us(rest: Rest, user: str) -> set[str]:
    """The markets in which orders of ours opened the position that stands, by the account's newest fills, whatever the
    settings say. For who has no books. VenueReadError, or ValueError: the fills cannot be read.
    """
    fills = newest_first(parse_fill_list(rest.info({"type": "userFills", "user": user})).fills)
    return {coin for coin in positions_of(fills) if opened_by_us(fills, coin)}


class Beginning(msgspec.Struct, frozen=True, kw_only=True):
    """The account as trading starts."""

    report: PositionReport
    """With the positions as the newest fills left them: `by_fills`."""
    fills: list[Fill]
    """All since the kept results end, oldest first; older ones may be among them."""
    held: list[Held]
    """What an earlier run kept of its positions."""
    totals: KeptTotals
    """Its results; with none before, the exchange time at which this account's state began."""
    margins: dict[str, Margin]
    """How each configured market is margined now."""
    mode: str
    """How the account keeps its cash: see `truth.worth`."""


def read_beginning(rest: Rest, user: str, dexs: Iterable[str]) -> PositionReport:
    """The account as trading starts: positions that the exchange's own fills agree with.

    Positions and fills are two requests; a fill between them would be booked twice. The fills are read last, and
    a position's answer carries the exchange's time: so read until the newest fill is older than all of them.
    """
    dexs = list(dexs)
    for _ in range(AGREEING_TRIES):
        report = read_positions(rest, user, dexs)
        # What is traded elsewhere on the account is in none of these positions.
        newest = next((f for f in report.fills if in_dexs(f.coin, dexs)), None)
        if newest is None or newest.time_ms < report.since_ms:
            return report
    raise VenueReadError("the account's fills did not stand still while its positions were read")


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a start has found to be in order. A restart within the hour need not ask again: it would cost a third
    of a minute's request weight, and the restart after it would find none left. Kept as a fact of the journal, as are
    the margins (`margin.MarginRead`)."""

    at_ms: int
    """Wall time."""
    signer: str
    account: str

    def covers(self, signer: str, account: str, now_ms: int) -> bool:
        """Whether it still stands for this start, at wall time `now_ms`; not where the clock was set back before it."""
        same = (self.signer, self.account) == (signer, account)
        return same and 0 <= now_ms - self.at_ms < CHECKED_MS


def read_whole_beginning(
    rest: Rest, user: str, universe: Universe, totals: KeptTotals, held: list[Held], margins: dict[str, Margin]
) -> Beginning:
    """Everything of the account that trading begins with; `totals` and `held` are of an earlier run, `margins` what
    is known of them already and is added to. VenueReadError: not whole; what `margins` has gained stays."""
    report = by_fills(read_beginning(rest, user, universe.dexs), universe.dexs)
    missed = missed_fills(rest, user, report, totals.since_ms, universe.dexs)
    fills = [f for f in missed if in_dexs(f.coin, universe.dexs)]  # what is traded elsewhere is none of our business
    return Beginning(
        report=with_remembered(report, held, universe.dexs, fills), fills=fills, totals=totals, held=held,
        margins=read_margins(rest, user, universe.open, margins),
        mode=read_mode(rest, user),
    )  # fmt: skip


def read_part_of_beginning(
    rest: Rest, user: str, universe: Universe, totals: KeptTotals, held: list[Held], margins: dict[str, Margin]
) -> tuple[Beginning, dict[str, str]]:
    """What can be read of the account, and which dexs could not be, with the reason: enough to leave positions, and
    for nothing else. What no dex tells follows from the newest fills, and where these do not reach from what an earlier
    run kept. VenueReadError where not even the fills can be read."""
    missing: dict[str, str] = {}
    report = by_fills(read_positions(rest, user, universe.dexs, missing), universe.dexs)
    missed = missed_fills(rest, user, report, totals.since_ms, universe.dexs, whole=False)
    fills = [f for f in missed if in_dexs(f.coin, universe.dexs)]
    report = with_remembered(report, held, universe.dexs, fills)
    beginning = Beginning(report=report, fills=fills, totals=totals, held=held, margins=dict(margins), mode=UNKNOWN)
    return beginning, missing


def by_fills(report: PositionReport, dexs: Container[str]) -> PositionReport:
    """The report with the position that a market's newest fill left, where another is shown; of these dexs alone.

    An empty or stale answer has hidden real positions before. With this one the start compares, and does not
    trade, until the exchange shows the same or has said for long enough that it is gone (`Difference`). Pure. A
    position elsewhere is not read per dex: taken from its fill it would differ from every reading, and never be ours.
    """
    newest = {f.coin: f for f in reversed(report.fills)}
    doubtful = newest.keys() if "" in report.unread else report.unread  # a newer one of theirs may be unreadable
    known = (f for f in newest.values() if in_dexs(f.coin, dexs) and f.coin not in doubtful)
    left = {f.coin: (f.end_position, f.px) for f in known}
    wrong = {coin: held for coin, held in left.items() if held[0] != report.positions.get(coin, (ZERO, ZERO))[0]}
    return msgspec.structs.replace(report, positions=report.positions | wrong) if wrong else report


def with_remembered(
    report: PositionReport, held: Iterable[Held], dexs: Container[str], fills: Iterable[Fill]
) -> PositionReport:
    """The report with what an earlier run kept of positions that no reading shows and no fill has closed since.

    An empty answer and a list of fills of before look like an account that was never used. With what is remembered the
    start compares, as in `by_fills`: a fill that tells of the end is booked whenever it comes. `fills` are oldest
    first, and reach back as far as can be read. Pure.
    """
    newest = {f.coin: f for f in fills}
    kept: dict[str, tuple[Decimal, Decimal]] = {}
    as_of: dict[str, int] = {}
    for known in held:
        doubtful = report.unread & {known.coin, ""}
        last, szi, until_ms = newest.get(known.coin), known.szi, known.as_of_ms or known.entry_ms
        if last is not None and last.time_ms >= until_ms and not doubtful:
            szi, until_ms = last.end_position, last.time_ms
        if szi and not report.positions.get(known.coin, (ZERO, ZERO))[0] and in_dexs(known.coin, dexs):
            kept[known.coin], as_of[known.coin] = (szi, known.entry_px), until_ms
    return msgspec.structs.replace(report, positions=report.positions | kept, remembered=as_of)


def missed_fills(
    rest: Rest, user: str, report: PositionReport, since_ms: int, dexs: Collection[str], *, whole: bool = True
) -> list[Fill]:
    """All fills since `since_ms` (exchange time), oldest first, also where the account's own list is cut off.

    Of all dexs, and perhaps some from before. VenueReadError if one of these `dexs` cannot be read and the `whole` of
    them is wanted.
    """
    if not report.cut_off or min((f.time_ms for f in report.fills), default=since_ms) < since_ms:
        return list(reversed(report.fills))
    out: dict[tuple[str, int, int], Fill] = {}
    start = since_ms
    while True:
        request = {"type": "userFillsByTime", "user": user, "startTime": start}
        page = parse_fill_list(rest.info(request), dexs)
        if page.malformed and whole:
            raise VenueReadError(f"{page.malformed} fills of the account cannot be read")
        out |= {f.key: f for f in page.fills}
        # The next page begins at this one's last instant, which may be cut in two; what comes twice has the same key.
        newest = max((f.time_ms for f in page.fills), default=start)
        if page.rows >= PAGE and newest == start:
            raise VenueReadError(f"more than {PAGE} fills of one moment: those after it cannot be read")
        if page.rows < PAGE:
            return list(reversed(newest_first(sorted(out.values(), key=lambda f: -f.time_ms))))
        start = newest


def opened_by_us(fills: Iterable[Fill], coin: str) -> bool:
    """Whether a fill of the position that stands in a market now carries our tag; `fills` newest first. Pure."""
    return any(is_ours(f.cloid) for f in _opening_fills(fills, coin)[1])


def _opening_fills(fills: Iterable[Fill], coin: str) -> tuple[int | None, list[Fill]]:
    """When a position was opened, by the exchange's fills (None: they do not reach back), and its fills."""
    found = []
    for fill in (f for f in fills if f.coin == coin):
        found.append(fill)
        after = fill.end_position
        if fill.start_position == 0 or (fill.start_position > 0) != (after > 0):
            return fill.time_ms, found
    return None, found


def still_held(report: PositionReport, held: Iterable[Held]) -> dict[str, Held]:
    """What an earlier run kept of positions that are still the same: the same side, and not opened since. By coin.

    Pure. Where fills do not reach back to the opening, what was kept is believed.
    """
    out = {}
    for known in held:
        szi, _ = report.positions.get(known.coin, (ZERO, ZERO))
        since, _ = _opening_fills(report.fills, known.coin)
        same = szi != 0 and known.long in (None, szi > 0)
        if same and (since is None or since - known.entry_ms <= SAME_MS):
            out[known.coin] = known
    return out


def read_ms(report: PositionReport, coin: str) -> int | None:
    """As of when a position of the report is: of its newest fill where that left just this, else of its dex's answer.

    An answer may be older than its time says, by a minute at most: what was booked before that and is in neither is no
    later word, however soon it came after that fill. Pure. What only an earlier run kept is as of its newest fill. None
    where nobody tells.
    """
    if coin in report.remembered:
        return report.remembered[coin]
    szi, _ = report.positions.get(coin, (ZERO, ZERO))
    newest, answer_ms = newest_of(report.fills, coin), report.times.get(coin.partition(":")[0])
    if newest is None or newest.end_position != szi:
        return answer_ms
    return newest.time_ms if answer_ms is None else max(newest.time_ms, answer_ms - MOST_BEHIND_MS)


def opening(report: PositionReport, coin: str, held: Held | None) -> Opening:
    """How a position was opened: by its fills, else by what an earlier run knew, else now.

    Pure; KeyError for a coin that has no position in `report`. It is foreign if no fill of it has our tag and no
    earlier run knows better.
    """
    _, px = report.positions[coin]
    since, fills = (None, []) if coin in report.remembered else _opening_fills(report.fills, coin)
    ours = any(is_ours(f.cloid) for f in fills)
    if since is None:
        known = [f.time_ms for f in fills] + ([held.entry_ms] if held is not None else [])
        since = min(known, default=read_ms(report, coin) or report.at_ms)
    return Opening(
        px=px, ms=since, fees=sum((f.fee for f in fills), ZERO), realized=sum((f.closed_pnl for f in fills), ZERO),
        edge_bps=held.entry_edge_bps if held is not None else ZERO,
        admission_px=held.admission_px if held is not None else ZERO,
        foreign=held.foreign if held is not None else not ours, read_ms=read_ms(report, coin),
        exact=coin in report.remembered,
    )  # fmt: skip
