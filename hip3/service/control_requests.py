"""What the control channel asks of the running service. Called by the control thread."""

from typing import Any

from hip3.core.near import like
from hip3.execution.readiness import PAUSED, State
from hip3.ops.control import Later
from hip3.ops.state_dir import is_of, keep_pause
from hip3.risk.hard_stop import Reset
from hip3.service.operating import TIMEOUT_MS, CancelAll, Flatten
from hip3.service.running import Running
from hip3.service.snapshot import snapshot, word
from hip3.service.stop_wish import StopMode
from hip3.service.stopping import Outcome

DEFAULT_TIMEOUT_MS = {StopMode.FLATTEN: 30_000, StopMode.CANCEL: 10_000, StopMode.LEAVE: 5000}
"""How long a stop may take without --timeout."""

OTHER = (
    "the running service is {here}'s, and these settings are for {wanted}: nothing was done; set HIP3_NETWORK and "
    "HIP3_MODE to those of the service that is meant, or HIP3_STATE_DIR to its folder"
)


def handle(running: Running, request: dict[str, Any]) -> dict[str, Any] | Later | None:
    """The answer to one command, or what will have it; None: it is answered when the service has stopped."""
    command = request.get("command")
    if command == "status":
        return snapshot(running)
    here, wanted = running.settings.base.place, request.get("place")
    if wanted not in (None, here):
        return {"error": OTHER.format(here=here, wanted=wanted), "code": 2}
    if command in ("cancel-all", "flatten"):
        timeout = int(request.get("timeout_ms") or TIMEOUT_MS)
        asked = (
            CancelAll(running, timeout) if command == "cancel-all" else Flatten(running, request.get("market"), timeout)
        )
        return asked.poll
    if command == "pause":
        return pause(running, PAUSED)
    if command == "resume":
        return _resume(running, request.get("market"))
    if command == "latch-reset":
        return _reset_latch(running, request)
    if command == "stop":
        mode = StopMode(request.get("mode", StopMode.CANCEL.value))
        timeout = request.get("timeout_ms") or DEFAULT_TIMEOUT_MS[mode]
        running.stop.ask(mode, int(timeout))
        return None
    return {"error": f"unknown command {command!r}"}


def pause(running: Running, why: str) -> dict[str, Any]:
    """No entries until `resume` (""), also after a restart; before there is a folder the start writes it there."""
    if not why and running.folder is None:
        return {"error": _unfinished(running)}  # a pause of before may stand in the folder, and would come back
    if why:
        running.readiness.reduce("operator", why)  # whatever the disk says
    if running.folder is not None:
        keep_pause(running.folder, why)
    if not why:  # last: while the file stands the pause does
        if running.trading is not None and running.trading.housekeeping.worth is not None:
            running.trading.housekeeping.worth.agree()
        running.readiness.reduce("operator", "")
    running.journal.record("operator", command="pause" if why else "resume")
    if why:
        return {"told": why}
    state, left = word(running, running.clock.mono_ms())
    why = "" if state is State.READY else f"resumed; still {state.value}: {'; '.join(left)}"
    return {"told": why or "resumed: entries again"}


def _reset_latch(running: Running, request: dict[str, Any]) -> dict[str, Any] | Later:
    """Reset the latch of the running account: the risk thread does it, and this waits for its word."""
    latch, trading, folder, account = running.latch, running.trading, running.folder, request.get("account")
    if latch is None or trading is None or folder is None:
        return {"error": _unfinished(running)}
    if account is not None and not is_of(folder.name, str(account)):
        return {"error": f"the running service trades for {folder.name}: stop it to reset another account's latch"}
    state = latch.state()
    if not state.tripped:
        return {"told": "no latch is tripped"}
    words: list[str] = []
    done = Reset(
        at_ms=running.clock.wall_ms(), user=str(request.get("user")), reason=str(request.get("reason")),
        was=state.reason or "",
    )  # fmt: skip
    trading.risk.ask_reset(done, words.append)

    def answer() -> dict[str, Any] | None:
        if not words:
            return None
        if words[0]:
            return {"error": words[0]}
        again = latch.state()
        left = "; ".join(word(running, running.clock.mono_ms())[1])
        what = f"tripped again at once: {again.reason}" if again.tripped else left or "entries again"
        return {"told": f"{folder.name}: reset (was: {state.reason}); {what}"}

    return answer


def _resume(running: Running, market: str | None) -> dict[str, Any]:
    if market is None:
        return pause(running, "")
    trading = running.trading
    if trading is None or market not in trading.specs:
        if trading is None:
            return {"error": _unfinished(running)}
        return {"error": f"{market} is no market of this service{like(market, trading.specs)}"}
    return {"told": trading.markets.approve(market)}


def _unfinished(running: Running) -> str:
    """Why a command has to be tried again."""
    _, reasons = word(running, running.clock.mono_ms())
    return f"the start is not finished; try again ({'; '.join(reasons)})"


def told(outcome: Outcome, failed: str) -> dict[str, Any]:
    """How the service ended, for those who asked it to."""
    return {"clean": outcome.clean and not failed, "proof": outcome.sentence, "mode": outcome.mode.value, "why": failed}
