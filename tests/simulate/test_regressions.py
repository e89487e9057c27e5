"""Plans that failed once, cut to what made them fail, by name: `was` says how. None may fail again."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hip3.config.settings import Settings
from hip3.simulate.plan import Plan, plan_of
from hip3.simulate.run import run

FILES = sorted(Path(__file__).with_name("regressions").glob("*.json"))


class Regression(msgspec.Struct):
    """One file."""

    name: str
    was: str
    plan: Plan


def _load(path: Path) -> Regression:
    found = msgspec.json.decode(path.read_bytes(), type=Regression)
    like, defaults = plan_of(0).settings, Settings(network="embedded")
    settings: dict[str, Any] = {
        name: Decimal(value) if isinstance(like.get(name, getattr(defaults, name, None)), Decimal) else value
        for name, value in found.plan.settings.items()
    }
    found.plan = msgspec.structs.replace(found.plan, settings=settings)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_what_was_wrong_stays_right(path: Path) -> None:
    regression = _load(path)
    result = run(regression.plan)
    assert not result.violation, f"{regression.name} was: {regression.was}\n" + "\n".join(result.log[-40:])
    assert result.counts["mishaps"] > 0 or not regression.plan.mishaps


def test_there_are_some() -> None:
    assert len(FILES) >= 10
