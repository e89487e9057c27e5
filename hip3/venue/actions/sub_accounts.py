"""Sub-accounts and vaults: addresses without a key that somebody else signs for (`vaultAddress`).

A sub-account belongs to its master. A vault is led by one address and owned by its depositors, by shares.
Texts and shapes: docs/venue-facts.md F26.
"""

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from hip3.core.money import ZERO, div, truncate
from hip3.exchange.signing import keccak256
from hip3.venue.actions.auth import BadAction
from hip3.venue.actions.transfers import MICRO, amount_of, give, spot_state, take
from hip3.venue.answers.info_account import clearinghouse
from hip3.venue.answers.replies import Answer, err, ok, user_of
from hip3.venue.engine.account import Account
from hip3.venue.engine.engine import Engine
from hip3.venue.engine.numbers import num

if TYPE_CHECKING:
    from hip3.venue.venue import Venue

MAX_SUBS = 10
MAX_NAME = 16


class Sub(NamedTuple):
    """One sub-account."""

    address: str
    master: str
    name: str


class Vault:
    """One vault: who leads it, and who owns how many shares."""

    def __init__(self, address: str, leader: str, name: str) -> None:
        self.address, self.leader, self.name = address, leader, name
        self.shares: dict[str, Decimal] = {}

    @property
    def total(self) -> Decimal:
        return sum(self.shares.values(), ZERO)


class SubAccounts:
    """All sub-accounts and vaults."""

    def __init__(self) -> None:
        self._subs: dict[str, Sub] = {}
        self.vaults: dict[str, Vault] = {}

    def of(self, master: str) -> list[Sub]:
        """The sub-accounts of a master, oldest first."""
        return [sub for sub in self._subs.values() if sub.master == master]

    def get(self, address: str) -> Sub | None:
        """The sub-account of an address."""
        return self._subs.get(address)

    def put(self, sub: Sub) -> None:
        """Add or rename one."""
        self._subs[sub.address] = sub

    def account(self, engine: Engine, address: str, master: str) -> Account | None:
        """The account of a sub-account of `master`, or None."""
        sub = self._subs.get(address)
        return engine.account(address) if sub is not None and sub.master == master else None

    def tradable(self, engine: Engine, address: str, signer_account: str) -> Account | None:
        """The account behind a `vaultAddress` that `signer_account` may trade, or None."""
        vault = self.vaults.get(address)
        if vault is not None:
            return engine.account(address) if vault.leader == signer_account else None
        return self.account(engine, address, signer_account)


def create(venue: "Venue", account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """createSubAccount: from a traded volume on, at most ten."""
    name, gate = action.get("name"), venue.engine.parameters.sub_account_volume
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME:
        raise BadAction("name")
    if account.volume < gate:
        head = "Cannot create sub-accounts until enough volume traded."
        return err(f"{head} Required: ${gate}. Traded: ${account.volume:.2f}.")
    number = len(venue.subs.of(account.address))
    if number >= MAX_SUBS:
        return err("Too many sub-accounts.")
    address = "0x" + keccak256(f"{account.address} sub-account {number}".encode())[12:].hex()
    venue.subs.put(Sub(address, account.address, name))
    venue.engine.fund(address, "", ZERO)
    return 200, {"status": "ok", "response": {"type": "createSubAccount", "data": address}}


def rename(venue: "Venue", account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """subAccountModify."""
    sub = venue.subs.get(str(action.get("subAccountUser", "")).lower())
    name = action.get("name")
    if sub is None or sub.master != account.address:
        return _unregistered(action, account)
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME:
        raise BadAction("name")
    venue.subs.put(sub._replace(name=name))
    return ok("default")


def _unregistered(action: dict[str, Any], account: Account) -> Answer:
    return err(f"Sub-account {action.get('subAccountUser')} is not registered to {account.address}")


def transfer(venue: "Venue", account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """subAccountTransfer (main dex, `usd` in millionths) and subAccountSpotTransfer (`amount`, USDC)."""
    sub = venue.subs.account(venue.engine, str(action.get("subAccountUser", "")).lower(), account.address)
    if sub is None:
        return _unregistered(action, account)
    spot = action["type"] == "subAccountSpotTransfer"
    amount, place = (amount_of(action), "spot") if spot else (_usd(action), "")
    source, target = (account, sub) if action.get("isDeposit") else (sub, account)
    if not take(venue, source, place, amount):
        return err("Insufficient balance for token transfer")
    give(venue, target.address, place, amount)
    delta = {"type": "subAccountTransfer", "usdc": num(amount), "user": source.address, "destination": target.address}
    for side in (source, target):
        venue.engine.note(side, delta, now_ms)
    return ok("default")


def _usd(action: dict[str, Any]) -> Decimal:
    usd = action.get("usd")
    if not isinstance(usd, int) or isinstance(usd, bool):
        raise BadAction("usd")
    return usd * MICRO


def vault_transfer(venue: "Venue", account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """Deposit into a vault, or take out, at what a share is worth now."""
    vault = venue.subs.vaults.get(str(action.get("vaultAddress", "")).lower())
    if vault is None:
        return err(f"Vault not registered: {action.get('vaultAddress')}")
    amount, held = _usd(action), venue.engine.accounts[vault.address]
    worth, total = held.dex("").value(venue.engine.marks()), vault.total
    if action.get("isDeposit"):
        if not take(venue, account, "", amount):
            return err("Insufficient balance for token transfer")
        minted = amount if not total or worth <= 0 else div(amount * total, worth)
        vault.shares[account.address] = vault.shares.get(account.address, ZERO) + minted
        held.dex("").raw_usd += amount
    else:
        mine = vault.shares.get(account.address, ZERO)
        burned = div(amount * total, worth) if worth > 0 else ZERO
        if not mine or burned > mine or not take(venue, held, "", amount):
            return err("Insufficient balance for token transfer")
        vault.shares[account.address] = mine - burned
        account.dex("").raw_usd += amount
    kind = "vaultDeposit" if action.get("isDeposit") else "vaultWithdraw"
    venue.engine.note(account, {"type": kind, "vault": vault.address, "usdc": num(amount)}, now_ms)
    return ok("default")


# Reads.


def sub_accounts(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    """subAccounts and subAccounts2: a list, or null if there are none."""
    out = []
    for sub in venue.subs.of(user_of(request)):
        account = venue.engine.account(sub.address)
        row: dict[str, Any] = {"name": sub.name, "subAccountUser": sub.address, "master": sub.master}
        if request["type"] == "subAccounts2":
            dexs = ["", *(dex.name for dex in venue.dexs)]
            row["dexToClearinghouseState"] = [[dex, clearinghouse(venue, account, dex, now_ms)] for dex in dexs]
        else:
            row["clearinghouseState"] = clearinghouse(venue, account, "", now_ms)
        out.append(row | {"spotState": spot_state(account)})
    return 200, out or None


def vault_details(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    """vaultDetails of one vault, null if it is none."""
    vault = venue.subs.vaults.get(str(request["vaultAddress"]).lower())
    if vault is None:
        return 200, None
    worth = venue.engine.accounts[vault.address].dex("").value(venue.engine.marks())
    followers = [
        {
            "user": user, "vaultEquity": num(_equity(vault, user, worth)), "pnl": "0.0", "allTimePnl": "0.0",
            "daysFollowing": 0, "vaultEntryTime": 0, "lockupUntil": 0,
        }
        for user, shares in vault.shares.items() if shares
    ]  # fmt: skip
    asked = str(request.get("user") or "").lower()
    state = next((f for f in followers if f["user"] == asked), None)
    return 200, {
        "name": vault.name, "vaultAddress": vault.address, "leader": vault.leader, "description": "", "portfolio": [],
        "apr": 0, "followerState": state, "leaderFraction": 0, "leaderCommission": 0, "followers": followers,
        "maxDistributable": 0, "maxWithdrawable": 0, "isClosed": False, "relationship": {"type": "normal"},
        "allowDeposits": True, "alwaysCloseOnWithdraw": False,
    }  # fmt: skip


def _equity(vault: Vault, user: str, worth: Decimal) -> Decimal:
    return truncate(div(worth * vault.shares.get(user, ZERO), vault.total), 6) if vault.total else ZERO


def user_vault_equities(venue: "Venue", request: dict[str, Any], now_ms: int) -> Answer:
    """What a user owns of which vault."""
    user, out = user_of(request), []
    for vault in venue.subs.vaults.values():
        if vault.shares.get(user):
            worth = venue.engine.accounts[vault.address].dex("").value(venue.engine.marks())
            out.append(
                {"vaultAddress": vault.address, "equity": num(_equity(vault, user, worth)), "lockedUntilTimestamp": 0}
            )
    return 200, out
