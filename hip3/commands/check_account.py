"""What `check` says of the account: its worth by its mode, whether the exchange counts as this code believes it does,
and the actions that it may still send.

Reads alone; main. USD.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from hip3.core.money import ZERO, parse
from hip3.errors import PreflightError
from hip3.execution.sending.address_budget import AddressBudget
from hip3.execution.truth.account import Rest, read_account
from hip3.execution.truth.worth import equity_of, pooled_total, read_mode

TRIES = 10
"""So often the marks are read until they have moved, two seconds apart."""
BETWEEN_S = 2.0
CLEARLY = Decimal("0.2")
"""So much of a move may be something else's."""


class _Sums(NamedTuple):
    total: Decimal
    """Of spot."""
    gains: Decimal
    """Not realised, of all positions."""


def funds(
    rest: Rest, account: str, dexs: list[str], tokens: Collection[int] | None, pause: Callable[[float], object],
    needs: Mapping[str, Decimal],
) -> str:  # fmt: skip
    """The account's worth by its mode. PreflightError where it has none, or is of another kind than we know; in the
    standard mode also where a dex has less than its smallest order `needs`."""
    mode = read_mode(rest, account)
    if mode == "standard":
        held = {dex: _value(rest, account, dex) for dex in dexs}
        empty = [dex for dex, value in held.items() if value <= 0]
        if empty:
            way = "transfer collateral there, or take its markets out of HIP3_MARKETS"
            raise PreflightError(
                [f"account {account} has no funds on dex {dex}, so no order fits there; {way}" for dex in empty]
            )
        short = [(dex, value) for dex, value in held.items() if value < needs.get(dex, ZERO)]
        if short:
            raise PreflightError(
                [
                    f"account {account} has {value} USD on dex {dex}, and the smallest order there needs "
                    f"{needs[dex]:.2f}: transfer more, or raise HIP3_LEVERAGE"
                    for dex, value in short
                ]
            )
        return ", ".join(f"{value} USD on {dex}" for dex, value in held.items())
    if tokens is None:
        raise PreflightError(
            [
                "the exchange does not say in which token every dex is margined, so nobody knows what the account is "
                "worth, and no limit in percent can be kept; name the dexs that do with HIP3_DEX"
            ]
        )
    equity = equity_of(rest, account, mode, read_account(rest, account, dexs), tokens)
    if equity is None:
        raise PreflightError(
            [
                f"account {account} is in a mode whose worth nobody knows, so no limit in percent can be kept; set it "
                "to unified or to standard"
            ]
        )
    if equity <= 0:
        raise PreflightError([f"account {account} has no funds, so no order fits; deposit first"])
    every = ["", *(dex["name"] for dex in rest.info_json({"type": "perpDexs"}) if dex is not None)]
    backs = "all of it backs every cross position" + (", and may be borrowed against" if mode == "portfolio" else "")
    return f"{equity} USD for all dexs ({mode}: {backs}){_gains_are_in_it(rest, account, every, tokens, pause)}"


def actions_left(rest: Rest, account: str) -> str:
    """The address's budget of actions. PreflightError where it has too few left for entries."""
    answer = rest.info_json({"type": "userRateLimit", "user": account})
    budget = AddressBudget()
    budget.anchor(int(answer["nRequestsUsed"]), int(answer["nRequestsCap"]))
    state = budget.state()
    if state.left_for_entries < 1:
        fault = (
            f"account {account} has sent {state.used} of the {state.cap} actions it may: no entry leaves, and once "
            "none is left an exit waits ten seconds for its turn; each dollar traded gives one more action, in growth "
            "markets a tenth, or the exchange sells them (reserveRequestWeight)"
        )
        raise PreflightError([fault])
    return f"{state.used} of {state.cap} spent, the last {state.kept} are for exits"


def _value(rest: Rest, account: str, dex: str) -> Decimal:
    state = rest.info_json({"type": "clearinghouseState", "user": account, "dex": dex})
    return parse(state["marginSummary"]["accountValue"])


def _sums(rest: Rest, account: str, dexs: Iterable[str], tokens: Collection[int]) -> _Sums:
    gains = ZERO
    for dex in dexs:
        for item in rest.info_json({"type": "clearinghouseState", "user": account, "dex": dex})["assetPositions"]:
            gains += parse(item["position"]["unrealizedPnl"])
    return _Sums(pooled_total(rest, account, tokens), gains)


def _gains_are_in_it(
    rest: Rest, account: str, dexs: list[str], tokens: Collection[int], pause: Callable[[float], object]
) -> str:
    """Whether the pooled total follows the marks, as docs/venue-facts.md F16 has it from others: read over moves.

    Without a position there is nothing to see. A move that something else explains as well (funding, a fill, a
    transfer) says nothing. PreflightError where it twice did not follow, and never did: equity would be wrong by all
    open gains.
    """
    before, follows, stands, told = _sums(rest, account, dexs, tokens), 0, 0, ""
    if not before.gains:
        return ""
    for _ in range(TRIES):
        pause(BETWEEN_S)
        after = _sums(rest, account, dexs, tokens)
        moved, total = after.gains - before.gains, after.total - before.total
        if moved and abs(total - moved) <= abs(moved) * CLEARLY:
            follows += 1
        elif moved and abs(total) <= abs(moved) * CLEARLY:
            stands += 1
        told = f"spot total {before.total} -> {after.total}, gains of open positions {before.gains} -> {after.gains}"
        if follows or stands > 1:
            break
    if follows:
        return f"; {told}: the total has them in it"
    if stands < 2:
        return f"; {told}: whether the total has them in it could not be seen"
    fault = (
        f"{told}: the spot total of account {account} does not follow its positions, as this version believes: its "
        "equity is wrong by all open gains; leave HIP3_MAX_DRAWDOWN_PCT and HIP3_MAX_HOURLY_DRAWDOWN_PCT at 0"
    )
    raise PreflightError([fault])
