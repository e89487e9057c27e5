"""The ten items of the verification plan, as sessions against the embedded exchange with faults."""

import itertools
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.config import reading
from hip3.core.money import is_legal_price
from hip3.core.order_state import OrderState
from hip3.core.orders import PendingCancel
from hip3.core.ports import SendOutcome
from hip3.errors import ConfigError
from hip3.exchange.signing import SigningKey
from tests.builders import exit_order, order
from tests.world import World

NEVER = {"mark_regression_bps": Decimal(0), "min_holding_ms": 10_000_000}


def _sent_orders(world: World) -> list[dict[str, Any]]:
    return [o for a in world.sender.actions() if a["type"] == "order" for o in a["orders"]]


def test_item_1_a_fresh_account_is_ready_by_acknowledgements_alone(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    acks: list[str] = []

    def watch(text: str) -> list[str]:
        acks.extend([text] if text.startswith('{"channel":"subscriptionResponse"') else [])
        return [] if "userFills" in text and "isSnapshot" in text else [text]

    world.filter_frame = watch
    assert world.run_until(lambda: world.ready, 10_000)
    assert len(acks) == 2 * len(world.trading.specs) + 3


@pytest.mark.parametrize(
    ("network", "url"), [("testnet", "https://api.hyperliquid.xyz"), ("mainnet", "https://api.hyperliquid-testnet.xyz")]
)
def test_item_1_the_other_network_s_address_refuses_the_start(network: str, url: str) -> None:
    with pytest.raises(ConfigError) as error:
        reading.load({"HIP3_NETWORK": network, "HIP3_API_URL": url, "HIP3_MARKETS": "xyz:GOLD"}, None)
    assert "HIP3_NETWORK" in error.value.faults[0]


def test_item_2_the_exchange_recovers_our_signer_and_a_wrong_key_leaves_nothing_pending(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    assert world.run_until(lambda: bool(world.trading.tracker.booked()), 60_000)
    (tmp_path / "w").mkdir()
    wrong = World(tmp_path / "w", seed=1)
    assert wrong.trading.loop is not None
    stranger = SigningKey(b"\x07" * 32)
    wrong.trading.loop._identity = msgspec.structs.replace(wrong.trading.loop._identity, key=stranger)
    assert wrong.run_until(lambda: bool(wrong.journal.of("order")), 60_000)
    refused = wrong.journal.of("order")[0]["event"]
    assert refused.after is OrderState.REJECTED
    assert refused.why == f"User or API Wallet {stranger.address} does not exist."
    assert wrong.trading.tracker.ledger().occupied == set()


def test_item_3_an_ioc_leaves_within_the_tick_with_a_legal_price_size_and_notional(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    assert world.run_until(lambda: bool(world.journal.of("sent")), 60_000)
    signal, sent = world.journal.of("signal")[0]["signal"], world.journal.of("sent")[0]
    assert sent["post"].sent_us - signal.at_us <= world.settings.base.tick_ms * 1000
    wire = _sent_orders(world)[0]
    spec = world.trading.specs[sent["order"].coin]
    assert wire["a"] == spec.asset_id
    assert is_legal_price(Decimal(wire["p"]), spec.sz_decimals)
    assert Decimal(wire["p"]) * Decimal(wire["s"]) >= 10
    assert wire["t"] == {"limit": {"tif": "Ioc"}}
    assert world.run_until(lambda: bool(world.journal.of("finished")), 5000)


@pytest.mark.parametrize("arrival", list(itertools.permutations(("post", "orderUpdates", "userFills"))))
@pytest.mark.parametrize("times", [1, 2])
def test_item_4_reply_update_and_fill_in_every_order_once_and_twice(
    tmp_path: Path, arrival: tuple[str, ...], times: int
) -> None:
    world = World(tmp_path, seed=1, **NEVER)
    held: dict[str, list[str]] = {name: [] for name in arrival}

    def catch(text: str) -> list[str]:
        name = next((n for n in arrival if text.startswith(f'{{"channel":"{n}"') and "isSnapshot" not in text), None)
        if name is None:
            return [text]
        held[name].append(text)
        return []

    assert world.run_until(lambda: world.ready, 3000)
    world.filter_frame = catch
    assert world.run_until(lambda: all(held.values()), 60_000)
    for name in arrival:
        for text in held[name] * times:
            world.inject(text)
    assert world.trading.tracker.booked() == world.exchange_positions()
    assert world.trading.tracker.totals()[1] == world.exchange_totals()[1]
    assert world.trading.tracker.live() == []


def test_item_5_books_and_exchange_agree_whatever_the_account_answers(tmp_path: Path) -> None:
    world = World(tmp_path, seed=2)
    assert world.run_until(lambda: world.ready, 3000)
    world.rest.failing.add("clearinghouseState")
    for _ in range(30):
        world.run(1000)
        world.trading.view.doubt()
        late = world.trading.tracker.live() or world.trading.tracker.unbooked() or world.trading.posts.inflight
        assert late or world.trading.tracker.booked() == world.exchange_positions()
    assert not world.journal.of("adopted")


def test_item_6_an_exit_that_does_not_fill_is_repeated_at_a_worse_price(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, time_stop_ms=3000, **NEVER)
    assert world.run_until(lambda: bool(world.trading.tracker.booked()), 60_000)
    coin, models = next(iter(world.trading.tracker.booked())), world.venue._models
    quoting = models.pop(coin)
    for account in world.venue.engine.accounts.values():
        world.venue.engine.cancel_all(account, coin, world.clock.wall_ms())
    assert world.run_until(lambda: len(world.journal.of("exit")) >= 3, 30_000)
    prices = [f["order"].px for f in world.journal.of("exit")[:3]]
    sells = not world.journal.of("exit")[0]["order"].side.is_buy
    assert prices == sorted(prices, reverse=sells)
    assert len(set(prices)) == 3
    models[coin] = quoting
    quoting.requote(0)
    assert world.run_until(lambda: coin not in world.exchange_positions(), 60_000)


def test_item_7_the_time_stop_fires_once_and_a_restart_does_not_reset_its_age(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, time_stop_ms=6000, **NEVER)
    assert world.run_until(lambda: bool(world.trading.tracker.booked()), 60_000)
    coin = next(iter(world.trading.tracker.booked()))
    opened = world.trading.tracker.position(coin).entry_ms  # type: ignore[union-attr]
    world.run(3000)
    world.restart()
    assert world.trading.tracker.position(coin).entry_ms == opened  # type: ignore[union-attr]
    assert world.run_until(lambda: coin not in world.exchange_positions(), 10_000)
    held = world.clock.wall_ms() - opened
    assert 6000 < held < 7500
    assert len([f for f in world.journal.of("exit") if f["order"].coin == coin]) == 1


def test_item_8_nonces_rise_over_ticks_and_a_clock_that_steps_back(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, all_move=True)
    world.run(30_000)
    world.clock.step_wall(-10_000)
    world.venue.advance = lambda now, advance=world.venue.advance: advance(now + 10_000)  # type: ignore[method-assign]
    world.run(30_000)
    nonces = [post["request"]["payload"]["nonce"] for post in world.sender.posts()]
    assert len(nonces) > 10
    assert nonces == sorted(set(nonces))


def test_item_9_the_limit_in_flight_holds_under_load_and_exits_pass_at_the_watermark(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1, max_inflight=10, post_timeout_ms=60_000)
    assert world.run_until(lambda: world.ready, 3000)
    world.sender.hold()
    scheduler, posts, tracker = world.trading.scheduler, world.trading.posts, world.trading.tracker
    coins = list(world.trading.specs)
    for n in range(40):
        wished = order(n, coin=coins[n % len(coins)], epoch=world.generation)
        tracker.admit(wished, lambda ledger, w: w)
        scheduler.enqueue_new(wished, posts.inflight)
        world.tick()
        sent, completed, inflight = posts.accounts()
        assert sent - completed == inflight <= scheduler.high_watermark
    leave = exit_order(99, coin=coins[0])
    tracker.register(leave)
    scheduler.enqueue_reduce_only(leave)
    scheduler.enqueue_cancel(PendingCancel(coin=coins[0], oid=5, created_ms=0))
    world.tick()
    kinds = [a["type"] for a in world.sender.actions()[-2:]]
    assert kinds == ["cancel", "order"]
    assert posts.inflight <= scheduler.max_inflight
    world.sender.release()
    world.run(3000)
    assert posts.accounts()[2] == 0


@pytest.mark.parametrize("outcome", [SendOutcome.NOT_SENT, SendOutcome.MAYBE_SENT])
def test_item_10_a_failed_send_repeats_exits_and_never_an_entry(tmp_path: Path, outcome: SendOutcome) -> None:
    world = World(tmp_path, seed=1, time_stop_ms=3000, **NEVER)
    assert world.run_until(lambda: world.ready, 3000)
    world.sender.fail_next(outcome)
    assert world.run_until(lambda: bool(world.journal.of("order")), 60_000)
    lost = world.journal.of("order")[0]["event"].order
    assert world.run_until(lambda: bool(world.trading.tracker.booked()), 60_000)
    world.sender.fail_next(outcome)
    assert world.run_until(lambda: not world.exchange_positions(), 20_000)
    assert lost.cloid not in {o["c"] for o in _sent_orders(world)}
    assert not world.latch.tripped


def test_item_10_a_refused_order_is_never_sent_again_and_frees_its_market(tmp_path: Path) -> None:
    world = World(tmp_path, seed=1)
    assert world.run_until(lambda: world.ready, 3000)
    account = world.venue.engine.account(world.user)
    assert account is not None
    for dex in account.dexs.values():
        dex.raw_usd = Decimal(0)
    assert world.run_until(lambda: len(world.journal.of("order")) >= 2, 60_000)
    events = [f["event"] for f in world.journal.of("order")]
    assert {e.why.split(" asset=", maxsplit=1)[0] for e in events} == {"Insufficient margin to place order."}
    cloids = [o["c"] for o in _sent_orders(world)]
    assert len(cloids) == len(set(cloids))
    assert world.trading.tracker.ledger().occupied == set()
