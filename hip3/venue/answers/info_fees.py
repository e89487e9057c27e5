"""Answers about what an account pays: rates, tiers, builders, referral, the address limit."""

from datetime import UTC, datetime
from typing import Any

from hip3.core.money import ZERO
from hip3.venue.answers.replies import Answer, account_of
from hip3.venue.books.books import Books
from hip3.venue.engine import fees
from hip3.venue.engine.model import MAKER_RATE, TAKER_RATE
from hip3.venue.engine.numbers import num

_SPOT_CROSS, _SPOT_ADD = "0.0007", "0.0004"
_DAYS = 15


def user_fees(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """Rates before the HIP-3 factor, the schedule they come from, and the volume of the last days."""
    account = account_of(books, request)
    taker, maker = (TAKER_RATE, MAKER_RATE) if account is None else books.engine.base_rates(account, now_ms)
    referral = num(ZERO if account is None else account.referral)
    return 200, {
        "dailyUserVlm": _daily(books, request, now_ms), "feeSchedule": _schedule(), "userCrossRate": num(taker),
        "userAddRate": num(maker), "userSpotCrossRate": _SPOT_CROSS, "userSpotAddRate": _SPOT_ADD,
        "activeReferralDiscount": referral, "trial": None, "feeTrialEscrow": "0.0",
        "nextTrialAvailableTimestamp": None, "stakingLink": None,
        "activeStakingDiscount": {"bpsOfMaxSupply": "0.0", "discount": "0.0"},
    }  # fmt: skip


def _daily(books: Books, request: dict[str, Any], now_ms: int) -> list[dict[str, str]]:
    account, today = account_of(books, request), now_ms // fees.DAY_MS
    rows = []
    for day in range(today - _DAYS + 1, today + 1):
        taken, made = (ZERO, ZERO) if account is None else account.daily.get(day, (ZERO, ZERO))
        date = datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()
        everybody = num(books.engine.volume_of(day))
        rows.append({"date": date, "userCross": num(taken), "userAdd": num(made), "exchange": everybody})
    return rows


def _schedule() -> dict[str, Any]:
    vip = [
        {
            "ntlCutoff": num(tier.cutoff), "cross": num(tier.cross), "add": num(tier.add),
            "spotCross": _SPOT_CROSS, "spotAdd": _SPOT_ADD,
        }
        for tier in fees.VIP
    ]  # fmt: skip
    makers = [{"makerFractionCutoff": num(share), "add": num(rate)} for share, rate in fees.MAKER_SHARES]
    return {
        "cross": num(TAKER_RATE), "add": num(MAKER_RATE), "spotCross": _SPOT_CROSS, "spotAdd": _SPOT_ADD,
        "tiers": {"vip": vip, "mm": makers}, "referralDiscount": num(fees.REFERRAL_DISCOUNT),
        "stakingDiscountTiers": [{"bpsOfMaxSupply": "0.0", "discount": "0.0"}],
    }  # fmt: skip


def max_builder_fee(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """The approved fee of a builder in tenths of a basis point, 0 without."""
    account, builder = account_of(books, request), str(request["builder"]).lower()
    return 200, 0 if account is None else account.builders.get(builder, 0)


def approved_builders(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """Addresses of the builders an account has approved."""
    account = account_of(books, request)
    return 200, [] if account is None else list(account.builders)


def referral(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """What an account has of the referral scheme; nobody's code is anybody's here."""
    account = account_of(books, request)
    volume = num(ZERO if account is None else account.volume)
    return 200, {
        "referredBy": None, "cumVlm": volume, "unclaimedRewards": "0.0", "claimedRewards": "0.0",
        "builderRewards": "0.0", "tokenToState": [],
        "referrerState": {"stage": "needToTrade", "data": {"required": "10000.0"}}, "rewardHistory": [],
    }  # fmt: skip


def user_rate_limit(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """The address limit: 10,000 actions and one per dollar traded."""
    account = account_of(books, request)
    used, cap, volume = (
        (0, 10_000, ZERO) if account is None else (account.actions_used, account.action_cap, account.credited)
    )
    surplus = max(0, used - cap)
    return 200, {"cumVlm": num(volume), "nRequestsUsed": used, "nRequestsCap": cap, "nRequestsSurplus": surplus}
