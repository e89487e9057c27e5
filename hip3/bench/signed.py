"""Order to signed WebSocket frame: the production path, the bare floor, the official SDK."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgpack
import msgspec
from coincurve import PrivateKey

from hip3.bench import reference
from hip3.bench.rows import Row, absent, at_least, at_most, beside, ours
from hip3.bench.stats import Samples, side_by_side, time_calls
from hip3.core.orders import ActionBatch, CancelBatch, OrderBatch, PendingCancel, PendingOrder, Side
from hip3.exchange.signing import SigningKey, keccak256, sign_l1_action
from hip3.exchange.wire_out import cancel_action, order_action, post_frame, signed_body

COIN, ASSET = "xyz:GOLD", 110_003
SECRET = bytes(range(1, 33))
NONCE, EXPIRES = 1_790_000_000_000, 1_790_000_005_000
MAX_FLOORS = at_most(1.5)
MIN_WITH, MIN_WITHOUT = at_least(5), at_least(40)
SDK_WITH, SDK_WITHOUT = "SDK, with coincurve", "SDK, without coincurve"
PURE_SHARE = 50
"""The pure Python signer is so slow that it gets this part of the calls."""


def signed_frame(
    batch: ActionBatch, asset_ids: dict[str, int], key: SigningKey, nonce: int, expires: int | None, post_id: int
) -> str:
    """What the tick does from batch to text, by the same functions (`execution.loop`)."""
    if isinstance(batch, CancelBatch):
        action = cancel_action(batch.cancels, asset_ids)
    else:
        action = order_action(batch.orders, asset_ids)
    signature = sign_l1_action(key, action, nonce, expires_after=expires, mainnet=False)
    return post_frame(post_id, signed_body(action, nonce, signature, None, expires))


def sample_order(number: int) -> PendingOrder:
    """An entry like the service's."""
    return PendingOrder(
        cloid=f"0x68697033{number:024x}", coin=COIN, side=Side.BUY, px=Decimal("4012.3"), sz=Decimal("0.0123"),
        reduce_only=False, created_ms=NONCE,
    )  # fmt: skip


def batches() -> dict[str, tuple[ActionBatch, int | None]]:
    """What is signed, and whether it expires."""
    ten = tuple(sample_order(n) for n in range(10))
    cancel = CancelBatch((PendingCancel(coin=COIN, oid=500_000_000_219, created_ms=NONCE),))
    return {
        "1 order": (OrderBatch(ten[:1]), EXPIRES),
        "10 orders": (OrderBatch(ten), EXPIRES),
        "cancel": (cancel, None),
    }


def measure(count: int) -> Iterable[Row]:
    """Rows of every batch."""
    key = SigningKey(SECRET)
    for name, (batch, expires) in batches().items():
        yield from _rows(f"signed frame, {name}", batch, expires, key, count, judged=name == "1 order")


def _rows(
    path: str, batch: ActionBatch, expires: int | None, key: SigningKey, count: int, *, judged: bool
) -> Iterable[Row]:
    ids = {COIN: ASSET}
    action = cancel_action(batch.cancels, ids) if isinstance(batch, CancelBatch) else order_action(batch.orders, ids)
    body = signed_body(action, NONCE, sign_l1_action(key, action, NONCE, mainnet=False), None, expires)
    native = PrivateKey(SECRET)
    message = {"method": "post", "id": 1, "request": {"type": "action", "payload": body}}

    def floor(n: int) -> bytes:
        """One signature, three keccaks, msgpack, JSON: nothing of it can be left out."""
        once = keccak256(msgpack.packb(action))
        native.sign_recoverable(keccak256(keccak256(once)), hasher=None)
        return msgspec.json.encode(message)

    calls = {"ours": lambda n: signed_frame(batch, ids, key, NONCE + n, expires, n), "bare floor": floor}
    sdk = reference.module("utils.signing")
    if sdk is not None:
        wallet = reference.wallet(SECRET)
        calls[SDK_WITH] = lambda n: sdk.sign_l1_action(wallet, action, None, NONCE + n, expires, False)
    taken = side_by_side(calls, count)
    yield ours(path, taken["ours"])
    yield beside(path, taken["ours"], "bare floor", taken["bare floor"], MAX_FLOORS if judged else None)
    yield from _sdk_rows(path, sdk, taken, action, expires, count, judged=judged)


def _sdk_rows(
    path: str, sdk: Any, taken: dict[str, Samples], action: Any, expires: int | None, count: int, *, judged: bool
) -> Iterable[Row]:
    with_goal, without_goal = (MIN_WITH, MIN_WITHOUT) if judged else (None, None)
    if sdk is None:
        yield absent(path, SDK_WITH, with_goal)
        yield absent(path, SDK_WITHOUT, without_goal)
        return
    pure_count = max(1, count // PURE_SHARE)
    wallet = reference.wallet(SECRET)
    with reference.pure_python():
        pure = Samples.of(
            time_calls(lambda n: sdk.sign_l1_action(wallet, action, None, NONCE + n, expires, False), 0, pure_count)
        )
    yield beside(path, taken["ours"], SDK_WITH, taken[SDK_WITH], with_goal, faster=True)
    yield beside(path, taken["ours"], SDK_WITHOUT, pure, without_goal, faster=True)
