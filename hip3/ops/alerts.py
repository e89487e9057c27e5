"""What is worth telling a person who is not looking: the table of alerts, and when each is due. Pure.

`KINDS` has every alert with its level; each has its section in docs/runbook.md. `alert_records` says which records of
the journal are alerts. `Judge` finds in `Facts` what no single record says: how long, how much is left. `Desk` sends
the same thing once, and again after the kind's interval while it lasts.
"""

from collections.abc import Callable
from typing import Literal

import msgspec

from hip3.core.ports import CLOCK_WARN_MS

Level = Literal["page", "warn", "info"]
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
LEAST_BUDGET_PERCENT = 20
LEAST_DISK_PERCENT = 10
START_PROOF_MS = 10_000
"""A start is told with what it found; later than this without."""
MOST_KEYS = 1000


class Kind(msgspec.Struct, frozen=True):
    """page: somebody should get up. warn: today. info: good to know."""

    level: Level
    repeat_ms: int = 0
    """The same again is kept back for so long; 0: never."""


KINDS: dict[str, Kind] = {
    "latch": Kind("page", 15 * MINUTE_MS),
    "hard_stop": Kind("info"),
    "hard_stop_open": Kind("page", 15 * MINUTE_MS),
    "latch_reset": Kind("info"),
    "unknown_order": Kind("page", 15 * MINUTE_MS),
    "not_ready": Kind("page", 15 * MINUTE_MS),
    "exit_stuck": Kind("page", 15 * MINUTE_MS),
    "forced_fill": Kind("page"),
    "second_instance": Kind("page", 15 * MINUTE_MS),
    "failed": Kind("page"),
    "stop_open": Kind("page"),
    "orphan": Kind("page", 6 * HOUR_MS),
    "stop_bare": Kind("warn"),
    "protection": Kind("warn", 6 * HOUR_MS),
    "mismatch": Kind("warn", HOUR_MS),
    "paused": Kind("warn", 6 * HOUR_MS),
    "account_mode": Kind("warn", 6 * HOUR_MS),
    "quotes": Kind("warn", HOUR_MS),
    "market_blocked": Kind("warn", 6 * HOUR_MS),
    "feed": Kind("warn", HOUR_MS),
    "journal": Kind("warn", HOUR_MS),
    "recording": Kind("warn", HOUR_MS),
    "thread": Kind("warn", 6 * HOUR_MS),
    "clock": Kind("warn", HOUR_MS),
    "address_budget": Kind("warn", 6 * HOUR_MS),
    "disk": Kind("warn", 6 * HOUR_MS),
    "agent": Kind("warn", DAY_MS),
    "start": Kind("info"),
    "stop": Kind("info"),
    "test": Kind("info"),
}


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell."""

    kind: str
    text: str
    subject: str = ""
    """What it is about; with the kind it says what "the same" is."""
    over: bool = False
    """It was told before and does not hold any more."""

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.subject}"

    @property
    def level(self) -> Level:
        return "info" if self.over else KINDS[self.kind].level


class Unknown(msgspec.Struct, frozen=True):
    """An order whose outcome nobody knows."""

    cloid: str
    coin: str
    age_ms: int


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """The service at one instant."""

    state: str
    """The state word of the status."""
    reasons: tuple[str, ...] = ()
    paused: bool = False
    """Somebody typed `pause`."""
    latch: str | None = None
    """The tripped latch's reason."""
    latch_at_ms: int | None = None
    unknown: tuple[Unknown, ...] = ()
    budget: tuple[int, int] | None = None
    """Actions of the address: used and allowed."""
    disk_percent: int | None = None
    """Free, of the fullest of our folders."""
    agent_left_ms: int | None = None
    """Until the agent's approval ends; None: never, or it is no agent."""
    clock_offset_ms: int | None = None
    slowed_ms: tuple[int, int] | None = None
    """Time between contexts and the limit, where those of all markets come too late."""
    exiting: frozenset[str] = frozenset()
    """Markets that are being left."""
    dead: tuple[str, ...] = ()
    """Threads that died and were not to."""
    found: str | None = None
    """What was open when READY was first reached."""
    uptime_ms: int = 0
    what: str = "hip3"
    """Version, mode, account: for the start."""


class AlertLimits(msgspec.Struct, frozen=True):
    """From the settings; 0: off."""

    unknown_ms: int
    not_ready_ms: int


class Judge:
    """What holds now and is worth an alert, and what held before and does not any more."""

    def __init__(self, limits: AlertLimits) -> None:
        self._limits = limits
        self._lost_ms: int | None = None
        self._started = False
        self._held: dict[str, Alert] = {}
        self._stuck: dict[str, Alert] = {}

    def heard(self, alert: Alert) -> None:
        """A record said so; a stuck exit lasts until its market is left."""
        if alert.kind == "exit_stuck":
            self._stuck[alert.subject] = alert

    def look(self, facts: Facts, now_ms: int) -> list[Alert]:
        """One round at monotonic `now_ms`."""
        out = self._start(facts)
        found = (
            self._latch(facts), self._unknown(facts), self._not_ready(facts, now_ms), self._budget(facts),
            self._disk(facts), self._agent(facts), self._clock(facts), self._feed(facts), *self._threads(facts),
            *self._left(facts),
        )  # fmt: skip
        holding = {alert.key: alert for alert in found if alert is not None}
        ended = [alert for key, alert in self._held.items() if key not in holding]
        self._held = holding
        return [*out, *holding.values(), *(msgspec.structs.replace(alert, over=True) for alert in ended)]

    def _start(self, facts: Facts) -> list[Alert]:
        if self._started or (facts.found is None and facts.uptime_ms < START_PROOF_MS):
            return []
        self._started = True
        found = facts.found or f"not READY yet: {'; '.join(facts.reasons) or facts.state}"
        return [Alert(kind="start", text=f"started {facts.what}; {found}")]

    def _latch(self, facts: Facts) -> Alert | None:
        if facts.latch is None:
            return None
        return Alert(
            kind="latch",
            subject=str(facts.latch_at_ms or ""),
            text=f"HARD STOP: {facts.latch}; no entries until ./run.sh latch reset --reason TEXT",
        )

    def _unknown(self, facts: Facts) -> Alert | None:
        limit = self._limits.unknown_ms
        old = sorted((u for u in facts.unknown if limit and u.age_ms > limit), key=lambda u: -u.age_ms)
        if not old:
            return None
        shown = ", ".join(f"{u.coin} {u.cloid[-12:]} for {u.age_ms // 1000} s" for u in old[:3])
        more = f" and {len(old) - 3} more" if len(old) > 3 else ""
        return Alert(kind="unknown_order", subject=old[0].cloid, text=f"nobody knows the outcome of {shown}{more}")

    def _not_ready(self, facts: Facts, now_ms: int) -> Alert | None:
        if facts.state in ("READY", "HARD_STOP"):  # a stop has its own alert
            self._lost_ms = None
            return None
        if self._lost_ms is None:
            self._lost_ms = now_ms
        lost_for, limit = now_ms - self._lost_ms, self._limits.not_ready_ms
        if not limit or lost_for <= limit:
            return None
        if facts.paused and len(facts.reasons) == 1:  # as asked; but it may have been forgotten
            return Alert(kind="paused", text=f"paused for {lost_for // 1000} s: {facts.reasons[0]}")
        text = f"not READY for {lost_for // 1000} s: {'; '.join(facts.reasons) or facts.state}"
        return Alert(kind="not_ready", subject=str(self._lost_ms), text=text)

    def _budget(self, facts: Facts) -> Alert | None:
        if facts.budget is None:
            return None
        used, cap = facts.budget
        left = cap - used
        if cap <= 0 or left * 100 >= cap * LEAST_BUDGET_PERCENT:
            return None
        return Alert(kind="address_budget", text=f"{max(0, left)} of {cap} actions of the address are left")

    def _disk(self, facts: Facts) -> Alert | None:
        if facts.disk_percent is None or facts.disk_percent >= LEAST_DISK_PERCENT:
            return None
        return Alert(kind="disk", text=f"{facts.disk_percent} % of the disk are free")

    def _agent(self, facts: Facts) -> Alert | None:
        left = facts.agent_left_ms
        if left is None or left >= WEEK_MS:
            return None
        when = f"expires in {left // DAY_MS} days and {left % DAY_MS // HOUR_MS} hours" if left > 0 else "has expired"
        return Alert(kind="agent", text=f"the agent's approval {when}; approve a new one and change the key")

    def _clock(self, facts: Facts) -> Alert | None:
        offset = facts.clock_offset_ms
        if offset is None or abs(offset) <= CLOCK_WARN_MS:
            return None
        return Alert(
            kind="clock", text=f"this machine's clock is {-offset} ms off the exchange's; set it (chrony, ntpd)"
        )

    def _feed(self, facts: Facts) -> Alert | None:
        if facts.slowed_ms is None:
            return None
        came, limit = facts.slowed_ms
        text = f"the contexts of all markets come {came} ms apart, and entries need one of the last {limit} ms"
        return Alert(kind="feed", text=f"{text}: the exchange has slowed its feed, or sends nothing")

    def _left(self, facts: Facts) -> list[Alert]:
        self._stuck = {coin: alert for coin, alert in self._stuck.items() if coin in facts.exiting}
        return [*self._stuck.values()]

    def _threads(self, facts: Facts) -> list[Alert]:
        return [Alert(kind="thread", subject=name, text=f"thread {name} died") for name in facts.dead]


FLAP_MS = 60_000


class _Sent:
    __slots__ = ("at_ms", "kept_back", "over_ms")

    def __init__(self, at_ms: int) -> None:
        self.at_ms, self.kept_back = at_ms, 0
        self.over_ms: int | None = None
        """When its end was told; None: it lasts."""


class Desk:
    """Keeps back what was told already. Monotonic milliseconds."""

    def __init__(self) -> None:
        self._sent: dict[str, _Sent] = {}

    def due(self, alert: Alert, now_ms: int) -> Alert | None:
        """The alert if it is to be sent now, with how often it was kept back; else None."""
        known, repeat = self._sent.get(alert.key), KINDS[alert.kind].repeat_ms
        if alert.over:
            if known is None or known.over_ms is not None:
                return None
            known.over_ms = now_ms
            return alert
        # What begins anew a while after its end was told is news; sooner it flaps.
        anew = known is not None and known.over_ms is not None and now_ms - known.over_ms >= FLAP_MS
        if known is not None and now_ms - known.at_ms < repeat and not anew:
            known.kept_back += 1
            return None
        if repeat:
            self._prune(now_ms)
            self._sent[alert.key] = _Sent(now_ms)
        return alert

    def _prune(self, now_ms: int) -> None:
        if len(self._sent) >= MOST_KEYS:
            oldest = sorted(self._sent, key=lambda key: self._sent[key].at_ms)
            for key in oldest[: MOST_KEYS // 2]:
                del self._sent[key]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as a channel sends it."""

    level: Level
    over: bool
    title: str
    body: str


def message(alert: Alert, where: str, at: str, redact: Callable[[str], str]) -> Message:
    """`where` names the service, `at` the time; `redact` takes secrets out."""
    over = "over: " if alert.over else ""
    body = f"{over}{redact(alert.text)}\n{at}, {where}\nwhat to do: docs/runbook.md, {alert.kind}"
    title = f"hip3 {'over' if alert.over else alert.level}: {alert.kind}"
    return Message(level=alert.level, over=alert.over, title=title, body=body)
