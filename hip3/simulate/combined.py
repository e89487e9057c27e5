"""Mishaps that show something only together, in an order that chance alone would rarely find. Pure.

Each is what a run of bad luck looks like: a clock that jumps and an answer that is lost after it; a reading of the
account that is old just as it is read anew; a disk that is full until the service stops.
"""

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hip3.simulate.mishap import HAND_CANCEL, Mishap
from hip3.simulate.quoted import quoted

Combined = tuple[list[Mishap], dict[str, Any]]
"""Mishaps, and the settings they need."""
Made = Callable[[random.Random, int, tuple[str, ...]], Combined]

HOURS_MS = 7_200_000


def _fast_clock(rng: random.Random, at: int, coins: tuple[str, ...]) -> Combined:
    """An order signed hours ahead is lost, and so are the answers to what would prove it dead."""
    return [
        Mishap(kind="late post", at_ms=at, for_ms=9000, ms=4000),
        Mishap(kind="clock", at_ms=at, ms=HOURS_MS),
        Mishap(kind="http", on="lost answer", at_ms=at, for_ms=10_000, share=60),
        Mishap(kind="cut", at_ms=at + rng.randint(200, 1500), when="sent"),
    ], {"expires_after_ms": 0, "time_stop_ms": 700}


def _old_reading(rng: random.Random, at: int, coins: tuple[str, ...]) -> Combined:
    """The exchange's answers lag behind a position that is closed, and everything is read anew meanwhile."""
    coin = rng.choice(coins)
    stale = Mishap(
        kind="stale account", on=coin.partition(":")[0], at_ms=at + 300, for_ms=rng.randint(6000, 9000), when="holding"
    )
    cut = Mishap(kind="cut", at_ms=at + rng.randint(1500, 3000))
    if rng.random() < 0.5:
        return [stale, cut], {"time_stop_ms": 700}
    hand = Mishap(kind="hand trade", on=coin, ms=rng.choice((-1, 1)) * rng.randint(12, 40), at_ms=at)
    # The answer that is given again is the first one of that time: read after the first cut, believed after the second.
    first, second = Mishap(kind="cut", at_ms=at + 350), Mishap(kind="cut", at_ms=at + rng.randint(3300, 4500))
    return [hand, stale, first, second], {"time_stop_ms": 2500, "min_edge_bps": Decimal(5000)}


def _young_position(rng: random.Random, at: int, coins: tuple[str, ...]) -> Combined:
    """A new process reads a position whose fills another node, a moment behind, does not list yet."""
    hand = Mishap(
        kind="hand trade", on=rng.choice(coins), ms=rng.choice((-1, 1)) * rng.randint(12, 40), at_ms=at + 1600
    )
    return [
        Mishap(kind="stale fills", at_ms=at, for_ms=rng.randint(5500, 8500)),
        Mishap(kind="cut", at_ms=at + 50),  # so that the old list is read: a connection takes a second
        hand,
        Mishap(kind="kill", on="anywhere", at_ms=at + rng.randint(1700, 2100)),
    ], {"time_stop_ms": 3000, "min_edge_bps": Decimal(5000)}


def _full_until_the_end(rng: random.Random, at: int, coins: tuple[str, ...]) -> Combined:
    """The disk has space again just as the service stops."""
    mode = rng.choice(("leave", "leave", "cancel", "signal"))
    full = Mishap(kind="full", on=rng.choice(("journal", "both")), at_ms=at, for_ms=rng.randint(1500, 4000))
    stop = Mishap(kind="stop", on=mode, at_ms=at + full.for_ms - rng.randint(0, 600))
    return [full, stop], {}


def _cut_while_sending(rng: random.Random, at: int, coins: tuple[str, ...]) -> Combined:
    """The connection goes between an order's intent and its bytes, again and again, and HTTP takes long meanwhile."""
    every = rng.randint(600, 1500)
    cuts = [Mishap(kind="cut in", at_ms=at + n * every) for n in range(5)]
    slow = Mishap(kind="http", on="lost reply", at_ms=at, for_ms=5 * every, share=50)
    return [*cuts, slow][: rng.choice((5, 6, 6))], {}


def _late_and_unproved(rng: random.Random, at: int, coins: tuple[str, ...]) -> Combined:
    """No noop can be signed, so nothing but time could prove an order dead, and it lands at last."""
    late = Mishap(kind="late post", at_ms=at, for_ms=3000, ms=rng.randint(3500, 8000), when="none")
    lost = Mishap(kind="http", on="lost action", at_ms=at, for_ms=9000, when="sent")
    full = Mishap(kind="full", on="intents", at_ms=at, for_ms=9000, when="sent")
    return [late, rng.choice((lost, full, full))], {"expires_after_ms": rng.choice((0, 6000)), "post_timeout_ms": 600}


def _given_up_by_http(rng: random.Random, at: int, coins: tuple[str, ...]) -> Combined:
    """Without a socket exits go by HTTP, and wait there for longer than anybody waits for them."""
    slow = Mishap(kind="stall", on="rest", at_ms=at + 2100, for_ms=rng.randint(1000, 3000), when="sent")
    held = Mishap(kind="hold up", on="request", at_ms=at + 2000, ms=rng.randint(700, 4000))
    return [
        Mishap(kind="refuse", at_ms=at, for_ms=rng.randint(6000, 9000), when="holding"),
        rng.choice((slow, held)),
    ], {"post_timeout_ms": 600, "time_stop_ms": 700}


def _lost_in_silence(rng: random.Random, at: int, coins: tuple[str, ...]) -> Combined:
    """Nothing comes for a while, no connection breaks, and somebody trades meanwhile. We do not: a fill of ours would
    show the gap. The comparison that follows a start is over, and the next a minute away."""
    at = rng.randint(*AFTER_COMPARISON_MS)
    silence = Mishap(kind="silence", at_ms=at, for_ms=rng.randint(6000, 9000))
    hand = Mishap(kind="hand trade", on=rng.choice(coins), ms=rng.choice((-1, 1)) * rng.randint(12, 40), at_ms=at + 500)
    return [silence, hand], {"time_stop_ms": 700, "min_edge_bps": Decimal(5000)}


def _fill_of_others_lost(rng: random.Random, at: int, coins: tuple[str, ...]) -> Combined:
    """Somebody trades, and of that only the update of the order arrives. We do not trade, as in `_lost_in_silence`."""
    lost = Mishap(kind="lose", on="fill", at_ms=at, for_ms=rng.randint(1000, 3000))
    hand = Mishap(kind="hand trade", on=rng.choice(coins), ms=rng.choice((-1, 1)) * rng.randint(12, 40), at_ms=at + 200)
    return [lost, hand], {"time_stop_ms": 700, "min_edge_bps": Decimal(5000)}


def _empty_at_a_start(rng: random.Random, at: int, coins: tuple[str, ...]) -> Combined:
    """A position is held, the process is killed, and the next one reads that there is none."""
    empty = Mishap(kind="empty account", on="xyz", at_ms=at, for_ms=rng.randint(5000, 8000), when="holding")
    return [empty, Mishap(kind="kill", on="anywhere", at_ms=at, when="holding")], {
        "min_edge_bps": Decimal(1), "time_stop_ms": 3000, "max_concurrent_positions": 5,
        "max_notional_total": Decimal(150), "hard_stop_max_loss_usd": Decimal(1000),
    }  # fmt: skip


def _stop_for_more(rng: random.Random, at: int, coins: tuple[str, ...]) -> Combined:
    """A stop is asked for, and while it is carried out another that leaves less."""
    first, then = rng.choice((("leave", "cancel"), ("leave", "flatten"), ("cancel", "flatten"), ("signal", "flatten")))
    stops = [Mishap(kind="stop", on=first, at_ms=at, when="holding")]
    return [*stops, Mishap(kind="stop", on=then, at_ms=at + rng.randint(50, 800), when="holding")], {
        "time_stop_ms": 3000
    }


def _dead_mark(rng: random.Random, at: int, coins: tuple[str, ...]) -> Combined:
    """A position is there, its market's context dies, and then its price goes elsewhere, against it."""
    coin, side = rng.choice(coins), rng.choice((-1, 1))
    hand = Mishap(kind="hand trade", on=coin, ms=side * rng.randint(30, 40), at_ms=at)
    dead = Mishap(kind="dead context", on=coin, at_ms=at + 1000, for_ms=60_000)
    gaps = [Mishap(kind="gap", on=coin, ms=-side * rng.choice((100, 150)), at_ms=at + 1500 + n * 500) for n in range(2)]
    return [hand, dead, *gaps], {
        "leverage": 3, "exit_max_slippage_bps": Decimal(60), "time_stop_ms": 5000, "min_holding_ms": 5000,
        "min_edge_bps": Decimal(5000), "protective_stop_bps": Decimal(0), "stop_loss_bps": Decimal(0),
    }  # fmt: skip


def _regrown(rng: random.Random, at: int, coins: tuple[str, ...]) -> Combined:
    """A position that stays is halved and whole again within an instant, as quotes do it: so is its stop not."""
    hand = Mishap(kind="hand trade", on=rng.choice(coins), ms=rng.choice((-1, 1)) * rng.randint(30, 40), at_ms=at)
    swaps = [Mishap(kind="hand swap", at_ms=at + rng.randint(2000, 4000)) for _ in range(rng.randint(1, 2))]
    return [hand, *swaps], {
        "time_stop_ms": 45_000, "protective_stop_bps": Decimal(300), "min_edge_bps": Decimal(5000), "leverage": 3,
        "stop_loss_bps": Decimal(0), "take_profit_bps": Decimal(0), "min_holding_ms": 45_000,
    }  # fmt: skip


def _held_up_over_a_cut(rng: random.Random, at: int, coins: tuple[str, ...]) -> Combined:
    """An order's intent is on disk; before its bytes leave, the connection is gone and another one there."""
    side = rng.choice(("exit", "exit", "entry"))
    hold = [
        Mishap(kind="hold up", on=f"{side} cut off", ms=rng.choice((300, 1500, 4000)), at_ms=at + n * 2000)
        for n in range(3)
    ]
    return hold, {"time_stop_ms": 700}


def _found_quotes(rng: random.Random, at: int, coins: tuple[str, ...]) -> Combined:
    """A process is killed while its quotes rest; the next one finds them, keeps them, and prices them anew."""
    kills = [Mishap(kind="kill", on="anywhere", at_ms=rng.randint(8000, 12_000))]
    kills += [Mishap(kind="kill", on="anywhere", at_ms=kills[0].at_ms + 10_000)] if rng.random() < 0.5 else []
    return kills, quoted(rng, coins) | {
        "quote_start": "adopt", "start_policy": "reconcile", "quote_sessions": "", "min_edge_bps": Decimal(5000),
        "expires_after_ms": 0, "quote_levels": rng.choice((1, 2)), "quote_max_inventory_usd": Decimal(50),
        "max_notional_total": Decimal(150), "hard_stop_max_loss_usd": Decimal(1000),
    }  # fmt: skip


def _ended_by_hand(rng: random.Random, at: int, coins: tuple[str, ...]) -> Combined:
    """A stop rests, and nothing else; somebody ends it, and no message tells of that."""
    hand = Mishap(kind="hand trade", on=rng.choice(coins), ms=rng.choice((-1, 1)) * rng.randint(30, 40), at_ms=at)
    end = Mishap(kind=HAND_CANCEL, at_ms=rng.randint(*AFTER_COMPARISON_MS), when="holding")
    lost = Mishap(kind="lose", on="update", at_ms=end.at_ms, for_ms=1000)
    return [hand, lost, end], {
        "time_stop_ms": 150_000, "min_holding_ms": 150_000, "protective_stop_bps": Decimal(300), "leverage": 3,
        "min_edge_bps": Decimal(5000), "stop_loss_bps": Decimal(0), "take_profit_bps": Decimal(0),
    }  # fmt: skip


def _slept(rng: random.Random, at: int, coins: tuple[str, ...]) -> Combined:
    """The machine stands still with a position for longer than a node may be behind, and leaves it by an old clock."""
    asleep = Mishap(kind="suspend", on="both", ms=90_000, at_ms=at + rng.randint(4000, 5800), when="holding")
    return [asleep], {
        "time_stop_ms": 4000, "min_holding_ms": 4000, "expires_after_ms": rng.choice((1000, 2500, 6000)),
        "hard_stop_max_loss_usd": Decimal(1000), "stop_loss_bps": Decimal(0), "take_profit_bps": Decimal(0),
    }  # fmt: skip


def _untold_clock(rng: random.Random, at: int, coins: tuple[str, ...]) -> Combined:
    """A process begins while the machine's clock is a day ahead and nothing that it reads tells the time."""
    kill = Mishap(kind="kill", on="anywhere", at_ms=at, when="holding")
    return [
        Mishap(kind="clock", at_ms=at, ms=25 * HOURS_MS // 2, for_ms=rng.randint(6000, 9000), when="holding"),
        Mishap(kind="http", on=rng.choice(("429", "lost request")), at_ms=at, for_ms=8000, share=70, when="holding"),
        kill,
    ], {
        "time_stop_ms": 1500, "min_holding_ms": 100, "expires_after_ms": 0, "max_concurrent_positions": 5,
        "max_notional_total": Decimal(150), "hard_stop_max_loss_usd": Decimal(1000),
    }  # fmt: skip


KINDS: tuple[Made, ...] = (
    _fast_clock, _old_reading, _full_until_the_end, _cut_while_sending, _late_and_unproved, _given_up_by_http,
    _lost_in_silence, _fill_of_others_lost, _held_up_over_a_cut,
    _young_position, _empty_at_a_start, _stop_for_more, _dead_mark, _regrown, _found_quotes,
    _ended_by_hand, _slept, _untold_clock,
)  # fmt: skip
_ALONE = (
    _late_and_unproved, _lost_in_silence, _empty_at_a_start, _regrown, _dead_mark, _found_quotes, _ended_by_hand,
)  # fmt: skip
"""What chance adds mostly hides these: a new connection has everything read anew, another delay comes first."""
AFTER_COMPARISON_MS = (12_500, 15_000)


def combined(number: int, rng: random.Random, chaos_ms: int, coins: tuple[str, ...]) -> tuple[Combined, bool]:
    """One of them, in turn, so that it ends before the faults do; and whether it goes without what chance adds."""
    kind = KINDS[number % len(KINDS)]
    return kind(rng, rng.randrange(1000, max(2000, chaos_ms - 6000)), coins), kind in _ALONE
