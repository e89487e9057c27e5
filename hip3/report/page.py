"""`report.html`: one file that needs no network, from `report.json` alone. Lab packages are imported at need."""

import base64
import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from hip3.errors import ConfigError
from hip3.report.figures import SUPPOSED, Doc, Figure, figures
from hip3.report.market_figures import market_figures

MISSING = "pictures need the lab packages: pip install -r requirements-lab.txt (report.json is written without them)"
FOLDER = Path(__file__).parent / "page"
SHOWN_DIGITS = 4
"""Decimals of an amount on the page; the JSON has them all."""
OPEN_MARKETS = 6
"""Pictures of markets that are open when the page is; the others open at a click."""
HEAD = (
    "signals", "orders", "fills", "round_trips", "wins", "net_usd", "open_usd", "gross_usd", "fees_usd",
    "funding_usd", "notional_usd", "net_bps_of_notional", "profit_factor", "drawdown_usd", "fill_model", "latency",
    "seed", "frames", "result",
)  # fmt: skip


def has_lab() -> bool:
    """Whether the lab packages are there."""
    try:
        import_module("jinja2")
        import_module("plotly.offline")
    except ImportError:
        return False
    return True


def page(doc: Doc) -> str:
    """The page; every value from outside is escaped. ConfigError without the lab packages."""
    if not has_lab():
        raise ConfigError([MISSING])
    jinja, offline = import_module("jinja2"), import_module("plotly.offline")
    environment = jinja.Environment(
        loader=jinja.FileSystemLoader(FOLDER), autoescape=True, undefined=jinja.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"when": when, "ms": held, "short": short}
    pictures, markets = figures(doc), market_figures(doc)
    return str(
        environment.get_template("report.html").render(
            doc=doc | _rows(doc), title="Replay" if doc["what"] == "replay" else "Report", pictures=pictures,
            markets=markets, supposed=_supposed(doc),
            open_markets=OPEN_MARKETS, head=[(key, doc[key]) for key in HEAD if doc.get(key) is not None],
            css=(FOLDER / "report.css").read_text(encoding="utf-8"),
            js=(FOLDER / "report.js").read_text(encoding="utf-8"),
            plotly=offline.get_plotlyjs(), specs=_specs([*pictures, *markets]), trips_csv=_csv(doc["trips"]),
        )
    )  # fmt: skip


def _supposed(doc: Doc) -> list[tuple[str, list[Doc]]]:
    """(title, rows) of what a replay was tried under."""
    groups = {"race_band": doc.get("race_band", {})} | doc.get("sensitivity", {})
    return [
        (title, [{"name": name} | figures for name, figures in groups[group].items()])
        for group, (title, _) in SUPPOSED.items()
        if groups.get(group)
    ]


def _rows(doc: Doc) -> Doc:
    """What tables show of nested figures, one row each."""
    quotes = [q | {f"after_{s}_s": value for s, value in q["markout_bps"].items()} for q in doc["quotes"]]
    seen = doc["observed"]
    if seen is None:
        return {"quotes": quotes}
    groups = [("all", seen["all"]), *seen["by_market"].items(), *seen["by_session"].items(),
              *((f"{hour}h UTC", g) for hour, g in seen["by_hour"].items()),
              ("near, too small", seen["near_moved"]), ("near, still oracle", seen["near_still"])]  # fmt: skip
    return {
        "quotes": quotes,
        "observed_rows": [{"name": name} | g | g["late"]["5"] for name, g in groups if g["episodes"]],
        "structure_rows": [
            {"name": coin, "word": "structural" if s["structural"] else "ordinary"} | s
            for coin, s in seen["structure"].items()
        ],
    }  # fmt: skip


def write(folder: Path, doc: Doc, name: str = "report") -> None:
    """`report.json`, and beside it the page that is made of it. ConfigError: only the JSON could be made. OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    _whole(folder / f"{name}.json", msgspec.json.format(msgspec.json.encode(doc)) + b"\n")
    _whole(folder / f"{name}.html", page(doc).encode())


def _whole(path: Path, data: bytes) -> None:
    """The file as a whole, or as it was."""
    draft = path.with_name(f".{path.name}.new")
    draft.write_bytes(data)
    draft.replace(path)


def _specs(pictures: list[Figure]) -> str:
    """All specs as JSON that may stand in a script element."""
    return json.dumps({f.id: f.spec for f in pictures}, separators=(",", ":")).replace("<", "\\u003c")


def rows_as_csv(rows: list[dict[str, Any]]) -> str:
    """Rows of one shape as CSV with a head; "" without rows."""
    if not rows:
        return ""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _csv(rows: list[dict[str, Any]]) -> str:
    return "data:text/csv;base64," + base64.b64encode(rows_as_csv(rows).encode()).decode()


def short(value: object) -> object:
    """An exact amount as people read it; what is none stays as it is."""
    text = str(value)
    if not isinstance(value, str) or len(text.partition(".")[2]) <= SHOWN_DIGITS:
        return value
    try:
        return f"{Decimal(text):.{SHOWN_DIGITS}f}"
    except InvalidOperation:
        return value


def when(at_ms: int) -> str:
    """Wall milliseconds as people read them, UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def held(ms: int) -> str:
    """A holding time."""
    return f"{ms / 1000:.1f} s"
