"""Answers to `POST /info`: which function answers which type.

`answer(books, request, now)` returns (HTTP status, body): JSON values, or a `Text` for plain text.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hip3.venue.answers import annotations, spot
from hip3.venue.answers import info_account as accounts
from hip3.venue.answers import info_fees as fees
from hip3.venue.answers import info_market as markets
from hip3.venue.answers import info_vaults as vaults
from hip3.venue.answers.replies import UNPROCESSABLE, Answer, Text, account_of, user_of
from hip3.venue.answers.state_streams import web_data
from hip3.venue.books.books import Books
from hip3.venue.engine.numbers import num
from hip3.venue.engine.rules import MAX_MARKET_ORDER

__all__ = ["HANDLERS", "Answer", "Text", "answer"]


def answer(books: Books, request: Any, now_ms: int) -> Answer:
    """The answer to one info request."""
    if not isinstance(request, dict):
        return UNPROCESSABLE
    handler = HANDLERS.get(str(request.get("type")))
    if handler is None:
        return UNPROCESSABLE
    try:
        return handler(books, request, now_ms)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError):
        return UNPROCESSABLE


def _drip(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    books.drip(user_of(request), now_ms)
    return 200, None


def _empty_of_user(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """Nobody has any: there are no TWAP orders here."""
    user_of(request)
    return 200, []


def _constant(value: Any) -> Callable[[Books, dict[str, Any], int], Answer]:
    return lambda books, request, now_ms: (200, value)


HANDLERS: dict[str, Callable[[Books, dict[str, Any], int], Answer]] = {
    "perpDexs": markets.perp_dexs,
    "meta": markets.meta,
    "metaAndAssetCtxs": markets.meta_and_ctxs,
    "allPerpMetas": lambda v, r, n: (200, [markets.meta_of(v, d) for d in ["", *(d.name for d in v.dexs)]]),
    "allMids": markets.all_mids,
    "l2Book": markets.l2_book,
    "recentTrades": lambda v, r, n: (200, list(reversed(v.engine.markets[r["coin"]].trades))),
    "clearinghouseState": accounts.clearinghouse_answer,
    "spotClearinghouseState": lambda v, r, n: (200, spot.spot_state(v, account_of(v, r))),
    "openOrders": accounts.open_orders,
    "frontendOpenOrders": accounts.frontend_open_orders,
    "orderStatus": accounts.order_status,
    "historicalOrders": accounts.historical_orders,
    "userFills": accounts.user_fills,
    "userFillsByTime": accounts.user_fills_by_time,
    "userRateLimit": fees.user_rate_limit,
    "userFees": fees.user_fees,
    "maxBuilderFee": fees.max_builder_fee,
    "approvedBuilders": fees.approved_builders,
    "referral": fees.referral,
    "userRole": accounts.user_role,
    "extraAgents": lambda v, r, n: (200, v.agents.named_of(user_of(r), n)),
    "activeAssetData": accounts.active_asset_data,
    "userAbstraction": accounts.user_abstraction,
    "userDexAbstraction": accounts.user_dex_abstraction,
    "exchangeStatus": lambda v, r, n: (200, {"time": n, "specialStatuses": None}),
    "spotMeta": _constant(spot.spot_meta()),
    "spotMetaAndAssetCtxs": lambda v, r, n: spot.spot_meta_and_ctxs(),
    "perpsAtOpenInterestCap": markets.at_cap,
    "perpDexLimits": markets.dex_limits,
    "perpAnnotation": annotations.one,
    "perpConciseAnnotations": annotations.concise,
    "perpCategories": annotations.categories,
    "userStarState": annotations.star_state,
    "perpDexStatus": markets.dex_status,
    "marginTable": markets.margin_table,
    "maxMarketOrderNtls": _constant([[leverage, num(Decimal(ntl))] for leverage, ntl in MAX_MARKET_ORDER]),
    "fundingHistory": markets.funding_history,
    "predictedFundings": markets.predicted_fundings,
    "userFunding": accounts.user_funding,
    "userNonFundingLedgerUpdates": accounts.ledger,
    "subAccounts": vaults.sub_accounts,
    "subAccounts2": vaults.sub_accounts,
    "vaultDetails": vaults.vault_details,
    "userVaultEquities": vaults.user_vault_equities,
    "preTransferCheck": vaults.pre_transfer_check,
    "candleSnapshot": markets.candle_snapshot,
    "webData2": lambda v, r, n: (200, web_data(v, user_of(r), n)),
    "portfolio": accounts.portfolio,
    "twapHistory": _empty_of_user,
    "userTwapSliceFills": _empty_of_user,
    "userTwapSliceFillsByTime": _empty_of_user,
    "claimDrip": _drip,
    "embeddedExchange": lambda v, r, n: (200, {"seed": v.seed, "profile": v.profile, "signed": dict(v.signed)}),
}
"""`embeddedExchange` is our own: it tells a service without a key which seed's key number one to use,
and people for which network actions were signed."""
