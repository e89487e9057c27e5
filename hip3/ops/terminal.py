"""What a person at a terminal sees beyond lines: the status in colours, and its live screen.

Colours are off where the output is no terminal, and by NO_COLOR (no-color.org); rich sees to both.
"""

from collections import deque
from decimal import Decimal
from typing import Any

from rich.console import Console, Group
from rich.text import Text

from hip3.ops.status_text import status_text

STYLES = {
    "READY": "bold green",
    "REDUCING": "bold yellow",
    "NOT_READY": "bold yellow",
    "HARD_STOP": "bold white on red",
}
ALARMS = ("UNKNOWN", "FAILING", "HARD STOP", "ERROR", "not connected")
HEADS = ("market ", "quoted ")


def styled(status: dict[str, Any]) -> Text:
    """The status text, its state word, its alarms and its heads in their colours."""
    out = Text()
    gains = {p["market"]: _tone(p["unrealized_pnl_usd"]) for p in status["positions"]}
    for number, line in enumerate(status_text(status).splitlines()):
        text = Text(line)
        if number == 0:
            text.stylize(STYLES.get(status["state"], ""), 0, len(status["state"]))
            if status["network"] == "mainnet":
                text.highlight_words(["mainnet"], "bold red")
        elif any(word in line for word in ALARMS):
            text.stylize("red")
        elif line.startswith(HEADS):
            text.stylize("dim")
        elif tone := next((gains[coin] for coin in gains if line.startswith(f"{coin} ")), ""):
            text.stylize(tone)
        elif line[:10].strip() and not line.startswith(" "):
            text.stylize("cyan", 0, 10)
        out.append_text(text).append("\n")
    return out


def show(status: dict[str, Any]) -> None:
    """Print it on stdout, once, in its colours."""
    Console(highlight=False).print(styled(status), end="")


def result_line(status: dict[str, Any]) -> Text:
    """Today's result and that since the beginning, in one line."""
    out = Text("result    ", style="bold")
    for key, name, end in (("today", "today", "; "), ("total", "in all", "")):
        found = status["result"][key] or {}
        net = found.get("net_usd")
        out.append(f"{name} ").append("not known" if net is None else f"{net} USD", _tone(net))
        out.append("" if net is None else f" ({found['wins']} of {found['round_trips']} trips won)").append(end)
    return out


def _tone(usd: str | None) -> str:
    """The colour of a gain or a loss."""
    amount = Decimal(usd or 0)
    return "green" if amount > 0 else "red" if amount < 0 else ""


def screen(status: dict[str, Any], lines: deque[str], height: int) -> Group:
    """The whole of a terminal: status, result, and below them as many of the last log lines as there is room for."""
    top = styled(status)
    room = max(0, height - 3 - len(top.plain.splitlines()))
    shown = (
        [Text(line, overflow="ellipsis", no_wrap=True, style=_style(line)) for line in list(lines)[-room:]]
        if room
        else []
    )
    return Group(top, result_line(status), Text(), *shown)


def _style(line: str) -> str:
    if "round trip" in line:
        return "bold red" if "= -" in line else "bold"
    return "red" if " ERROR " in line else "yellow" if " WARNING " in line else "dim"


def console() -> Console:
    """On stderr, where log lines go."""
    return Console(stderr=True, highlight=False)
