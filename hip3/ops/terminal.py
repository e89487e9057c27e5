"""What a person at a terminal sees beyond lines: the status in colours, and its live screen.

Colours are off where the output is no terminal, and by NO_COLOR (no-color.org); rich sees to both.
"""

from collections import deque
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
        elif line[:10].strip() and not line.startswith(" "):
            text.stylize("cyan", 0, 10)
        out.append_text(text).append("\n")
    return out


def show(status: dict[str, Any]) -> None:
    """Print it on stdout, once, in its colours."""
    Console(highlight=False).print(styled(status), end="")


def result_line(status: dict[str, Any]) -> Text:
    """Today's result and that since the beginning, in one line."""
    parts = [f"{name} {_gain(status['result'][key])}" for key, name in (("today", "today"), ("total", "in all"))]
    return Text("result    " + ", ".join(parts), style="bold")


def _gain(found: dict[str, Any] | None) -> str:
    if found is None or found["net_usd"] is None:
        return "not known"
    return f"{found['net_usd']} USD ({found['wins']} of {found['round_trips']} round trips won)"


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
    return (
        "red" if " ERROR " in line else "yellow" if " WARNING " in line else "bold" if "round trip" in line else "dim"
    )


def console() -> Console:
    """On stderr, where log lines go."""
    return Console(stderr=True, highlight=False)
