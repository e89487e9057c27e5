"""Signatures of L1 actions: msgpack, keccak, EIP-712, secp256k1. Pure but for the last prepared key; golden-tested.

    data         = msgpack(action) + nonce (8 bytes, big endian)
                 + 0x00 | 0x01 + 20 bytes of the vault address
                 + (only with an expiry) 0x00 + expires_after (8 bytes, big endian)
    connectionId = keccak256(data)
    signed       = EIP-712 of Agent{source: "a" on mainnet, else "b", connectionId}

The domain is {name "Exchange", version "1", chainId 1337, verifyingContract 0x00..00} on both
networks; only `source` tells them apart. Source: hyperliquid-python-sdk, `utils/signing.py`
(`l1_payload`), which fixes 1337 and the zero contract as constants of the protocol: no contract
verifies these signatures, the exchange's nodes do (docs/venue-facts.md F4).

msgpack keeps the order of a dict's keys, and the exchange re-encodes what it parsed in its own
fixed order: an action must be built with the keys in the order of docs/venue-facts.md F5, absent
keys must be absent, and number strings must be in normal form (`money.to_wire`).

A wrong byte is not refused as such: the signature then recovers to another address (see the row `User or API Wallet`
of docs/refusals.md). Called from: tick (orders, cancels), rest (noops, leverage), main (commands). Addresses are lower
case with 0x.
"""

from collections.abc import Mapping
from string import hexdigits
from typing import Any

import msgpack
from coincurve import PrivateKey
from sha3 import keccak_256

from hip3.errors import SigningError

CHAIN_ID = 1337
"""Of the protocol, on every network; no chain's."""
VERIFYING_CONTRACT = bytes(20)


def keccak256(data: bytes) -> bytes:
    """The 32-byte Keccak-256 of `data` (Ethereum's, not SHA3-256)."""
    digest: bytes = keccak_256(data).digest()
    return digest


def _word(number: int) -> bytes:
    """A number as EIP-712 encodes it: 32 bytes, big endian."""
    return number.to_bytes(32, "big")


# What is the same for all actions is hashed once, when the module is loaded.
_DOMAIN_SEPARATOR = keccak256(
    keccak256(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
    + keccak256(b"Exchange")
    + keccak256(b"1")
    + _word(CHAIN_ID)
    + VERIFYING_CONTRACT.rjust(32, b"\0")
)
_AGENT_TYPE_HASH = keccak256(b"Agent(string source,bytes32 connectionId)")
_AGENT_PREFIX = {
    True: _AGENT_TYPE_HASH + keccak256(b"a"),
    False: _AGENT_TYPE_HASH + keccak256(b"b"),
}
_DIGEST_PREFIX = b"\x19\x01" + _DOMAIN_SEPARATOR


class SigningKey:
    """A prepared secp256k1 key. Never shows its bytes: not in repr, not in errors. Any thread: it never changes."""

    __slots__ = ("_key", "address")

    def __init__(self, secret: bytes | bytearray) -> None:
        """`secret` has 32 bytes and is no more needed afterwards. SigningError if it is no key."""
        if len(secret) != 32:
            raise SigningError("a private key has 32 bytes")
        try:
            self._key = PrivateKey(bytes(secret))
        except (ValueError, TypeError):
            raise SigningError("not a valid secp256k1 private key") from None
        self.address: str = address_of(self._key.public_key.format(compressed=False))
        """Lower case, with 0x."""

    def sign_digest(self, digest: bytes) -> dict[str, Any]:
        """{"r", "s", "v"} of a 32-byte digest; r and s padded to 32 bytes, v 27 or 28."""
        raw = self._key.sign_recoverable(digest, hasher=None)
        return {"r": "0x" + raw[:32].hex(), "s": "0x" + raw[32:64].hex(), "v": raw[64] + 27}

    def __repr__(self) -> str:
        """The address, which is public."""
        return f"SigningKey({self.address})"


def address_of(public_key: bytes) -> str:
    """The address of an uncompressed public key (65 bytes, leading 0x04): lower case, with 0x."""
    return "0x" + keccak256(public_key[1:])[12:].hex()


SEED_PHRASE_WORDS = (12, 15, 18, 21, 24)


def parse_secret(text: str) -> bytearray:
    """32 key bytes from hex, with or without 0x and surrounding white space; never echoes it. SigningError for others.

    A bytearray, so that who is done with it can overwrite it; strings and the library's copy cannot be.
    """
    body = text.strip()
    body = body[2:] if body[:2] in ("0x", "0X") else body
    if len(body.split()) in SEED_PHRASE_WORDS:
        raise SigningError(
            "this is a seed phrase, which never belongs here; make an agent key on the exchange's API page"
        )
    if len(body) % 2 and all(c in hexdigits for c in body):
        raise SigningError(f"the private key has {len(body)} hexadecimal digits; it must have 64")
    try:
        secret = bytearray.fromhex(body)
    except ValueError:
        raise SigningError("the private key is not hexadecimal: it is 0x and 64 digits of 0-9, a-f") from None
    if len(secret) != 32:
        what = ", and this is as long as an address" if len(secret) == 20 else ""
        raise SigningError(f"the private key has {len(secret)} bytes; it must have 32 (64 digits){what}")
    return secret


def _address_bytes(address: str) -> bytes:
    """The 20 bytes of an address. SigningError: the settings named something else as a vault."""
    try:
        raw = bytes.fromhex(address.removeprefix("0x"))
    except (ValueError, AttributeError):
        raise SigningError(f"not an address: {address!r}") from None
    if len(raw) != 20:
        raise SigningError(f"not an address: {address!r}")
    return raw


def action_hash(
    action: Mapping[str, Any],
    nonce: int,
    *,
    vault_address: str | None = None,
    expires_after: int | None = None,
) -> bytes:
    """The connectionId of an action, 32 bytes: see the module's formula. SigningError if it cannot be made.

    `nonce` and `expires_after` are milliseconds and part of what is signed, so neither can be changed afterwards.
    """
    try:
        data = msgpack.packb(action) + nonce.to_bytes(8, "big")
        if vault_address is None:
            data += b"\x00"
        else:
            data += b"\x01" + _address_bytes(vault_address)
        if expires_after is not None:
            data += b"\x00" + expires_after.to_bytes(8, "big")
    except (TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:
        raise SigningError(f"the action cannot be serialised: {error}", nonce=nonce) from None
    return keccak256(data)


def l1_digest(connection_id: bytes, *, mainnet: bool) -> bytes:
    """The EIP-712 digest, 32 bytes, that is signed for a connectionId; `mainnet` decides the source `a` or `b`."""
    return keccak256(_DIGEST_PREFIX + keccak256(_AGENT_PREFIX[mainnet] + connection_id))


_last_prepared: tuple[str | bytes, SigningKey] | None = None


def prepare_key(private_key: str | bytes | bytearray | SigningKey) -> SigningKey:
    """A prepared key from hex, bytes or itself; the last one is kept, so repeats cost nothing. SigningError.

    The service passes prepared keys alone: no secret of its own is kept here.
    """
    # No lock: the pair is read and replaced in one step each, so at worst a key is prepared twice.
    global _last_prepared  # noqa: PLW0603
    if isinstance(private_key, SigningKey):
        return private_key
    if isinstance(private_key, bytearray):
        private_key = bytes(private_key)
    last = _last_prepared
    if last is not None and last[0] == private_key:
        return last[1]
    secret = private_key if isinstance(private_key, bytes) else parse_secret(private_key)
    prepared = SigningKey(secret)
    _last_prepared = (private_key, prepared)
    return prepared


def sign_l1_action(
    private_key: str | bytes | bytearray | SigningKey,
    action: Mapping[str, Any],
    nonce: int,
    *,
    vault_address: str | None = None,
    expires_after: int | None = None,
    mainnet: bool,
) -> dict[str, Any]:
    """Sign an L1 action: {"r": "0x..", "s": "0x..", "v": 27 | 28}. SigningError on failure.

    The same five arguments must be in what is sent (`wire_out.signed_body`): whatever differs makes another signer.
    """
    key = prepare_key(private_key)
    connection_id = action_hash(action, nonce, vault_address=vault_address, expires_after=expires_after)
    return key.sign_digest(l1_digest(connection_id, mainnet=mainnet))
