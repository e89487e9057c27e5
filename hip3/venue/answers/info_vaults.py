"""Info answers about sub-accounts, vaults and transfers. Pure. Shapes: docs/venue-facts.md F26."""

from decimal import Decimal
from typing import Any

from hip3.core.money import ZERO, div, truncate
from hip3.venue.answers.info_account import clearinghouse, portfolio_of
from hip3.venue.answers.replies import Answer, user_of
from hip3.venue.answers.spot import spot_state
from hip3.venue.books.books import Books
from hip3.venue.books.sub_accounts import Vault
from hip3.venue.engine.numbers import num


def sub_accounts(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """subAccounts and subAccounts2: a list, or null if there are none."""
    out = []
    for sub in books.subs.of(user_of(request)):
        account = books.engine.account(sub.address)
        row: dict[str, Any] = {"name": sub.name, "subAccountUser": sub.address, "master": sub.master}
        if request["type"] == "subAccounts2":
            dexs = ["", *(dex.name for dex in books.dexs)]
            row["dexToClearinghouseState"] = [[dex, clearinghouse(books, account, dex, now_ms)] for dex in dexs]
        else:
            row["clearinghouseState"] = clearinghouse(books, account, "", now_ms)
        out.append(row | {"spotState": spot_state(books, account)})
    return 200, out or None


def vault_details(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """vaultDetails of one vault, null if it is none."""
    vault = books.subs.vaults.get(str(request["vaultAddress"]).lower())
    if vault is None:
        return 200, None
    held = books.engine.accounts[vault.address]
    worth = held.dex("").value(books.engine.marks())
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
        "name": vault.name, "vaultAddress": vault.address, "leader": vault.leader, "description": "",
        "portfolio": portfolio_of(books, held, now_ms), "apr": 0, "followerState": state, "leaderFraction": 0,
        "leaderCommission": 0, "followers": followers, "maxDistributable": 0, "maxWithdrawable": 0, "isClosed": False,
        "relationship": {"type": "normal"},
        "allowDeposits": True, "alwaysCloseOnWithdraw": False,
    }  # fmt: skip


def _equity(vault: Vault, user: str, worth: Decimal) -> Decimal:
    return truncate(div(worth * vault.shares.get(user, ZERO), vault.total), 6) if vault.total else ZERO


def user_vault_equities(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """What a user owns of which vault."""
    user, out = user_of(request), []
    for vault in books.subs.vaults.values():
        if vault.shares.get(user):
            worth = books.engine.accounts[vault.address].dex("").value(books.engine.marks())
            out.append(
                {"vaultAddress": vault.address, "equity": num(_equity(vault, user, worth)), "lockedUntilTimestamp": 0}
            )
    return 200, out


def pre_transfer_check(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """What a transfer to an address would meet."""
    address = str(request["user"]).lower()
    known = books.engine.account(address)
    sent = known is not None and bool(known.history or known.actions_used)
    return 200, {"fee": "0.0", "isSanctioned": False, "userExists": known is not None, "userHasSentTx": sent}
