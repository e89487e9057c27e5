"""Signatures: golden vectors, the official SDK as oracle, and refusals instead of crashes."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from Crypto.Hash import keccak
from eth_account import Account
from hyperliquid.utils import signing as sdk
from hypothesis import given
from hypothesis import strategies as st

from hip3.core.orders import PendingCancel, PendingOrder, Side, Tif
from hip3.errors import SigningError
from hip3.exchange.signing import SigningKey, action_hash, keccak256, parse_secret, sign_l1_action
from hip3.exchange.wire_out import cancel_action, modify_action, order_action

KEY = "0x0123456789012345678901234567890123456789012345678901234567890123"
WALLET = Account.from_key(KEY)
OWN_VECTORS = Path(__file__).parents[1] / "golden" / "signing.json"
ADDRESS = st.binary(min_size=20, max_size=20).map(lambda b: "0x" + b.hex())
NONCE = st.integers(1, 2**48)
ASSETS = st.integers(110_000, 189_999)
NUMBERS = st.decimals(min_value="0.00001", max_value="99999", places=5, allow_nan=False)


def _padded(signature: dict[str, Any]) -> dict[str, Any]:
    return {k: f"0x{int(signature[k], 16):064x}" for k in ("r", "s")} | {"v": signature["v"]}


def _by_sdk(
    action: dict[str, Any], vault: str | None, nonce: int, expires: int | None, mainnet: bool
) -> dict[str, Any]:
    return _padded(sdk.sign_l1_action(WALLET, action, vault, nonce, expires, mainnet))


orders = st.builds(
    lambda asset, buy, px, sz, reduce_only, tif, cloid: (
        PendingOrder(
            cloid=f"0x{cloid:032x}", coin=str(asset), side=Side.BUY if buy else Side.SELL, px=px, sz=sz,
            reduce_only=reduce_only, created_ms=0, tif=tif,
        ),
        asset,
    ),
    ASSETS, st.booleans(), NUMBERS, NUMBERS, st.booleans(), st.sampled_from(Tif), st.integers(0, 2**128 - 1),
)  # fmt: skip


@given(st.lists(orders, min_size=1, max_size=5), NONCE, st.none() | ADDRESS, st.none() | NONCE, st.booleans())
def test_orders_sign_like_the_official_sdk(
    items: list[tuple[PendingOrder, int]], nonce: int, vault: str | None, expires: int | None, mainnet: bool
) -> None:
    action = order_action([order for order, _ in items], {order.coin: asset for order, asset in items})
    ours = sign_l1_action(KEY, action, nonce, vault_address=vault, expires_after=expires, mainnet=mainnet)
    assert ours == _by_sdk(action, vault, nonce, expires, mainnet)


@given(
    st.lists(st.tuples(ASSETS, st.integers(2**32, 2**53)), min_size=1, max_size=5),
    NONCE,
    st.none() | ADDRESS,
    st.booleans(),
    st.booleans(),
)
def test_cancels_sign_like_the_official_sdk(
    items: list[tuple[int, int]], nonce: int, vault: str | None, mainnet: bool, limit: bool
) -> None:
    cancels = [PendingCancel(coin=str(asset), oid=oid, created_ms=0, limit=limit) for asset, oid in items]
    action = cancel_action(cancels, {str(asset): asset for asset, _ in items})
    ours = sign_l1_action(KEY, action, nonce, vault_address=vault, mainnet=mainnet)
    assert ours == _by_sdk(action, vault, nonce, None, mainnet)


@given(orders)
def test_an_order_has_the_sdk_s_wire_form(item: tuple[PendingOrder, int]) -> None:
    order, asset = item
    kind = {"limit": {"tif": order.tif.value}}
    from hyperliquid.utils.types import Cloid

    request = {
        "coin": order.coin, "is_buy": order.side.is_buy, "sz": float(order.sz), "limit_px": float(order.px),
        "order_type": kind, "reduce_only": order.reduce_only, "cloid": Cloid.from_str(order.cloid),
    }  # fmt: skip
    wire = sdk.order_request_to_order_wire(request, asset)
    assert json.dumps(wire) == json.dumps(order_action([order], {order.coin: asset})["orders"][0])


@given(st.lists(orders, min_size=1, max_size=5), NONCE, NONCE, st.booleans())
def test_moves_sign_like_the_official_sdk(
    items: list[tuple[PendingOrder, int]], oid: int, nonce: int, mainnet: bool
) -> None:
    moved = [msgspec.structs.replace(order, replaces=oid + i) for i, (order, _) in enumerate(items)]
    action = modify_action(moved, {order.coin: asset for order, asset in items})
    ours = sign_l1_action(KEY, action, nonce, mainnet=mainnet)
    assert ours == _by_sdk(action, None, nonce, None, mainnet)
    wires = order_action([order for order, _ in items], {order.coin: asset for order, asset in items})["orders"]
    # As `Exchange.bulk_modify_orders_new` makes it.
    theirs = {"type": "batchModify", "modifies": [{"oid": oid + i, "order": wire} for i, wire in enumerate(wires)]}
    assert json.dumps(action) == json.dumps(theirs)


def test_a_cancel_has_its_wire_form() -> None:
    cancel = PendingCancel(coin="xyz:GOLD", oid=500_000_000_219, created_ms=7)
    action = cancel_action([cancel], {"xyz:GOLD": 110003})
    assert json.dumps(action) == '{"type": "cancel", "cancels": [{"a": 110003, "o": 500000000219}]}'
    limit = PendingCancel(coin="xyz:GOLD", oid=500_000_000_220, created_ms=7, limit=True)
    action = cancel_action([limit], {"xyz:GOLD": 110003})
    assert json.dumps(action) == '{"type": "cancel", "cancels": [{"a": 110003, "o": 500000000220}], "f": true}'
    assert "f" not in cancel_action([limit, cancel], {"xyz:GOLD": 110003}), "of a trigger it is refused"


@given(st.binary(max_size=1000))
def test_keccak_is_ethereum_s(data: bytes) -> None:
    assert keccak256(data) == keccak.new(digest_bits=256, data=data).digest()


def _vectors(path: Path) -> list[dict[str, Any]]:
    found = json.loads(path.read_text())["vectors"]
    return [v for v in found if v["kind"] == "l1_action"]


@pytest.mark.parametrize("vector", _vectors(OWN_VECTORS), ids=lambda v: v["name"])
def test_golden_vectors_of_our_own(vector: dict[str, Any]) -> None:
    _check(vector)


def test_published_vectors(samples: Path) -> None:
    path = samples / "signing_vectors.json"
    vectors = _vectors(path) if path.is_file() else _vectors(OWN_VECTORS)
    assert vectors
    for vector in vectors:
        _check(vector)


def _check(vector: dict[str, Any]) -> None:
    extra = {"vault_address": vector["vault_address"], "expires_after": vector["expires_after"]}
    computed = vector["computed"]
    assert "0x" + action_hash(vector["action"], vector["nonce"], **extra).hex() == computed["connection_id"]
    if vector["private_key"]:
        mainnet = vector["is_mainnet"]
        signature = sign_l1_action(vector["private_key"], vector["action"], vector["nonce"], mainnet=mainnet, **extra)
        assert signature == computed["signature"]


@pytest.mark.parametrize(
    ("action", "nonce", "extra"),
    [
        ({"type": object()}, 1, {}),
        ({"type": "noop"}, -1, {}),
        ({"type": "noop"}, 2**64, {}),
        ({"type": "noop"}, 1, {"vault_address": "0x12"}),
        ({"type": "noop"}, 1, {"expires_after": -5}),
        ({"p": Decimal(1)}, 1, {}),
    ],
)
def test_what_cannot_be_serialised_is_an_error_not_a_crash(action: Any, nonce: int, extra: Any) -> None:
    with pytest.raises(SigningError):
        action_hash(action, nonce, **extra)


def test_a_key_is_read_with_and_without_prefix_and_never_shown() -> None:
    key = SigningKey(parse_secret(f"  {KEY}\n"))
    assert key.address == WALLET.address.lower()
    assert SigningKey(parse_secret(KEY[2:])).address == key.address
    assert KEY[2:10] not in repr(key)
    for wrong in ("0x12", "zz" * 32, ""):
        with pytest.raises(SigningError) as error:
            parse_secret(wrong)
        assert wrong == "" or wrong not in str(error.value)


def test_hex_bytes_and_prepared_keys_sign_alike() -> None:
    action = {"type": "noop"}
    prepared = SigningKey(parse_secret(KEY))
    signatures = [sign_l1_action(k, action, 7, mainnet=False) for k in (KEY, parse_secret(KEY), prepared, KEY)]
    assert all(s == signatures[0] for s in signatures)
