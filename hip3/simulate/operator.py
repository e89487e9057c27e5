"""What a person does to the service."""

from typing import TYPE_CHECKING

from hip3.service.control_requests import handle

if TYPE_CHECKING:
    from hip3.simulate.world import World


class Operator:
    """What a person does to the service."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def stop(self, how: str, timeout_ms: int = 20_000) -> None:
        """`stop` in a mode, or a signal; the service is started again later."""
        service = self._world.service
        if service is None:
            return
        if how == "signal":
            service._signals += 1
        else:
            handle(service, {"command": "stop", "mode": how, "timeout_ms": timeout_ms})

    def trip(self) -> None:
        """A hard stop by hand."""
        service = self._world.service
        if service is not None and service.latch is not None:
            service.trip("manual", "by the operator")
