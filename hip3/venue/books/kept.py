"""What an exchange keeps over a restart (`exchange --state FILE`): accounts, their orders and fills, keys and prices.

One JSON object, whose shapes are the structs below. Everybody's cash and positions are in it, the market's own agents'
too, so that the sum over all stays zero; their quotes are not: they quote anew. `dump` and `restore` run on the venue's
thread; the file is the server's.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from hip3.errors import ConfigError
from hip3.venue.books.agents import NonceSet
from hip3.venue.books.books import Books
from hip3.venue.books.sub_accounts import Sub
from hip3.venue.engine.account import Account, DexAccount, Position
from hip3.venue.engine.book import BookOrder, Trigger
from hip3.venue.engine.model import Market

VERSION = 1
_ORDER = (
    "oid", "coin", "is_buy", "limit_px", "sz", "tif", "reduce_only", "cloid", "placed_ms", "trigger", "position_tpsl",
    "builder",
)  # fmt: skip
"""Arguments of a `BookOrder` beside its owner."""


class KeptPosition(msgspec.Struct, frozen=True, kw_only=True):
    """See `engine.account.Position`."""

    leverage: int
    isolated: bool
    szi: Decimal
    entry_ntl: Decimal
    iso_raw_usd: Decimal
    funding: Decimal
    funding_since_change: Decimal
    liquidated_ms: int | None


class KeptPool(msgspec.Struct, frozen=True, kw_only=True):
    """One margin account and the dexs that share it."""

    dexs: list[str]
    raw_usd: Decimal
    positions: dict[str, KeptPosition]


class KeptOrder(msgspec.Struct, frozen=True, kw_only=True):
    """See `engine.book.BookOrder`. A family is told by oids."""

    oid: int
    coin: str
    is_buy: bool
    limit_px: Decimal
    sz: Decimal
    orig_sz: Decimal
    tif: str
    reduce_only: bool
    cloid: str | None
    placed_ms: int
    trigger: Trigger | None
    fired: bool
    position_tpsl: bool
    builder: tuple[str, int] | None
    waiting: bool
    children: list[int]
    siblings: list[int]
    """Those of its group that still wait, itself included."""


class KeptAccount(msgspec.Struct, frozen=True, kw_only=True):
    """See `engine.account.Account`. Of the market's own agents the pools alone say something."""

    agent: bool
    pools: list[KeptPool]
    orders: list[KeptOrder]
    history: list[tuple[int, dict[str, Any]]]
    fills: list[dict[str, Any]]
    funding_rows: list[dict[str, Any]]
    ledger: list[dict[str, Any]]
    mode: str
    leverage: dict[str, tuple[int, bool]]
    spots: dict[int, Decimal]
    volume: Decimal
    credited: Decimal
    fees: Decimal
    actions_used: int
    reserved: int
    over_limit_ms: int | None
    cancel_at_ms: int | None
    cancels_triggered: tuple[int, int]
    by_cloid: dict[str, int]
    funding_paid: dict[str, Decimal]
    daily: dict[int, tuple[Decimal, Decimal]]
    referral: Decimal
    builders: dict[str, int]


class KeptMarket(msgspec.Struct, frozen=True, kw_only=True):
    """See `engine.model.Market`. Its book begins anew at the mark."""

    oracle: Decimal
    mark: Decimal
    last_px: Decimal
    prev_day_px: Decimal
    open_interest: Decimal
    day_notional: Decimal
    day_base: Decimal
    halted: bool
    premium: Decimal
    funding: Decimal
    premiums: tuple[Decimal, int]
    funding_history: list[dict[str, Any]]
    resting: list[int]
    """Users' orders on its book, those of one price in their order."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A whole exchange."""

    version: int
    at_ms: int
    """Its time when this was written: it goes on from there, however fast its clock ran."""
    seed: int
    profile: str
    next_oid: int
    next_hash: int
    left: Decimal
    residue: Decimal
    volume: dict[int, Decimal]
    markets: dict[str, KeptMarket]
    accounts: dict[str, KeptAccount]
    agents: dict[str, tuple[str, str, int | None]]
    nonces: dict[str, list[int]]
    subs: list[Sub]
    shares: dict[str, dict[str, Decimal]]
    """Vault -> depositor -> shares."""


def _plain(kept: type[msgspec.Struct], *other: str) -> tuple[str, ...]:
    """The fields that are values of the same name in the engine's own struct: all but these."""
    return tuple(name for name in kept.__struct_fields__ if name not in other)


_ROWS = ("fills", "funding_rows", "ledger")
"""An account's bounded histories."""
_POSITION = _plain(KeptPosition, "leverage", "isolated")
_PLAIN = _plain(KeptAccount, "agent", "pools", "orders", "history", *_ROWS)
_MARKET = _plain(KeptMarket, "funding_history", "resting")


def dump(books: Books, now_ms: int) -> bytes:
    """Everything as it is."""
    engine = books.engine
    return msgspec.json.encode(
        Kept(
            version=VERSION, at_ms=now_ms, seed=books.seed, profile=books.profile, next_oid=engine.next_oid,
            next_hash=engine.next_hash, left=engine.left, residue=engine.residue, volume=engine.maker_volume,
            markets={coin: _kept_market(market, engine.accounts) for coin, market in engine.markets.items()},
            accounts={address: _kept_account(account) for address, account in engine.accounts.items()},
            agents=books.agents.approved, nonces={who: held.kept for who, held in books.nonce_sets.items()},
            subs=list(books.subs.by_address.values()),
            shares={address: vault.shares for address, vault in books.subs.vaults.items()},
        )
    )  # fmt: skip


def read(body: bytes, path: str) -> Kept:
    """ConfigError, with what to do, if it is not the state of such an exchange."""
    try:
        kept = msgspec.json.decode(body, type=Kept)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ConfigError([f"{path} is no state of an exchange ({error}); name another file with --state"]) from None
    if kept.version != VERSION:
        raise ConfigError([f"{path} is of version {kept.version}, this is {VERSION}; name another file with --state"])
    return kept


def restore(books: Books, kept: Kept) -> None:
    """Put everything back into new books, before anything happens there. ConfigError where markets are missing."""
    engine = books.engine
    needed = {coin for a in kept.accounts.values() for pool in a.pools for coin in pool.positions}
    needed |= {order.coin for a in kept.accounts.values() for order in a.orders}
    missing = sorted(needed - engine.markets.keys())
    if missing:
        which = ", ".join(missing)
        raise ConfigError([f"the state has positions or orders in {which}; add these markets with --config"])
    for coin, market in engine.markets.items():
        if coin in kept.markets:
            _restore_market(market, kept.markets[coin])
    for address, account in kept.accounts.items():
        _restore_account(books, address, account)
    _restore_orders(books, kept)
    engine.next_oid, engine.next_hash = kept.next_oid, kept.next_hash
    engine.left, engine.residue, engine.maker_volume = kept.left, kept.residue, dict(kept.volume)
    books.agents.approved = dict(kept.agents)
    for who, nonces in kept.nonces.items():
        books.nonce_sets[who] = NonceSet(nonces)
    for sub in kept.subs:
        books.subs.put(sub)
    for vault, shares in kept.shares.items():
        if vault in books.subs.vaults:
            books.subs.vaults[vault].shares = dict(shares)


def _kept_market(market: Market, accounts: Mapping[str, Account]) -> KeptMarket:
    sides = (market.book.side(is_buy=True), market.book.side(is_buy=False))
    resting = [o for side in sides for level in side.levels.values() for o in level if not accounts[o.owner].is_agent]
    values = {name: getattr(market, name) for name in _MARKET}
    history = list(market.funding_history)
    return KeptMarket(funding_history=history, resting=[o.oid for o in resting], **values)


def _restore_market(market: Market, kept: KeptMarket) -> None:
    for name in _MARKET:
        setattr(market, name, getattr(kept, name))
    market.funding_history.extend(kept.funding_history)


def _kept_account(account: Account) -> KeptAccount:
    dexs_of: dict[int, list[str]] = {}
    for name, held in account.dexs.items():
        dexs_of.setdefault(id(held), []).append(name)
    pools = [
        KeptPool(
            dexs=names, raw_usd=account.dexs[names[0]].raw_usd,
            positions={c: _kept_position(p) for c, p in account.dexs[names[0]].positions.items()},
        )
        for names in dexs_of.values()
    ]  # fmt: skip
    orders = [] if account.is_agent else [_kept_order(o, account) for o in account.open_orders.values()]
    values: dict[str, Any] = {name: getattr(account, name) for name in _PLAIN}
    values |= {name: list(getattr(account, name)) for name in _ROWS}
    history = list(account.history.items())
    return KeptAccount(agent=account.is_agent, pools=pools, orders=orders, history=history, **values)


def _kept_position(position: Position) -> KeptPosition:
    values = {name: getattr(position, name) for name in _POSITION}
    return KeptPosition(leverage=position.leverage, isolated=position.isolated, **values)


def _kept_order(order: BookOrder, account: Account) -> KeptOrder:
    return KeptOrder(
        **{name: getattr(order, name) for name in _ORDER}, orig_sz=order.orig_sz, fired=order.fired,
        waiting=order.waiting, children=[o.oid for o in order.children],
        siblings=[o.oid for o in order.siblings if o.oid in account.open_orders or o is order],
    )  # fmt: skip


def _restore_account(books: Books, address: str, kept: KeptAccount) -> None:
    engine = books.engine
    account = engine.accounts[address] = Account(address, agent=kept.agent, tokens=engine.tokens)
    for name in _PLAIN:
        setattr(account, name, getattr(kept, name))
    for name in _ROWS:
        getattr(account, name).extend(getattr(kept, name))
    account.history = dict(kept.history)
    for pool in kept.pools:
        held = DexAccount()
        held.raw_usd = pool.raw_usd
        for coin, item in pool.positions.items():
            position = held.positions[coin] = Position(item.leverage, isolated=item.isolated)
            for name in _POSITION:
                setattr(position, name, getattr(item, name))
            if not kept.agent:
                engine.markets[coin].holders[address] = None
        account.dexs |= dict.fromkeys(pool.dexs, held)
    if account.cancel_at_ms is not None:
        engine.switches[address] = account.cancel_at_ms


def _restore_orders(books: Books, kept: Kept) -> None:
    """Open orders where they waited, in their order, and their families."""
    engine = books.engine
    orders: dict[int, BookOrder] = {}
    items = {item.oid: item for account in kept.accounts.values() for item in account.orders}
    for address, account in kept.accounts.items():
        for item in account.orders:
            order = orders[item.oid] = BookOrder(owner=address, **{name: getattr(item, name) for name in _ORDER})
            order.orig_sz, order.fired, order.waiting = item.orig_sz, item.fired, item.waiting
            engine.accounts[address].open_orders[order.oid] = order
    for oid in sorted(oid for oid, order in orders.items() if order.dormant):
        engine.markets[orders[oid].coin].triggers[oid] = orders[oid]
    for oid in (oid for market in kept.markets.values() for oid in market.resting):
        engine.markets[orders[oid].coin].book.add(orders[oid])
    groups: dict[tuple[int, ...], list[BookOrder]] = {}
    for oid, item in items.items():
        orders[oid].children = [orders[child] for child in item.children if child in orders]
        if item.siblings:
            members = [orders[sibling] for sibling in item.siblings if sibling in orders]
            orders[oid].siblings = groups.setdefault(tuple(item.siblings), members)
