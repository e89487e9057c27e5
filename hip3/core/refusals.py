"""The closed table of the exchange's refusals: what each means and what follows from it.

Texts are matched by prefix, because the live venue appends ` asset=N`; order statuses by name. A text
that is not here takes the conservative row (`UNKNOWN_TEXT`): not expected, counts toward HardStop, and is
reported once. Sources: the texts of docs/venue-facts.md F6 and F11. `docs/refusals.md` is printed from
this table, and a test compares the two.

Pure. What reads it: the RiskMonitor (`counts`), the report of new texts, metrics (`kind`). Nothing here sends an
order again.
"""

import enum

import msgspec


class Kind(enum.Enum):
    """Whose business a refusal is."""

    EXPECTED = "expected"
    """A correct order can meet it: no back-off, no count."""
    OURS = "ours to fix"
    """We sent something wrong: counts, and somebody must look."""
    TRANSIENT = "transient"
    """The exchange's or the network's state; goes away by itself."""
    ACCOUNT = "account"
    """Funds, permissions, limits of the account."""
    FATAL = "fatal"
    """Nothing will work until a person acts."""


class Refusal(msgspec.Struct, frozen=True):
    """One row."""

    prefix: str
    """How the text begins; empty in rows that stand for no text."""
    kind: Kind
    counts: bool
    """Whether it counts toward the HardStop's refusals per hour."""
    cause: str
    """For people, like the advice."""
    advice: str
    statuses: tuple[str, ...] = ()
    """Order statuses that say the same in streams and queries."""
    retry: bool = False
    """Whether the same wish may be tried again (by a new order)."""


_E, _O, _T, _A, _F = Kind.EXPECTED, Kind.OURS, Kind.TRANSIENT, Kind.ACCOUNT, Kind.FATAL

CONTRADICTIONS = ("Reduce only order would increase position", "reduceOnlyRejected")
"""How refusals begin that contradict our books: the exchange has no position that the order could close."""

FORM = (
    "Price must be divisible by tick size", "tickRejected", "Order has invalid price", "Order has zero price",
    "Order has invalid size", "Order has zero size", "Order must have minimum value of", "minTradeNtlRejected",
    "Invalid asset",
)  # fmt: skip
"""How refusals begin that are about the order's form: the market's number, lot or tick may be others by now."""

# No prefix begins another one: at most one row fits a text, and the order of the rows is for readers.
TABLE: tuple[Refusal, ...] = (
    Refusal(
        "Order could not immediately match", _E, False, "the quote was gone when the IOC arrived",
        "nothing", ("iocCancelRejected",), True,
    ),
    Refusal(
        "Post only order would have immediately matched", _E, False, "the market moved through the quote",
        "nothing", ("badAloPxRejected",), True,
    ),
    Refusal(
        "Reduce only order would increase position", _E, False, "the position was already closed or turned",
        "nothing; positions are compared at once", ("reduceOnlyRejected", "reduceOnlyCanceled"),
    ),
    Refusal(
        "Order must have minimum value of", _E, False, "the notional shrank below $10 on the way",
        "nothing", ("minTradeNtlRejected", "minTradeSpotNtlRejected"),
    ),
    Refusal("Order has zero size", _E, False, "the size rounded to nothing", "nothing"),
    Refusal(
        "No liquidity available for market order", _E, False, "the other side of the book was empty",
        "nothing", ("marketOrderNoLiquidityRejected",), True,
    ),
    Refusal(
        "Order was never placed, already canceled, or filled", _E, False, "the order ended before the cancel",
        "nothing; the order is looked up",
    ),
    Refusal(
        "Price must be divisible by tick size", _O, True, "the price has too many figures for this market",
        "report it; stop trading the market until its precision is known", ("tickRejected",),
    ),
    Refusal("Order has invalid price", _O, True, "the price has too many decimals", "report it"),
    Refusal("Order has invalid size", _O, True, "the size has too many decimals", "report it"),
    Refusal("Order has zero price", _O, True, "the price rounded to nothing", "report it"),
    Refusal("Orders are empty", _O, True, "an action without orders was sent", "report it"),
    Refusal("Order action has different asset classes", _O, True, "perps and spot in one action", "report it"),
    Refusal("Trigger order is not reduce only", _O, True, "a TP/SL order without reduce-only", "report it"),
    Refusal("Invalid TIF", _O, True, "an unknown time in force", "report it"),
    Refusal("Invalid asset", _O, True, "the asset id does not exist", "check HIP3_MARKETS; restart to learn the ids"),
    Refusal(
        "Invalid TP/SL price", _O, True, "the trigger is already on the wrong side", "none",
        ("badTriggerPxRejected",),
    ),
    Refusal("Attempted to modify to invalid new order", _O, True, "the new order is not allowed", "report it"),
    Refusal("Cannot modify canceled or filled order", _E, False, "the order ended before", "nothing"),
    Refusal(
        "Order price cannot be more than", _O, True, "the limit is far from the reference price",
        "check the market's data",
    ),
    Refusal("Order value too large", _O, True, "the order is above the market's maximum", "lower the limits"),
    Refusal("Invalid leverage value", _O, True, "HIP3_LEVERAGE is above the market's maximum", "lower HIP3_LEVERAGE"),
    Refusal(
        "Cross margin is not allowed for this asset", _O, True, "the market is isolated-only", "report it",
    ),
    Refusal("Signed action over weight limit", _O, True, "more than 200 items in one action", "report it"),
    Refusal("Nonce mismatch", _O, True, "inner and outer nonce differ", "report it"),
    Refusal(
        "Price too far from oracle", _T, False, "the limit is too far from the oracle", "wait",
        ("oracleRejected",), True,
    ),
    Refusal("Order price too far from oracle", _T, False, "the limit is too far from the oracle", "wait", (), True),
    Refusal(
        "Order would increase open interest while", _T, False, "the market is at its open-interest cap", "wait",
        ("positionIncreaseAtOpenInterestCapRejected", "positionFlipAtOpenInterestCapRejected",
         "openInterestCapCanceled"), True,
    ),
    Refusal(
        "Order rejected due to price more aggressive than oracle", _T, False,
        "the market is at its open-interest cap", "wait", ("tooAggressiveAtOpenInterestCapRejected",), True,
    ),
    Refusal(
        "Order would increase open interest too quickly", _T, False, "open interest grows too fast", "wait",
        ("openInterestIncreaseRejected",), True,
    ),
    Refusal(
        "Only post-only orders allowed immediately after", _T, False, "the minutes after a network upgrade",
        "wait a few minutes", (), True,
    ),
    Refusal("Trading is halted", _T, False, "the deployer halted the market", "wait, or leave the market out"),
    Refusal("Action already expired", _T, False, "it arrived after expiresAfter", "check clock and latency", (), True),
    Refusal("too many pending post requests", _T, False, "more than 100 posts in flight", "lower HIP3_MAX_INFLIGHT"),
    Refusal("429", _T, False, "the address or IP sent too much", "fewer services on one address", (), True),
    Refusal(
        "Insufficient margin to place order", _A, True, "the account has too little free margin on this dex",
        "deposit or transfer collateral to the dex, or lower the limits",
        ("perpMarginRejected", "marginCanceled"),
    ),
    Refusal(
        "Insufficient spot balance", _A, True, "too little spot balance", "deposit",
        ("insufficientSpotBalanceRejected",),
    ),
    Refusal("Order has insufficient spot balance", _A, True, "too little spot balance", "deposit"),
    Refusal(
        "Order would cause position to exceed margin tier limit", _A, True, "too large for the leverage",
        "lower leverage or size", ("perpMaxPositionRejected", "perpMaxPositionCanceled"),
    ),
    Refusal(
        "Too many open orders", _A, True, "the account's limit of open orders", "cancel some",
        ("tooManyOpenOrdersRejected",),
    ),
    Refusal(
        "Too many cumulative requests sent", _A, False, "the address budget is spent (10,000 + 1 per USDC traded)",
        "trade less often, or reserve request weight on the exchange", (), True,
    ),
    Refusal("Cannot switch leverage type with open position", _A, True, "close the position first", "close it"),
    Refusal("Isolated position does not have sufficient margin", _A, True, "margin too low", "add margin"),
    Refusal("Cross position does not have sufficient margin", _A, True, "margin too low", "deposit"),
    Refusal("Cannot set scheduled cancel time until", _A, False, "less than $1,000,000 traded so far", "none"),
    Refusal("Builder fee has not been approved", _A, True, "approve the builder", "approve it"),
    Refusal("Insufficient balance for token transfer", _A, True, "too little balance", "deposit"),
    Refusal(
        "Invalid nonce", _O, True, "two processes share the key, or the clock jumped",
        "run one service per key; set the clock",
    ),
    Refusal(
        "User or API Wallet", _F, True,
        "the signature recovers to an address the exchange does not know: wrong key, an agent that is not "
        "approved or has expired, or an account without deposit",
        "./run.sh check names which",
    ),
    Refusal("Must deposit before performing actions", _F, True, "the account is not funded", "deposit"),
    Refusal("Unable to recover signer", _F, True, "the signature is damaged", "reinstall; report it"),
    Refusal("Mainnet and testnet require different signature", _F, True, "wrong network", "check HIP3_NETWORK"),
    Refusal("Vault not registered", _F, True, "HIP3_VAULT_ADDRESS is no vault of this account", "correct it"),
    Refusal("Sub-account", _F, True, "HIP3_VAULT_ADDRESS is no sub-account of this account", "correct it"),
    Refusal("Multi-sig required", _F, True, "the account was made multi-sig", "use another account"),
    Refusal("400", _O, True, "the request is not JSON", "report it"),
    Refusal("415", _O, True, "wrong content type", "report it"),
    Refusal("422", _O, True, "the request has a shape the exchange does not know", "report it"),
)  # fmt: skip

UNKNOWN_TEXT = Refusal("", Kind.OURS, True, "a refusal this version does not know", "report its text")
"""The conservative row; callers compare by identity to see that a text is new."""

_BY_STATUS = {status: row for row in TABLE for status in row.statuses}
_GENERIC_STATUS = Refusal("", Kind.TRANSIENT, True, "refused at placement, no reason given", "look at the account")


def classify(text: str) -> Refusal:
    """The row of a refusal text or an order status; the conservative one if it is new.

    Statuses must be whole words, texts need only begin like a row: ` asset=N` may stay on (docs/venue-facts.md F11).
    """
    found = _BY_STATUS.get(text)
    if found is not None:
        return found
    if text == "rejected":  # the bare word: refused at placement, without a reason
        return _GENERIC_STATUS
    for row in TABLE:
        if text.startswith(row.prefix):
            return row
    return UNKNOWN_TEXT


def document() -> str:
    """The text of docs/refusals.md: the table as Markdown, in its own order."""
    lines = [
        "# Refusals of the exchange",
        "",
        "Printed from `hip3/core/refusals.py`. *Counts* means toward the HardStop's refusals per hour.",
        "",
        "| text begins with | order status | class | counts | cause | what to do |",
        "|---|---|---|---|---|---|",
    ]
    for row in TABLE:
        statuses = ", ".join(row.statuses) or "–"
        counts = "yes" if row.counts else "no"
        lines.append(f"| {row.prefix} | {statuses} | {row.kind.value} | {counts} | {row.cause} | {row.advice} |")
    unknown = UNKNOWN_TEXT
    lines.append(f"| anything else | – | {unknown.kind.value} | yes | {unknown.cause} | {unknown.advice} |")
    return "\n".join(lines) + "\n"
