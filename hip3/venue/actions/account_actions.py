"""Actions on an account's margin and budget: leverage, isolated margin, reserved requests, agents.

Texts: docs/venue-facts.md F6, F24.
"""

from decimal import ROUND_CEILING, Decimal
from typing import Any

from hip3.core.money import CTX, ZERO, div, parse
from hip3.venue.actions.auth import BadAction
from hip3.venue.answers.replies import Answer, err, ok
from hip3.venue.books.books import Books
from hip3.venue.engine import modes
from hip3.venue.engine.account import Account, DexAccount, Position
from hip3.venue.engine.fees import BUILDER_CAP, REFERRAL_DISCOUNT
from hip3.venue.engine.model import Market
from hip3.venue.engine.rules import free_margin

MAX_BUILDERS = 10
BUILDER_CASH = Decimal(100)
MICRO = Decimal("0.000001")
REQUEST_PRICE = Decimal("0.0005")


def approve_agent(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """Let another key sign for the account."""
    agent = str(action.get("agentAddress", "")).lower()
    refusal = books.agents.approve(account.address, agent, str(action.get("agentName") or ""), now_ms)
    return ok("default") if refusal is None else err(refusal)


def approve_builder_fee(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """Let a builder take up to `maxFeeRate` (a percentage) of what its orders trade; 0 % takes it back."""
    builder, text = str(action.get("builder", "")).lower(), str(action.get("maxFeeRate", ""))
    try:
        tenths = int(parse(text.removesuffix("%")) * 1000)
    except ValueError:
        raise BadAction("maxFeeRate") from None
    if not text.endswith("%") or len(builder) != 42 or not 0 <= tenths <= BUILDER_CAP:
        raise BadAction("builder")
    known = books.engine.account(builder)
    if tenths and (known is None or known.dex("").value(books.engine.marks()) < BUILDER_CASH):
        return err("Builder has insufficient balance to be approved.")
    if tenths and builder not in account.builders and len(account.builders) >= MAX_BUILDERS:
        return err("Too many approved builders.")
    account.builders.pop(builder, None)
    if tenths:
        account.builders[builder] = tenths
    return ok("default")


def set_referrer(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """Any code gives the discount."""
    if not isinstance(action.get("code"), str) or not action["code"]:
        raise BadAction("code")
    account.referral = REFERRAL_DISCOUNT
    return ok("default")


CODES = {"i": "disabled", "u": "unifiedAccount", "p": "portfolioMargin"}
"""As an agent names the modes (docs/venue-facts.md F16)."""


def set_abstraction(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """userSetAbstraction of the account's own wallet, and agentSetAbstraction with a letter for the mode."""
    by_agent, wish = action["type"] == "agentSetAbstraction", action.get("abstraction")
    mode = CODES.get(str(wish)) if by_agent else wish
    if not isinstance(mode, str) or mode not in CODES.values():
        raise BadAction("abstraction")
    if not by_agent and str(action.get("user", "")).lower() != account.address:
        return err(modes.REFUSED)
    refusal = modes.set_mode(books.engine, account, mode, by_agent=by_agent)
    return ok("default") if refusal is None else err(refusal)


def update_leverage(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """Leverage and margin mode of a coin, of its position too."""
    market, leverage = books.engine.by_asset.get(action.get("asset", -1)), action.get("leverage")
    isolated = not action.get("isCross", True)
    if market is None or not isinstance(leverage, int) or isinstance(leverage, bool):
        raise BadAction("updateLeverage")
    info = market.info
    if not 1 <= leverage <= info.max_leverage:
        return err("Invalid leverage value")
    if info.margin_mode is not None and not isolated:
        return err("Cross margin is not allowed for this asset.")
    held = account.dex(info.dex)
    position = held.positions.get(info.coin)
    if position is not None:
        if position.isolated != isolated:
            return err("Cannot switch leverage type with open position.")
        if leverage < position.leverage and not _affords(books, held, position, market, leverage):
            kind, way = ("Isolated", "add margin to the position") if isolated else ("Cross", "deposit more collateral")
            head = f"{kind} position does not have sufficient margin available to decrease leverage."
            return err(f"{head} To decrease leverage, {way}.")
        position.leverage = leverage
    account.leverage[info.coin] = (leverage, isolated)
    return ok("default")


def _affords(books: Books, held: DexAccount, position: Position, market: Market, leverage: int) -> bool:
    """Whether what backs a position is its initial margin at a lower leverage."""
    needed = div(abs(position.szi) * market.mark, Decimal(leverage))
    if position.isolated:
        return needed <= position.margin_used(market.mark)
    marks = books.engine.marks()
    others = held.cross_margin(marks) - position.margin_used(market.mark)
    return others + needed <= held.cross_value(marks)


def update_isolated_margin(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """Move cash (`ntli`, in millionths, negative to take out) between the account and an isolated position."""
    market, ntli = books.engine.by_asset.get(action.get("asset", -1)), action.get("ntli")
    if market is None or not isinstance(ntli, int) or isinstance(ntli, bool):
        raise BadAction("updateIsolatedMargin")
    amount, info = ntli * MICRO, market.info
    held = account.dex(info.dex)
    position = held.positions.get(info.coin)
    if amount == 0:
        return err("Update to isolated margin cannot be zero.")
    if position is None:
        return err("Cannot update margin for empty position.")
    if not position.isolated:
        return err("Position does not use isolated margin.")
    if amount > 0:
        if amount > free_margin(books.engine, account, info.dex):
            return err("Account does not have sufficient margin available for increase.")
    elif info.margin_mode == "strictIsolated":
        return err("Cannot remove isolated margin for this asset. To remove margin, reduce the position.")
    elif position.margin_used(market.mark) + amount < _least(position, market):
        return err("Position does not have sufficient margin for reduction.")
    held.raw_usd -= amount
    position.iso_raw_usd += amount
    return ok("default")


def top_up_isolated_margin(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """Add cash to an isolated position until its leverage is at most this (a text)."""
    market = books.engine.by_asset.get(action.get("asset", -1))
    try:
        leverage = parse(str(action.get("leverage")))
    except ValueError:
        raise BadAction("leverage") from None
    if market is None or leverage <= 0:
        raise BadAction("topUpIsolatedOnlyMargin")
    held = account.dex(market.info.dex)
    position = held.positions.get(market.info.coin)
    if position is None:
        return err("Cannot update margin for empty position.")
    if not position.isolated:
        return err("Position does not use isolated margin.")
    wanted = div(abs(position.szi) * market.mark, leverage).quantize(MICRO, ROUND_CEILING, CTX)
    amount = max(ZERO, wanted - position.margin_used(market.mark))
    if amount > free_margin(books.engine, account, market.info.dex):
        return err("Account does not have sufficient margin available for increase.")
    held.raw_usd -= amount
    position.iso_raw_usd += amount
    return ok("default")


def _least(position: Position, market: Market) -> Decimal:
    """What must stay with a position: its initial margin, and a tenth of its notional."""
    notional = abs(position.szi) * market.mark
    initial = div(notional, Decimal(position.leverage)).quantize(MICRO, ROUND_CEILING, CTX)
    return max(initial, notional / 10)


def reserve_request_weight(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """Buy requests on top of the address limit, from the main dex."""
    weight = action.get("weight")
    if not isinstance(weight, int) or isinstance(weight, bool) or weight <= 0:
        raise BadAction("weight")
    cost = weight * REQUEST_PRICE
    if cost > max(ZERO, free_margin(books.engine, account, "")):
        return err("Insufficient balance for token transfer")
    account.dex("").raw_usd -= cost
    account.fees += cost
    account.reserved += weight
    return ok("default")
