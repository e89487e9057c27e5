"""The account by its last whole reading, and whether that is doubted."""

from decimal import Decimal


class AccountView:
    """Written by the rest thread; any thread may doubt. Each value is one step, so nobody takes a lock."""

    def __init__(self) -> None:
        self.equity: Decimal | None = None
        """What the account is worth, in USD; None while unknown."""
        self.marks: dict[str, Decimal] = {}
        """Marks of the last reading: for positions in markets that are not configured, and so not fed."""
        self.doubted = False
        """Something contradicts our books: the account is to be read soon."""
        self.storm = False
        """Too many orders that are not ours: everything is to be read, and nothing entered before."""

    def doubt(self) -> None:
        """Ask for a reading soon."""
        self.doubted = True
