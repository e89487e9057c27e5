"""`accept` walks through the document as it stands; (long) its settings and commands are played on the embedded exchange."""

import json
import re
import shlex
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from hip3 import cli
from hip3.commands.accept import Walk, checklist, records, report
from hip3.commands.checklist import Item, read_checklist
from hip3.config import reading
from hip3.errors import ConfigError
from hip3.service.params import detector_params
from hip3.strategy.sizing import impossible
from tests.builders import spec
from tests.stories.process import ROOT, Exchange, Service

LISTED = checklist()
LIST = """
```sh
export HIP3_MIN_EDGE_BPS=0
```
### 1 One
```sh
echo "$HIP3_MIN_EDGE_BPS at $API" > seen
# look at it
sudo reboot
false
```
Pass: it is seen. `test_item_1_…`
### 2 Two
```sh
# another terminal
A=1 sleep 60
echo CLOID > digits
```
Pass: the digits are there.
## Later
"""


class Person:
    """Types what is waiting, and hears what is said."""

    def __init__(self, *answers: str) -> None:
        self.waiting = list(answers)
        self.said: list[str] = []

    def ask(self, words: str) -> str:
        self.said.append(words)
        if not self.waiting:
            raise EOFError
        return self.waiting.pop(0)


def _walk(tmp_path: Path, person: Person, only: int | None = None) -> None:
    base = reading.load(
        {"HIP3_STATE_DIR": str(tmp_path / "s"), "HIP3_LOG_DIR": str(tmp_path / "l"), "HIP3_API_URL": "http://x:1"}, None
    )
    walk = Walk(base, person.ask, person.said.append, lambda: 86_400_000)
    try:
        walk.run(read_checklist(LIST), only)
    finally:
        for child in walk._left:
            child.kill()
            child.wait()


def test_the_document_is_a_list_of_ten_whose_steps_can_be_typed() -> None:
    assert [item.number for item in LISTED.items] == list(range(1, 11))
    for item in LISTED.items:
        for step in item.steps:
            if "./run.sh " in step.line and step.kind != "read":
                cli.parser().parse_args(shlex.split(step.line.partition("./run.sh ")[2]))
        last = [step.line for step in item.steps if step.kind == "left running"]
        ends = "\n".join(step.line for other in LISTED.items[item.number - 1 :][:2] for step in other.steps)
        assert not last or "./run.sh stop --flatten" in ends, f"item {item.number} leaves a service running"


@pytest.mark.parametrize("item", LISTED.items, ids=lambda item: str(item.number))
def test_the_settings_of_each_item_start_and_let_an_order_through(item: Item) -> None:
    (sample,) = re.findall(r"^```ini\n(.*?)^```$", (ROOT / "docs" / "acceptance.md").read_text(), re.M | re.S)
    env = dict(line.split("=", 1) for line in sample.splitlines()) | LISTED.settings
    for step in item.steps:
        if not step.line.startswith(("HIP3_API_URL", "HIP3_PRIVATE_KEY_FILE")):
            env |= dict(re.findall(r"(HIP3_\w+)=(\S+)", step.line))
    settings = reading.MarketSettings(reading.load(env, None))
    assert impossible(detector_params(settings, {"xyz:GOLD": spec()})["xyz:GOLD"].sizing, Decimal(4000)) is None


def test_commands_are_typed_with_their_settings_and_answers_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    person = Person("", "", "", "what?", "y", "saw it", "", "", "77aa", "n", "")
    _walk(tmp_path, person)
    assert (tmp_path / "seen").read_text() == "0 at http://x:1\n"
    assert (tmp_path / "digits").read_text() == "77aa\n"
    first, second = records(tmp_path / "s")
    assert (first.item, first.result, first.note, first.at_ms) == (1, "passed", "saw it", 86_400_000)
    assert [code for _, code in first.codes] == [0, 1], "what was typed by hand has none"
    assert second.result == "failed"
    assert any("sudo reboot" in words for words in person.said), "which is never typed by us"
    told: list[str] = []
    assert not report(read_checklist(LIST), records(tmp_path / "s"), "embedded", told.append)
    assert "1 of 2 passed" in told[-1]


def test_it_goes_on_where_it_stopped_and_an_item_can_be_had_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _walk(tmp_path, Person("s", "", "s", "y", "", "q"))
    assert [r.item for r in records(tmp_path / "s")] == [1]
    _walk(tmp_path, Person("s", "s", "y", "later"))
    _walk(tmp_path, Person("s", "", "s", "n", "worse"), only=1)
    told: list[str] = []
    assert not report(read_checklist(LIST), records(tmp_path / "s"), "embedded", told.append)
    assert [line for line in told if "failed" in line and "One" in line], "the newest answer counts"
    assert not report(read_checklist(LIST), records(tmp_path / "s"), "mainnet", told.append), "another network's do not"
    with pytest.raises(ConfigError, match="there is no item 9"):
        _walk(tmp_path, Person(), only=9)
    with pytest.raises(ConfigError, match="in a terminal"):
        _walk(tmp_path, Person())


@pytest.mark.parametrize("text", ["", "### 1 One\nPass: nothing typed\n", "### 2 Two\n```sh\nls\n```\nPass: it does\n"])
def test_a_document_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        read_checklist(text)


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    started = Exchange(seed=5)
    yield started
    started.stop()


@pytest.mark.long
@pytest.mark.parametrize("number", [5, 7, 9, 10])
def test_what_an_item_leaves_running_trades_on_the_embedded_exchange_and_ends_flat(
    number: int, tmp_path: Path, exchange: Exchange
) -> None:
    item = LISTED.items[number - 1]
    (line, *_) = (step.line for step in item.steps if step.kind == "left running")
    own = dict(re.findall(r"(HIP3_\w+)=(\S+)", line))
    small = {
        "HIP3_MAX_NOTIONAL_PER_MARKET": "15",
        "HIP3_MAX_NOTIONAL_TOTAL": "15",
        "HIP3_MAX_CONCURRENT_POSITIONS": "1",
    }
    settings = {**LISTED.settings, **small, **own, "HIP3_MARKETS": "xyz:GOLD", "HIP3_API_URL": exchange.url}
    service = Service(tmp_path, **settings)
    try:
        service.wait_for(lambda s: s["counters"]["filled"] > 0, 120, "a filled order")
        ended = service.run("stop", "--flatten")
        assert ended.returncode == 0, ended.stdout + ended.stderr
    finally:
        service.close()


def test_the_report_is_a_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIP3_STATE_DIR", str(tmp_path))
    assert cli.main(["accept", "--report"]) == 4
    assert "0 of 10 passed" in capsys.readouterr().out
    assert cli.main(["accept", "--json"]) == 4
    assert json.loads(capsys.readouterr().out) == []
