"""`markets`: what the network offers, dex by dex. Reads alone, without a key; main.

One request for the list of dexs and one for each of them (weight 20 each). Fees are those of an account without volume.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hip3.clock import SystemClock
from hip3.config.reading import MarketSettings
from hip3.core.market import MarketSpec
from hip3.core.money import MIN_NOTIONAL_USD, TEN_THOUSAND, ceil_size, div, parse
from hip3.errors import ODD_ANSWERS, PreflightError, VenueReadError
from hip3.exchange.registry import BASE_MAKER_RATE, BASE_TAKER_RATE, dex_indices, parse_meta, permissioned
from hip3.exchange.rest import RestClient
from hip3.execution.truth.account import Rest
from hip3.service.start import OwnExchange

HEAD = ("market", "taker", "maker", "lot", "least", "spread", "max", "margin", "state", "hours")
WORDS = HEAD[:1] + HEAD[7:]
"""Columns that are read from the left; the others are numbers."""
LEGEND = """
taker, maker, spread: basis points. least: smallest order in USD. max: leverage.
margin: both is cross or isolated; strict is isolated, and not taken out again."""


def show(settings: MarketSettings, say: Callable[[str], None]) -> None:
    """Print every market of the configured dexs, or of all. PreflightError: a dex does not exist; VenueReadError."""
    base = settings.base
    own = OwnExchange(base).listening() if base.fresh_exchange else None
    try:
        rest = RestClient(own.url if own is not None else base.public_url, SystemClock())
        for line in lines(rest, settings):
            say(line)
    finally:
        if own is not None:
            own.stop()


def lines(rest: Rest, settings: MarketSettings) -> list[str]:
    """A table for each dex, its markets in the order of their universe."""
    try:
        indices = dex_indices(rest.info_json({"type": "perpDexs"}))
    except ODD_ANSWERS as error:
        raise VenueReadError(f"perpDexs cannot be read: {error}") from None
    stars, out = permissioned(indices), list[str]()
    for dex in settings.base.dexs or list(indices):
        if dex not in indices:
            raise PreflightError([f"dex {dex} does not exist on the exchange; it has {', '.join(indices)}"])
        index, entry = indices[dex]
        star = " (permissioned: not traded here)" if dex in stars else ""
        out += ["", f"{dex}: {entry.get('fullName') or dex}{star}"]
        try:
            meta, contexts = rest.info_json({"type": "metaAndAssetCtxs", "dex": dex})
            specs, blocked = parse_meta(dex, index, entry, meta, BASE_TAKER_RATE, BASE_MAKER_RATE)
            rows = [
                _row(market, context, specs.get(market["name"]), blocked.get(market["name"]), settings)
                for market, context in zip(meta["universe"], contexts, strict=True)
            ]
        except ODD_ANSWERS as error:
            raise VenueReadError(f"metaAndAssetCtxs of dex {dex} cannot be read: {error}") from None
        widths = [max(len(row[at]) for row in [HEAD, *rows]) for at in range(len(HEAD))]
        for row in [HEAD, *rows]:
            cells = zip(HEAD, row, widths, strict=True)
            out.append("  ".join(c.ljust(w) if name in WORDS else c.rjust(w) for name, c, w in cells).rstrip())
    return [*out[1:], *LEGEND.splitlines()]


def _row(
    market: dict[str, Any], context: dict[str, Any], spec: MarketSpec | None, why: str | None, settings: MarketSettings
) -> tuple[str, ...]:
    """What is known of one market; a dash where nothing is."""
    coin, mode = str(market["name"]), market.get("marginMode")
    margin = {"strictIsolated": "strict", "noCross": "isolated"}.get(str(mode), "both")
    hours = settings.for_market(coin).sessions or "-"
    leverage = f"{market['maxLeverage']}x" if "maxLeverage" in market else "-"
    if spec is None:
        return (coin, "-", "-", "-", "-", _spread(context), leverage, margin, why or "-", hours)
    lot, px = Decimal(1).scaleb(-spec.sz_decimals), parse(str(context["markPx"]))
    least = ceil_size(div(MIN_NOTIONAL_USD, px), spec.sz_decimals) * px if px > 0 else None
    maker = "-" if spec.maker_fee_bps is None else _short(spec.maker_fee_bps)
    return (
        coin, _short(spec.taker_fee_bps), maker, f"{lot:f}", "-" if least is None else f"{least:.2f}",
        _spread(context), leverage, margin, why or "traded", hours,
    )  # fmt: skip


def _short(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _spread(context: dict[str, Any]) -> str:
    """Between the prices at which the exchange's impact notional (6,000 USD) would be sold and bought."""
    prices = context.get("impactPxs")
    if not prices:
        return "-"
    bid, ask = (parse(str(px)) for px in prices)
    return f"{div((ask - bid) * TEN_THOUSAND, (ask + bid) / 2):.1f}" if bid > 0 else "-"
