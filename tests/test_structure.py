"""The house: no circles, no arrow that runs back up, few floors, small files and functions; each file has its test.

All of it is read from the imports as they stand in the code, those under TYPE_CHECKING and within functions too.
"""

import ast
import functools
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from tests.twins import TESTED_IN

ROOT = Path(__file__).resolve().parents[1]
CODE = sorted((ROOT / "hip3").rglob("*.py"))
Graph = Mapping[str, frozenset[str]]
"""Name -> the names that it imports."""
FLOORS = 8
MOST_LINES, MOST_FUNCTION_LINES, P90_FUNCTION_LINES = 400, 60, 40


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(tree: ast.AST) -> set[str]:
    """Every dotted name that could be an imported module."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, "imports are absolute"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


@functools.cache
def _trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text()) for path in CODE}


@functools.cache
def _modules() -> Graph:
    """The files of the product and what they import of each other. A package's face is no file."""
    trees = {_module(p): tree for p, tree in _trees().items() if p.name != "__init__.py"}
    return {name: frozenset(n for n in _imported(tree) if n in trees) for name, tree in trees.items()}


def _rooms(modules: Graph, depth: int) -> Graph:
    """The same by rooms: the names below `hip3`, so many levels deep."""

    def room(module: str) -> str:
        return ".".join(module.split(".")[: depth + 1])

    out: dict[str, set[str]] = {room(m): set() for m in modules}
    for module, imported in modules.items():
        out[room(module)] |= {room(other) for other in imported} - {room(module)}
    return {name: frozenset(others) for name, others in out.items()}


def circles(graph: Graph) -> list[list[str]]:
    """Groups of names that import each other in a loop, by Tarjan's algorithm."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(graph.get(name, ())):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            at = stack.index(name)
            group = sorted(stack[at:])
            del stack[at:]
            if len(group) > 1 or name in graph.get(name, ()):
                found.append(group)

    for name in sorted(graph):
        if name not in index:
            visit(name)
    return found


def floors(graph: Graph) -> dict[str, int]:
    """Name -> its floor: one above the highest that it imports; the ground is 1. Of a graph without circles."""
    known: dict[str, int] = {}

    def floor(name: str) -> int:
        if name not in known:
            known[name] = 1 + max((floor(other) for other in graph.get(name, ())), default=0)
        return known[name]

    return {name: floor(name) for name in graph}


def backward(graph: Graph, order: list[set[str]]) -> list[str]:
    """Imports that run up, or between names of one layer; `order` has the layers from the top down."""
    level = {name: number for number, layer in enumerate(order) for name in layer}
    return [f"{a} -> {b}" for a in sorted(graph) for b in sorted(graph[a]) if level[b] <= level[a]]


def _contract(container: str) -> list[set[str]]:
    """The layers that import-linter checks for a container, as whole names."""
    text = (ROOT / "pyproject.toml").read_text()
    body = re.search(rf'containers = \["{re.escape(container)}"\].*?layers = \[(.*?)\n?\]\n', text, re.S)
    assert body is not None, container
    return [{f"{container}.{name.strip()}" for name in layer.split("|")} for layer in re.findall(r'"([^"]+)"', body[1])]


# No circles, no way back up.


def _ways_back(container: str) -> list[str]:
    depth = container.count(".") + 1
    inside = {name: others for name, others in _modules().items() if name.startswith(f"{container}.")}
    rooms = _rooms({n: frozenset(o for o in others if o in inside) for n, others in inside.items()}, depth)
    return backward(rooms, _contract(container))


def test_no_circles_no_way_back_up_and_few_floors() -> None:
    """One test: to read what all files import takes longer than all questions about it."""
    assert circles(_modules()) == []
    for depth in (1, 2, 3):
        assert circles(_rooms(_modules(), depth)) == []
    for container in ("hip3", "hip3.execution", "hip3.venue"):
        assert _ways_back(container) == []
    assert max(floors(_rooms(_modules(), 1)).values()) <= FLOORS


def test_a_planted_circle_and_a_planted_way_up_are_named() -> None:
    planted = {"hip3.service.app": frozenset({"hip3.core.money"}), "hip3.core.money": frozenset({"hip3.service.app"})}
    (circle,) = circles(planted)
    assert {"hip3.core.money", "hip3.service.app"} <= set(circle)
    assert "hip3.core -> hip3.service" in backward(_rooms(planted, 1), _contract("hip3"))


def test_an_import_for_types_alone_is_an_import() -> None:
    text = "if TYPE_CHECKING:\n    from hip3.service.app import App\ndef f():\n    import hip3.cli\n"
    assert {"hip3.service.app", "hip3.cli"} <= _imported(ast.parse(text))


def test_floors_are_counted_from_the_ground() -> None:
    chain = ["a", "b", "c", "d"]
    graph = {a: frozenset({b}) for a, b in pairwise(chain)} | {"d": frozenset[str]()}
    assert floors(graph) == {"a": 4, "b": 3, "c": 2, "d": 1}


# Small.


def test_no_file_is_long() -> None:
    lengths = {_module(p): p.read_text().count("\n") for p in CODE}
    assert {name: n for name, n in lengths.items() if n > MOST_LINES} == {}


def test_functions_are_short() -> None:
    lengths: dict[str, int] = {}
    for path, tree in _trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno is not None
                lengths[f"{_module(path)}.{node.name}:{node.lineno}"] = node.end_lineno - node.lineno + 1
    assert {name: n for name, n in lengths.items() if n > MOST_FUNCTION_LINES} == {}
    assert sorted(lengths.values())[len(lengths) * 9 // 10] < P90_FUNCTION_LINES


# Each file has its test.


def _twin(path: Path) -> str:
    inner = path.relative_to(ROOT / "hip3")
    return f"tests/{inner.parent}/test_{inner.name}".replace("/./", "/")


def test_each_file_has_its_test_twin_or_says_where_it_is_tested() -> None:
    """The table has no row for a file that has a twin, and none for a file that is gone."""
    without = {
        p.relative_to(ROOT).as_posix() for p in CODE if p.name != "__init__.py" and not (ROOT / _twin(p)).exists()
    }
    assert set(TESTED_IN) == without
    assert {test for test in TESTED_IN.values() if not (ROOT / test).is_file()} == set()
