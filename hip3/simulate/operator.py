"""What a person does to the service."""

from hip3.service.control_requests import handle
from hip3.service.stop_wish import StopMode
from hip3.simulate.scene import Scene


class Operator:
    """What a person does to the service."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.asked: StopMode | None = None
        """What leaves least of all that was asked of the process that runs."""

    def stop(self, how: str, timeout_ms: int = 20_000) -> None:
        """`stop` in a mode, or a signal; the service is started again later."""
        running = self._scene.running
        if running is None:
            return
        mode = StopMode.CANCEL if how == "signal" else StopMode(how)
        # A signal during a stop ends the process at once; in this world it only counts.
        if (self.asked is None or not self.asked.covers(mode)) and not (how == "signal" and self.asked is not None):
            self.asked = mode
        if how == "signal":
            running.stop.signals += 1
        else:
            handle(running, {"command": "stop", "mode": how, "timeout_ms": timeout_ms})

    def trip(self) -> None:
        """A hard stop by hand."""
        running = self._scene.running
        if running is not None and running.latch is not None:
            running.trip("manual", "by the operator")
