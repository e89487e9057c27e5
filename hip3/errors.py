"""Every error hip3 raises, split by what the caller does next.

    Hip3Error
    ├── ConfigError        the settings are wrong: say all faults, exit 2
    ├── PreflightError     the exchange shows something wrong: say what, exit 4
    ├── AlreadyRunning     another instance holds the state folder: exit 6
    ├── SigningError       an action cannot be serialised or signed: lose that order, go on
    ├── NonceError         no nonce may be given out: lose that batch, go on
    ├── JournalError       an intent is not durable: take no new risk, exits and cancels go on
    ├── WireError          a frame or answer has not the shape we know: count it, go on
    └── VenueReadError     a read failed: the answer is unknown, try again
        └── RateLimited    the weight budget is spent: wait

Refusals of the risk gates are values (`core.decisions`), never errors.
Fields carry the numbers; the message is for people. None of them ever holds a key.
"""


class Hip3Error(Exception):
    """Base of all errors of hip3; never raised itself."""

    def __init__(self, message: str, **fields: object) -> None:
        if type(self) is Hip3Error:
            raise TypeError("raise a subclass of Hip3Error")
        super().__init__(message)
        self.fields = fields
        """What the error is about: cloid, coin, post_id, nonce, reason, as far as known."""


class ConfigError(Hip3Error):
    """The settings are wrong; `faults` has one sentence each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class PreflightError(Hip3Error):
    """The exchange shows that we must not trade as configured; `faults` says why."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class AlreadyRunning(Hip3Error):
    """The state folder is locked by another process."""


class SigningError(Hip3Error):
    """An action could not be serialised or signed."""


class NonceError(Hip3Error):
    """No nonce may be given out."""


class JournalError(Hip3Error):
    """A record could not be made durable."""


class WireError(Hip3Error):
    """A frame or an answer does not have the shape we know."""


class VenueReadError(Hip3Error):
    """A read of the exchange failed: nothing is known from it."""


ODD_ANSWERS = (WireError, KeyError, IndexError, TypeError, ValueError, ArithmeticError, AttributeError)
"""What code that reads an answer raises when the answer has another shape: nothing is known from it."""


class RateLimited(VenueReadError):
    """Our own weight budget, or the exchange's, is spent."""
