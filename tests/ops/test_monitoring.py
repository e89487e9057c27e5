"""The dashboard, the alert rules and the unit file against what is served and what systemd says of it."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hip3.ops.metrics import MetricsPage
from hip3.service.details import histograms
from tests.service.apps import status_of
from tests.stories.process import ROOT
from tests.world import World

DEPLOY = ROOT / "deploy"
NAME = re.compile(r"\b(?:hip3|process)_[a-z0-9_]+")


def test_every_metric_that_is_drawn_or_alerted_on_is_served(tmp_path: Path) -> None:
    world = World(tmp_path, on_disk=True)
    world.connect()
    served = MetricsPage(lambda: status_of(world), lambda: histograms(world.running)).text()
    known = {line.split()[2] for line in served.splitlines() if line.startswith("# TYPE")}
    known |= {f"{name}{part}" for name in known for part in ("_bucket", "_count", "_sum")}
    board = json.loads((DEPLOY / "grafana" / "hip3.json").read_text())
    drawn = {name for panel in board["panels"] for target in panel["targets"] for name in NAME.findall(target["expr"])}
    rules = re.findall(r"^ +expr: (.*)$", (DEPLOY / "prometheus" / "alerts.yml").read_text(), re.M)
    alerted = {name for rule in rules for name in NAME.findall(rule)}
    assert len(drawn) > 20
    assert len(rules) == 12
    assert (drawn | alerted) - known == set()
    # A series for each stream: those of private ones are hours old wherever nothing was traded.
    assert "min by (instance) (hip3_ws_last_message_age_seconds) > 30" in rules


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_the_unit_exposes_little() -> None:
    unit = DEPLOY / "hip3.service"
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    level = re.search(r"exposure level for .*: ([\d.]+)", done.stdout)
    assert level is not None, done.stderr
    assert float(level[1]) < 3
