"""`import FORMAT PATH… --out DIR`: foreign recordings become segments of ours, for `record`, `observe` and `replay`;
and `record convert`, its way back."""

import argparse
import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from hip3.clock import SystemClock
from hip3.errors import ConfigError
from hip3.imports import archive, arrays, columns, hydromancer, hyena, oxarchive, raw, tables
from hip3.imports.convert import convert
from hip3.imports.faults import Faults
from hip3.imports.frames import Line
from hip3.imports.reading import Reader, Wish
from hip3.imports.sources import is_pointer, lines_of
from hip3.imports.writing import write
from hip3.record.folder import SUFFIX, read

SAMPLED = 20_000
"""Lines of a `--meta` recording that are looked at: every segment begins with its answers."""


def _hftbacktest(path: Path, faults: Faults, wish: Wish) -> Iterator[Line]:
    return (arrays.events if path.suffix == ".npz" else raw.hftbacktest)(path, faults, wish)


def _tardis(path: Path, faults: Faults, wish: Wish) -> Iterator[Line]:
    quiet = Faults()
    first = (
        ""
        if is_pointer(path, quiet)
        else next(lines_of(path, quiet, wish.format, torn=True), (0, b""))[1].decode("latin-1")
    )
    return (raw.tardis_raw if re.match(r"\d{4}-\d\d-\d\d[T ]", first) else tables.tardis_csv)(path, faults, wish)


READERS: dict[str, Reader] = {
    "hip3": raw.hip3, "hftbacktest": _hftbacktest, "tardis": _tardis, "hl-archive": archive.books,
    "hl-asset-ctxs": tables.contexts, "hl-fills": archive.fills, "coinapi": tables.coinapi,
    "hydromancer": hydromancer.hydromancer, "hyena": hyena.hyena, "0xarchive": oxarchive.oxarchive,
    "columns": columns.columns,
}  # fmt: skip
ASSUMED = {
    "hftbacktest": "frames were received where hftbacktest's collector stood, not here",
    "tardis": "frames were received where tardis.dev stands, not here",
    "hl-archive": "frames were received by the archive's node, not here",
    "hl-asset-ctxs": "contexts were received at the minute that they are of",
    "hl-fills": "trades were received by the archive's node, not here",
    "coinapi": "oracle prices were received where CoinAPI stands, not here",
    "hydromancer": "books and trades were received at the time of their block",
    "hyena": "oracle prices were received when they were set, and a market without a dex is one of hyna",
    "columns": "frames were received when recv_ns says, and each quote is of one order",
    "0xarchive": "books, contexts and trades were received at the time that they are of",
}


def run(args: argparse.Namespace) -> int:
    """The command; its exit code. ConfigError with what is wrong with the files; OSError of the disk written to."""
    if args.command == "record":
        return _told(convert(args.recording, args.out, _say))
    if args.format not in READERS:
        raise ConfigError([f"{args.format} is no format; known: {', '.join(READERS)}"])
    metas = [] if args.meta is None else metas_of(args.meta)
    coins = [coin.strip() for coin in (args.coins or "").split(",") if coin.strip()]
    wish = Wish(format=args.format, coins=coins, known=_names(metas), torn=args.torn)
    files = [(path, READERS[args.format]) for path in _files(args.paths, args.format)]
    assumed = [ASSUMED[args.format]] if args.format in ASSUMED else []
    if args.format == "hip3" and not all(_ours(path) for path, _ in files):
        assumed = ["a frame was received when it was sent, and the mark was the middle: the file has neither"]
    return _told(write(files, wish, args.out, metas, assumed, SystemClock()))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _told(done: dict[str, Any]) -> int:
    for name, value in done.items():
        print(f"{name:<10} {value}")
    return 0


def _ours(path: Path) -> bool:
    return path.is_dir() or path.name.endswith(SUFFIX)


def _files(paths: list[Path], name: str) -> list[Path]:
    """The files that are named, and those in folders that are. A folder of ours is one recording."""
    out: list[Path] = []
    for path in paths:
        if not path.exists():
            raise ConfigError([f"{path} does not exist; name the files to import"])
        if path.is_dir() and name != "hip3":
            found = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
            if not found:
                raise ConfigError([f"{path} is an empty folder; name the files to import"])
            out += found
        else:
            out.append(path)
    return out


def metas_of(recording: Path) -> list[dict[str, Any]]:
    """What a recording of ours says of the exchange's markets: the newest answer to each request. ConfigError."""
    found: dict[bytes, dict[str, Any]] = {}
    for record in itertools.islice(read(recording), SAMPLED):
        if record.d == "meta":
            body = record.value
            if body["request"].get("type") in ("meta", "metaAndAssetCtxs", "perpDexs"):
                found[msgspec.json.encode(body["request"])] = {"request": body["request"], "answer": body["answer"]}
    if not found:
        raise ConfigError([f"--meta {recording} has no answers of an exchange in it; name a recording of `record`"])
    return list(found.values())


def _names(metas: list[dict[str, Any]]) -> list[str]:
    answers = [m["answer"] for m in metas if m["request"]["type"] in ("meta", "metaAndAssetCtxs")]
    return [str(m["name"]) for a in answers for m in (a[0] if isinstance(a, list) else a)["universe"]]
