"""The story of one order as text, from its records of the journal: what `explain` prints and the page shows. Pure."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hip3.ops.store import Story


def when(at_ms: int) -> str:
    """Wall milliseconds as people read them, UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def render(cloid: str, records: Story) -> str:
    """The story as text: one line per record, the gates below their signal."""
    lines = [f"order {cloid}"]
    outcome = "no outcome yet"
    for at_ms, kind, fields in records:
        at = when(at_ms)
        for number, text in enumerate(_lines(cloid, kind, fields)):
            lines.append(f"{at if not number else ' ' * len(at)}  {text}")
        if kind == "order":
            outcome = _end(fields["event"]) or outcome
    return "\n".join([*lines, f"outcome: {outcome}"]) + "\n"


def _end(event: dict[str, Any]) -> str:
    words = {"open": "", "sent": "", "unknown": "unknown, being resolved"}
    after = event["after"]
    executed = f", executed {event['executed']} at {event['avg_px']}" if event["executed"] != "0" else ""
    return words.get(after, f"{after} ({event['why']}){executed}")


def _order_text(o: dict[str, Any]) -> str:
    kind = "exit" if o["reduce_only"] else "entry" if o.get("level") is None else "quote"
    side = "buy" if o["side"] == "B" else "sell"
    return f"{kind} {side} {o['sz']} {o['coin']} at {o['px']}"


def _lines(cloid: str, kind: str, f: dict[str, Any]) -> list[str]:
    writer = _WRITERS.get(kind)
    return writer(cloid, f) if writer is not None else [f"{kind:<12}{_pairs(f)}"]


def _pairs(f: dict[str, Any]) -> str:
    return ", ".join(f"{k} {v}" for k, v in f.items() if not isinstance(v, dict | list))


def _signal(cloid: str, f: dict[str, Any]) -> list[str]:
    s = f["signal"]
    side = "buy" if s["side"] == "B" else "sell"
    head = (
        f"signal      {side} {s['coin']}: touch {s['touch_px']} x {s['touch_sz']}, oracle {s['oracle']}, "
        f"edge {_short(s['raw_edge_bps'])} bps, cost {_short(s['cost_bps'])} bps, wanted {s['size']}"
    )
    gates = [
        f"  gate {number} {name}: {', '.join(f'{k} {v}' for k, v in figures.items()) or '-'}"
        f"{'' if passed else '  REFUSED'}"
        for number, name, figures, passed in f.get("gates") or []
    ]
    return [head, *gates]


def _short(number: str) -> str:
    return f"{Decimal(number):.1f}"


def _exit(cloid: str, f: dict[str, Any]) -> list[str]:
    o, p = f["order"], f["position"]
    held = f", position {p['szi']} entered at {p['entry_px']}" if p else ""
    before = f", after {o['predecessor']}" if o.get("predecessor") not in (None, cloid) else ""
    if o["cloid"] != cloid:
        return [f"next exit   attempt {o['attempt']}: {_order_text(o)} [{o['cloid']}]"]
    return [f"exit        {o['exit_reason']}, attempt {o['attempt']}{held}{before}: {_order_text(o)}"]


def _sent(cloid: str, f: dict[str, Any]) -> list[str]:
    o, post = f["order"], f["post"]
    if o["cloid"] != cloid:
        return []  # one that left by the same post has a record of its own
    together = len(post["batch"].get("orders", []))
    others = "" if together < 2 else f" with {together - 1} others"
    return [f"sent        {_order_text(o)} {o['tif']}, nonce {post['nonce']}, post {post['post_id']}{others}"]


def _intent(cloid: str, f: dict[str, Any]) -> list[str]:
    return [f"intent      {_order_text(f['order'])}, nonce {f['nonce']}, found at the start without an outcome"]


def _quote(cloid: str, f: dict[str, Any]) -> list[str]:
    why = next(s["why"] for s in f["steps"] if s["cloid"] == cloid)
    what = "placed" if why == "place" else f"to be cancelled ({why})"
    fair, half = f["fair"], f["half_bps"]
    worth = f"fair {Decimal(fair['bid']):.8g} / {Decimal(fair['ask']):.8g}" if fair else "no price"
    width = f", half {_short(half)} bps, sigma {Decimal(f['sigma_bps']):.2f} bps" if half else ""
    reasons = f" ({'; '.join(f['reasons'])})" if f["reasons"] else ""
    return [f"quote       {what}: {worth}{width}, {f['stance']}{reasons}"]


def _reply(cloid: str, f: dict[str, Any]) -> list[str]:
    outcome, orders = f["outcome"], f["post"]["batch"].get("orders", [])
    items = outcome.get("items")
    place = next((n for n, o in enumerate(orders) if o["cloid"] == cloid), 0)
    if items is None:
        text = f"refused: {outcome.get('text')}"
    elif place >= len(items) and not items:
        text = "no status for it"
    else:
        text = _status(items[min(place, len(items) - 1)])
    return [f"reply       to post {f['post']['post_id']}: {text}"]


def _status(item: dict[str, Any] | None) -> str:
    if item is None:
        return "a status of a shape we do not know"
    if "total_sz" in item:
        return f"filled {item['total_sz']} at {item['avg_px']}, oid {item['oid']}"
    if "oid" in item:
        return f"resting, oid {item['oid']}"
    return f"refused: {item['text']}" if "text" in item else str(item.get("word"))


def _state(cloid: str, f: dict[str, Any]) -> list[str]:
    e = f["event"]
    done = f", executed {e['executed']} at {e['avg_px']}" if e["executed"] != "0" else ""
    return [f"order       {e['before']} -> {e['after']}: {e['why']}{done}"]


def _fill(cloid: str, f: dict[str, Any]) -> list[str]:
    e, fill = f["event"], f["event"]["fill"]
    return [
        f"fill        {fill['sz']} at {fill['px']}, {e['kind']}, fee {fill['fee']}, result {fill['closed_pnl']}, "
        f"position {e['position']}, tid {fill['tid']}"
    ]


def _finished(cloid: str, f: dict[str, Any]) -> list[str]:
    e = f["event"]
    return [f"finished    {e['executed']} at {e['avg_px']}"]


def _certificate(cloid: str, f: dict[str, Any]) -> list[str]:
    return [f"proof       {f['how']}: {f['detail']}"]


_WRITERS = {
    "signal": _signal, "exit": _exit, "sent": _sent, "intent": _intent, "reply": _reply, "order": _state,
    "fill": _fill, "finished": _finished, "certificate": _certificate,
    "quote_decision": _quote,
}  # fmt: skip
