"""`POST /exchange` of the embedded exchange: who signed, may they, then the action. Order of checks and texts:
docs/venue-facts.md F6 and F11."""

from collections.abc import Callable
from typing import Any

from hip3.venue.actions import account_actions, deploying, order_actions, sub_accounts, transfers
from hip3.venue.actions.auth import USER_SIGNED, BadAction, canonical, recover_l1, recover_user_signed
from hip3.venue.answers.replies import UNPROCESSABLE, Answer, err, ok
from hip3.venue.books.books import Books
from hip3.venue.engine.account import Account

MAX_BATCH = 200
OVER_LIMIT_MS = 10_000
Handler = Callable[[Books, Account, dict[str, Any], int], Answer]

_ITEM_LISTS = ("orders", "cancels", "modifies")
_CANCELS = frozenset({"cancel", "cancelByCloid"})
_OWNER_ONLY = frozenset({"createSubAccount", "subAccountModify", "subAccountTransfer", "subAccountSpotTransfer"})
_SELF_SIGNED = frozenset({"reserveRequestWeight"})
"""L1 actions that an agent may not sign: it is taken for its own, empty account."""

L1: dict[str, Handler] = {
    "order": order_actions.order,
    "cancel": order_actions.cancel,
    "cancelByCloid": order_actions.cancel,
    "modify": order_actions.modify,
    "batchModify": order_actions.batch_modify,
    "scheduleCancel": order_actions.schedule_cancel,
    "noop": lambda books, account, action, now_ms: ok("default"),
    "updateLeverage": account_actions.update_leverage,
    "updateIsolatedMargin": account_actions.update_isolated_margin,
    "topUpIsolatedOnlyMargin": account_actions.top_up_isolated_margin,
    "reserveRequestWeight": account_actions.reserve_request_weight,
    "setReferrer": account_actions.set_referrer,
    "perpDeploy": deploying.perp_deploy,
    "agentSetAbstraction": account_actions.set_abstraction,
    "agentSendAsset": transfers.agent_send_asset,
    "createSubAccount": sub_accounts.create,
    "subAccountModify": sub_accounts.rename,
    "subAccountTransfer": sub_accounts.transfer,
    "subAccountSpotTransfer": sub_accounts.transfer,
    "vaultTransfer": sub_accounts.vault_transfer,
}

NOT_OFFERED = frozenset(
    {
        "twapOrder", "twapCancel",
        "userDexAbstraction", "agentEnableDexAbstraction", "tokenDelegate", "cDeposit", "cWithdraw", "claimRewards",
        "convertToMultiSigUser", "multiSig", "spotDeploy", "hip3LiquidatorTransfer", "gossipPriorityBid",
        "createVault", "vaultModify", "vaultDistribute", "registerReferrer", "evmUserModify",
    }
)  # fmt: skip
"""Actions of the real exchange that are missing here: refused by name, so that nobody takes it for a typing error."""

BY_USER: dict[str, Handler] = {
    "usdSend": transfers.usd_send,
    "spotSend": transfers.spot_send,
    "sendAsset": transfers.send_asset,
    "usdClassTransfer": transfers.usd_class_transfer,
    "withdraw3": transfers.withdraw,
    "approveAgent": account_actions.approve_agent,
    "userSetAbstraction": account_actions.set_abstraction,
    "approveBuilderFee": account_actions.approve_builder_fee,
}


def exchange(books: Books, body: Any, now_ms: int) -> Answer:
    """The answer to one signed action; it is executed here."""
    try:
        if not isinstance(body, dict) or not isinstance(body.get("action"), dict):
            raise BadAction("no action")
        if not isinstance(body.get("nonce"), int) or isinstance(body["nonce"], bool):
            raise BadAction("no nonce")
        kind = body["action"].get("type")
        if kind in NOT_OFFERED:
            return err(f"{kind} is not offered by the embedded exchange")
        if kind == "perpDeploy" and (other := deploying.not_offered(body["action"])):
            return err(f"perpDeploy {other} is not offered by the embedded exchange")
        if kind in USER_SIGNED:
            return _user_signed(books, body, now_ms)
        return _l1(books, body, now_ms)
    except BadAction:
        return UNPROCESSABLE


def _l1(books: Books, body: dict[str, Any], now_ms: int) -> Answer:
    action = canonical(body["action"])
    strangers = []
    for signer, mainnet in recover_l1(body, action, books.engine.parameters.signatures):
        owner = books.owner_of(signer, now_ms)
        if owner is not None:
            books.signed["mainnet" if mainnet else "testnet"] += 1
            break
        strangers.append(signer)
    else:
        if not strangers:
            return err("Unable to recover signer.")
        signer, owner = strangers[0], None
    account = books.engine.account(owner) if owner is not None else None
    if account is None:
        return err(f"User or API Wallet {signer} does not exist.")
    vault = body.get("vaultAddress")
    if vault is not None and action["type"] not in _OWNER_ONLY:
        vault = "0x" + str(vault).lower().removeprefix("0x")  # ccxt leaves it out (docs/venue-facts.md F42)
        found = books.subs.tradable(books.engine, vault, account.address)
        if found is None:
            return err(f"Vault not registered: {vault}")
        account = found
    refusal = books.nonces(signer).use(body["nonce"], now_ms)
    if refusal is not None:
        return err(refusal)
    expires = body.get("expiresAfter")
    if isinstance(expires, int) and now_ms > expires:
        account.actions_used += 5
        return err(books.engine.parameters.expired_text)
    if action["type"] in _SELF_SIGNED and signer != owner:
        return err(f"Must deposit before performing actions. User: {signer}")
    return _run(books, account, action, now_ms)


def _run(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    kind = action["type"]
    items: list[Any] = next((action[name] for name in _ITEM_LISTS if name in action), [])
    if len(items) > MAX_BATCH:
        return err("Signed action over weight limit of 200.")
    handler = L1[kind]
    limit = account.action_cap
    if kind in _CANCELS:
        limit = min(limit + 100_000, 2 * limit)
    cost = max(1, len(items))
    if account.actions_used + cost > limit and not _drips(account, now_ms):
        return err(
            f"Too many cumulative requests sent ({account.actions_used + cost} > {limit}) for cumulative volume "
            f"traded ${account.credited:.2f}. Place taker orders to free up 1 request per USDC traded."
        )
    account.actions_used += cost
    return handler(books, account, action, now_ms)


def _drips(account: Account, now_ms: int) -> bool:
    """Over the limit an address may act every ten seconds; refused tries do not count."""
    if account.over_limit_ms is not None and now_ms < account.over_limit_ms + OVER_LIMIT_MS:
        return False
    account.over_limit_ms = now_ms
    return True


def _user_signed(books: Books, body: dict[str, Any], now_ms: int) -> Answer:
    action = body["action"]
    inner = action.get("nonce", action.get("time"))
    if inner != body["nonce"]:
        return err("Nonce mismatch.")
    signatures, chain = books.engine.parameters.signatures, str(action.get("hyperliquidChain")).lower()
    signer = recover_user_signed(action, body.get("signature")) if signatures in ("both", chain) else None
    if signer is None:
        return err("Unable to recover signer.")
    account = books.engine.account(signer)
    if account is None:
        return err(f"Must deposit before performing actions. User: {signer}")
    refusal = books.nonces(signer).use(body["nonce"], now_ms)
    if refusal is not None:
        return err(refusal)
    return BY_USER[action["type"]](books, account, action, now_ms)
