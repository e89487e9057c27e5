"""Container file and compose file: what they name exists, no secret gets in, and (long) their steps work as commands."""

import fnmatch
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hip3 import cli
from tests.stories.process import ROOT

HOME = "/opt/hip3"


def _steps() -> list[tuple[str, str]]:
    lines = (ROOT / "Containerfile").read_text().splitlines()
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines if line and line[0] != "#"]


def _compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yml").read_text())["services"]
    return found


def test_what_is_copied_exists_and_no_key_settings_or_state_are_sent_to_the_builder() -> None:
    copied = [word for kind, rest in _steps() if kind == "COPY" for word in rest.split()[:-1]]
    assert all((ROOT / word).exists() for word in copied)
    left_out = (ROOT / ".dockerignore").read_text().split()
    for secret in (".env", "agent.key", "state", "logs", ".git", ".venv"):
        assert any(fnmatch.fnmatch(secret, pattern) for pattern in left_out), secret
    assert not [word for word in copied if any(fnmatch.fnmatch(word, pattern) for pattern in left_out)]


def test_it_runs_as_nobody_and_its_commands_are_commands() -> None:
    steps = dict(_steps())
    assert steps["USER"].partition(":")[0] not in ("", "0", "root")
    assert json.loads(steps["ENTRYPOINT"]) == [f"{HOME}/run.sh"]
    for words in (json.loads(steps["CMD"]), *(service["command"] for service in _compose().values())):
        cli.parser().parse_args(words)
    for name, service in _compose().items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", [])), "this machine alone"


@pytest.mark.long
def test_its_steps_typed_one_after_the_other_give_a_service_that_trades(tmp_path: Path) -> None:
    box = tmp_path / "opt"
    box.mkdir()
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("HIP3_", "PYTEST"))} | {"HIP3_HTTP_PORT": "0"}
    entry: list[str] = []
    for kind, rest in _steps():
        if kind == "COPY":
            *sources, target = rest.split()
            for source in sources:
                place = box / target / Path(source).name if target.endswith("/") else box / target
                place.parent.mkdir(parents=True, exist_ok=True)
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(ROOT / source, place)
        elif kind == "RUN" and (os.getuid() == 0 or "chown" not in rest):
            subprocess.run(["sh", "-ec", rest.replace(HOME, str(box))], cwd=box, env=clean, check=True, timeout=400)
        elif kind in ("ENTRYPOINT", "CMD"):
            entry += [word.replace(HOME, str(box)) for word in json.loads(rest)]
    done = subprocess.run(
        [*entry, "--duration", "60"], cwd=box, env=clean, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "a minute or two" not in done.stderr, "what the image has is not fetched again"
    figures = dict(line.rsplit(maxsplit=1) for line in done.stdout.splitlines() if line.startswith("orders"))
    assert int(figures["orders filled"]) > 0
