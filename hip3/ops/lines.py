"""One line for people per record: what the log shows. Called by the journal thread."""

from typing import Any

from loguru import logger

from hip3.core.decisions import Queued, QueuedDegraded
from hip3.core.order_state import OrderState
from hip3.core.orders import OrderBatch

_QUIET = frozenset({"sent_cancels", "reply", "finished", "snapshot", "start"})


def tell(kind: str, fields: dict[str, Any]) -> None:
    """Log one record; what has no line of its own is worth a warning."""
    writer = _LINES.get(kind)
    if writer is not None:
        writer(fields)
    elif kind not in _QUIET:
        logger.warning(f"{kind}: {', '.join(f'{k}={v}' for k, v in fields.items())}")


def _signal(f: dict[str, Any]) -> None:
    s, verdict = f["signal"], f["verdict"]
    head = (
        f"signal     {s.coin} {'buy ' if s.side.is_buy else 'sell'} edge {s.raw_edge_bps:.1f} bps "
        f"(cost {s.cost_bps:.1f}) touch {s.touch_px} oracle {s.oracle}"
    )
    if verdict is None:
        logger.info(f"{head} -> observed")
    elif isinstance(verdict, Queued | QueuedDegraded):
        logger.info(f"{head} -> {type(verdict).__name__}")
    else:
        numbers = ", ".join(f"{k} {v}" for k, v in verdict.numbers)
        logger.info(f"{head} -> {verdict.reason.value}" + (f" ({numbers})" if numbers else ""))


def _exit(f: dict[str, Any]) -> None:
    order = f["order"]
    logger.info(
        f"exit       {order.coin} {order.exit_reason.value}, attempt {order.attempt}: "
        f"{'buy' if order.side.is_buy else 'sell'} {order.sz} at {order.px}"
    )


def _order(f: dict[str, Any]) -> None:
    e = f["event"]
    words = {
        OrderState.FILLED: f"filled {e.executed} at {e.avg_px:.8g}",
        OrderState.CANCELED: f"canceled, executed {e.executed}" if e.executed else "canceled",
        OrderState.OPEN: "open",
    }
    text = words.get(e.after, f"{e.after.value}: {e.why}")
    level = "WARNING" if e.after in (OrderState.UNKNOWN, OrderState.DEAD) else "INFO"
    logger.log(level, f"order      {e.order.coin} {text} [{e.order.cloid[-12:]}]")


def _sent(f: dict[str, Any]) -> None:
    o = f["order"]
    kind = "exit " if o.reduce_only else "entry" if o.level is None else "quote"
    side = "buy" if o.side.is_buy else "sell"
    logger.info(f"sent       {o.coin} {kind} {side} {o.sz} at {o.px} {o.tif.value} [{o.cloid[-12:]}]")


def _fill(f: dict[str, Any]) -> None:
    e = f["event"]
    fill = e.fill
    logger.info(
        f"fill       {fill.coin} {'bought' if fill.side.is_buy else 'sold'} {fill.sz} at {fill.px} "
        f"({e.kind}, fee {fill.fee}, pnl {fill.closed_pnl})" + ("" if e.ours else " NOT OURS")
    )


def _round_trip(f: dict[str, Any]) -> None:
    t = f["trip"]
    seconds = (t.closed_ms - t.opened_ms) / 1000
    logger.bind(so_far=f.get("so_far", ""), gained=t.net > 0).info(
        f"round trip {t.coin} held {seconds:.1f} s, {t.entry_px:.8g} -> {t.exit_px:.8g}: "
        f"{t.realized} - fees {t.fees} = {t.net} USD"
    )


def _info(name: str) -> Any:
    def write(f: dict[str, Any]) -> None:
        logger.info(f"{name}: {', '.join(f'{k} {v}' for k, v in f.items())}" if f else name)

    return write


def _alert(f: dict[str, Any]) -> None:
    level = {"page": "ERROR", "warn": "WARNING"}.get(f["level"], "INFO")
    logger.log(level, f"alert      {f['what']}: {'over: ' if f['over'] else ''}{f['text']}")


def _post_lost(f: dict[str, Any]) -> None:
    post = f["post"]
    count = len(post.batch.orders) if isinstance(post.batch, OrderBatch) else len(post.batch.cancels)
    logger.warning(f"post {post.post_id} without reply ({f['why']}): {count} orders or cancels")


def _protect(f: dict[str, Any]) -> None:
    o = f["order"]
    side = "buy" if o.side.is_buy else "sell"
    logger.info(f"protect    {o.coin} {side} {o.sz} from {o.trigger_px} on [{o.cloid[-12:]}]")


def _quotes(f: dict[str, Any]) -> None:
    steps = ", ".join(f"{'buy' if s.side.is_buy else 'sell'} {s.level} {s.why.value}" for s in f["steps"])
    half = f["half_bps"]
    logger.info(f"quotes     {f['coin']} {steps}" + (f" (half {half:.1f} bps)" if half is not None else ""))


def _stance(f: dict[str, Any]) -> None:
    logger.info(f"quotes     {f['coin']} {f['stance']}" + (f": {'; '.join(f['reasons'])}" if f["reasons"] else ""))


def _cancel_refused(f: dict[str, Any]) -> None:
    cancel = f["cancel"]
    logger.warning(f"cancel     {cancel.coin} order {cancel.oid} refused: {f['text']}")


def _pulled(f: dict[str, Any]) -> None:
    logger.info(f"quotes     {f['coin']} wait {f['ms'] / 1000:.0f} s, {f['why']}: {f['text']}")


def _leverage(f: dict[str, Any]) -> None:
    margin = "isolated" if f["isolated"] else "cross"
    logger.info(f"leverage   {f['coin']} {f['leverage']}x {margin}")


def _market_gate(f: dict[str, Any]) -> None:
    if f["gate"] is None:
        logger.info(f"market     {f['coin']}: entries again")
    else:
        logger.warning(f"market     {f['coin']}: no entries ({f['gate']}): {f['why']}")


def _stop_nearer(f: dict[str, Any]) -> None:
    logger.warning(
        f"protect    {f['coin']}: the stop stands {f['bps']:.0f} bps away in place of {f['wished_bps']:.0f}: "
        f"liquidation at {f['liquidation_px']:.8g}"
    )


def _latch_reset(f: dict[str, Any]) -> None:
    logger.info(f"latch      reset by {f['user']}: {f['reason']} (was: {f['was']})")


_LINES = {
    "signal": _signal,
    "exit": _exit,
    "order": _order,
    "sent": _sent,
    "fill": _fill,
    "round_trip": _round_trip,
    "post_lost": _post_lost,
    "protect": _protect,
    "leverage": _leverage,
    "quote_decision": _quotes,
    "stance": _stance,
    "quotes_pulled": _pulled,
    "quote_sweep": lambda f: logger.info(f"quotes     {f['coin']} swept: two of one side filled within a second"),
    "quotes_adopted": lambda f: logger.info(f"quotes     {len(f['oids'])} of an earlier run keep their place"),
    "completion": lambda f: logger.info(f"completion {f['coin']} down to {f['target_usd']} USD: {f['why']}"),
    "completion_held": lambda f: logger.info(f"completion {f['coin']} rests: {f['tries']} orders found nobody"),
    "cancel_refused": _cancel_refused,
    "latch_reset": _latch_reset,
    "market_gate": _market_gate,
    "read_failed": lambda f: logger.warning(f"reading    failed, and is tried again: {f['what']}"),
    "stop_nearer": _stop_nearer,
    "market_approved": lambda f: logger.info(f"approved   {f['coin']}: entries again"),
    "certificate": lambda f: logger.info(f"proof      {f['how']}: {f['detail']} [{f['cloid'][-12:]}]"),
    "alert": _alert,
    "connected": _info("connected"),
    "funding": lambda f: logger.info(f"funding    {f['funding'].coin} {f['funding'].usdc} USD"),
    "stop": _info("stop"),
    "operator": _info("operator"),
    "state": lambda f: logger.info(f"state      {f['word']}" + (f": {f['why']}" if f["why"] else "")),
}
