"""`POST /exchange` of the embedded exchange: checks, then the engine. Order of checks and texts:
docs/venue-facts.md F6 and F11."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hip3.core.money import ZERO, parse
from hip3.venue import order_actions
from hip3.venue.account import Account
from hip3.venue.auth import USER_SIGNED, BadAction, canonical, recover_l1, recover_user_signed
from hip3.venue.replies import UNPROCESSABLE, Answer, err, ok

if TYPE_CHECKING:
    from hip3.venue.venue import Venue

MAX_BATCH = 200


def exchange(venue: "Venue", body: Any, now_ms: int) -> Answer:
    """The answer to one signed action; it is executed here."""
    try:
        if not isinstance(body, dict) or not isinstance(body.get("action"), dict):
            raise BadAction("no action")
        if not isinstance(body.get("nonce"), int) or isinstance(body["nonce"], bool):
            raise BadAction("no nonce")
        if body["action"].get("type") in USER_SIGNED:
            return _user_signed(venue, body, now_ms)
        return _l1(venue, body, now_ms)
    except BadAction:
        return UNPROCESSABLE


def _l1(venue: "Venue", body: dict[str, Any], now_ms: int) -> Answer:
    action = canonical(body["action"])
    signers = recover_l1(body, action)
    if not signers:
        return err("Unable to recover signer.")
    known = [s for s in signers if venue.owner_of(s, now_ms) is not None]
    signer = known[0] if known else signers[0]
    owner = venue.owner_of(signer, now_ms)
    account = venue.engine.account(owner) if owner is not None else None
    if account is None:
        return err(f"User or API Wallet {signer} does not exist.")
    vault = body.get("vaultAddress")
    if vault is not None:
        return err(f"Vault not registered: {vault}")
    refusal = venue.nonces(signer).use(body["nonce"], now_ms)
    if refusal is not None:
        return err(refusal)
    expires = body.get("expiresAfter")
    if isinstance(expires, int) and now_ms > expires:
        account.actions_used += 5
        return err("Action already expired")
    return _run(venue, account, action, now_ms)


def _run(venue: "Venue", account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    kind = action["type"]
    items = action.get("orders") or action.get("cancels") or []
    if len(items) > MAX_BATCH:
        return err("Signed action over weight limit of 200.")
    limit = account.action_cap if kind == "order" else min(account.action_cap + 100_000, 2 * account.action_cap)
    cost = max(1, len(items))
    if account.actions_used + cost > limit:
        return err(
            f"Too many cumulative requests sent ({account.actions_used + cost} > {limit}) for cumulative volume "
            f"traded ${account.volume:.2f}. Place taker orders to free up 1 request per USDC traded."
        )
    account.actions_used += cost
    if kind == "order":
        return order_actions.order(venue, account, action, now_ms)
    if kind in ("cancel", "cancelByCloid"):
        return order_actions.cancel(venue, account, action, now_ms)
    if kind == "noop":
        return ok("default")
    if kind == "updateLeverage":
        return _leverage(venue, account, action)
    return err(f"{kind} is not offered by the embedded exchange yet")


def _leverage(venue: "Venue", account: Account, action: dict[str, Any]) -> Answer:
    market, leverage = venue.engine.by_asset.get(action.get("asset", -1)), action.get("leverage")
    isolated = not action.get("isCross", True)
    if market is None or not isinstance(leverage, int):
        raise BadAction("updateLeverage")
    info = market.info
    if not 1 <= leverage <= info.max_leverage:
        return err("Invalid leverage value")
    if info.margin_mode is not None and not isolated:
        return err("Cross margin is not allowed for this asset.")
    position = account.dex(info.dex).positions.get(info.coin)
    if position is not None:
        if position.isolated != isolated:
            return err("Cannot switch leverage type with open position.")
        return err("changing the leverage of an open position is not offered by the embedded exchange yet")
    account.leverage[info.coin] = (leverage, isolated)
    return ok("default")


def _user_signed(venue: "Venue", body: dict[str, Any], now_ms: int) -> Answer:
    action = body["action"]
    inner = action.get("nonce", action.get("time"))
    if inner != body["nonce"]:
        return err("Nonce mismatch.")
    signer = recover_user_signed(action, body.get("signature"))
    if signer is None:
        return err("Unable to recover signer.")
    account = venue.engine.account(signer)
    if account is None:
        return err(f"Must deposit before performing actions. User: {signer}")
    refusal = venue.nonces(signer).use(body["nonce"], now_ms)
    if refusal is not None:
        return err(refusal)
    if action["type"] == "approveAgent":
        agent = str(action.get("agentAddress", "")).lower()
        refusal = venue.agents.approve(signer, agent, str(action.get("agentName") or ""), now_ms)
        return ok("default") if refusal is None else err(refusal)
    return _transfer(venue, account, action)


def _transfer(venue: "Venue", account: Account, action: dict[str, Any]) -> Answer:
    """usdSend (main dex to main dex) and sendAsset (any dex to any dex, USDC)."""
    destination = str(action.get("destination", "")).lower()
    source_dex, to_dex = str(action.get("sourceDex", "")), str(action.get("destinationDex", ""))
    try:
        amount = parse(str(action["amount"]))
    except (KeyError, ValueError):
        raise BadAction("amount") from None
    if not (venue.has_dex(source_dex) and venue.has_dex(to_dex)) or len(destination) != 42:
        raise BadAction("destination")
    held = account.dex(source_dex)
    marks = venue.engine.marks()
    free: Decimal = held.cross_value(marks) - held.cross_margin(marks)
    if amount <= ZERO or amount > free:
        return err("Insufficient balance for token transfer")
    held.raw_usd -= amount
    venue.engine.fund(destination, to_dex, amount)
    return ok("default")
