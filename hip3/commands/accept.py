"""`accept`: walks a person through docs/acceptance.md, keeps what they found, reports it. Main's alone.

It types the commands of each item, with its settings, after Enter; what needs root, or another machine, the person
types. Whether what must hold did, only the person says: their answer, a note, and the exit codes go to
`<state>/acceptance.jsonl`, one line an answer; the newest of an item and network counts. It stops no service and
places no order by itself.
"""

import argparse
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from hip3.clock import SystemClock
from hip3.commands.checklist import Checklist, Item, Step, read_checklist
from hip3.config.settings import Settings
from hip3.errors import ConfigError
from hip3.service.start import PACKAGE_PARENT
from hip3.version import __version__

Ask = Callable[[str], str]
Say = Callable[[str], None]
Result = Literal["passed", "failed", "later"]
FILE = "acceptance.jsonl"
ANSWERS: dict[str, Result] = {"y": "passed", "yes": "passed", "n": "failed", "no": "failed", "l": "later", "": "later"}
DIGITS = "CLOID"
"""Stands in a command for what only the person knows."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One answer. `at_ms`: wall time; `codes`: each command typed and its exit code."""

    item: int
    title: str
    network: str
    account: str
    version: str
    at_ms: int
    result: Result
    note: str
    codes: list[tuple[str, int]]


class Ended(Exception):
    """The person has had enough for now."""


def checklist() -> Checklist:
    """The document beside this code. ConfigError where there is none, as in an installed package."""
    path = PACKAGE_PARENT / "docs" / "acceptance.md"
    try:
        return read_checklist(path.read_text(encoding="utf-8"))
    except OSError:
        raise ConfigError([f"accept walks through {path}, which is not there; run it in a checkout"]) from None


def records(root: Path) -> list[Record]:
    """All answers, oldest first. ConfigError for a file that cannot be read."""
    path = root / FILE
    try:
        lines = path.read_bytes().splitlines()
        return [msgspec.json.decode(line, type=Record) for line in lines if line]
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError([f"{path} cannot be read: {error}; set it aside to begin anew"]) from None


def newest(found: list[Record], network: str) -> dict[int, Record]:
    """What counts on a network."""
    return {record.item: record for record in found if record.network == network}


def report(listed: Checklist, found: list[Record], network: str, say: Say) -> bool:
    """Print the table; whether every item has passed on this network."""
    have = newest(found, network)
    say(f"acceptance on {network}")
    for item in listed.items:
        record = have.get(item.number)
        word = "open" if record is None else record.result
        when = "" if record is None else f"  {_day(record.at_ms)}, hip3 {record.version}, {record.account[:10]}"
        say(f"{item.number:>3}  {word:<7} {item.title}{when}")
        if record is not None and record.note:
            say(f"             {record.note}")
    passed = [item for item in listed.items if item.number in have and have[item.number].result == "passed"]
    say(f"{len(passed)} of {len(listed.items)} passed" + ("" if passed else "; ./run.sh accept begins"))
    return len(passed) == len(listed.items)


def _day(at_ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at_ms // 1000))


class Walk:
    """One walk through the list. `ask` raises EOFError where nobody answers; `now_ms` is wall time."""

    def __init__(self, base: Settings, ask: Ask, say: Say, now_ms: Callable[[], int]) -> None:
        self._base, self._ask, self._say, self._now_ms = base, ask, say, now_ms
        self._root = Path(base.state_dir)
        self._left: list[subprocess.Popen[bytes]] = []

    def run(self, listed: Checklist, only: int | None) -> None:
        """Every item that has not passed, or one. ConfigError if there is no such item, or nobody to answer."""
        have = newest(records(self._root), self._base.network)
        todo = [i for i in listed.items if (only is None and not _passed(have, i)) or i.number == only]
        if only is not None and not todo:
            raise ConfigError([f"there is no item {only}; there are 1 to {len(listed.items)}"])
        count = "1 item" if len(todo) == 1 else f"{len(todo)} items"
        self._say(f"{count} on {self._base.network}. Enter types a command, s leaves it out, q ends for now.")
        try:
            for item in todo:
                self._keep(self._item(item, listed.settings))
        except Ended:
            self._say("what is answered is kept; ./run.sh accept goes on with the rest")
        except EOFError:
            raise ConfigError(["accept asks questions: run it in a terminal; --report needs none"]) from None
        for child in self._left:
            if child.poll() is None:
                self._say(f"still running: process {child.pid}; ./run.sh stop --flatten ends it")

    def _item(self, item: Item, settings: dict[str, str]) -> Record:
        self._say(f"\n{item.number}  {item.title}\n   must hold: {item.holds}")
        codes = [found for step in item.steps for found in self._step(step, settings)]
        while True:
            answer = self._question("   did it hold? [y]es, [n]o, [l]ater: ")
            if answer in ANSWERS:
                break
        note = "" if ANSWERS[answer] == "later" else self._question("   a note (cloids, what was seen): ", plain=True)
        return Record(
            item=item.number, title=item.title, network=self._base.network, account=self._base.account_address or "",
            version=__version__, at_ms=self._now_ms(), result=ANSWERS[answer], note=note, codes=codes,
        )  # fmt: skip

    def _question(self, words: str, *, plain: bool = False) -> str:
        answer = self._ask(words).strip()
        if plain:
            return answer
        if answer.lower() in ("q", "quit"):
            raise Ended
        return answer.lower()

    def _step(self, step: Step, settings: dict[str, str]) -> Iterator[tuple[str, int]]:
        if step.kind == "read":
            self._say(f"   {step.line}")
            return
        if step.kind == "by hand":
            self._question(f"   type in another terminal:  {step.line}\n   then Enter ")
            return
        where = " &" if step.kind == "left running" else ""
        if self._question(f"   $ {step.line}{where}  ") == "s":
            return
        line = step.line
        if DIGITS in line:
            line = line.replace(DIGITS, self._question("   last digits of the order, as the log shows them: "))
        environment = os.environ | settings | {"API": self._base.http_url, "ACCOUNT": self._base.account_address or ""}
        if step.kind == "left running":
            self._leave(line, environment)
            return
        code = subprocess.run(["bash", "-c", line], env=environment, check=False).returncode
        self._say(f"   exit {code}")
        yield line, code

    def _leave(self, line: str, environment: dict[str, str]) -> None:
        """Start what goes on beside the next commands; what it prints is in a file, since this terminal is asked on."""
        path = Path(self._base.log_dir) / "accept.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as log:
            child = subprocess.Popen(
                ["bash", "-c", f"exec env {line}"], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self._left.append(child)
        self._say(f"   runs as process {child.pid}; what it prints: tail -f {path}")

    def _keep(self, record: Record) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / FILE).open("ab") as file:
            file.write(msgspec.json.encode(record) + b"\n")


def _passed(have: dict[int, Record], item: Item) -> bool:
    return item.number in have and have[item.number].result == "passed"


def accept(base: Settings, args: argparse.Namespace, say: Say) -> bool:
    """The command; False where a report was asked for and not every item has passed."""
    listed, root, asked = checklist(), Path(base.state_dir), args.report or args.json
    if not asked:
        Walk(base, input, say, SystemClock().wall_ms).run(listed, args.item)
    if args.json:
        say(msgspec.json.encode(records(root)).decode())
    done = report(listed, records(root), base.network, (lambda _: None) if args.json else say)
    return done or not asked
