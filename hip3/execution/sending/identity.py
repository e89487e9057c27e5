"""Who signs, and for whom: agent wallet, account and vault kept apart. A value."""

import msgspec

from hip3.exchange.signing import SigningKey


class Identity(msgspec.Struct, frozen=True):
    """`key` signs (perhaps an agent's); `account` is read and subscribed; `vault` goes into the signature."""

    key: SigningKey
    account: str
    """Address of whom positions, orders and fills belong to (the vault, when there is one); lower case, with 0x."""
    vault: str | None
    """The sub-account or vault traded for; None for the account itself (docs/venue-facts.md F26)."""
    mainnet: bool
    """The network is part of what is signed (docs/venue-facts.md F4)."""
