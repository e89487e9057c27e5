"""The documents against the code: threads, locks, gates, facts, modules, links."""

import ast
import re
from pathlib import Path

from hip3.execution.entries.gates import GATES

ROOT = Path(__file__).resolve().parents[1]
CODE = sorted((ROOT / "hip3").rglob("*.py"))
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()


def _table(heading: str) -> list[list[str]]:
    """Rows of the first table below a heading, without its head."""
    section = ARCHITECTURE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def _calls(name: str) -> list[str]:
    """First arguments (strings) of every call of `name` in the code."""
    found = []
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args:
                called = getattr(node.func, "attr", getattr(node.func, "id", ""))
                first = node.args[0]
                if called == name and isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found.append(first.value)
    return found


def test_the_thread_table_names_every_thread() -> None:
    made = {*_calls("_worker"), *_calls("_make")}
    assert {row[0].strip("`") for row in _table("Threads")} == made


def test_threads_are_made_in_one_place_each() -> None:
    makers = {p.relative_to(ROOT).as_posix() for p in CODE if "threading.Thread(" in p.read_text()}
    assert makers == {
        "hip3/service/workers.py",
        "hip3/venue/server.py",
        "hip3/venue/mirroring.py",
        "hip3/commands/exchange.py",
        "hip3/exchange/bounded.py",
    }


def test_the_lock_table_names_every_lock() -> None:
    made = set(_calls("new_lock"))
    assert {row[0].strip("`") for row in _table("Locks")} == made


def test_no_lock_is_made_past_the_factory() -> None:
    for path in CODE:
        if path.name in ("locks.py", "server.py"):  # the server's lock serialises one socket's writes
            continue
        assert "threading.Lock(" not in path.read_text(), path
        assert "RLock" not in path.read_text(), path


def test_the_gate_table_is_the_tuple() -> None:
    assert [(int(row[0]), row[1]) for row in _table("The gates")] == [(g.number, g.name) for g in GATES]


def test_every_fact_that_the_code_cites_is_listed_and_its_test_exists() -> None:
    facts = (ROOT / "docs" / "venue-facts.md").read_text()
    listed = set(re.findall(r"^\| (F\d+) \|", facts, re.M))
    cited = {f for p in CODE for f in re.findall(r"venue-facts\.md (F\d+)", p.read_text())}
    assert cited <= listed
    for path in set(re.findall(r"`(tests/[\w/]+\.py)`", facts)):
        assert (ROOT / path).is_file(), path


def test_every_decision_that_the_code_cites_exists() -> None:
    for path in CODE:
        for number in re.findall(r"docs/decisions/(\d{4})", path.read_text()):
            assert list((ROOT / "docs" / "decisions").glob(f"{number}-*.md")), (path, number)


def test_links_of_the_documents_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), (page, target)


def test_every_module_has_a_docstring_and_a_bounded_size() -> None:
    for path in CODE:
        assert ast.get_docstring(ast.parse(path.read_text())), path
        assert path.read_text().count("\n") <= 400, path


def test_only_the_clock_reads_the_clock() -> None:
    for path in CODE:
        if path.name != "clock.py":
            assert not re.search(r"\btime\.(time|monotonic|perf_counter)", path.read_text()), path


def test_no_float_is_made_where_money_is() -> None:
    for path in CODE:
        if path.name not in (
            "parsing.py",
            "settings.py",
            "market.py",
            "fair.py",
        ):  # options in seconds; rates and statistics
            assert "float(" not in path.read_text(), path


def test_nothing_is_rounded_by_the_context_of_a_thread() -> None:
    """A library in the same process may have set it: figures of a report were rounded up where one client had run."""
    for path in CODE:
        for call in [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]:
            if isinstance(call.func, ast.Attribute) and call.func.attr == "quantize":
                named = [ast.unparse(a) for a in [*call.args, *(k.value for k in call.keywords)]]
                assert "CTX" in named, f"{path}:{call.lineno}"
