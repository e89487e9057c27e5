"""Sub-accounts and vaults: addresses without a key that somebody else signs for (`vaultAddress`).

A sub-account belongs to its master. A vault is led by one address and owned by its depositors, by shares.
Texts and shapes: docs/venue-facts.md F26.
"""

from decimal import Decimal
from typing import Any

from hip3.core.money import ZERO, div
from hip3.exchange.signing import keccak256
from hip3.venue.actions.auth import BadAction
from hip3.venue.actions.transfers import MICRO, amount_of, give, take
from hip3.venue.answers.replies import Answer, err, ok
from hip3.venue.books.books import Books
from hip3.venue.books.sub_accounts import Sub
from hip3.venue.engine.account import Account
from hip3.venue.engine.numbers import num

MAX_SUBS = 10
MAX_NAME = 16


def create(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """createSubAccount: from a traded volume on, at most ten."""
    name, gate = action.get("name"), books.engine.parameters.sub_account_volume
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME:
        raise BadAction("name")
    if account.volume < gate:
        head = "Cannot create sub-accounts until enough volume traded."
        return err(f"{head} Required: ${gate}. Traded: ${account.volume:.2f}.")
    number = len(books.subs.of(account.address))
    if number >= MAX_SUBS:
        return err("Too many sub-accounts.")
    address = "0x" + keccak256(f"{account.address} sub-account {number}".encode())[12:].hex()
    books.subs.put(Sub(address, account.address, name))
    books.engine.fund(address, "", ZERO)
    return 200, {"status": "ok", "response": {"type": "createSubAccount", "data": address}}


def rename(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """subAccountModify."""
    sub = books.subs.get(str(action.get("subAccountUser", "")).lower())
    name = action.get("name")
    if sub is None or sub.master != account.address:
        return _unregistered(action, account)
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME:
        raise BadAction("name")
    books.subs.put(sub._replace(name=name))
    return ok("default")


def _unregistered(action: dict[str, Any], account: Account) -> Answer:
    return err(f"Sub-account {action.get('subAccountUser')} is not registered to {account.address}")


def transfer(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """subAccountTransfer (main dex, `usd` in millionths) and subAccountSpotTransfer (`amount`, USDC)."""
    sub = books.subs.account(books.engine, str(action.get("subAccountUser", "")).lower(), account.address)
    if sub is None:
        return _unregistered(action, account)
    spot = action["type"] == "subAccountSpotTransfer"
    amount, place = (amount_of(action), "spot") if spot else (_usd(action), "")
    source, target = (account, sub) if action.get("isDeposit") else (sub, account)
    if not take(books, source, place, amount):
        return err("Insufficient balance for token transfer")
    give(books, target.address, place, amount)
    delta = {"type": "subAccountTransfer", "usdc": num(amount), "user": source.address, "destination": target.address}
    for side in (source, target):
        books.engine.note(side, delta, now_ms)
    return ok("default")


def _usd(action: dict[str, Any]) -> Decimal:
    usd = action.get("usd")
    if not isinstance(usd, int) or isinstance(usd, bool):
        raise BadAction("usd")
    return usd * MICRO


def vault_transfer(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """Deposit into a vault, or take out, at what a share is worth now."""
    vault = books.subs.vaults.get(str(action.get("vaultAddress", "")).lower())
    if vault is None:
        return err(f"Vault not registered: {action.get('vaultAddress')}")
    amount, held = _usd(action), books.engine.accounts[vault.address]
    worth, total = held.dex("").value(books.engine.marks()), vault.total
    if action.get("isDeposit"):
        if not take(books, account, "", amount):
            return err("Insufficient balance for token transfer")
        minted = amount if not total or worth <= 0 else div(amount * total, worth)
        vault.shares[account.address] = vault.shares.get(account.address, ZERO) + minted
        held.dex("").raw_usd += amount
    else:
        mine = vault.shares.get(account.address, ZERO)
        burned = div(amount * total, worth) if worth > 0 else ZERO
        if not mine or burned > mine or not take(books, held, "", amount):
            return err("Insufficient balance for token transfer")
        vault.shares[account.address] = mine - burned
        account.dex("").raw_usd += amount
    kind = "vaultDeposit" if action.get("isDeposit") else "vaultWithdraw"
    books.engine.note(account, {"type": kind, "vault": vault.address, "usdc": num(amount)}, now_ms)
    return ok("default")
