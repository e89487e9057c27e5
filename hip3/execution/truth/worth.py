"""What the account is worth, by its mode, read with the comparisons. A mode that changes waits for a person's word.

Modes: docs/venue-facts.md F16. An account can be switched with one click while the service runs, and the figure that
was its worth then means something else: shares of it would be judged by the wrong whole.

Confined to the rest thread but for `agree`, which control calls: each value it sets is one step.
"""

from collections.abc import Collection, Iterable
from decimal import Decimal

from hip3.core.market import MarketSpec
from hip3.core.money import ZERO, parse
from hip3.core.ports import Journal
from hip3.errors import VenueReadError
from hip3.execution.account_view import AccountView
from hip3.execution.truth.account import AccountReport, Rest

MODES = {"disabled": "standard", "default": "standard", "unifiedAccount": "unified", "portfolioMargin": "portfolio"}
"""Answers of `userAbstraction`, and how the status names an account's mode; any other is "unknown"."""
UNKNOWN = "unknown"
MODE_MS = 55_000
"""Less than between two comparisons, and more than between two that a doubt asks for: it costs a weight of 20."""
USDC = frozenset({0})


def equity_of(
    rest: Rest, user: str, mode: str, report: AccountReport, tokens: Collection[int] | None = USDC
) -> Decimal | None:
    """What an account of a mode (see `MODES`) is worth; None where nobody knows: limits on equity then fail closed.

    Standard: the sum over the dexs that were read. Unified and portfolio: what spot shows of the collateral `tokens` of
    these dexs, each as one dollar; the gains of open positions are in it already, of all dexs (docs/venue-facts.md
    F16). USD. VenueReadError if the collateral cannot be read. Tokens of None are not known.
    """
    if mode == "standard":
        return report.equity
    return pooled_total(rest, user, tokens) if mode in ("unified", "portfolio") and tokens is not None else None


def tokens_of(specs: Iterable[MarketSpec]) -> Collection[int] | None:
    """The collateral of these markets' dexs; None if any of it is not known. USDC where there are no markets."""
    tokens = {spec.collateral_token for spec in specs}
    known = {token for token in tokens if token is not None}
    return None if len(known) < len(tokens) else known or USDC


def pooled_total(rest: Rest, user: str, tokens: Collection[int]) -> Decimal:
    """What spot shows of these tokens. VenueReadError."""
    state = rest.info_json({"type": "spotClearinghouseState", "user": user})
    try:
        # Outcome tokens and others have rows of their own, some without a token: they are no collateral.
        return sum((parse(b["total"]) for b in state["balances"] if b.get("token") in tokens), ZERO)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise VenueReadError(f"spotClearinghouseState cannot be read: {error}") from None


def read_mode(rest: Rest, user: str) -> str:
    """The account's mode, one of `MODES`' names or `UNKNOWN`. VenueReadError if nothing answers."""
    return MODES.get(str(rest.info_json({"type": "userAbstraction", "user": user})), UNKNOWN)


class Worth:
    """See the module. `agreed`: the mode that figures of before are of; None: there are none, the first one holds."""

    def __init__(
        self,
        *,
        rest: Rest,
        user: str,
        agreed: str | None,
        tokens: Collection[int] | None,
        view: AccountView,
        journal: Journal,
    ) -> None:
        self._rest, self._user, self._agreed, self._tokens = rest, user, agreed, tokens
        self._view, self._journal = view, journal
        self._next_mode_ms: int | None = None
        self._told = ""

    def read(self, report: AccountReport, now_ms: int) -> None:
        """Set the view's equity by a reading, and the mode with the first of each minute; the first of all goes by the
        mode that the start has read. VenueReadError: unknown until the next one."""
        view = self._view
        try:
            mode = self._mode(now_ms)
            equity, why = self._judged(mode, report)
        except Exception:
            view.equity, view.unknown_why = None, "it cannot be read"
            raise
        # At once: while it is read the figure of before stands.
        view.mode, view.equity, view.unknown_why = mode, equity, why

    def _mode(self, now_ms: int) -> str:
        mode = self._view.mode
        if mode == UNKNOWN or (self._next_mode_ms is not None and now_ms >= self._next_mode_ms):
            mode, self._next_mode_ms = read_mode(self._rest, self._user), None
        if self._next_mode_ms is None:
            self._next_mode_ms = now_ms + MODE_MS
        return mode

    def _judged(self, mode: str, report: AccountReport) -> tuple[Decimal | None, str]:
        """(equity, ""), or (None, why nobody knows it)."""
        if self._agreed is None:
            self._agree(mode)
        if mode != self._agreed:
            if mode != self._told:
                self._told = mode
                self._journal.record("mode_changed", was=self._agreed, now=mode)
            return None, f"the account's mode is {mode} and was {self._agreed}: ./run.sh resume takes it as it is"
        self._told = ""
        equity = equity_of(self._rest, self._user, mode, report, self._tokens)
        return equity, "" if equity is not None else f"nobody knows it in mode {mode}"

    def agree(self) -> None:
        """A person takes the account's mode as it is: shares are judged by its worth from the next reading on."""
        if self._agreed is not None and self._view.mode != self._agreed:
            self._agree(self._view.mode)
            self._view.worth_epoch += 1
            self._view.doubt()

    def _agree(self, mode: str) -> None:
        self._agreed = mode
        self._journal.keep("mode", mode)
