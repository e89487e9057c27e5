"""The runbook: a section for each alert and exit code, and every command in it, typed at a running service."""

import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from hip3 import cli
from hip3.config import reading
from hip3.ops.alerts import KINDS
from hip3.ops.control import ask
from hip3.ops.state_dir import socket_path
from hip3.service.params import detector_params
from hip3.strategy.sizing import impossible
from tests.builders import spec
from tests.stories.process import ROOT, LocalExchange, eventually, local_exchange
from tests.stories.test_supervision import box_with, ready

TEXT = (ROOT / "docs" / "runbook.md").read_text()
SECTIONS = re.findall(r"^### (.+)$", TEXT, re.M)
FENCES = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.M | re.S)
COMMANDS = list(dict.fromkeys(line for kind, body in FENCES if kind == "sh" for line in body.splitlines() if line))
"""Each once, in the order of the document."""
ENDING = ("./run.sh stop",)
WHILE_STOPPED = ("./run.sh latch reset", "./run.sh check --sign")
LATER = {"pause", "resume", "cancel-all", "flatten"}
"""Commands of the interface that may be built by others; once the command line has them, they run."""
HOST_TOOLS = ("crontab", "curl", "free", "ps")
"""What a bare machine may lack: their commands are typed where they are."""


def _known() -> set[str]:
    return set(cli.parser()._subparsers._group_actions[0].choices)  # type: ignore[union-attr,arg-type]


def _word(command: str) -> str:
    return shlex.split(command)[1] if command.startswith("./run.sh") else ""


def test_every_alert_and_every_exit_code_has_its_section_and_no_other_has() -> None:
    start, end = TEXT.index("## Alerts\n"), TEXT.index("## Exit codes\n")
    assert re.findall(r"^### (.+)$", TEXT[start:end], re.M) == list(KINDS)
    assert [s for s in SECTIONS if s.startswith("exit ")] == [f"exit {code}" for code in range(9)]
    for kind, entry in KINDS.items():
        body = TEXT.split(f"### {kind}\n", 1)[1].split("\n### ")[0]
        assert body.lstrip().startswith(f"**{entry.level}.**"), kind


def test_the_three_troubles_of_the_review_have_their_sections() -> None:
    assert {"Races in order and position state", "Growing memory", "Rate limits"} <= set(SECTIONS)


def test_there_is_nothing_fenced_but_commands_and_cron_lines() -> None:
    assert {kind for kind, _ in FENCES} == {"sh", "cron"}
    assert all(
        line.startswith(("* * * * * ", "@reboot ")) for k, body in FENCES if k == "cron" for line in body.splitlines()
    )


def test_commands_named_in_the_text_are_ones_that_exist() -> None:
    named = set(re.findall(r"`\./run\.sh ([^`]+)`", TEXT))
    assert named
    for text in named:
        words = shlex.split(text)
        if words[0] in LATER - _known():
            continue
        cli.parser().parse_args(words)


def test_what_others_build_is_the_only_thing_that_may_be_missing() -> None:
    assert {_word(c) for c in COMMANDS if _word(c)} - _known() <= LATER


def test_links_lead_to_sections() -> None:
    anchors = {re.sub(r"[^\w -]", "", s.lower()).replace(" ", "-") for s in re.findall(r"^#+ (.+)$", TEXT, re.M)}
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors


def test_the_acceptance_document_has_its_items_and_only_commands_and_settings_that_exist() -> None:
    text = (ROOT / "docs" / "acceptance.md").read_text()
    assert [int(n) for n in re.findall(r"^### (\d+) ", text, re.M)] == list(range(1, 11))
    tests = (ROOT / "tests" / "stories" / "test_verification.py").read_text()
    for name in re.findall(r"`(test_item_\d+_)…`", text):
        assert f"def {name}" in tests, name
    lines = [
        line
        for kind, body in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
        if kind == "sh"
        for line in body.splitlines()
    ]
    typed = [shlex.split(line.partition("./run.sh ")[2]) for line in lines if "./run.sh " in line]
    assert len(typed) > 20
    for words in typed:
        if words[0] not in LATER - _known():
            cli.parser().parse_args(words)
    named = {name.lower() for name in re.findall(r"HIP3_([A-Z_]+)", text)}
    assert named <= set(reading.FIELDS)


@pytest.fixture(scope="module")
def at() -> Iterator[LocalExchange]:
    with local_exchange(limited=False) as started:  # who types the whole book within a minute spends it
        yield started


def _type(box: Path, command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["/bin/sh", "-c", command], cwd=box, capture_output=True, text=True, timeout=60, check=False)


def _cloid(box: Path) -> str:
    """The last digits that the log shows of an order that was sent, as a reader would take them."""
    lines = re.findall(r"sent       .*\[([0-9a-f]+)\]", (box / "logs" / "hip3.log").read_text())
    return str(lines[0]) if lines else ""


def test_every_command_of_the_runbook_works_as_typed(tmp_path: Path, at: LocalExchange) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    box = box_with(
        tmp_path, HIP3_API_URL=at.url, HIP3_EXCHANGE_SEED="1", HIP3_HTTP_PORT=port,
        HIP3_MARKETS="xyz:GOLD,xyz:NVDA,xyz:TSLA",
    )  # fmt: skip
    done: list[str] = []

    def typed(command: str) -> None:
        if _word(command) in LATER - _known():
            return
        line = command.replace("8730", port).replace("CLOID", _cloid(box))
        tool = command.partition(" ")[0]
        done.append(command)
        if tool in HOST_TOOLS and shutil.which(tool) is None:
            return
        answer = _type(box, line)
        fine = (0, 1) if tool == "crontab" else (0,)  # 1: this user has none
        assert answer.returncode in fine, f"{command}: {answer.stdout}{answer.stderr}"

    ending = [c for c in COMMANDS if c.startswith(ENDING)]
    stopped = [c for c in COMMANDS if c.startswith(WHILE_STOPPED)]
    running = [c for c in COMMANDS if c not in ending and c not in stopped]
    for number, last in enumerate(ending):
        with open(box / "logs" / "cron.log", "a") as log:
            service = subprocess.Popen(["./run.sh", "run"], cwd=box, stdout=log, stderr=log)
        try:
            eventually(lambda: ready(box), 30, "READY")
            if number == 0:
                eventually(lambda: _cloid(box), 60, "an order to explain")
                for command in running:
                    typed(command)
            typed(last)
            service.wait(10)
        finally:
            if service.poll() is None:
                service.kill()
                service.wait(5)
        assert ask(socket_path(box / "state"), {}) is None
    for command in stopped:
        typed(command)
    assert set(done) == {c for c in COMMANDS if _word(c) not in LATER - _known()}


def _acceptance_env(without: tuple[str, ...] = ()) -> dict[str, str]:
    text = (ROOT / "docs" / "acceptance.md").read_text()
    (body,) = re.findall(r"^```ini\n(.*?)^```$", text, re.M | re.S)
    lines = dict(line.split("=", 1) for line in body.splitlines())
    return {name: value for name, value in lines.items() if name not in without}


def test_the_settings_of_the_acceptance_document_let_an_order_through() -> None:
    base = reading.load(_acceptance_env(), None)
    params = detector_params(reading.MarketSettings(base), {"xyz:GOLD": spec()})["xyz:GOLD"].sizing
    assert impossible(params, Decimal(4000)) is None
    # The trial, as the document says: these three lines taken out.
    three = ("HIP3_MAX_NOTIONAL_PER_MARKET", "HIP3_MAX_NOTIONAL_TOTAL", "HIP3_MAX_CONCURRENT_POSITIONS")
    small = reading.load(_acceptance_env(three) | {"HIP3_PROFILE": "micro"}, None)
    params = detector_params(reading.MarketSettings(small), {"xyz:GOLD": spec()})["xyz:GOLD"].sizing
    assert impossible(params, Decimal(4000)) is None
