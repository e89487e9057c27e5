"""What commands, status and pages are given, around a `World`."""

from typing import Any

from hip3.ops.journal import EventLog
from hip3.service.snapshot import snapshot
from tests.world import World


def status_of(world: World) -> dict[str, Any]:
    """The object of `status --json`; a world without files has counted nothing."""
    running = world.running
    journal = running.journal
    if not isinstance(journal, EventLog):
        running.journal = EventLog(running.clock.wall_ms)
    try:
        return snapshot(running)
    finally:
        running.journal = journal
