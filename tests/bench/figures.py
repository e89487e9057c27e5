"""Figures of documents: each is a link that names the row of docs/bench-results.json that it was taken from.

`[21.4 us](performance.md#results "userFills frame to ledger | ours | median")`. `filled` puts in what the file says.
"""

import json
import re
from pathlib import Path
from typing import Any

from hip3.bench.rows import number

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs" / "bench-results.json"
LINK = re.compile(r"\[([^\]\n]*)\]\(([^)\s]*#results) \"([^\"|]+) \| ([^\"|]+) \| (median|p99|ratio)\"\)")
BEGIN, END = "<!-- results: made from bench-results.json by tests/bench/figures.py -->", "<!-- end of results -->"
Result = dict[str, Any]


def result() -> Result:
    """What was measured last."""
    found: Result = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def shown(found: Result, path: str, measured: str, field: str) -> str:
    """A figure as documents show it. KeyError where the file has no such row, or no such figure in it."""
    row = next((r for r in found["rows"] if (r["path"], r["measured"]) == (path, measured)), None)
    if row is None or row[field] is None:
        raise KeyError(f"{path} | {measured} | {field}")
    if field == "ratio":
        return f"{number(row['ratio'])} times"
    return f"{number(row[field])} {row['unit']}"


def filled(text: str, found: Result) -> str:
    """A document with every figure and the table of results as the file has them."""
    text = LINK.sub(lambda m: f'[{shown(found, m[3], m[4], m[5])}]({m[2]} "{m[3]} | {m[4]} | {m[5]}")', text)
    if BEGIN in text:
        head, _, rest = text.partition(BEGIN)
        text = f"{head}{BEGIN}\n{results(found)}{END}{rest.partition(END)[2]}"
    return text


def results(found: Result) -> str:
    """All rows as a table, and what they were measured on."""
    machine = found["machine"]
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['system']}, "
        f"{machine['python']}, ten million additions in {machine['additions_ms']} ms; hip3 {machine['hip3']} at "
        f"{machine['commit']}; load average "
        f"{', '.join(str(x) for x in machine['load_average'])}.",
        "",
        "| path | measured | median | p99 | ratio | goal | |",
        "|---|---|---|---|---|---|---|",
    ]
    last = ""
    for row in found["rows"]:
        name, last = ("" if row["path"] == last else row["path"]), row["path"]
        median = "" if row["median"] is None else f"{number(row['median'])} {row['unit']}"
        ratio = "" if row["ratio"] is None else f"{number(row['ratio'])}{'+' if row['faster'] else 'x'}"
        busy = "busy" if row["goal"] and row["met"] is None and row["median"] is not None else ""
        verdict = busy or {True: "ok", False: "**missed**", None: ""}[row["met"]]
        if row["quiet_percent"]:
            verdict += f" {row['quiet_percent']:.0f} % quiet"
        p99 = "" if row["p99"] is None else number(row["p99"])
        lines.append(
            f"| {name} | {row['measured']} | {median} | {p99} | {ratio} | {row['goal'] or ''} | {verdict.strip()} |"
        )
    return "\n".join(lines) + "\n"


def documents() -> list[Path]:
    """Every page that may quote a figure."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


if __name__ == "__main__":
    for page in documents():
        page.write_text(filled(page.read_text(encoding="utf-8"), result()), encoding="utf-8")
