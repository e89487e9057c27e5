"""The status as text for people: state word first, then why, then figures. Fits 80 columns. Pure."""

from typing import Any

WIDTH = 79


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"


def status_text(s: dict[str, Any]) -> str:
    """Render the object of `status --json`."""
    lines = [f"{s['state']}  {s['network']} {s['mode']}  up {_age(s['uptime_s'] * 1000)}"]
    lines += [f"  {reason}" for reason in s["reasons"]]
    lines.append(f"account   {s['account'] or 'none (observe)'}")
    exposure, orders, pnl, ws = s["exposure"], s["orders"], s["pnl"], s["ws"]
    lines.append(f"exposure  {exposure['worst_case_usd']} of {exposure['limit_usd']} USD")
    lines.append("orders    " + ", ".join(f"{n} {word}" for word, n in orders.items()))
    lines.append(f"pnl       realized {pnl['realized_usd']}, fees {pnl['fees_usd']}, funding {pnl['funding_usd']} USD")
    age = ws["last_message_age_ms"]
    link = f"connected, last message {age} ms ago" if ws["connected"] else "not connected"
    lines.append(f"stream    {link} (connection {ws['generation']})")
    if s["positions"]:
        lines.append("")
        lines.append(f"{'market':<16}{'size':>12}{'entry':>12}{'mark':>12}{'pnl':>10}{'age':>8}  exit")
    for p in s["positions"]:
        lines.append(
            f"{p['market']:<16}{p['size']:>12}{p['entry_px']:>12}{p['mark_px'] or '?':>12}"
            f"{p['unrealized_pnl_usd'] or '?':>10}{_age(p['age_ms']):>8}  {p['exit'] or '-'}"
        )
    counters = s["counters"]
    lines.append("")
    lines.append(
        f"signals {counters['signals']}; orders queued {counters['queued']}, sent {counters['sent']}, "
        f"filled {counters['filled']}, timed out {counters['timeouts']}"
    )
    for word in ("skipped", "rejected", "venue_rejected"):
        for reason, n in sorted(counters[word].items()):
            lines.append(f"  {word.replace('_', ' ')}: {reason} {n}")
    return "\n".join(_cut(line) for line in lines) + "\n"


def _age(ms: int) -> str:
    seconds = ms // 1000
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02d}s"
    return f"{seconds // 3600}h{seconds % 3600 // 60:02d}m"
