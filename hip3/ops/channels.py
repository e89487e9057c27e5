"""Channels: how alerts leave. Each has a queue and a thread of its own, so that one that hangs holds up no other.

A channel's address is a secret: it is known by its place and its service ("1 json"), and why it failed is said in
our own words, since those of a library may repeat the address.
"""

import importlib
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import requests

from hip3.core.ports import Clock
from hip3.core.urls import split_urls, tokens_in
from hip3.errors import ConfigError
from hip3.ops.alerts import Message

CAPACITY = 100
WAIT_S = 0.2
MOST_TRIES = 12
LONGEST_PAUSE_MS = 60_000
SLOW_MS = 10_000
"""A channel that takes longer is shown as hanging."""
HTTP_TIMEOUT_S = (3.0, 5.0)
Send = Callable[[Message], str]
"""Sends one message; why it could not, or ""."""


class Channel:
    """One way out. `offer` and `state` from any thread; `step` is the body of its own."""

    def __init__(self, name: str, send: Send, clock: Clock) -> None:
        self.name = name
        self._send, self._clock = send, clock
        self._queue: queue.Queue[Message] = queue.Queue(CAPACITY)
        self._head: Message | None = None
        self._tries = 0
        self._next_ms = 0
        self._since_ms: int | None = None
        """Since when a message is being sent; None while none is."""
        self._hurry = threading.Event()
        self.ok: bool | None = None
        """The last try; None before the first."""
        self.detail = ""
        self.sent = 0
        self.failed = 0
        """Tries that failed; a message has several."""
        self.lost = 0

    def offer(self, message: Message) -> None:
        """Send this. Never waits: what does not fit is counted as lost."""
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            self.lost += 1

    def hurry(self) -> None:
        """The process ends: whatever waits is tried once more, at once."""
        self._hurry.set()

    @property
    def idle(self) -> bool:
        """Nothing waits, nothing is being sent."""
        return self._queue.unfinished_tasks == 0

    def step(self) -> None:
        """Wait a moment for a message; try to send the oldest."""
        if self._head is None:
            try:
                self._head = self._queue.get(timeout=WAIT_S)
            except queue.Empty:
                return
            self._tries = 0
        elif not self._hurry.is_set() and self._clock.mono_ms() < self._next_ms:
            self._hurry.wait(WAIT_S)
            return
        self._try(self._head)

    def _try(self, message: Message) -> None:
        self._since_ms = self._clock.mono_ms()
        try:
            why = self._send(message)
        except Exception as error:  # noqa: BLE001 a library's fault must not end the channel
            why = f"it failed ({type(error).__name__})"
        self._since_ms = None
        self.ok, self.detail = not why, why
        self._tries += 1
        if not why:
            self.sent += 1
            self._done()
            return
        self.failed += 1
        if self._tries < MOST_TRIES and not self._hurry.is_set():
            self._next_ms = self._clock.mono_ms() + min(LONGEST_PAUSE_MS, 500 << self._tries)
            return
        self.lost += 1
        self._done()

    def _done(self) -> None:
        self._head = None
        self._queue.task_done()

    def state(self, now_ms: int) -> dict[str, Any]:
        """For the status. `ok`: the last try, null before the first; `failed` counts tries, the others messages."""
        ok, detail, since = self.ok, self.detail, self._since_ms
        if since is not None and now_ms - since > SLOW_MS:
            ok, detail = False, f"no answer for {(now_ms - since) // 1000} s"
        waiting = self._queue.unfinished_tasks
        counts = {"waiting": waiting, "sent": self.sent, "failed": self.failed, "lost": self.lost}
        return {"channel": self.name, "ok": ok, "detail": detail, **counts}


def open_channels(urls: str | None, clock: Clock) -> list[Channel]:
    """A channel for each address of HIP3_ALERT_URLS. ConfigError names what apprise does not know by its place."""
    wanted = split_urls(urls)
    if not wanted:
        return []
    # Only here: apprise and its services cost half a second and 20 MB, which a start without alerts need not pay.
    apprise: Any = importlib.import_module("apprise")
    _silence()
    channels, faults = [], []
    for number, url in enumerate(wanted, 1):
        service = apprise.Apprise.instantiate(url)
        name = f"{number} {url.partition('://')[0][:20]}"
        if service is None:
            faults.append(
                f"HIP3_ALERT_URLS: entry {name} is no address that apprise knows; "
                "compare it with its service's page at https://appriseit.com/services"
            )
        else:
            channels.append(Channel(name, _sender(apprise, service), clock))
    if faults:
        raise ConfigError(faults)
    return channels


def _silence() -> None:
    """Its log lines may hold an address."""
    log = logging.getLogger("apprise")
    log.propagate = False
    log.setLevel(logging.CRITICAL + 1)


def _sender(apprise: Any, service: Any) -> Send:
    """Past apprise's own dispatcher: it sends from a pool of threads that the process's end would wait for."""
    kinds = {"page": "failure", "warn": "warning", "info": "info"}
    plain, convert = apprise.NotifyFormat.TEXT, importlib.import_module("apprise.conversion").convert_between
    wanted = service.resolve_format(plain)

    def send(message: Message) -> str:
        kind = apprise.NotifyType("success" if message.over else kinds[message.level])
        body = convert(plain, wanted, content=message.body)
        done = service.notify(title=message.title, body=body, notify_type=kind, body_format=wanted)
        return "" if done else "not delivered: the service refused it or cannot be reached"

    return send


def ping(url: str, session: Callable[[], requests.Session] = requests.Session) -> Send:
    """The dead-man address: asked for by GET, whatever the message says. A `session` whose calls end as a whole keeps
    an answer that drips from holding the channel for ever."""

    def send(message: Message) -> str:
        try:
            with session() as one:
                status = one.get(url, timeout=HTTP_TIMEOUT_S).status_code
        except requests.RequestException as error:
            return f"no answer ({type(error).__name__})"
        return "" if status < 300 else f"HTTP {status}"

    return send


def secret_parts(*urls: str | None) -> list[str]:
    """What must never be shown of these addresses: they themselves, and the parts that are tokens or passwords."""
    found: set[str] = set()
    for text in urls:
        for url in split_urls(text):
            rest = url.partition("://")[2]
            place, _, path = rest.partition("/")
            user, _, host = place.rpartition("@")
            # A token may stand where a host does; a name of a machine is no secret.
            places = [*user.split(":"), *(host.split(":") if "." not in host else []), path]
            found |= {url, rest, *(w for word in places for token in tokens_in(word) for w in (token, unquote(token)))}
            found |= {w for w in (user.partition(":")[2], unquote(user.partition(":")[2])) if w}
    return [text for text in found if len(text) >= 4]
