"""The stop as a script, beside the stories that stop real processes (`tests/stories/test_stop.py`)."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from hip3.commands.ended import closing_table
from hip3.core.events import OrderUpdate
from hip3.core.order_state import OrderState
from hip3.core.orders import ExitReason, Side
from hip3.errors import VenueReadError
from hip3.execution.truth.account import prove
from hip3.position.tracked import TrackedOrder
from hip3.service.control_requests import told
from hip3.service.stopping import Outcome, StopMode, Stopper, stop_before_trading
from tests.builders import D
from tests.world import World, quiet_world

GOLD = "xyz:GOLD"


def _stop(
    world: World, mode: StopMode, monkeypatch: pytest.MonkeyPatch, *, limit_ms: int = 20_000,
    meanwhile: Callable[[], object] = lambda: None,
) -> Outcome:  # fmt: skip
    """Stop, while the world goes on in the pauses; `meanwhile` is what happens as it begins."""
    meanwhile()
    pause = SimpleNamespace(wait=lambda seconds: world.run(int(seconds * 1000)))
    app: Any = SimpleNamespace(
        clock=world.clock, readiness=world.readiness, runtime=SimpleNamespace(event=lambda: pause),
        prove=lambda seconds: prove(world.rest, world.user, world.trading.housekeeping.dexs),
        rest_jobs=world.running.rest_jobs, read_ends=world.running.read_ends, read_missing=world.running.read_missing,
        stop=world.running.stop,
    )  # fmt: skip
    return Stopper(app, world.trading, mode, limit_ms).run()


def _holding(world: World) -> World:
    """A position is in the books."""
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    assert world.run_until(lambda: bool(world.trading.tracker.positions()), 5000)
    return world


def test_a_cancelling_stop_waits_for_an_exit_whose_fate_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _holding(quiet_world(tmp_path))
    world.sender.hold()
    world.trading.exiting.request(ExitReason.MANUAL)
    assert world.run_until(lambda: bool(world.trading.tracker.live()), 1000)
    world.sender.drop_held()  # it is lost, and nobody knows yet
    outcome = _stop(world, StopMode.CANCEL, monkeypatch)
    assert (outcome.clean, outcome.unknown) == (True, 0)
    assert [(t.state, t.order.reduce_only, t.order.protective) for t in world.trading.tracker.live()] == []


def _exit_under_way(world: World) -> TrackedOrder:
    _holding(world)
    world.sender.hold()
    world.trading.exiting.request(ExitReason.MANUAL)
    assert world.run_until(lambda: bool(world.trading.tracker.live()), 1000)
    world.tick()
    (tracked,) = world.trading.tracker.live()
    return tracked


def test_an_exit_that_is_still_under_way_as_the_time_is_over_is_no_clean_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = quiet_world(tmp_path)
    assert _exit_under_way(world).state is OrderState.SENT
    outcome = _stop(world, StopMode.CANCEL, monkeypatch, limit_ms=0)
    assert (outcome.clean, outcome.unknown) == (False, 1)


def test_an_exit_that_was_told_as_open_and_never_ended_is_no_stop_that_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = quiet_world(tmp_path)
    order = _exit_under_way(world).order
    told = OrderUpdate(
        coin=GOLD, side=order.side, oid=1, cloid=order.cloid, limit_px=order.px, remaining=order.sz,
        orig_sz=order.sz, status="open", status_ms=world.exchange_ms(),
    )  # fmt: skip
    world.trading.orders_in.on_order_updates((told,), world.clock.mono_ms())
    assert world.trading.tracker.live(OrderState.OPEN)
    outcome = _stop(world, StopMode.CANCEL, monkeypatch, limit_ms=3000)
    assert (outcome.clean, outcome.unknown) == (False, 1)


def test_a_stop_s_results_hold_what_no_stream_has_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seed 29029745: others traded on the account while the connection was gone, and all was flat again."""
    world = quiet_world(tmp_path)
    world.cut()
    for side in (Side.BUY, Side.SELL):
        world.by_hand(GOLD, side, D("0.01"))
    assert not world.exchange_positions()
    outcome = _stop(world, StopMode.FLATTEN, monkeypatch)
    assert outcome.clean
    assert world.trading.tracker.totals()[:2] == world.exchange_totals()
    assert world.trading.tracker.totals()[2] == 2


@pytest.mark.parametrize("refused", [(), ("userFills",)], ids=["answered", "refused at first"])
def test_a_stop_settles_what_an_order_claims_beyond_its_fills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: tuple[str, ...]
) -> None:
    """Seed 169765594: the exchange had refused a reading, so none was made for a minute, and the stop waited in vain."""
    world = quiet_world(tmp_path)
    order = _exit_under_way(world).order
    world.sender.drop_held()
    told = OrderUpdate(
        coin=GOLD, side=order.side, oid=1, cloid=order.cloid, limit_px=order.px, remaining=D(0),
        orig_sz=order.sz, status="filled", status_ms=world.exchange_ms(),
    )  # fmt: skip
    world.trading.orders_in.on_order_updates((told,), world.clock.mono_ms())
    world.trading.housekeeping._quiet_until_ms = world.clock.mono_ms() + 60_000
    world.rest.failing.update(refused)
    read = world.running.read_missing

    def fails_once() -> None:
        try:
            read()
        except VenueReadError:
            world.rest.failing.clear()
            raise

    world.running.read_missing = fails_once  # type: ignore[method-assign]
    outcome = _stop(world, StopMode.FLATTEN, monkeypatch)
    assert outcome.clean
    assert world.exchange_positions() == {}
    assert world.trading.tracker.unbooked() == []


def test_fills_that_cannot_be_read_do_not_hold_up_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = quiet_world(tmp_path)
    world.rest.failing.add("userFills")
    assert _stop(world, StopMode.FLATTEN, monkeypatch).clean


def test_what_is_opened_after_the_proof_is_not_called_flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = quiet_world(tmp_path, foreign_positions="manage")
    read = world.running.read_ends

    def traded_first() -> None:
        world.by_hand(GOLD, Side.BUY, D("0.01"))
        read()

    world.running.read_ends = traded_first  # type: ignore[method-assign]
    outcome = _stop(world, StopMode.FLATTEN, monkeypatch, limit_ms=0)
    assert not outcome.clean
    assert "flat" not in outcome.sentence


def test_a_stop_that_leaves_less_takes_the_place_of_the_one_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`stop --flatten` while a `stop` ran was answered with 0, and the position stayed."""
    world = _holding(quiet_world(tmp_path))
    wish = world.running.stop
    wish.ask(StopMode.CANCEL, 20_000)
    tried = iter([StopMode.LEAVE, StopMode.FLATTEN, StopMode.CANCEL])

    def busy() -> None:
        for mode in tried:
            wish.ask(mode, 20_000)

    assert _stop(world, StopMode.CANCEL, monkeypatch, meanwhile=busy).mode is StopMode.FLATTEN
    assert world.exchange_positions() == {}


def test_what_a_stop_covers() -> None:
    leave, cancel, flatten = StopMode.LEAVE, StopMode.CANCEL, StopMode.FLATTEN
    assert [a.covers(b) for a in (leave, cancel, flatten) for b in (leave, cancel, flatten)] == [
        True, False, False, True, True, False, True, True, True,
    ]  # fmt: skip


def _untold(world: World) -> None:
    """A position that no frame tells of, right after a comparison: the next is a minute away."""
    assert world.run_until(lambda: world.trading.housekeeping._last_compare_ms > 0, 70_000)
    world.filter_frame = lambda text: [] if '"userFills"' in text or '"orderUpdates"' in text else [text]
    world.by_hand(GOLD, Side.BUY, D("0.01"))
    world.run(300)
    world.filter_frame = lambda text: [text]
    assert world.trading.tracker.positions() == []


def test_a_position_that_only_the_proof_shows_is_closed_by_the_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = quiet_world(tmp_path)
    _untold(world)
    outcome = _stop(world, StopMode.FLATTEN, monkeypatch)
    assert (outcome.clean, world.exchange_positions()) == (True, {})


def test_a_position_that_only_the_proof_shows_is_closed_by_a_hard_stop(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, hard_stop_flatten=True)
    _untold(world)
    world.trip("manual", "the test", None)
    assert world.run_until(lambda: not world.exchange_positions(), 20_000)


# What is said where the exchange did not tell: nothing is flat that nobody knows to be.

TOLD_NOTHING = {"clearinghouseState", "frontendOpenOrders", "openOrders", "userFills"}


def _rows(world: World, outcome: Outcome) -> dict[str, str]:
    """The closing table, and as `answer` what the command prints and the alert says."""
    lines = (line.partition("   ") for line in closing_table(world.running, outcome).splitlines())
    return {name.strip(): value.strip() for name, _, value in lines} | {"answer": told(outcome, "")["proof"]}


@pytest.mark.parametrize("mode", StopMode)
@pytest.mark.parametrize("holding", [False, True], ids=["nothing held", "holding"])
def test_a_stop_that_could_not_ask_says_what_is_held_by_our_books_and_calls_nothing_flat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: StopMode, holding: bool
) -> None:
    world = quiet_world(tmp_path, on_disk=True, api_url="http://127.0.0.1:9")
    if holding:
        _holding(world)
        world.sender.hold()  # nor does it hear of an exit
    world.rest.failing |= TOLD_NOTHING | {"/exchange"}
    outcome = _stop(world, mode, monkeypatch, limit_ms=2000)
    rows, held = _rows(world, outcome), f"{GOLD} 0.01" if holding else "nothing held"
    assert not outcome.clean
    assert rows["position"] == f"unknown (our books: {held})"
    assert rows["answer"] == rows["proof"]
    assert rows["answer"].startswith("not proved: ")
    assert rows["answer"].endswith(f"; by our books: {held}")
    assert "flat" not in str(rows)


def test_a_position_that_a_part_of_the_answers_shows_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = quiet_world(tmp_path, on_disk=True, api_url="http://127.0.0.1:9")
    _untold(world)
    world.rest.failing |= {"frontendOpenOrders", "openOrders"}
    rows = _rows(world, _stop(world, StopMode.LEAVE, monkeypatch, limit_ms=0))
    assert rows["position"] == f"unknown (held at least: {GOLD} 0.01; our books: nothing held)"
    assert rows["answer"].endswith(f"; held at least: {GOLD} 0.01; by our books: nothing held")


@pytest.mark.parametrize("fills", ["readable", "unreadable"])
def test_a_position_of_our_books_that_an_empty_answer_hides_is_no_flat_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fills: str
) -> None:
    """Where the fills could not be read either, the stop was called as asked, and flat, with the position there."""
    bare = quiet_world(tmp_path, on_disk=True, api_url="http://127.0.0.1:9", protective_stop_bps=D(0))
    world = _holding(bare)  # a stop that rests would contradict the answer, too
    world.venue.engine.prevalidate = lambda requests: "Trading is halted."  # type: ignore[method-assign]
    world.rest.failing |= {"userFills"} if fills == "unreadable" else set()
    honest = world.rest.info_json

    def empty(request: dict[str, Any]) -> Any:
        answer = honest(request)
        return answer | {"assetPositions": []} if request["type"] == "clearinghouseState" else answer

    monkeypatch.setattr(world.rest, "info_json", empty)
    outcome = _stop(world, StopMode.FLATTEN, monkeypatch, limit_ms=3000)
    rows = _rows(world, outcome)
    assert not outcome.clean
    assert rows["position"] == f"unknown (our books: {GOLD} 0.01)"
    assert rows["answer"].endswith(f"by our books: {GOLD} 0.01")
    assert "flat" not in str(rows)


@pytest.mark.parametrize("mode", StopMode)
@pytest.mark.parametrize("holding", [False, True], ids=["nothing left", "a position left"])
def test_a_start_that_never_reached_the_exchange_knows_only_what_an_earlier_run_kept(
    tmp_path: Path, mode: StopMode, holding: bool
) -> None:
    world = quiet_world(tmp_path, on_disk=True, api_url="http://127.0.0.1:9")
    if holding:
        _holding(world)
    world.run(2000)
    world.rest.failing |= TOLD_NOTHING | {"perpDexs", "meta", "metaAndAssetCtxs", "allMids", "userRole"}
    with pytest.raises(VenueReadError):
        world.restart()
    world.running.prove = lambda timeout_s: world.running.read_proof()  # type: ignore[method-assign]
    world.running.stop.ask(mode, 0)
    outcome = stop_before_trading(world.running)
    rows, held = _rows(world, outcome), f"{GOLD} 0.01" if holding else "nothing held"
    assert outcome.clean is (mode is not StopMode.FLATTEN and not holding)
    assert rows["position"] == f"unknown (our books: {held})"
    assert rows["answer"].endswith(f"; by our books: {held}")
    assert "flat" not in str(rows)


def test_a_stop_during_a_start_looks_where_an_earlier_run_left_something(tmp_path: Path) -> None:
    """It said flat, and exited with 0, while a position of ours stood in a dex that is configured no more."""
    world = _holding(quiet_world(tmp_path, on_disk=True, api_url="http://127.0.0.1:9", markets=f"{GOLD},para:AVGO"))
    world.run(2000)
    base = msgspec.structs.replace(world.settings.base, markets="para:AVGO")
    world.settings = msgspec.structs.replace(world.settings, base=base)
    world.restart()
    world.running.trading = None  # as it is before the start is finished
    world.running.prove = lambda timeout_s: world.running.read_proof()  # type: ignore[method-assign]
    world.running.stop.ask(StopMode.FLATTEN, 0)
    outcome = stop_before_trading(world.running)
    assert (outcome.clean, outcome.position) == (False, f"{GOLD} 0.01")
    world.rest.failing.add("userFills")  # where else nobody can say
    assert (
        stop_before_trading(world.running).position == f"unknown (held at least: {GOLD} 0.01; our books: {GOLD} 0.01)"
    )


def test_a_stop_during_a_start_is_proved_as_soon_as_the_exchange_answers(tmp_path: Path) -> None:
    """A 429 ended its proof at once, whatever time it was given."""
    world = quiet_world(tmp_path, on_disk=True, api_url="http://127.0.0.1:9")
    world.run(1000)
    world.rest.failing |= TOLD_NOTHING | {"meta"}
    with pytest.raises(VenueReadError):
        world.restart()
    waited: list[float] = []

    def wait(seconds: float) -> None:
        world.clock.advance(int(seconds * 1000))
        waited.append(seconds)
        if len(waited) == 3:
            world.rest.failing.clear()

    running = world.running
    running.runtime.event = lambda: SimpleNamespace(wait=wait)  # type: ignore[assignment,method-assign,return-value]
    running.prove = lambda timeout_s: running.read_proof()  # type: ignore[method-assign]
    running.stop.ask(StopMode.FLATTEN, 20_000)
    outcome = stop_before_trading(running)
    assert (outcome.clean, outcome.position, len(waited)) == (True, "flat", 3)


@pytest.mark.parametrize("mode", StopMode)
@pytest.mark.parametrize("earlier", [False, True], ids=["first start", "an account of before"])
def test_a_start_that_does_not_know_its_account_yet_proves_nothing(
    tmp_path: Path, mode: StopMode, earlier: bool
) -> None:
    world = quiet_world(tmp_path, on_disk=True, api_url="http://127.0.0.1:9")
    running = world.running
    running.who = running.intents = running.trading = None
    if earlier:
        folder = Path(running.settings.base.state_dir) / f"{running.settings.base.place}-0x11111111"
        folder.mkdir(parents=True)
        (folder / "account.json").touch()
    running.stop.ask(mode, 0)
    outcome = stop_before_trading(running)
    assert outcome.clean is (mode is not StopMode.FLATTEN and not earlier)
    assert (_rows(world, outcome)["position"], _rows(world, outcome)["unknown orders"]) == ("unknown", "not known")


def test_a_run_that_only_observed_says_nothing_of_positions(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, on_disk=True, api_url="http://127.0.0.1:9")
    outcome = Outcome(clean=True, proof=None, unknown=0, mode=StopMode.FLATTEN)
    rows = _rows(world, outcome)
    assert rows["position"] == "not looked at: nothing was traded"
    assert rows["answer"] == "nothing was traded"
