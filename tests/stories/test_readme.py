"""The commands of README.md and docs/mainnet.md, typed as printed, in a fresh checkout, on the embedded exchange."""

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
import requests

from tests.stories.process import ROOT, eventually

FIRST = ("demo", "run --duration")


def printed(page: str) -> list[str]:
    """The lines of its blocks that are commands."""
    blocks = re.findall(r"^ *```\n(.*?)^ *```", (ROOT / page).read_text(), re.M | re.S)
    return [
        line.strip()
        for block in blocks
        for line in block.splitlines()
        if line.strip().startswith(("./run.sh", "install "))
    ]


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """A checkout whose set-up is done, with the environment of these tests."""
    for name in ("hip3", "hip3.py", "requirements.txt"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "run.sh", tmp_path)
    (tmp_path / ".venv").mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (tmp_path / ".venv" / name).symlink_to(ROOT / ".venv" / name)
    want = subprocess.run(
        "cat requirements.txt | cksum", shell=True, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    (tmp_path / ".venv" / "installed.run").write_text(want.stdout)
    return tmp_path


def _environment(port: int) -> dict[str, str]:
    clean = {
        k: v for k, v in os.environ.items() if not k.startswith("HIP3_") and k not in ("DISPLAY", "WAYLAND_DISPLAY")
    }
    return clean | {"HIP3_HTTP_PORT": str(port), "HIP3_EXCHANGE_SEED": "5"}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _typed(line: str, box: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line], cwd=box, env=env, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("page", ["README.md", "docs/mainnet.md"])
def test_what_is_printed_works_as_printed(page: str, box: Path) -> None:
    lines, env = printed(page), _environment(_free_port())
    assert len(lines) >= 5
    running = subprocess.Popen(
        ["bash", "-c", "./run.sh run"], cwd=box, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        eventually(lambda: _typed("./run.sh status --json", box, env).returncode == 0, 30, "a running service")
        for line in [one for one in lines if not any(word in one for word in (*FIRST, "check", "./run.sh run"))]:
            done = _typed(line, box, env)
            assert done.returncode == 0, (line, done.stdout, done.stderr)
        assert running.wait(30) == 0, "the last of them is a stop"
    finally:
        running.kill()
        running.wait(5)
    for line in [one for one in lines if "check" in one or "--duration" in one]:
        done = _typed(line.replace("--duration 20", "--duration 2"), box, env)
        assert done.returncode == 0, (line, done.stdout, done.stderr)


@pytest.mark.long
def test_from_a_checkout_to_a_page_that_trades_it_is_one_command(box: Path) -> None:
    port = _free_port()
    began = time.monotonic()
    child = subprocess.Popen(
        ["./run.sh", "demo"],
        cwd=box,
        env=_environment(port),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert f"http://127.0.0.1:{port}/" in child.stdout.readline(), "it says where its page is"

        def traded() -> bool:
            try:
                found = requests.get(f"http://127.0.0.1:{port}/status", timeout=5).json()
            except requests.ConnectionError:
                return False
            return bool(found["counters"]["sent"]) and found["network"] == "embedded" and len(found["quotes"]) == 2

        eventually(traded, 60, "a page that trades")
        assert time.monotonic() - began < 60
        assert "<!doctype html>" in requests.get(f"http://127.0.0.1:{port}/", timeout=5).text
        assert (box / "state" / "demo").is_dir(), "a folder of its own"
    finally:
        child.terminate()
        child.wait(10)
        assert child.stdout is not None
        child.stdout.close()
