"""Cash on the move: between addresses, dexs, spot and perps, sub-accounts. USDC only.

Every move has its entry in the ledgers of both sides. Texts and shapes: docs/venue-facts.md F25.
"""

from decimal import Decimal
from typing import Any

from hip3.core.money import ZERO, parse
from hip3.venue.actions.auth import BadAction
from hip3.venue.answers.replies import Answer, err, ok
from hip3.venue.books.books import Books
from hip3.venue.engine.account import USDC, Account
from hip3.venue.engine.numbers import num
from hip3.venue.engine.rules import withdrawable

_TOO_LITTLE = "Insufficient balance for token transfer"
SPOT = "spot"
WITHDRAW_FEE = Decimal(1)
MICRO = Decimal("0.000001")


def take(books: Books, account: Account, place: str, amount: Decimal) -> bool:
    """Take cash out of a dex or of spot; False, and nothing taken, if there is too little that is free."""
    if place == SPOT and account.pooled:
        place = ""  # the main dex's part is what spot shows
    free = account.spots.get(USDC, ZERO) if place == SPOT else withdrawable(books.engine, account, place)
    if amount <= ZERO or amount > free:
        return False
    if place == SPOT:
        account.spots[USDC] -= amount
    else:
        account.dex(place).raw_usd -= amount
    return True


def give(books: Books, address: str, place: str, amount: Decimal) -> Account:
    """Put cash into a dex or into spot; the account exists from now on."""
    known = books.engine.account(address)
    spot = place == SPOT and not (known is not None and known.pooled)
    account = books.engine.fund(address, "" if place == SPOT else place, ZERO if spot else amount)
    if spot:
        account.spots[USDC] = account.spots.get(USDC, ZERO) + amount
    return account


def amount_of(action: dict[str, Any]) -> Decimal:
    """The action's `amount`; BadAction if it is no number."""
    try:
        return parse(str(action["amount"]))
    except (KeyError, ValueError):
        raise BadAction("amount") from None


def _destination(action: dict[str, Any]) -> str:
    address = str(action.get("destination", "")).lower()
    if len(address) != 42 or not address.startswith("0x"):
        raise BadAction("destination")
    return address


def _note_both(books: Books, source: Account, target: Account, delta: dict[str, Any], now_ms: int) -> None:
    books.engine.note(source, delta, now_ms)
    if target is not source:
        books.engine.note(target, delta, now_ms)


def usd_send(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """Main-dex cash to another address."""
    to, amount = _destination(action), amount_of(action)
    if not take(books, account, "", amount):
        return err(_TOO_LITTLE)
    target = give(books, to, "", amount)
    delta = {"type": "internalTransfer", "usdc": num(amount), "user": account.address, "destination": to, "fee": "0.0"}
    _note_both(books, account, target, delta, now_ms)
    return ok("default")


def send_asset(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """Cash from one dex (or spot) to one of any address; also the sub-account's own, if `fromSubAccount` says so."""
    to, amount = _destination(action), amount_of(action)
    source, target = str(action.get("sourceDex", "")), str(action.get("destinationDex", ""))
    if not all(place == SPOT or books.has_dex(place) for place in (source, target)):
        raise BadAction("dex")
    if str(action.get("token")).split(":")[0] != "USDC":
        return err(_TOO_LITTLE)
    payer: Account | None = account
    sub = str(action.get("fromSubAccount") or "").lower()
    if sub:
        payer = books.subs.account(books.engine, sub, account.address)
        if payer is None:
            return err(f"Sub-account {sub} is not registered to {account.address}")
    assert payer is not None
    if not take(books, payer, source, amount):
        return err(_TOO_LITTLE)
    delta = {
        "type": "send", "user": payer.address, "destination": to, "sourceDex": source, "destinationDex": target,
        "token": "USDC", "amount": num(amount), "usdcValue": num(amount), "fee": "0.0", "nativeTokenFee": "0.0",
        "nonce": action.get("nonce"), "feeToken": "",
    }  # fmt: skip
    _note_both(books, payer, give(books, to, target, amount), delta, now_ms)
    return ok("default")


def agent_send_asset(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """sendAsset as an agent may sign it: to the account itself only."""
    if _destination(action) != account.address:
        return err("Agent may only send to its own account")
    return send_asset(books, account, action, now_ms)


def spot_send(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """Spot USDC to another address."""
    return send_asset(books, account, action | {"sourceDex": SPOT, "destinationDex": SPOT}, now_ms)


def usd_class_transfer(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """Between spot and the main dex; of a sub-account if the amount says so."""
    text, _, sub = str(action.get("amount", "")).partition(" subaccount:")
    payer: Account | None = account
    if sub:
        payer = books.subs.account(books.engine, sub.lower(), account.address)
        if payer is None:
            return err(f"Sub-account {sub} is not registered to {account.address}")
    assert payer is not None
    amount, to_perp = amount_of({"amount": text}), bool(action.get("toPerp"))
    if not take(books, payer, SPOT if to_perp else "", amount):
        return err(_TOO_LITTLE)
    give(books, payer.address, "" if to_perp else SPOT, amount)
    delta = {"type": "accountClassTransfer", "usdc": num(amount), "toPerp": to_perp}
    books.engine.note(payer, delta, now_ms)
    return ok("default")


def withdraw(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """Main-dex cash leaves the exchange, less a dollar."""
    _destination(action)
    amount = amount_of(action)
    if amount <= WITHDRAW_FEE or not take(books, account, "", amount):
        return err(_TOO_LITTLE)
    books.engine.left += amount
    delta = {
        "type": "withdraw", "usdc": num(amount - WITHDRAW_FEE), "nonce": action.get("time"), "fee": num(WITHDRAW_FEE),
    }  # fmt: skip
    books.engine.note(account, delta, now_ms)
    return ok("default")
