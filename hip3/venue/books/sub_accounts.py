"""Sub-accounts and vaults: addresses without a key that somebody else signs for. Pure (docs/venue-facts.md F26).

Their cash and positions are the engine's, in accounts like anybody's; here is whose they are. Whether an action may
make, rename or fund one is decided by the action.
"""

from decimal import Decimal
from typing import NamedTuple

from hip3.core.money import ZERO
from hip3.venue.engine.account import Account
from hip3.venue.engine.engine import Engine


class Sub(NamedTuple):
    """One sub-account; its address follows from its master's and never changes."""

    address: str
    master: str
    name: str


class Vault:
    """One vault: who leads it, and who owns how many shares.

    `shares` is by depositor. A share has no fixed value: it is worth the vault's account value over `total`; the
    first deposit gets one per USD.
    """

    def __init__(self, address: str, leader: str, name: str) -> None:
        self.address, self.leader, self.name = address, leader, name
        self.shares: dict[str, Decimal] = {}

    @property
    def total(self) -> Decimal:
        """All shares; 0 before the first deposit."""
        return sum(self.shares.values(), ZERO)


class SubAccounts:
    """All sub-accounts and vaults. `vaults` is by address and complete from the start."""

    def __init__(self) -> None:
        self.by_address: dict[str, Sub] = {}
        self.vaults: dict[str, Vault] = {}

    def of(self, master: str) -> list[Sub]:
        """The sub-accounts of a master, oldest first; renaming keeps the place."""
        return [sub for sub in self.by_address.values() if sub.master == master]

    def get(self, address: str) -> Sub | None:
        """The sub-account of an address; None if it is none."""
        return self.by_address.get(address)

    def put(self, sub: Sub) -> None:
        """Add one, or replace the one with its address: a rename. The account itself is funded by the caller."""
        self.by_address[sub.address] = sub

    def account(self, engine: Engine, address: str, master: str) -> Account | None:
        """The account of a sub-account of `master`, or None if `address` is not one of its."""
        sub = self.by_address.get(address)
        return engine.account(address) if sub is not None and sub.master == master else None

    def tradable(self, engine: Engine, address: str, signer_account: str) -> Account | None:
        """The account behind a `vaultAddress` that `signer_account` may trade, or None.

        `signer_account` is the account behind the key: an agent may trade what its master may.
        """
        vault = self.vaults.get(address)
        if vault is not None:
            return engine.account(address) if vault.leader == signer_account else None
        return self.account(engine, address, signer_account)
