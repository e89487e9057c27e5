"""What commands, status and pages need of the running service, around a `World`."""

from collections.abc import Callable
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

from hip3.ops.channels import Channel, open_channels, ping
from hip3.ops.journal import EventLog
from hip3.service.snapshot import snapshot
from tests.world import World


class Jobs:
    """The rest thread's inbox, answered at once."""

    def submit(self, job: Callable[[], Any]) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_result(job())
        return future


class RunningOf:
    """The parts of a process (`hip3.service.running`) around a world; one without files gets a journal that is empty."""

    def __init__(self, world: World) -> None:
        self.settings, self.clock, self.readiness, self.latch = (
            world.settings, world.clock, world.readiness, world.latch,
        )  # fmt: skip
        self.trading: Any = world.trading
        self.writer = world.sender
        self.who = SimpleNamespace(account=world.user, key=world.key, vault=None)
        self.rest = SimpleNamespace(
            urgent=world.rest, info_json=world.rest.info_json, weight_used=lambda now_ms: 0
        )  # fmt: skip
        self.rest_jobs = Jobs()
        self.journal: Any = world.journal
        self.started_ms, self.config_hash = world.clock.mono_ms(), "a world has one"
        self.failed, self.stop = "", SimpleNamespace(signals=0)
        base = world.settings.base
        self.channels = open_channels(base.alert_urls, world.clock)
        url = base.deadman_url
        self.deadman = None if url is None else Channel("dead man", ping(url), world.clock)
        self.workers: dict[str, Any] = {}

    def all_channels(self) -> list[Channel]:
        return [c for c in (*self.channels, self.deadman) if c is not None]

    def status(self) -> dict[str, Any]:
        if not isinstance(self.journal, EventLog):
            self.journal = EventLog(self.clock.wall_ms)
        return snapshot(self)  # type: ignore[arg-type]


def status_of(world: World) -> dict[str, Any]:
    """The object of `status --json`."""
    return RunningOf(world).status()
