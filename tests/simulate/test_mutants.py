"""Each wrong executor is caught by what the simulation checks, within the first 1,000 seeds of its generator."""

from pathlib import Path

import pytest

from tests.simulate.catching import ROOT, SEEDS, caught, known
from tests.simulate.mutants import MUTANTS, Mutant

CHEAP = ("exits are not claimed", "a time-out frees the order", "the latch is in memory only")
"""Those of the gate."""


def test_there_are_enough_and_each_has_its_place() -> None:
    assert len(MUTANTS) >= 115
    assert len({m.name for m in MUTANTS}) == len(MUTANTS)
    for mutant in MUTANTS:
        for module, old, new in mutant.patches:
            assert (ROOT / "hip3" / module).read_text().count(old) == 1, f"{mutant.name}: {module}"
            assert old != new


def test_what_caught_each_is_one_of_the_generator_s_first_seeds() -> None:
    found = known()
    assert found.keys() <= {m.name for m in MUTANTS}
    assert {name: seed for name, seed in found.items() if seed not in range(SEEDS)} == {}
    assert set(CHEAP) <= found.keys()


@pytest.mark.parametrize("name", CHEAP)
def test_some_are_caught(name: str, tmp_path: Path) -> None:
    (mutant,) = (m for m in MUTANTS if m.name == name)
    seed, how = caught(mutant, tmp_path, known()[name])
    assert seed >= 0, how


@pytest.mark.long
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_every_one_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    seed, how = caught(mutant, tmp_path, known().get(mutant.name))
    assert seed >= 0, f"survived {SEEDS} seeds"
    print(f"{mutant.name}: seed {seed}: {how}")
