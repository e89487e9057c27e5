"""`run.sh` as cron starts it, its output's rotation, and the systemd unit beside it."""

import configparser
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from hip3 import cli
from hip3.ops.logs import OUTPUT_BYTES, rotate_output
from hip3.service.app import JOIN_S, SIGTERM_TIMEOUT_MS
from tests.stories.process import ROOT, eventually, local_exchange

CRON = "cd {box} && ./run.sh run --supervised >> logs/cron.log 2>&1"
"""The line of the outer interface, with the folder left open."""


def box_with(tmp_path: Path, **settings: str) -> Path:
    """The project as it stands on a box: installed, with settings in `.env` and nothing running."""
    box = tmp_path / "hip3"
    (box / ".venv").mkdir(parents=True)
    for part in ("hip3", "hip3.py", "requirements.txt"):
        (box / part).symlink_to(ROOT / part)
    for part in (ROOT / ".venv").resolve().iterdir():
        if not part.name.startswith("installed"):
            (box / ".venv" / part.name).symlink_to(part)
    wanted = (ROOT / "requirements.txt").read_bytes()
    (box / ".venv" / "installed.run").write_bytes(subprocess.check_output(["cksum"], input=wanted))
    shutil.copy(ROOT / "run.sh", box)
    (box / "logs").mkdir()
    (box / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    (box / ".env").chmod(0o600)
    return box


def _as_cron(box: Path, *, wait: bool = True) -> "subprocess.Popen[str]":
    """With the environment that cron gives: next to none."""
    env = {"PATH": "/usr/bin:/bin", "HOME": "/", "SHELL": "/bin/sh", "LOGNAME": "root"}
    started = subprocess.Popen(["/bin/sh", "-c", CRON.format(box=box)], env=env, text=True, cwd="/")
    if wait:
        started.wait(30)
    return started


def _run(box: Path, *args: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["./run.sh", *args], cwd=box, capture_output=True, text=True, timeout=30, check=False)


def ready(box: Path) -> bool:
    answer = _run(box, "status")
    return answer.returncode == 0 and answer.stdout.startswith("READY")


def test_cron_starts_it_once_again_after_a_kill_and_not_after_a_stop(tmp_path: Path) -> None:
    with local_exchange() as at:
        box = box_with(
            tmp_path, HIP3_API_URL=at.url, HIP3_EXCHANGE_SEED="1", HIP3_MARKETS="xyz:GOLD", HIP3_HTTP_PORT="0",
            HIP3_MIN_EDGE_BPS="5000",
        )  # fmt: skip
        log = box / "logs" / "cron.log"
        first = _as_cron(box, wait=False)
        eventually(lambda: ready(box), 30, "READY")
        said = log.read_text()
        assert said
        assert _as_cron(box).returncode == 6
        children = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
        pid = int(children[0]) if children else first.pid  # some shells become their last command
        assert b"hip3.py" in Path(f"/proc/{pid}/cmdline").read_bytes()  # a signal reaches the service, not a shell
        os.kill(pid, signal.SIGKILL)
        assert first.wait(10) != 0
        second = _as_cron(box, wait=False)
        eventually(lambda: ready(box), 30, "READY again")
        stopped = _run(box, "stop", "--flatten")
        assert (stopped.returncode, second.wait(10)) == (0, 0), stopped.stderr
        before = log.read_text()
        assert _as_cron(box).returncode == 0
        assert _run(box, "status").returncode == 3
        assert log.read_text() == before  # what cron meets every minute leaves no line
        assert "another hip3 runs" not in before
        assert (box / "state").stat().st_mode & 0o077 == 0


def test_a_start_that_cannot_succeed_is_not_made_every_minute(tmp_path: Path) -> None:
    with local_exchange() as at:
        box = box_with(
            tmp_path, HIP3_API_URL=at.url, HIP3_EXCHANGE_SEED="1", HIP3_MARKETS="xyz:NOPE", HIP3_HTTP_PORT="0"
        )
        assert [_as_cron(box).returncode for _ in range(3)] == [4, 4, 0]
        assert "2 failed starts in a row" in (box / "logs" / "cron.log").read_text()
        (box / ".env").write_text("HIP3_COLOUR=blue\n")
        assert _as_cron(box).returncode == 2


def test_each_supervised_start_rotates_what_cron_s_line_appends_to(tmp_path: Path) -> None:
    box = box_with(tmp_path)
    (box / "state").mkdir()
    (box / "state" / "stopped").touch()
    log = box / "logs" / "cron.log"
    log.touch()
    os.truncate(log, OUTPUT_BYTES + 1)
    assert _as_cron(box).returncode == 0
    assert log.read_bytes() == b""
    assert (box / "logs" / "cron.log.1").stat().st_size == OUTPUT_BYTES + 1


@pytest.mark.parametrize("appended", [True, False])
def test_a_large_output_file_is_copied_away_and_emptied_under_its_writer(tmp_path: Path, appended: bool) -> None:
    path = tmp_path / "cron.log"
    with open(path, "a" if appended else "w") as service:
        for number in range(1, 8):
            service.write(f"{number}" * 100)
            service.flush()
            rotate_output(service.fileno(), limit=99)
        service.write("goes on")
    kept = sorted(p.name for p in tmp_path.iterdir())
    if not appended:  # `>`: it would be left with a hole
        assert kept == ["cron.log"]
        return
    assert path.read_text() == "goes on"
    assert kept == ["cron.log", *(f"cron.log.{n}" for n in range(1, 6))]
    assert [(tmp_path / f"cron.log.{n}").read_text()[0] for n in range(1, 6)] == ["7", "6", "5", "4", "3"]


def test_a_small_output_file_stays(tmp_path: Path) -> None:
    with open(tmp_path / "cron.log", "a") as service:
        service.write("x" * 99)
        service.flush()
        rotate_output(service.fileno(), limit=99)
    assert (tmp_path / "cron.log").stat().st_size == 99


def test_the_cron_lines_of_the_documents_are_the_interface_s() -> None:
    every, boot = f"* * * * * {CRON.format(box='/opt/hip3')}", f"@reboot {CRON.format(box='/opt/hip3')}"
    assert every in (ROOT / "docs" / "using.md").read_text()
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    assert every in runbook
    assert boot in runbook
    assert (ROOT / "logs").is_dir()  # or the shell could not open the line's file


def test_the_unit_starts_what_cron_starts_and_knows_the_exit_codes() -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[method-assign,assignment]
    unit.read(ROOT / "deploy" / "hip3.service")
    service = unit["Service"]
    assert service["ExecStart"] == "/opt/hip3/run.sh run"
    kept = {int(code) for code in service["RestartPreventExitStatus"].split()}
    assert kept == {cli.USAGE, cli.CHECK_FAILED, cli.RUNNING, cli.NOT_AS_ASKED}
    assert service["Restart"] == "on-failure"
    assert service["KillMode"] == "mixed"
    assert int(service["TimeoutStopSec"]) > 5 > SIGTERM_TIMEOUT_MS / 1000 + JOIN_S
    assert service["ReadWritePaths"] == service["WorkingDirectory"]
