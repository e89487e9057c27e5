"""The locks beside the requirement files: everything that they bring is pinned, by hash, and nothing else is there."""

import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.lock", "requirements-lab.lock", "tests/requirements.lock", "deploy/pip.lock")
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+?)(?: ; ([^\\]+?))? \\$", re.M)


def pins(lock: str) -> dict[str, str]:
    """Package -> version, of those that this machine takes."""
    found = {}
    for name, version, marker in _PIN.findall((ROOT / lock).read_text()):
        wanted = Requirement(f"{name}=={version}" + (f"; {marker}" if marker else ""))
        if wanted.marker is None or wanted.marker.evaluate():
            found[canonicalize_name(name)] = version
    return found


def wishes(*files: str) -> list[Requirement]:
    lines = (line for file in files for line in (ROOT / file).read_text().splitlines())
    return [Requirement(line) for line in lines if line and line[0] != "#"]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_its_hashes_and_every_line_is_one_of_the_two(lock: str) -> None:
    head, *lines = (ROOT / lock).read_text().splitlines()
    assert head.startswith("# Made by deploy/lock.sh")
    kinds = "".join(
        "h" if re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) else "p" if _PIN.match(line) else "?"
        for line in lines
    )
    assert re.fullmatch(r"(ph+)+", kinds), "a pin without a hash, or a line that is neither"


@pytest.mark.parametrize(
    ("lock", "files"),
    [
        ("requirements.lock", ["requirements.txt"]), ("requirements-lab.lock", ["requirements-lab.txt"]),
        ("tests/requirements.lock", ["requirements.txt", "requirements-lab.txt", "tests/requirements.txt"]),
    ],
)  # fmt: skip
def test_a_lock_is_what_the_requirements_bring_and_nothing_else(lock: str, files: list[str]) -> None:
    found, waiting, seen = pins(lock), wishes(*files), set[tuple[str, frozenset[str]]]()
    needed: set[str] = set()
    while waiting:
        wish = waiting.pop()
        name = canonicalize_name(wish.name)
        assert name in found, f"{lock} lacks {name}: run deploy/lock.sh"
        assert wish.specifier.contains(found[name], prereleases=True), f"{lock} has {name} {found[name]}, not {wish}"
        needed.add(name)
        if (name, frozenset(wish.extras)) in seen:
            continue
        seen.add((name, frozenset(wish.extras)))
        for line in metadata.requires(name) or []:
            below = Requirement(line)
            places = [{"extra": extra} for extra in (wish.extras or {""})]
            if below.marker is None or any(below.marker.evaluate(place) for place in places):
                waiting.append(below)
    assert set(found) == needed


def test_the_box_runs_on_what_the_tests_ran_on() -> None:
    tested = pins("tests/requirements.lock")
    for lock in ("requirements.lock", "requirements-lab.lock"):
        assert pins(lock).items() <= tested.items()
    assert {name: metadata.version(name) for name in tested} == tested, "what these tests run on is what is locked"
