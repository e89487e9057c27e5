"""Whose signature is it: recovery of an L1 action's signer, to prove signing locally. Pure.

`./run.sh check` uses it; the service does not recover what it signs. The exchange learns who signed by nothing but
this recovery, so what passes here is taken there for the same address.
"""

from typing import Any

from coincurve import PublicKey

from hip3.exchange.signing import action_hash, address_of, l1_digest


def recovers(signature: dict[str, Any], action: dict[str, Any], nonce: int, address: str, *, mainnet: bool) -> bool:
    """Whether `signature` of this action was made by the key of `address` (lower case, with 0x).

    `signature` has the shape of `signing.sign_l1_action`, of an action without vault and expiry. Raises for another
    shape, or for numbers that are no signature at all.
    """
    raw = bytes.fromhex(signature["r"][2:]) + bytes.fromhex(signature["s"][2:]) + bytes([signature["v"] - 27])
    digest = l1_digest(action_hash(action, nonce), mainnet=mainnet)
    key = PublicKey.from_signature_and_message(raw, digest, hasher=None)
    return address_of(key.format(compressed=False)) == address
