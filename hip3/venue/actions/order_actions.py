"""Actions on orders: place, cancel, modify, the dead man's switch, as `POST /exchange` carries them. Shapes:
docs/venue-facts.md F5, F17, F23."""

from typing import Any

from hip3.core.money import parse
from hip3.venue.actions.auth import BadAction
from hip3.venue.answers.replies import Answer, err, is_cloid, ok
from hip3.venue.books.books import Books
from hip3.venue.engine.account import Account
from hip3.venue.engine.book import Trigger
from hip3.venue.engine.fees import BUILDER_CAP
from hip3.venue.engine.model import Request
from hip3.venue.engine.modify import modify as replace
from hip3.venue.engine.state import DAY_MS

_TIFS = frozenset({"Ioc", "Alo", "Gtc", "FrontendMarket"})
SCHEDULED_PER_DAY = 10
_GROUPINGS = frozenset({"na", "normalTpsl", "positionTpsl"})


def order(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """Place the orders of one action."""
    grouping = action.get("grouping")
    if isinstance(grouping, dict):
        return err("Insufficient delegatable balance for priority order")  # nobody has staked anything here
    if grouping not in _GROUPINGS:
        raise BadAction("grouping")
    if not action["orders"]:
        return ok("order", [{"error": "Orders are empty."}])
    builder = _builder(action)
    if builder is not None and builder[1] > account.builders.get(builder[0], 0):
        return err("Builder fee has not been approved.")
    requests = [request_of(books, item, grouping) for item in action["orders"]]
    good = [r._replace(builder=builder) for r in requests if r is not None]
    if len(good) < len(requests):
        return ok("order", [{"error": books.engine.parameters.invalid_asset_text}])
    fault = books.engine.prevalidate(good)
    if fault is not None:
        return ok("order", [{"error": fault}])
    return ok("order", books.engine.place_group(account, good, grouping, now_ms))


def _builder(action: dict[str, Any]) -> tuple[str, int] | None:
    """(address, tenths of a basis point) of the action's builder."""
    builder = action.get("builder")
    if builder is None:
        return None
    address, tenths = str(builder.get("b", "")).lower(), builder.get("f")
    if not isinstance(tenths, int) or isinstance(tenths, bool) or not 0 <= tenths <= BUILDER_CAP or len(address) != 42:
        raise BadAction("builder")
    return address, tenths


def request_of(books: Books, item: dict[str, Any], grouping: str = "na") -> Request | None:
    """One order parsed; None for an unknown asset; BadAction for a shape that is none."""
    try:
        px, sz = parse(item["p"]), parse(item["s"])
        asset, is_buy, reduce_only, cloid = item["a"], item["b"], item["r"], item.get("c")
        kind = item["t"]
        tif, trigger = (kind["limit"]["tif"], None) if "limit" in kind else _trigger(kind["trigger"], is_buy)
    except (KeyError, TypeError, ValueError):
        raise BadAction("order") from None
    if not isinstance(asset, int) or not isinstance(is_buy, bool) or not isinstance(reduce_only, bool):
        raise BadAction("order")
    if tif not in _TIFS:
        raise BadAction("tif")
    if cloid is not None and not is_cloid(cloid):
        raise BadAction("cloid")
    market = books.engine.by_asset.get(asset)
    if market is None:
        return None
    on_position = trigger is not None and grouping == "positionTpsl"
    name = None if cloid is None else cloid.lower()
    return Request(market, is_buy, px, sz, reduce_only, tif, name, trigger, on_position)


def _trigger(kind: dict[str, Any], is_buy: bool) -> tuple[str, Trigger]:
    """(the tif it will have, the trigger). A stop buys above and sells below, a take-profit the other way."""
    is_market, tpsl = kind["isMarket"], kind["tpsl"]
    if not isinstance(is_market, bool) or tpsl not in ("tp", "sl"):
        raise ValueError("trigger")
    above = is_buy == (tpsl == "sl")
    return "Ioc" if is_market else "Gtc", Trigger(parse(kind["triggerPx"]), is_market, tpsl, above)


def cancel(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """Cancel by oid or by cloid; with `f`, which keeps their priority, plain limits alone (docs/venue-facts.md F36)."""
    out: list[Any] = []
    fast = action.get("f") is True
    for item in action["cancels"]:
        if action["type"] == "cancel":
            oid, market = item.get("o"), books.engine.by_asset.get(item.get("a"))
            if not isinstance(oid, int):
                raise BadAction("oid")
        else:
            cloid, market = item.get("cloid"), books.engine.by_asset.get(item.get("asset"))
            if not is_cloid(cloid):
                raise BadAction("cloid")
            oid = account.by_cloid.get(cloid.lower(), -1)
        known = account.open_orders.get(oid)
        if fast and known is not None and known.dormant:
            out.append({"error": books.engine.parameters.fast_trigger_text})
        else:
            out.append(books.engine.cancel_oid(account, market, oid, now_ms))
    return ok("cancel", out)


def modify(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """Replace one order. Unlike batchModify it answers `default`, and a refusal refuses the action."""
    entry = _replace(books, account, [action], now_ms, place=action.get("a") is True)[0]
    return err(entry["error"]) if isinstance(entry, dict) and "error" in entry else ok("default")


def batch_modify(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """Replace orders, one status entry each."""
    return ok("order", _replace(books, account, action["modifies"], now_ms, place=action.get("a") is True))


def _replace(
    books: Books, account: Account, items: list[dict[str, Any]], now_ms: int, *, place: bool
) -> list[dict[str, Any]]:
    pairs = [(_target(item), request_of(books, item["order"])) for item in items]
    good = [r for _, r in pairs if r is not None]
    if not good or len(good) < len(pairs):
        return [{"error": books.engine.parameters.invalid_asset_text if pairs else "Orders are empty."}]
    fault = books.engine.prevalidate(good)
    if fault is not None:
        return [{"error": fault}]
    engine = books.engine
    return [replace(engine, account, t, r, now_ms, place=place) for (t, _), r in zip(pairs, good, strict=True)]


def _target(item: dict[str, Any]) -> int | str:
    target = item.get("oid")
    if is_cloid(target):
        return str(target).lower()
    if not isinstance(target, int) or isinstance(target, bool) or not isinstance(item.get("order"), dict):
        raise BadAction("oid")
    return target


def schedule_cancel(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """Cancel all orders at `time`, or take that back; from a traded volume on, ten times a day."""
    gate, when = books.engine.parameters.schedule_cancel_volume, action.get("time")
    if account.volume < gate:
        head = "Cannot set scheduled cancel time until enough volume traded."
        return err(f"{head} Required: ${gate}. Traded: ${account.volume:.2f}.")
    if when is not None:
        if not isinstance(when, int) or isinstance(when, bool):
            raise BadAction("time")
        if when < now_ms + 5000:
            return err("Scheduled cancel time must be at least 5 seconds from now.")
        if account.cancels_triggered[0] == now_ms // DAY_MS and account.cancels_triggered[1] >= SCHEDULED_PER_DAY:
            return err("Too many scheduled cancels triggered for the day.")
    books.engine.schedule_cancel(account, when)
    return ok("default")
