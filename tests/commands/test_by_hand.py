"""`cancel-all` and `flatten` with no service: durable before sent, above the nonce floor, resolved by the next start."""

import contextlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.commands import by_hand
from hip3.commands.by_hand import NO_JOURNAL, Hand
from hip3.config.reading import MarketSettings
from hip3.config.settings import Settings
from hip3.core.orders import RUN_TAG, OrderBatch, Side, Tif
from hip3.errors import ConfigError, VenueReadError, WireError
from hip3.ops.intents import IntentLog, Recovered
from hip3.ops.journal import EventLog
from hip3.ops.state_dir import account_dir
from hip3.ops.store import story
from hip3.position.held import Held
from hip3.service.operating import NO_ANSWER, NOT_AS_ASKED, OK
from hip3.service.start import Who
from tests.builders import order
from tests.service.test_operating import GOLD, TSLA, _oids, _resting, _stop_order
from tests.world import VenueRest, World, quiet_world

D = Decimal


class _Rest(VenueRest):
    """REST for a hand; `lose`: so many actions are executed and the answer is lost; `refusing`: all are refused."""

    def __init__(self, world: World) -> None:
        super().__init__(world.venue, world.exchange_ms)
        self.lose = 0
        self.refusing = ""
        self.seen: list[list[int]] = []
        self._world = world

    @property
    def unheld(self) -> "_Rest":
        return self

    def close(self) -> None:
        """Nothing to close."""

    def exchange(self, body: dict[str, Any]) -> Any:
        self.seen.append(_nonces(self._world))  # what is durable at the moment the bytes leave
        if self.refusing:
            self.signed.append(body)
            return {"status": "err", "response": self.refusing}
        answer = super().exchange(body)
        if self.lose:
            self.lose -= 1
            raise VenueReadError("/exchange: the answer was lost")
        return answer


def _folder(world: World) -> Path:
    return account_dir(world.folder / "state", "embedded", world.user)


def _nonces(world: World) -> list[int]:
    path = _folder(world) / "intents.log"
    lines = path.read_bytes().splitlines() if path.is_file() else []
    return [msgspec.json.decode(line.rpartition(b" ")[0]).get("nonce", 0) for line in lines]


def _hand(world: World, rest: _Rest) -> Hand:
    base = msgspec.structs.replace(
        world.settings.base, state_dir=str(world.folder / "state"), api_url="http://127.0.0.1:9"
    )
    settings = msgspec.structs.replace(world.settings, base=base)

    def pause(seconds: float) -> None:
        world.clock.advance(int(seconds * 1000))
        world.venue.advance(world.exchange_ms())

    return Hand(settings, world.clock, rest, Who(world.key, world.user, None), pause)  # type: ignore[arg-type]


def _by_hand(world: World, rest: _Rest, command: str, market: str | None = None, limit_ms: int = 20_000) -> int:
    hand = _hand(world, rest)
    with contextlib.closing(hand):
        return hand.run(command, market, world.clock.mono_ms() + limit_ms)


def _dead(tmp_path: Path) -> World:
    """Two positions, one protected, and a foreign order; the service is gone."""
    world = quiet_world(tmp_path)
    world.by_hand(GOLD, Side.BUY, D("0.05"))
    world.by_hand(TSLA, Side.BUY, D("0.2"))
    return world


def test_cancel_all_and_flatten_prove_what_is_open(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = _dead(tmp_path)
    kept, foreign = _stop_order(world, GOLD), _resting(world, TSLA)
    world.latch.trip("manual", "by the test", 1)
    assert _by_hand(world, _Rest(world), "cancel-all") == 0
    assert _oids(world) == {kept}
    out = capsys.readouterr().out
    assert str(foreign) in out.splitlines()[0]
    assert str(foreign) not in out.splitlines()[1]
    assert _by_hand(world, _Rest(world), "flatten", GOLD) == 0
    assert set(world.exchange_positions()) == {TSLA}
    assert "nothing to close" not in capsys.readouterr().out
    assert _by_hand(world, _Rest(world), "flatten", GOLD) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{GOLD}: nothing to close"
    assert _by_hand(world, _Rest(world), "flatten") == 0
    assert world.exchange_positions() == {}
    assert "flat" in capsys.readouterr().out.splitlines()[-1]


def test_where_the_intents_cannot_be_read_nothing_is_called_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = _dead(tmp_path)
    (_folder(world) / "intents.log").mkdir()
    assert _by_hand(world, _Rest(world), "flatten") == NO_JOURNAL
    assert world.exchange_positions() == {}
    assert "what was sent before is not known" in capsys.readouterr().out.splitlines()[-1]


def test_every_signed_action_is_durable_before_it_leaves_and_above_the_floor(tmp_path: Path) -> None:
    world = _dead(tmp_path)
    _resting(world, TSLA)
    floor = world.clock.wall_ms() + 100_000  # an earlier run with a clock that was ahead
    log = IntentLog(_folder(world) / "intents.log")
    log.cancels(floor, 1)
    log.close()
    rest = _Rest(world)
    assert _by_hand(world, rest, "cancel-all") == 0
    assert _by_hand(world, rest, "flatten") == 0
    nonces = [body["nonce"] for body in rest.signed]
    assert len(nonces) >= 2
    assert nonces == sorted(set(nonces))
    assert nonces[0] > floor
    for nonce, durable in zip(nonces, rest.seen, strict=True):
        assert nonce in durable


def test_an_answer_that_is_lost_is_waited_for_and_the_next_start_finds_the_order(tmp_path: Path) -> None:
    world = _dead(tmp_path)
    rest = _Rest(world)
    rest.lose = 1
    began = world.clock.mono_ms()
    assert _by_hand(world, rest, "flatten", GOLD, limit_ms=60_000) == 0
    assert world.clock.mono_ms() - began > world.settings.base.expires_after_ms  # it could not land any more
    assert set(world.exchange_positions()) == {TSLA}
    log = IntentLog(_folder(world) / "intents.log")
    (left,) = log.recovered.open
    assert left[0].coin == GOLD
    log.close()
    kinds = [kind for _, kind, _ in story(_folder(world) / "journal.db", left[0].cloid)]
    assert "exit" in kinds


def test_an_earlier_entry_that_might_still_land_is_not_called_flat(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = _dead(tmp_path)
    log = IntentLog(_folder(world) / "intents.log")
    now = world.clock.wall_ms()
    log.orders(OrderBatch((order(1, coin=GOLD),)), now, None, now)  # without an expiry: for two days
    log.close()
    assert _by_hand(world, _Rest(world), "flatten", limit_ms=3000) == 8
    assert world.exchange_positions() == {}
    assert _by_hand(world, _Rest(world), "flatten", GOLD, limit_ms=3000) == 8
    assert "nothing to close" not in capsys.readouterr().out
    assert _by_hand(world, _Rest(world), "cancel-all", limit_ms=3000) == 8
    world.clock.advance(2 * 86_400_000 + 10_000)
    assert _by_hand(world, _Rest(world), "cancel-all", limit_ms=3000) == 0


def test_an_exchange_that_refuses_is_8_at_worse_and_worse_prices_and_one_that_cannot_be_read_5(tmp_path: Path) -> None:
    world = _dead(tmp_path)
    rest = _Rest(world)
    rest.refusing = "Order could not immediately match against any resting orders."
    assert _by_hand(world, rest, "flatten", GOLD, limit_ms=5000) == 8
    assert set(world.exchange_positions()) == {GOLD, TSLA}
    prices = [Decimal(o["p"]) for body in rest.signed for o in body["action"]["orders"]]
    assert len(set(prices)) > 4
    assert min(prices) < prices[0] * D("0.98")
    assert IntentLog(_folder(world) / "intents.log").recovered.open == []  # each attempt has its end
    rest.failing.add("frontendOpenOrders")
    assert _by_hand(world, rest, "cancel-all", limit_ms=2000) == 5


def test_a_market_that_is_gone_is_named_as_open(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = _dead(tmp_path)
    world.venue.engine.markets[GOLD].halted = True
    assert _by_hand(world, _Rest(world), "flatten", limit_ms=2000) == 8
    assert set(world.exchange_positions()) == {GOLD}
    assert GOLD in capsys.readouterr().out.splitlines()[-1]


def test_a_disk_that_takes_nothing_does_not_keep_positions_open_but_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _dead(tmp_path)
    hand = _hand(world, _Rest(world))
    hand._intents.close()
    hand._intents._fd = IntentLog(tmp_path / "full.log")._fd
    monkeypatch.setattr("os.write", lambda fd, data: 0)
    code = hand.run("flatten", None, world.clock.mono_ms() + 20_000)
    monkeypatch.undo()
    hand.close()
    assert code == 7
    assert world.exchange_positions() == {}


def test_flatten_by_hand_closes_the_market_for_the_next_start_too(tmp_path: Path) -> None:
    world = _dead(tmp_path)
    assert _by_hand(world, _Rest(world), "flatten", GOLD) == 0
    hand = _hand(world, _Rest(world))
    closed = hand._journal.fact("closed", dict[str, int])
    hand.close()
    assert closed is not None
    assert set(closed) == {GOLD}


def test_a_market_that_does_not_exist_is_named(tmp_path: Path) -> None:
    world = _dead(tmp_path)
    with pytest.raises(ConfigError, match="xyz:GOLDD"):
        _by_hand(world, _Rest(world), "flatten", "xyz:GOLDD")
    assert isinstance(IntentLog(_folder(world) / "intents.log").recovered, Recovered)


class _Hiding(_Rest):
    """One market's position and fills are missing in the answers."""

    def info(self, request: dict[str, Any]) -> bytes:
        body = msgspec.json.decode(super().info(request))
        if request["type"] == "clearinghouseState":
            body["assetPositions"] = [p for p in body["assetPositions"] if p["position"]["coin"] != GOLD]
        elif request["type"] == "userFills":
            body = [fill for fill in body if fill["coin"] != GOLD]
        return msgspec.json.encode(body)


def test_a_position_that_nobody_shows_keeps_no_other_from_being_closed(tmp_path: Path) -> None:
    """Its stop alone spoke for it: the proof was none, and nothing was closed anywhere."""
    world = quiet_world(tmp_path, protective_stop_bps=D(200))
    world.by_hand(GOLD, Side.BUY, D("0.01"), cloid=f"0x{RUN_TAG}" + "1" * 24)
    assert world.run_until(lambda: len(world.listed("xyz")) == 1, 3000)
    world.by_hand(TSLA, Side.BUY, D("0.2"))
    rest = _Hiding(world)
    assert _by_hand(world, rest, "flatten", TSLA, limit_ms=20_000) == NO_ANSWER
    assert set(world.exchange_positions()) == {GOLD}
    assert _by_hand(world, rest, "flatten", None, limit_ms=20_000) == OK  # by what its stop stands for
    assert not world.exchange_positions()


def test_a_stop_whose_position_stays_away_for_a_minute_is_litter_by_hand_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = quiet_world(tmp_path, protective_stop_bps=D(200))
    world.by_hand(GOLD, Side.BUY, D("0.01"), cloid=f"0x{RUN_TAG}" + "1" * 24)
    assert world.run_until(lambda: len(world.listed("xyz")) == 1, 3000)
    assert _by_hand(world, _Hiding(world), "cancel-all", None, limit_ms=30_000) == NO_ANSWER
    assert len(world.listed("xyz")) == 1
    assert "cancel-all: not proved: stops of ours rest" in capsys.readouterr().out
    assert _by_hand(world, _Hiding(world), "flatten", TSLA, limit_ms=120_000) == OK
    told = capsys.readouterr().out.splitlines()[1]
    assert told.startswith(f"flatten: flat, orders {GOLD} ")
    assert told.endswith(", 0 unknown (by clearinghouseState and openOrders)")  # by what it is believed, not the doubt
    assert _by_hand(world, _Hiding(world), "cancel-all", None, limit_ms=120_000) == OK
    assert world.listed("xyz") == []


def test_exits_by_hand_that_are_refused_as_one_go_alone(tmp_path: Path) -> None:
    world = _dead(tmp_path)
    world.venue.engine.prevalidate = lambda r: "Order has zero size." if len(r) > 1 else None  # type: ignore[method-assign]
    assert _by_hand(world, _Rest(world), "flatten", limit_ms=20_000) == OK
    assert not world.exchange_positions()


@pytest.mark.parametrize("command", ["cancel-all", "flatten"])
def test_cancels_by_hand_that_are_refused_as_one_go_alone(tmp_path: Path, command: str) -> None:
    """Three that were refused together were sent together until the time was up."""
    world = _dead(tmp_path)
    for number in range(3):
        world.rest_by_hand(GOLD, cloid=f"0x{RUN_TAG}{number:024x}")
    rest = _Rest(world)
    honest = rest.exchange

    def exchange(body: dict[str, Any]) -> Any:
        if len(body["action"].get("cancels", ())) > 1:
            return {"status": "err", "response": "Invalid cancel."}
        return honest(body)

    rest.exchange = exchange  # type: ignore[method-assign]
    assert _by_hand(world, rest, command) == OK
    assert _oids(world) == set()


def test_what_is_refused_for_no_price_makes_no_exit_by_hand_dearer(tmp_path: Path) -> None:
    """In the minutes after an upgrade it was at its largest slippage within five seconds."""
    world, prices = _dead(tmp_path), []
    world.venue.engine.post_only = True
    rest = _Rest(world)
    assert _by_hand(world, rest, "flatten", GOLD, limit_ms=5000) == NOT_AS_ASKED
    prices = [Decimal(o["p"]) for body in rest.signed for o in body["action"].get("orders", ())]
    assert len(prices) >= 3
    mark = world.venue.engine.markets[GOLD].mark
    assert min(prices) > mark * Decimal("0.99")
    world.venue.engine.post_only = False
    assert _by_hand(world, rest, "flatten", GOLD, limit_ms=5000) == OK


def test_flatten_ends_what_rests_of_ours_as_the_service_does(tmp_path: Path) -> None:
    """A quote of a service that was killed would have opened a position again, with nobody to watch it."""
    world, ours = _dead(tmp_path), f"0x{RUN_TAG}" + "2" * 24
    foreign, stop = _resting(world, TSLA), _stop_order(world, GOLD)
    px = (world.venue.engine.markets[TSLA].oracle * D("0.9")).quantize(D(1))
    world.by_hand(TSLA, Side.BUY, D("0.2"), px=px, tif=Tif.GTC, cloid=ours)
    assert len(_oids(world)) == 3
    assert _by_hand(world, _Rest(world), "flatten", GOLD) == 0
    assert len(_oids(world) - {stop}) == 2, "another market's stays"
    assert _by_hand(world, _Rest(world), "flatten", TSLA) == 0
    assert _oids(world) - {stop} == {foreign}


def test_an_answer_of_another_shape_is_tried_again_until_the_time_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def odd(*args: object) -> None:
        raise WireError("perpDexs is not a list that starts with null")

    monkeypatch.setattr(by_hand, "identity", odd)
    base = Settings(network="testnet", markets=GOLD, private_key="0x" + "11" * 32, state_dir=str(tmp_path))
    base = msgspec.structs.replace(base, log_dir=str(tmp_path), mode="trade")
    with pytest.raises(TimeoutError, match="perpDexs"):
        by_hand._by_hand(MarketSettings(base), "flatten", None, 0)


# What cannot be read keeps nothing open that can be left.

AVGO = "para:AVGO"


def _two_dexs(tmp_path: Path, *, known: bool) -> World:
    """A position in each of two dexs; `known`: an earlier run of this account has read their markets."""
    world = quiet_world(tmp_path, markets=f"{GOLD},{AVGO}")
    world.by_hand(GOLD, Side.BUY, D("0.05"))
    world.by_hand(AVGO, Side.BUY, D("0.2"))
    world.run(300)
    assert set(world.exchange_positions()) == {GOLD, AVGO}
    if known:
        intents, journal = IntentLog(_folder(world) / "intents.log", sync=False), EventLog(world.clock.wall_ms)
        journal.open(_folder(world) / "journal.db", intents)
        journal.keep("markets", dict(world.trading.specs))
        journal.drain(0)
        journal.close()
    return world


def test_flatten_by_hand_closes_what_is_shown_while_open_orders_cannot_be_read(tmp_path: Path) -> None:
    world = _two_dexs(tmp_path, known=False)
    rest = _Rest(world)
    rest.failing.add("frontendOpenOrders")
    assert _by_hand(world, rest, "flatten", limit_ms=5000) == NO_ANSWER, "what rests nobody knows"
    assert world.exchange_positions() == {}


@pytest.mark.parametrize("known", [True, False], ids=["with a journal", "without"])
@pytest.mark.parametrize("what", ["meta of one dex", "perpDexs", "exchangeStatus", "userFees"])
def test_flatten_by_hand_goes_by_what_answers_and_by_what_an_earlier_run_knew(
    tmp_path: Path, what: str, known: bool
) -> None:
    world = _two_dexs(tmp_path, known=known)
    rest = _Rest(world)
    info = rest.info

    def failing(request: dict[str, Any]) -> bytes:
        if request["type"] == what or (
            what == "meta of one dex" and request.get("dex") == "para" and request["type"] == "meta"
        ):
            raise VenueReadError("HTTP 500", status=500)
        return info(request)

    rest.info = failing  # type: ignore[method-assign]
    if what == "perpDexs" and not known:  # nothing tells what could be closed
        with pytest.raises(TimeoutError, match="HTTP 500"):
            _by_hand(world, rest, "flatten", limit_ms=5000)
        return
    code = _by_hand(world, rest, "flatten", limit_ms=5000)
    left = {AVGO} if what == "meta of one dex" and not known else set()
    assert set(world.exchange_positions()) == left
    assert code == (NOT_AS_ASKED if left else OK)


def test_a_market_whose_dex_does_not_answer_is_not_called_unknown(tmp_path: Path) -> None:
    world = _two_dexs(tmp_path, known=False)
    rest = _Rest(world)
    rest.failing.add("meta")
    with pytest.raises(TimeoutError, match="HTTP 500"):
        _by_hand(world, rest, "flatten", AVGO, limit_ms=3000)


@pytest.mark.parametrize("known", ["journal", "intent", "fills"])
@pytest.mark.parametrize("command", ["flatten", "cancel-all"])
def test_what_is_ours_in_a_dex_that_is_configured_no_more_is_looked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, known: str
) -> None:
    """Both said flat, and exited with 0, while a position of ours stood in another dex."""
    world = quiet_world(tmp_path, markets=f"{GOLD},{TSLA},{AVGO}")
    world.by_hand(GOLD, Side.BUY, D("0.05"), **({"cloid": f"0x{RUN_TAG}" + "1" * 24} if known == "fills" else {}))
    world.by_hand(TSLA, Side.BUY, D("0.2"))  # somebody else's, in the same dex
    theirs = _resting(world, TSLA)
    world.run(300)
    with contextlib.closing(_hand(world, _Rest(world))) as before:
        if known == "journal":
            before._journal.keep("held", [Held(coin=GOLD, entry_ms=1, entry_edge_bps=D(0), szi=D("0.05"))])
        elif known == "intent":
            before._intents.orders(OrderBatch((order(coin=GOLD),)), 1, world.exchange_ms(), 1)
    base = msgspec.structs.replace(world.settings.base, markets=AVGO)
    world.settings = msgspec.structs.replace(world.settings, base=base)
    assert _by_hand(world, _Rest(world), command) == OK
    assert set(world.exchange_positions()) == ({TSLA} if command == "flatten" else {GOLD, TSLA})
    assert _oids(world) == {theirs}
    answer = capsys.readouterr().out.splitlines()[-1]
    assert answer.startswith(f"{command}: positions " + (TSLA if command == "flatten" else f"{GOLD} 0.05"))


@pytest.mark.parametrize("hours", [-21, 25, 72])
def test_by_hand_what_is_signed_goes_by_the_exchange_s_time(tmp_path: Path, hours: int) -> None:
    """The clock of a machine that is a day off: nonces and expiries of exits and of cancels."""
    world = _dead(tmp_path)
    world.rest_by_hand(GOLD, cloid=f"0x{RUN_TAG}" + "7" * 24)
    world.step_clock(hours * 3_600_000)
    rest = _Rest(world)
    assert _by_hand(world, rest, "flatten") == OK
    assert world.exchange_positions() == {}
    assert {body["action"]["type"] for body in rest.signed} == {"order", "cancel"}
    for body in rest.signed:
        assert abs(body["nonce"] - world.exchange_ms()) < 60_000, body["action"]["type"]


def test_by_hand_a_thin_bid_does_not_price_an_exit(tmp_path: Path) -> None:
    """The mark is in the reading of the account: a bid that is away for an instant sells nothing below its step."""
    world = _dead(tmp_path)
    rest, honest, thin = _Rest(world), VenueRest.info_json, True

    def info_json(request: dict[str, Any]) -> Any:
        answer = honest(rest, request)
        if thin and request["type"] == "l2Book" and request["coin"] == GOLD:
            bids, asks = answer["levels"]
            return answer | {"levels": [[bids[0] | {"px": str((D(bids[0]["px"]) / 2).quantize(D(1)))}], asks]}
        return answer

    rest.info_json = info_json  # type: ignore[method-assign]
    _by_hand(world, rest, "flatten", GOLD, limit_ms=0)
    (body,) = rest.signed
    (sell,) = body["action"]["orders"]
    mark = world.venue.engine.markets[GOLD].mark
    assert D(sell["p"]) >= mark * D("0.97"), "its largest slippage from the mark, not half of the price"
