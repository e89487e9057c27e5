"""Asset ids from `perpDexs` and `meta`, and what refuses the start."""

from decimal import Decimal
from typing import Any

import pytest

from hip3.errors import PreflightError, WireError
from hip3.exchange.registry import changed, dex_indices, maker_rate, parse_meta, permissioned, select, taker_rate
from tests.builders import spec

RATE = Decimal("0.00045")
SCALE = {"deployerFeeScale": "1.0"}


def _meta(*names: str, **extra: Any) -> dict[str, Any]:
    return {"universe": [{"name": n, "szDecimals": 2, "maxLeverage": 10} | extra for n in names]}


def test_the_null_head_counts_and_delisted_markets_keep_their_place() -> None:
    dexs = dex_indices([None, {"name": "flx"}, {"name": "xyz"} | SCALE])
    meta = _meta("xyz:A", "xyz:B", "xyz:C")
    meta["universe"][1]["isDelisted"] = True
    specs, blocked = parse_meta("xyz", *dexs["xyz"], meta, RATE)
    assert {c: s.asset_id for c, s in specs.items()} == {"xyz:A": 120000, "xyz:B": 120001, "xyz:C": 120002}
    assert blocked == {"xyz:B": "delisted"}


@pytest.mark.parametrize("answer", [[{"name": "xyz"}], [], {}, None, [None, {"nom": "xyz"}]])
def test_a_list_of_another_shape_is_not_numbered(answer: Any) -> None:
    with pytest.raises(WireError):
        dex_indices(answer)


@pytest.mark.parametrize("decimals", [None, "2", -1, 9, True])
def test_a_market_whose_precision_is_unknown_is_blocked_and_the_others_are_not(decimals: Any) -> None:
    meta = _meta("xyz:A", "xyz:B")
    meta["universe"][0]["szDecimals"] = decimals
    specs, blocked = parse_meta("xyz", 1, SCALE, meta, RATE)
    assert blocked == {"xyz:A": "tick_size_unknown"}
    assert select(["xyz:A", "xyz:B"], specs, blocked) == {"xyz:B": specs["xyz:B"]}


def test_missing_delisted_and_ambiguous_markets_refuse_the_start_all_at_once() -> None:
    meta = _meta("xyz:GOLD", "xyz:OLD", "xyz:TWICE", "xyz:TWICE")
    meta["universe"][1]["isDelisted"] = True
    specs, blocked = parse_meta("xyz", 1, SCALE, meta, RATE)
    with pytest.raises(PreflightError) as error:
        select(["xyz:GOLDE", "xyz:OLD", "xyz:TWICE"], specs, blocked)
    faults = error.value.faults
    assert len(faults) == 3
    assert "did you mean xyz:GOLD?" in faults[0]
    assert "delisted" in faults[1]
    assert "ambiguous" in faults[2]


def test_what_is_gone_is_blocked_with_its_reason_and_the_rest_goes_on() -> None:
    meta = _meta("xyz:GOLD", "xyz:OLD")
    meta["universe"][1]["isDelisted"] = True
    specs, blocked = parse_meta("xyz", 1, SCALE, meta, RATE)
    assert list(select(["xyz:GOLD", "xyz:OLD", "xyz:NONE"], specs, blocked)) == ["xyz:GOLD", "xyz:OLD"]
    assert blocked["xyz:OLD"] == "delisted"  # looked after: it may be listed again
    assert "does not exist" in blocked["xyz:NONE"]


@pytest.mark.parametrize(
    ("entry", "isolated"),
    [
        ({"marginMode": "noCross"}, True),
        ({"marginMode": "strictIsolated"}, True),
        ({"onlyIsolated": True}, True),
        ({}, False),
    ],
)
def test_margin_modes(entry: dict[str, Any], isolated: bool) -> None:
    specs, _ = parse_meta("xyz", 1, SCALE, _meta("xyz:A", **entry), RATE)
    assert specs["xyz:A"].isolated_only is isolated


def test_the_account_s_own_rate_after_referral() -> None:
    assert taker_rate({"userCrossRate": "0.0004", "activeReferralDiscount": "0.04"}) == Decimal("0.000384")
    assert taker_rate(None) == RATE
    with pytest.raises(WireError):
        taker_rate({"userCrossRate": "cheap"})


def test_changes_that_stop_a_market() -> None:
    old = spec()
    assert changed(old, spec()) is None
    assert changed(old, spec(taker_fee_bps=Decimal(1))) is None
    assert changed(old, spec(sz_decimals=3)) == "tick_size_unknown"
    assert changed(old, spec(asset_id=1)) == "asset id changed"
    assert changed(old, None) == "gone from meta"


@pytest.mark.parametrize(
    ("scale", "growth", "fee"),
    [
        ("1.0", None, "9"),
        ("0.5", "disabled", "6.75"),
        ("3", "disabled", "27"),
        ("9.99", "enabled", "8.991"),
        ("0", None, "4.5"),
    ],
)
def test_a_market_s_own_fee_scale_wins_over_its_dex_s(scale: str, growth: str | None, fee: str) -> None:
    meta = _meta("xyz:A", deployerFeeScale=scale, **({} if growth is None else {"growthMode": growth}))
    specs, blocked = parse_meta("xyz", 1, {"deployerFeeScale": "2"}, meta, RATE)
    assert not blocked
    assert specs["xyz:A"].taker_fee_bps == Decimal(fee)


@pytest.mark.parametrize("extra", [{}, {"deployerFeeScale": None}, {"deployerFeeScale": "much"}])
def test_a_market_whose_fee_nobody_tells_is_closed_and_what_is_held_there_can_be_left(extra: dict[str, Any]) -> None:
    meta = _meta("xyz:A", **extra)
    meta["universe"].append({"name": "xyz:B", "szDecimals": 2, "maxLeverage": 10, "deployerFeeScale": "1"})
    specs, blocked = parse_meta("xyz", 1, {}, meta, RATE)
    assert blocked == {"xyz:A": "its fee scale is not known"}
    assert list(select(["xyz:A", "xyz:B"], specs, blocked)) == ["xyz:A", "xyz:B"]
    assert blocked == {"xyz:A": "its fee scale is not known"}
    assert specs["xyz:A"].sz_decimals == 2


def test_what_meta_does_not_say_is_not_known() -> None:
    meta = _meta("xyz:A")
    del meta["universe"][0]["maxLeverage"]
    meta.pop("collateralToken", None)
    found = parse_meta("xyz", 1, {"deployerFeeScale": "1"}, meta, RATE)[0]["xyz:A"]
    assert (found.max_leverage, found.collateral_token) == (None, None)
    assert changed(found, found) is None
    assert "max_leverage changed from 10" in (changed(spec(max_leverage=10), spec(max_leverage=None)) or "")


def test_more_leverage_than_before_is_no_reason_to_stop_and_less_is() -> None:
    old = spec(max_leverage=25)
    assert changed(old, spec(max_leverage=30)) is None
    assert "max_leverage" in (changed(old, spec(max_leverage=20)) or "")


def test_a_maker_rate_has_its_factors_and_a_rebate_none_but_growth() -> None:
    assert maker_rate(
        {"userCrossRate": "0.00045", "userAddRate": "0.00015", "activeReferralDiscount": "0.04"}
    ) == Decimal("0.000144")
    assert maker_rate({"userAddRate": "-0.00002", "activeReferralDiscount": "0.04"}) == Decimal("-0.00002")
    assert maker_rate({"userCrossRate": "0.00045"}) is None
    assert maker_rate(None) is None
    with pytest.raises(WireError):
        maker_rate({"userAddRate": "cheap"})
    meta = _meta("xyz:A", deployerFeeScale="1.0", growthMode="enabled")
    for maker, bps in (("0.00015", "0.3"), ("-0.00002", "-0.02")):
        found, _ = parse_meta("xyz", 1, {}, meta, RATE, Decimal(maker))
        assert found["xyz:A"].maker_fee_bps == Decimal(bps)


def test_a_permissioned_dex_is_known_by_its_mark() -> None:
    dexs = dex_indices([None, {"name": "xyz"}, {"name": "star", "isStar": True}, {"name": "no", "isStar": False}])
    assert permissioned(dexs) == {"star"}
