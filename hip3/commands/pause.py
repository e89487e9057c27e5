"""`pause` and `resume`: exits and cancels only; entries again, or a market whose parameters changed."""

import sys
from pathlib import Path

from hip3.commands.asking import ask_or_wait, meant
from hip3.config.settings import Settings
from hip3.ops.control import nobody

OK, USAGE, NOT_RUNNING = 0, 2, 3


def tell(settings: Settings, command: str, market: str | None = None) -> int:
    """Tell the running service; its sentence is printed. 3: none runs, 2: it has no such market, or is of
    another network."""
    request: dict[str, object] = {"command": command, "market": market, "place": meant(settings)}
    answer = ask_or_wait(Path(settings.state_dir), request)
    if answer is None:
        print(f"hip3: {nobody()}", file=sys.stderr)  # noqa: T201
        return NOT_RUNNING
    if "error" in answer:
        print(f"hip3: {answer['error']}", file=sys.stderr)  # noqa: T201
        return USAGE
    print(answer["told"])  # noqa: T201
    return OK
