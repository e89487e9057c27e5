"""Shapes of JSON: keys, types, nesting and number formats, without the values.

`tests/golden/venue_shapes.json` holds the shapes of captured payloads of the live exchange, with where each came
from. It is made from the captures by `python -m tests.venue.shapes SAMPLES > tests/golden/venue_shapes.json`; the
tests need the golden file only.

A shape is a class name for plain values ("number" is a string with a point in it, "count" a bare integer), a
dict of shapes (a key that not every element has ends in "?"), a list with one shape for all elements, or
{"tuple": [...]} for lists whose places mean different things.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

_CLASSES = (
    ("number", re.compile(r"-?\d+\.\d+")),
    ("address", re.compile(r"0x[0-9a-fA-F]{40}")),
    ("hash", re.compile(r"0x[0-9a-fA-F]{64}")),
    ("cloid", re.compile(r"0x[0-9a-fA-F]{32}")),
)


def _of_text(text: str) -> str:
    return next((name for name, pattern in _CLASSES if pattern.fullmatch(text)), "text")


def shape(value: Any) -> Any:
    """The shape of a decoded JSON value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "count"
    if isinstance(value, str):
        return _of_text(value)
    if value is None:
        return "null"
    if isinstance(value, float):
        return "float"
    if isinstance(value, dict):
        return {key: shape(v) for key, v in value.items()}
    return _of_list([shape(v) for v in value])


def _of_list(shapes: list[Any]) -> Any:
    kinds = {type(s) for s in shapes if s != "null"}
    if len(kinds) > 1 and not any(isinstance(s, dict) and "any" in s for s in shapes):
        return {"tuple": shapes}
    if not shapes:
        return []
    merged = shapes[0]
    for other in shapes[1:]:
        merged = merge(merged, other)
    return [merged]


def _options(value: Any) -> list[Any]:
    return list(value["any"]) if isinstance(value, dict) and "any" in value else [value]


def merge(a: Any, b: Any) -> Any:
    """A shape that both have."""
    if a == b:
        return a
    options: list[Any] = []
    for other in (*_options(a), *_options(b)):
        for n, mine in enumerate(options):
            if isinstance(other, dict | list) and type(mine) is type(other):
                options[n] = _joined(mine, other)
                break
            if mine == other:
                break
        else:
            options.append(other)
    return options[0] if len(options) == 1 else {"any": sorted(options, key=json.dumps)}


def _joined(a: Any, b: Any) -> Any:
    """Two dicts, or two lists."""
    if isinstance(a, list):
        return [merge(a[0], b[0])] if a and b else a or b
    if "tuple" in a and "tuple" in b and len(a["tuple"]) == len(b["tuple"]):
        return {"tuple": [merge(x, y) for x, y in zip(a["tuple"], b["tuple"], strict=True)]}
    return _merge_keys(a, b)


def _merge_keys(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key in dict.fromkeys(k.rstrip("?") for k in (*a, *b)):
        mine, theirs = a.get(key, a.get(key + "?")), b.get(key, b.get(key + "?"))
        always = key in a and key in b
        both = mine if theirs is None else theirs if mine is None else merge(mine, theirs)
        out[key if always else key + "?"] = both
    return out


def differences(ours: Any, captured: Any, where: str = "$") -> list[str]:
    """Where a shape of ours is none that the captured shape allows."""
    if isinstance(ours, dict) and "any" in ours:
        return [d for option in ours["any"] for d in differences(option, captured, where)]
    if isinstance(captured, dict) and "any" in captured:
        found = [differences(ours, option, where) for option in captured["any"] if type(option) is type(ours)]
        if not found:
            return [f"{where}: {ours} is none of {captured['any']}"]
        return min(found, key=len)
    if isinstance(ours, dict) and isinstance(captured, dict):
        return _differing_keys(ours, captured, where)
    if isinstance(ours, list) and isinstance(captured, list):
        return differences(ours[0], captured[0], where + "[]") if ours and captured else []
    return [] if ours == captured else [f"{where}: {ours}, captured {captured}"]


def _differing_keys(ours: dict[str, Any], captured: dict[str, Any], where: str) -> list[str]:
    if "tuple" in ours and "tuple" in captured:
        pairs = zip(ours["tuple"], captured["tuple"], strict=False)
        return [d for n, (a, b) in enumerate(pairs) for d in differences(a, b, f"{where}[{n}]")]
    out = [f"{where}.{k}: missing" for k in captured if not k.endswith("?") and k not in ours]
    for key, mine in ours.items():
        plain = key.rstrip("?")
        theirs = captured.get(plain, captured.get(plain + "?"))
        if theirs is None:
            out.append(f"{where}.{plain}: not captured")
        else:
            out += differences(mine, theirs, f"{where}.{plain}")
    return out


# Making the golden file.

_ROQ, _GO = "roq-trading+roq-hyperliquid/extracted_from_tests", "sonirico+go-hyperliquid"
_BYTEX, _MISC = "bytex_captured_2026-09-25", "misc_public_captures"
_SDK = "hyperliquid-dex+hyperliquid-python-sdk/tests/cassettes/info_test"
_NAUTILUS = "nautechsystems+nautilus_trader/crates/adapters/hyperliquid/test_data"
SOURCES: dict[str, list[str]] = {
    "perpDexs": [f"{_GO}/testdata/PerpDexs.yaml"],
    "metaAndAssetCtxs xyz": [f"{_GO}/extracted_small/MetaAndAssetCtxs.04.metaAndAssetCtxs_dex_xyz.json"],
    "perpDexLimits": [f"{_GO}/testdata/PerpDexLimits.yaml"],
    "perpDexStatus": [f"{_GO}/testdata/PerpDexStatus_WithDex.yaml"],
    "l2Book": [f"{_BYTEX}/http_info_l2Book_btc_trimmed5.json", f"{_MISC}/http_info_l2Book_xyz_GOLD_testnet_EDITED_time.2026-10-06.json"],
    "candleSnapshot": [f"{_BYTEX}/http_info_candleSnapshot_btc_1h.json"],
    "fundingHistory": [f"{_BYTEX}/http_info_fundingHistory_btc.json"],
    "clearinghouseState cross": [f"{_ROQ}/json_get_clearing_house_state_ack.02.json", f"{_BYTEX}/http_info_clearinghouseState_real_account.json"],
    "clearinghouseState empty": [f"{_ROQ}/json_get_clearing_house_state_ack.01.json", f"{_GO}/testdata/UserState_WithDex.yaml"],
    "clearinghouseState isolated": ["dzmbs+hyperliquid-docs/extracted_examples/perpetuals.004.request_body.json"],
    "spotClearinghouseState": [f"{_ROQ}/json_get_spot_clearing_house_state_ack.02.json"],
    "frontendOpenOrders": [f"{_SDK}/test_get_frontend_open_orders.yaml"],
    "historicalOrders": [f"{_SDK}/test_historical_orders.yaml"],
    "orderStatus": [f"{_GO}/extracted_small/QueryOrderByOid.06.json", f"{_GO}/extracted_small/QueryOrderByOid.07.json"],
    "userFillsByTime": [f"{_GO}/extracted_small/UserFillsByTime.02.json"],
    "userRateLimit": [f"{_SDK}/test_user_rate_limit.yaml"],
    "userRole": [f"{_SDK}/test_user_role.yaml"],
    "extraAgents": [f"{_SDK}/test_extra_agents.yaml"],
    "portfolio": [f"{_SDK}/test_portfolio.yaml"],
    "userVaultEquities": [f"{_SDK}/test_user_vault_equities.yaml"],
    "activeAssetData": [f"{_GO}/extracted_small/UserActiveAssetData.02.json"],
    "order resting": [f"{_ROQ}/json_create_order_ack.01.json", f"{_BYTEX}/http_exchange_order_resting.json", f"{_GO}/testdata/Orders_Above10.yaml"],
    "order filled": [f"{_ROQ}/json_create_order_ack.02.json"],
    "order refused": [f"{_ROQ}/json_create_order_ack.0{n}.json" for n in (3, 5, 6)] + [f"{_GO}/testdata/Orders_Below10.yaml"],
    "signer unknown": [f"{_ROQ}/json_create_order_ack.07.json", f"{_GO}/testdata/Orders_InvalidAuth.yaml", f"{_BYTEX}/http_exchange_duplicate_nonce.json"],
    "cancel": [f"{_GO}/testdata/Cancel_Success.yaml"],
    "cancel refused": [f"{_ROQ}/json_cancel_order_ack.01.json", f"{_GO}/testdata/Cancel_NonExistent.yaml"],
    "modify refused": [f"{_ROQ}/json_modify_order_ack.01.json"],
    "post order": [f"{_ROQ}/json_action_order.0{n}.json" for n in (2,)],
    "post order refused": [f"{_ROQ}/json_action_order.01.json"],
    "post order filled": [f"{_ROQ}/json_action_order.03.json"],
    "post cancel": [f"{_ROQ}/json_action_cancel.01.json"],
    "ws bbo": [f"{_ROQ}/json_bbo.01.json", f"{_BYTEX}/ws_bbo.json"],
    "ws l2Book": [f"{_ROQ}/json_l2_book.01.json", f"{_MISC}/ws_l2Book_xyz_XYZ100_trimmed2.2026-10-06.json"],
    "ws trades": [f"{_BYTEX}/ws_trades.json"],
    "ws candle": [f"{_BYTEX}/ws_candle.json"],
    "ws activeAssetCtx": [f"{_ROQ}/json_active_asset_ctx.01.json", f"{_BYTEX}/ws_activeAssetCtx.json", f"{_MISC}/ws_activeAssetCtx_xyz_GOLD.2026-07-28.json", f"{_MISC}/ws_activeAssetCtx_xyz_XYZ100.2026-10-06.json"],
    "ws allDexsAssetCtxs": [f"{_NAUTILUS}/ws_all_dexs_asset_ctxs.json"],
    "ws orderUpdates": [f"{_ROQ}/json_order_updates.0{n}.json" for n in (2, 3, 4)],
    "ws user fills": [f"{_ROQ}/json_user.02.json", f"{_NAUTILUS}/ws_user_fill_liquidation.json", f"{_MISC}/ws_user_fills_builderFee.2026-02-01.json"],
    "ws user funding": [f"{_ROQ}/json_user.01.json"],
    "ws userFills": [f"{_ROQ}/json_user_fills.01.json"],
    "ws notification": [f"{_ROQ}/json_notification.01.json"],
    "ws error": [f"{_MISC}/ws_error_already_subscribed.2026-06-04.json"],
    "ws subscriptionResponse": [f"{_ROQ}/json_subscription_response.01.json"],
    "ws pong": [f"{_ROQ}/json_pong.01.json"],
}  # fmt: skip


def _payload(path: Path) -> Any:
    """The (last) answer in a capture file of any of the kinds there are."""
    if path.suffix == ".yaml":
        import yaml

        last = yaml.safe_load(path.read_text())["interactions"][-1]["response"]["body"]
        return json.loads(last["string"] if isinstance(last, dict) else last)
    found = json.loads(path.read_text())
    return found["response"] if isinstance(found, dict) and "http_status" in found else found


def main(samples: Path) -> None:
    """Print the golden file."""
    golden = {}
    for name, files in SOURCES.items():
        shapes = [shape(_payload(samples / file)) for file in files]
        merged = shapes[0]
        for other in shapes[1:]:
            merged = merge(merged, other)
        golden[name] = {"sources": files, "shape": merged}
    print(json.dumps(golden, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
