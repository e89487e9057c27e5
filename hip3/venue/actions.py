"""`POST /exchange` of the embedded exchange: checks, then the engine. Order of checks and texts:
docs/venue-facts.md F6 and F11."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hip3.core.money import ZERO, parse
from hip3.venue.account import Account
from hip3.venue.auth import USER_SIGNED, BadAction, canonical, recover_l1, recover_user_signed
from hip3.venue.info import UNPROCESSABLE, Answer
from hip3.venue.model import Request

if TYPE_CHECKING:
    from hip3.venue.venue import Venue

MAX_BATCH = 200
_TIFS = frozenset({"Ioc", "Alo", "Gtc", "FrontendMarket"})


def _err(text: str) -> Answer:
    return 200, {"status": "err", "response": text}


def _ok(kind: str, statuses: list[Any] | None = None) -> Answer:
    response: dict[str, Any] = {"type": kind}
    if statuses is not None:
        response["data"] = {"statuses": statuses}
    return 200, {"status": "ok", "response": response}


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
        return _err("Unable to recover signer.")
    known = [s for s in signers if venue.owner_of(s, now_ms) is not None]
    signer = known[0] if known else signers[0]
    owner = venue.owner_of(signer, now_ms)
    account = venue.engine.account(owner) if owner is not None else None
    if account is None:
        return _err(f"User or API Wallet {signer} does not exist.")
    vault = body.get("vaultAddress")
    if vault is not None:
        return _err(f"Vault not registered: {vault}")
    refusal = venue.nonces(signer).use(body["nonce"], now_ms)
    if refusal is not None:
        return _err(refusal)
    expires = body.get("expiresAfter")
    if isinstance(expires, int) and now_ms > expires:
        account.actions_used += 5
        return _err("Action already expired")
    return _run(venue, account, action, now_ms)


def _run(venue: "Venue", account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    kind = action["type"]
    items = action.get("orders") or action.get("cancels") or []
    if len(items) > MAX_BATCH:
        return _err("Signed action over weight limit of 200.")
    limit = account.action_cap if kind == "order" else min(account.action_cap + 100_000, 2 * account.action_cap)
    cost = max(1, len(items))
    if account.actions_used + cost > limit:
        return _err(
            f"Too many cumulative requests sent ({account.actions_used + cost} > {limit}) for cumulative volume "
            f"traded ${account.volume:.2f}. Place taker orders to free up 1 request per USDC traded."
        )
    account.actions_used += cost
    if kind == "order":
        return _order(venue, account, action, now_ms)
    if kind in ("cancel", "cancelByCloid"):
        return _cancel(venue, account, action, now_ms)
    if kind == "noop":
        return _ok("default")
    if kind == "updateLeverage":
        return _leverage(venue, account, action)
    return _err(f"{kind} is not offered by the embedded exchange yet")


def _order(venue: "Venue", account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    if not action["orders"]:
        return _ok("order", [{"error": "Orders are empty."}])
    requests = [_request(venue, item) for item in action["orders"]]
    if any(r is None for r in requests):
        return _ok("order", [{"error": "Invalid asset"}])
    good = [r for r in requests if r is not None]
    fault = venue.engine.prevalidate(good)
    if fault is not None:
        return _ok("order", [{"error": fault}])
    return _ok("order", [venue.engine.place(account, r, now_ms) for r in good])


def _request(venue: "Venue", item: dict[str, Any]) -> Request | None:
    """One order parsed; None for an unknown asset; BadAction for a shape that is none."""
    try:
        kind = item["t"]
        tif = kind["limit"]["tif"] if "limit" in kind else None
        px, sz = parse(item["p"]), parse(item["s"])
        asset, is_buy, reduce_only, cloid = item["a"], item["b"], item["r"], item.get("c")
    except (KeyError, TypeError, ValueError):
        raise BadAction("order") from None
    if not isinstance(asset, int) or not isinstance(is_buy, bool) or not isinstance(reduce_only, bool):
        raise BadAction("order")
    if tif not in _TIFS:
        raise BadAction("tif")
    if cloid is not None and not _is_cloid(cloid):
        raise BadAction("cloid")
    market = venue.engine.by_asset.get(asset)
    if market is None:
        return None
    return Request(market, is_buy, px, sz, reduce_only, tif, None if cloid is None else cloid.lower())


def _is_cloid(cloid: Any) -> bool:
    return (
        isinstance(cloid, str)
        and len(cloid) == 34
        and cloid.startswith("0x")
        and all(c in "0123456789abcdefABCDEF" for c in cloid[2:])
    )


def _cancel(venue: "Venue", account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    out = []
    for item in action["cancels"]:
        if action["type"] == "cancel":
            if not isinstance(item.get("o"), int):
                raise BadAction("oid")
            market = venue.engine.by_asset.get(item.get("a"))
            out.append(venue.engine.cancel_oid(account, market, item["o"], now_ms))
        else:
            if not _is_cloid(item.get("cloid")):
                raise BadAction("cloid")
            market = venue.engine.by_asset.get(item.get("asset"))
            out.append(venue.engine.cancel_cloid(account, market, item["cloid"].lower(), now_ms))
    return _ok("cancel", out)


def _leverage(venue: "Venue", account: Account, action: dict[str, Any]) -> Answer:
    market, leverage = venue.engine.by_asset.get(action.get("asset", -1)), action.get("leverage")
    isolated = not action.get("isCross", True)
    if market is None or not isinstance(leverage, int):
        raise BadAction("updateLeverage")
    info = market.info
    if not 1 <= leverage <= info.max_leverage:
        return _err("Invalid leverage value")
    if info.margin_mode is not None and not isolated:
        return _err("Cross margin is not allowed for this asset.")
    position = account.dex(info.dex).positions.get(info.coin)
    if position is not None:
        if position.isolated != isolated:
            return _err("Cannot switch leverage type with open position.")
        return _err("changing the leverage of an open position is not offered by the embedded exchange yet")
    account.leverage[info.coin] = (leverage, isolated)
    return _ok("default")


def _user_signed(venue: "Venue", body: dict[str, Any], now_ms: int) -> Answer:
    action = body["action"]
    inner = action.get("nonce", action.get("time"))
    if inner != body["nonce"]:
        return _err("Nonce mismatch.")
    signer = recover_user_signed(action, body.get("signature"))
    if signer is None:
        return _err("Unable to recover signer.")
    account = venue.engine.account(signer)
    if account is None:
        return _err(f"Must deposit before performing actions. User: {signer}")
    refusal = venue.nonces(signer).use(body["nonce"], now_ms)
    if refusal is not None:
        return _err(refusal)
    if action["type"] == "approveAgent":
        agent = str(action.get("agentAddress", "")).lower()
        refusal = venue.agents.approve(signer, agent, str(action.get("agentName") or ""), now_ms)
        return _ok("default") if refusal is None else _err(refusal)
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
        return _err("Insufficient balance for token transfer")
    held.raw_usd -= amount
    venue.engine.fund(destination, to_dex, amount)
    return _ok("default")
