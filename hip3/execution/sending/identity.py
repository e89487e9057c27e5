"""Who signs, and for whom: agent wallet, account and vault kept apart. A value."""

import msgspec

from hip3.exchange.signing import SigningKey


class Identity(msgspec.Struct, frozen=True):
    """`key` signs (perhaps an agent's); `account` is read and subscribed; `vault` goes into the signature."""

    key: SigningKey
    account: str
    vault: str | None
    mainnet: bool
