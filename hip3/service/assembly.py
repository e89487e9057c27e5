"""What a start of the service reads of the account, and how its parts are put together with what was kept."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from hip3.core.market import MarketSpec
from hip3.exchange.rest import RestClient
from hip3.execution.exits.exiting import reopen
from hip3.execution.exits.risk_desk import KeptRisk
from hip3.execution.sending.identity import Identity
from hip3.execution.truth.account import Proof
from hip3.execution.truth.bootstrap import Beginning, Checked, Universe, check_signer, read_whole_beginning
from hip3.execution.truth.markets import KeptCaps
from hip3.ops.state_dir import began_ms, keep_pause, pause_of
from hip3.position.exits import Held
from hip3.position.tracked import KeptTotals
from hip3.risk.guards import TripNote
from hip3.service.start import Who
from hip3.service.trading import Before, Links, Trading, build, margin_changes

if TYPE_CHECKING:
    from collections.abc import Callable

    from hip3.service.app import App


class Nobody:
    """There is no account to begin with: observe."""


def read_beginning(app: "App", rest: RestClient, who: Who, universe: Universe, folder: Path) -> Beginning | Nobody:
    """The account as trading begins (rest thread). VenueReadError: not now; PreflightError: not like this."""
    if who.key is None or who.account is None:
        return Nobody()
    signer, coins, now_ms = who.key.address, universe.specs, app.clock.wall_ms()
    checked = app.journal.fact("checked", Checked)
    fresh = checked is not None and checked.covers(signer, who.account, coins, now_ms)
    if who.vault is None and not fresh:
        check_signer(rest, signer, who.account)
    now = int(rest.info_json({"type": "exchangeStatus"})["time"])
    app.exchange_clock = (now, app.clock.mono_ms())
    app.began_ms = began_ms(folder, now)
    totals = app.journal.fact("totals", KeptTotals) or KeptTotals(since_ms=app.began_ms)
    held = app.journal.fact("held", list[Held]) or []
    if checked is not None and fresh:
        # Where a leverage is asked for, what holds is asked, too: it may have been set since.
        app.margins |= {c: m for c, m in checked.margins.items() if not app.settings.for_market(c).leverage}
    beginning = read_whole_beginning(rest, who.account, universe, totals, held, app.margins)
    if not margin_changes(app.settings, beginning, coins):
        found = Checked(at_ms=now_ms, signer=signer, account=who.account, margins=beginning.margins)
        app.journal.keep("checked", checked if checked is not None and fresh else found)
    return beginning


def assemble(app: "App", universe: Universe, beginning: Beginning | None) -> Trading:
    """Build the trading parts of a running service."""
    who, latch, rest, intents, journal = app.who, app.latch, app.rest, app.intents, app.journal
    assert who is not None
    assert latch is not None
    assert rest is not None
    assert intents is not None
    signer = None
    if who.key is not None and who.account is not None:
        signer = Identity(who.key, who.account, who.vault, app.settings.base.mainnet)
    before = Before(
        recovered=intents.recovered, risk=journal.fact("risk", KeptRisk),
        trips=journal.fact("trips", list[TripNote]) or [],
        approved=journal.fact("approved", dict[str, MarketSpec]) or {}, caps=journal.fact("caps", KeptCaps),
        began_ms=app.began_ms,
        clock=app.exchange_clock,
    )  # fmt: skip
    trading = build(
        settings=app.settings, clock=app.clock, universe=universe, identity=signer, user=who.account,
        beginning=beginning, before=before, latch=latch, readiness=app.readiness, sender=app.writer, rest=rest,
        journal=journal, intents=intents, signed=rest, links=_links(app),
    )  # fmt: skip
    _hold_what_is_unknown(app, before)
    reopen(trading.exits, journal.fact("closed", dict[str, int]) or {}, app.clock)
    return trading


LOST = "the journal was lost: what today has come to is not known (./run.sh resume begins the day's limits anew)"
UNREAD = "the journal could not be read at the start: the limits of before are not known; put it right and restart"


def _hold_what_is_unknown(app: "App", before: Before) -> None:
    """A pause outlasts its process; limits whose measure is gone stop entries until a person has looked."""
    base, folder = app.settings.base, app.folder
    assert folder is not None
    limited = base.max_daily_loss_usd > 0 or base.max_drawdown_pct > 0
    lost = limited and app.knew_account and before.risk is None
    if not app.journal.facts_known:
        app.readiness.reduce("journal", UNREAD)
    elif lost and not pause_of(folder):
        with contextlib.suppress(OSError):  # then it holds for this run alone
            keep_pause(folder, LOST)  # also over the next start, which finds the facts that this one keeps
    app.readiness.reduce("operator", pause_of(folder) or (LOST if lost else ""))


def _links(app: "App") -> Links:
    def ask_proof(proved: "Callable[[Proof], None]") -> None:
        app.rest_jobs.submit(lambda: proved(app.read_proof()))

    return Links(
        http=app.by_http, wake_rest=app.rest_jobs.wake, known_before=app.journal.placed, trip=app.trip,
        ask_proof=ask_proof,
        reconnect=lambda why: app.connection.drop(why),  # noqa: PLW0108 the connection is made later
    )  # fmt: skip
