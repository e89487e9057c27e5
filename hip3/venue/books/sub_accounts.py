"""Sub-accounts and vaults: addresses without a key that somebody else signs for. Pure (docs/venue-facts.md F26)."""

from decimal import Decimal
from typing import NamedTuple

from hip3.core.money import ZERO
from hip3.venue.engine.account import Account
from hip3.venue.engine.engine import Engine


class Sub(NamedTuple):
    """One sub-account."""

    address: str
    master: str
    name: str


class Vault:
    """One vault: who leads it, and who owns how many shares."""

    def __init__(self, address: str, leader: str, name: str) -> None:
        self.address, self.leader, self.name = address, leader, name
        self.shares: dict[str, Decimal] = {}

    @property
    def total(self) -> Decimal:
        return sum(self.shares.values(), ZERO)


class SubAccounts:
    """All sub-accounts and vaults."""

    def __init__(self) -> None:
        self._subs: dict[str, Sub] = {}
        self.vaults: dict[str, Vault] = {}

    def of(self, master: str) -> list[Sub]:
        """The sub-accounts of a master, oldest first."""
        return [sub for sub in self._subs.values() if sub.master == master]

    def get(self, address: str) -> Sub | None:
        """The sub-account of an address."""
        return self._subs.get(address)

    def put(self, sub: Sub) -> None:
        """Add or rename one."""
        self._subs[sub.address] = sub

    def account(self, engine: Engine, address: str, master: str) -> Account | None:
        """The account of a sub-account of `master`, or None."""
        sub = self._subs.get(address)
        return engine.account(address) if sub is not None and sub.master == master else None

    def tradable(self, engine: Engine, address: str, signer_account: str) -> Account | None:
        """The account behind a `vaultAddress` that `signer_account` may trade, or None."""
        vault = self.vaults.get(address)
        if vault is not None:
            return engine.account(address) if vault.leader == signer_account else None
        return self.account(engine, address, signer_account)
