"""How an account's cash is kept: each dex by itself, or pooled by collateral token. Pure.

In a pooled mode one margin account serves all dexs of a token: cash, cross margin and liquidation are theirs together,
and spot shows what it is worth (docs/venue-facts.md F16). Portfolio margin borrows nothing here.
"""

from decimal import Decimal

from hip3.core.money import ZERO
from hip3.venue.engine.account import MODES, POOLED, Account, DexAccount
from hip3.venue.engine.rules import resting_margin
from hip3.venue.engine.state import State

REFUSED = "Abstraction transition not allowed"


def set_mode(state: State, account: Account, mode: str, *, by_agent: bool) -> str | None:
    """Change an account's mode; None, or why not, in the exchange's words.

    An agent goes into a pooled mode and not back. Back is for an account without cross positions and open orders: its
    cash is in spot then, and isolated positions keep theirs.
    """
    if mode not in MODES or mode == "dexAbstraction" or (by_agent and account.pooled and mode not in POOLED):
        return REFUSED
    if mode in POOLED and not account.pooled:
        account.mode = mode
        _join(state, account)
    elif mode not in POOLED and account.pooled:
        cross = any(not p.isolated for held in account.parts() for p in held.positions.values())
        if cross or account.open_orders:
            return REFUSED
        _part(account)
    account.mode = mode
    return None


def _join(state: State, account: Account) -> None:
    """Every dex of a token has one and the same part; what is in spot of that token is in it, too."""
    before, account.dexs = account.dexs, {}
    for name in dict.fromkeys([*state.dexs, *before]):
        token, held = account.tokens.get(name, 0), before.get(name, DexAccount())
        pool = account.dex(name)
        pool.raw_usd += held.raw_usd + account.spots.pop(token, ZERO)
        pool.positions |= held.positions


def _part(account: Account) -> None:
    """Each dex has a part of its own again, with its isolated positions; the cash is in spot."""
    before, account.dexs = account.dexs, {}
    seen: set[int] = set()
    for name, pool in before.items():
        token = account.tokens.get(name, 0)
        if id(pool) not in seen:
            seen.add(id(pool))
            account.spots[token] = account.spots.get(token, ZERO) + pool.raw_usd
        held = account.dexs[name] = DexAccount()
        held.positions = {c: p for c, p in pool.positions.items() if c.rpartition(":")[0] == name}


def pool_totals(state: State, account: Account) -> dict[int, tuple[Decimal, Decimal]]:
    """Token -> (total, hold) of a pooled account's spot rows: what the pool is worth at mark, and what its positions
    and open orders bind of it. Whether gains that are not realised count is a parameter, since sources disagree."""
    marks, out = state.marks(), {}
    for name, held in account.dexs.items():
        token = account.tokens.get(name, 0)
        if token in out:
            continue
        total, bound = held.value(marks), sum((p.margin_used(marks[c]) for c, p in held.positions.items()), ZERO)
        if not state.parameters.pooled_gains:
            total -= sum((p.unrealized(marks[c]) for c, p in held.positions.items()), ZERO)
        out[token] = (total, bound + resting_margin(state, account, name))
    return out
