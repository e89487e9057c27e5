"""Whose signature is it: recovery of an L1 action's signer, to prove signing locally."""

from typing import Any

from coincurve import PublicKey

from hip3.exchange.signing import action_hash, address_of, l1_digest


def recovers(signature: dict[str, Any], action: dict[str, Any], nonce: int, address: str, *, mainnet: bool) -> bool:
    """Whether `signature` of this action was made by the key of `address`."""
    raw = bytes.fromhex(signature["r"][2:]) + bytes.fromhex(signature["s"][2:]) + bytes([signature["v"] - 27])
    digest = l1_digest(action_hash(action, nonce), mainnet=mainnet)
    key = PublicKey.from_signature_and_message(raw, digest, hasher=None)
    return address_of(key.format(compressed=False)) == address
