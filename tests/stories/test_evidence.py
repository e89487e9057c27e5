"""docs/evidence.md: every command in it, typed as printed, one after the other, on the embedded exchange."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.stories.process import ROOT, Exchange
from tests.stories.test_readme import box  # noqa: F401 a fixture

LONG = "--duration 3600"


def printed() -> list[str]:
    """The commands of the page's blocks, in order; those of Import and Paper are typed by tests/stories/test_paper.py."""
    text = (ROOT / "docs" / "evidence.md").read_text().split("\n## Import\n")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
    return [line.strip() for block in blocks for line in block.splitlines() if "./run.sh" in line]


def test_the_page_has_every_step() -> None:
    text = "\n".join(printed())
    for word in (
        "record --markets",
        "record verify",
        "record stat",
        "MODE=observe",
        "replay recordings",
        "report --days",
    ):
        assert word in text, word


@pytest.mark.long
def test_every_command_works_as_printed(box: Path) -> None:  # noqa: F811
    """Only durations are shorter. The recording is of an exchange of the test; what follows needs none."""
    (box / "requirements-lab.txt").symlink_to(ROOT / "requirements-lab.txt")
    want = subprocess.run(
        "cat requirements-lab.txt | cksum", shell=True, cwd=box, capture_output=True, text=True, check=True
    )
    (box / ".venv" / "installed.lab").write_text(want.stdout)
    env = {k: v for k, v in os.environ.items() if not k.startswith("HIP3_")} | {"HIP3_HTTP_PORT": "0"}
    exchange = Exchange(5)
    try:
        said = {}
        for line in printed():
            network = {"HIP3_API_URL": exchange.url} if " record --" in line else {"HIP3_EXCHANGE_SEED": "5"}
            done = subprocess.run(
                ["bash", "-c", line.replace(LONG, "--duration 30")], cwd=box, env=env | network, capture_output=True, text=True,
                timeout=120, check=False,
            )  # fmt: skip
            assert done.returncode == 0, (line, done.stdout[-500:], done.stderr[-1000:])
            said[line] = done.stdout
    finally:
        exchange.stop()
    observed = next(out for line, out in said.items() if "MODE=observe ./run.sh" in line)
    assert re.search(r"^observed +\d+ episodes over", observed, re.M)
    replayed = next(out for line, out in said.items() if "--set MODE=observe" in line)
    assert re.search(r"^observed +\d+ episodes over", replayed, re.M), "both end with the same figures"
    assert (box / "reports" / "report.html").stat().st_size > 1_000_000
    assert (box / "replays" / "observed" / "report.html").exists()
    assert next(out for line, out in said.items() if "--csv" in line).startswith("day,net_usd")
