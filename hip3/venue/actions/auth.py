"""Who signed an action: the canonical form that is hashed, and the address behind the signature.

Source "b" (testnet) and "a" (mainnet) are both accepted unless a parameter says otherwise, since clients decide by URL
(docs/venue-facts.md F4). Texts of the refusals: docs/venue-facts.md F6.
"""

from collections.abc import Iterator
from typing import Any

from coincurve import PublicKey

from hip3.core.money import parse, to_wire
from hip3.errors import SigningError
from hip3.exchange.signing import action_hash, address_of, keccak256, l1_digest

_ORDER_ITEM = ("a", "b", "p", "s", "r", "t", "c")
_KEYS: dict[str, tuple[str, ...]] = {
    "order": ("type", "orders", "grouping", "builder"),
    "cancel": ("type", "cancels", "f"),
    "cancelByCloid": ("type", "cancels", "f"),
    "modify": ("type", "oid", "order", "a"),
    "batchModify": ("type", "modifies", "a"),
    "scheduleCancel": ("type", "time"),
    "updateLeverage": ("type", "asset", "isCross", "leverage"),
    "updateIsolatedMargin": ("type", "asset", "isBuy", "ntli"),
    "topUpIsolatedOnlyMargin": ("type", "asset", "leverage"),
    "noop": ("type",),
    "reserveRequestWeight": ("type", "weight", "destination"),
    "perpDeploy": ("type", "haltTrading", "disableDex"),
    "agentSendAsset": (
        "type", "destination", "sourceDex", "destinationDex", "token", "amount", "fromSubAccount", "nonce",
    ),
    "setReferrer": ("type", "code"),
    "agentSetAbstraction": ("type", "abstraction"),
    "createSubAccount": ("type", "name"),
    "subAccountModify": ("type", "subAccountUser", "name"),
    "subAccountTransfer": ("type", "subAccountUser", "isDeposit", "usd"),
    "subAccountSpotTransfer": ("type", "subAccountUser", "isDeposit", "token", "amount"),
    "vaultTransfer": ("type", "vaultAddress", "isDeposit", "usd"),
}  # fmt: skip
_ITEMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "order": ("orders", _ORDER_ITEM),
    "cancel": ("cancels", ("a", "o")),
    "cancelByCloid": ("cancels", ("asset", "cloid")),
    "batchModify": ("modifies", ("oid", "order")),
}

# Fields of the typed data, in order. hyperliquid-python-sdk, `utils/signing.py`.
USER_SIGNED: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "usdSend": (
        "UsdSend",
        (("hyperliquidChain", "string"), ("destination", "string"), ("amount", "string"), ("time", "uint64")),
    ),
    "spotSend": (
        "SpotSend",
        (
            ("hyperliquidChain", "string"), ("destination", "string"), ("token", "string"), ("amount", "string"),
            ("time", "uint64"),
        ),
    ),
    "withdraw3": (
        "Withdraw",
        (("hyperliquidChain", "string"), ("destination", "string"), ("amount", "string"), ("time", "uint64")),
    ),
    "usdClassTransfer": (
        "UsdClassTransfer",
        (("hyperliquidChain", "string"), ("amount", "string"), ("toPerp", "bool"), ("nonce", "uint64")),
    ),
    "sendAsset": (
        "SendAsset",
        (
            ("hyperliquidChain", "string"), ("destination", "string"), ("sourceDex", "string"),
            ("destinationDex", "string"), ("token", "string"), ("amount", "string"),
            ("fromSubAccount", "string"), ("nonce", "uint64"),
        ),
    ),
    "userSetAbstraction": (
        "UserSetAbstraction",
        (("hyperliquidChain", "string"), ("user", "address"), ("abstraction", "string"), ("nonce", "uint64")),
    ),
    "approveBuilderFee": (
        "ApproveBuilderFee",
        (("hyperliquidChain", "string"), ("maxFeeRate", "string"), ("builder", "address"), ("nonce", "uint64")),
    ),
    "approveAgent": (
        "ApproveAgent",
        (("hyperliquidChain", "string"), ("agentAddress", "address"), ("agentName", "string"), ("nonce", "uint64")),
    ),
}  # fmt: skip


class BadAction(Exception):
    """The action does not parse: HTTP 422."""


def canonical(action: dict[str, Any]) -> dict[str, Any]:
    """The action with its keys in the signed order; null means absent. BadAction if unknown."""
    kind = action.get("type")
    keys = _KEYS.get(kind) if isinstance(kind, str) else None
    if keys is None or not isinstance(kind, str):
        raise BadAction(f"unknown action type {kind!r}")
    out = _ordered(action, keys)
    if kind in _ITEMS:
        name, item_keys = _ITEMS[kind]
        items = out.get(name)
        if not isinstance(items, list) or not all(isinstance(i, dict) for i in items):
            raise BadAction(f"{name} is not a list of objects")
        out[name] = [_item(item, item_keys) for item in items]
        if isinstance(out.get("builder"), dict):
            out["builder"] = _ordered(out["builder"], ("b", "f"))
    elif "order" in out:
        out["order"] = _item(out["order"], _ORDER_ITEM)
    return out


def _item(item: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    """One item of a batch in the signed order; an order within a modify, too."""
    if not isinstance(item, dict):
        raise BadAction("item")
    out = _normal(_ordered(item, keys), ("p", "s"))
    if "order" in out:
        out["order"] = _item(out["order"], _ORDER_ITEM)
    kind = out.get("t")
    if isinstance(kind, dict) and isinstance(kind.get("trigger"), dict):
        trigger = _ordered(kind["trigger"], ("isMarket", "triggerPx", "tpsl"))
        out["t"] = {"trigger": _normal(trigger, ("triggerPx",))}
    return out


def _normal(item: dict[str, Any], numbers: tuple[str, ...]) -> dict[str, Any]:
    """Numbers in normal form: the exchange parses and re-encodes them before it hashes, so that another
    form of the same number recovers another signer."""
    for key in numbers:
        text = item.get(key)
        if isinstance(text, str):
            try:
                number = parse(text)
            except ValueError:
                raise BadAction(key) from None
            if number.adjusted() > 30:
                raise BadAction(key)
            item[key] = to_wire(number)
    return item


def _ordered(item: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    unknown = set(item) - set(keys)
    if unknown:
        raise BadAction(f"unknown field {sorted(unknown)[0]!r}")
    return {key: item[key] for key in keys if item.get(key) is not None}


def _raw_signature(signature: Any) -> bytes | None:
    """65 bytes r, s, v of a signature object; padded or not."""
    try:
        r, s, v = int(signature["r"], 16), int(signature["s"], 16), int(signature["v"])
        return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v - 27 if v >= 27 else v])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _recover(digest: bytes, signature: Any) -> str | None:
    raw = _raw_signature(signature)
    if raw is None:
        return None
    try:
        key = PublicKey.from_signature_and_message(raw, digest, hasher=None)
    except Exception:  # noqa: BLE001 libsecp256k1 signals an impossible signature by several types
        return None
    return address_of(key.format(compressed=False))


def recover_l1(body: dict[str, Any], action: dict[str, Any], signatures: str = "both") -> Iterator[tuple[str, bool]]:
    """The addresses that may have signed, one per source, and whether that is mainnet's; none if nothing can be
    recovered. `signatures`: see `Parameters`.

    An iterator, because a recovery is the dearest part of an order and the first is nearly always the one.
    """
    try:
        connection_id = action_hash(
            action,
            body["nonce"],
            vault_address=body.get("vaultAddress"),
            expires_after=body.get("expiresAfter"),
        )
    except SigningError:
        return
    for mainnet in (False, True):
        if signatures in ("both", "mainnet" if mainnet else "testnet"):
            address = _recover(l1_digest(connection_id, mainnet=mainnet), body.get("signature"))
            if address is not None:
                yield address, mainnet


def recover_user_signed(action: dict[str, Any], signature: Any) -> str | None:
    """The signer of a user-signed action (typed data of its own fields)."""
    primary, fields = USER_SIGNED[action["type"]]
    try:
        chain_id = int(action["signatureChainId"], 16)
        values = [_encode(kind, action.get(name, "")) for name, kind in fields]
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    signature_type = f"HyperliquidTransaction:{primary}({','.join(f'{k} {n}' for n, k in fields)})"
    domain = keccak256(
        keccak256(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
        + keccak256(b"HyperliquidSignTransaction")
        + keccak256(b"1")
        + chain_id.to_bytes(32, "big")
        + bytes(32)
    )
    struct = keccak256(keccak256(signature_type.encode()) + b"".join(values))
    return _recover(keccak256(b"\x19\x01" + domain + struct), signature)


def _encode(kind: str, value: Any) -> bytes:
    if kind == "string":
        return keccak256(str(value).encode())
    if kind == "address":
        return bytes.fromhex(str(value).removeprefix("0x")).rjust(32, b"\0")
    if kind == "bool":
        return bytes(31) + bytes([value is True])
    return int(value).to_bytes(32, "big")
