"""The rows of the settings table that need a process: where it goes, what it is called, and where its files are.

Three services, started together; each row compares one fact of two of them.
"""

import contextlib
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from hip3.exchange.embedded import key_number_one
from hip3.exchange.signing import SigningKey
from hip3.venue.actions import actions
from hip3.venue.actions.auth import recover_l1
from tests.stories.process import LocalExchange, Service, eventually, local_exchange, service

RIG = [sys.executable, str(Path(__file__).with_name("fsynced.py"))]
KEYS = [SigningKey(key_number_one(seed)) for seed in (1, 2)]


class Run(NamedTuple):
    """A service, the exchange it was pointed at, and its status once it had settled."""

    service: Service
    at: LocalExchange
    status: dict[str, Any]

    def folder(self, setting: str) -> Path:
        return Path(self.service.env[setting])


SOURCES: dict[str, set[str]] = {}
"""Address -> the signing sources it was recovered by on our exchanges, which take both."""


def _noted(body: dict[str, Any], action: dict[str, Any], signatures: str) -> list[tuple[str, bool]]:
    found = list(recover_l1(body, action, signatures))
    for address, mainnet in found:
        SOURCES.setdefault(address, set()).add("a" if mainnet else "b")
    return found


def _signed_for(run: Run) -> tuple[str, set[str]]:
    """The name, and the source of what was signed."""
    return run.status["network"], SOURCES[run.status["signer"]]


def _answers(run: Run) -> bool:
    """Whether anything answers on the port that the first service has."""
    port = run.service.env["HIP3_HTTP_PORT"]
    if port == "0":
        return False
    return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5).text == "ok\n"


class Shown(NamedTuple):
    """One row: the fact, the two services it is compared of, and what is seen of each."""

    what: str
    see: Callable[[Run], Any]
    runs: tuple[str, str]
    seen: tuple[Any, Any]


SHOWN: dict[str, Shown] = {
    "network": Shown("the name, and the signing source", _signed_for, ("one", "mainnet"), (("embedded", {"b"}), ("mainnet", {"a"}))),
    "api_url": Shown("whose key number one signs", lambda r: r.status["signer"], ("one", "deaf"), (KEYS[0].address, KEYS[1].address)),
    "ws_url": Shown("whether it connects", lambda r: r.status["ws"]["connected"], ("one", "deaf"), (True, False)),
    "http_port": Shown("whether a page answers", _answers, ("one", "mainnet"), (True, False)),
    "journal_sync": Shown(
        "whether an intent is forced to the disk", lambda r: (r.service.folder / "fsyncs").exists(), ("one", "mainnet"), (False, True),
    ),
    "state_dir": Shown(
        "where the intent log is", lambda r: [p.parents[1].name for p in r.service.folder.rglob("intents.log")], ("one", "mainnet"),
        (["state"], ["elsewhere"]),
    ),
    "log_dir": Shown(
        "where the log is", lambda r: [p.parent.name for p in r.service.folder.rglob("hip3.log")], ("one", "mainnet"),
        (["logs"], ["talk"]),
    ),
}  # fmt: skip


@contextlib.contextmanager
def _runs(tmp: Path) -> Iterator[dict[str, Run]]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    alike = {"HIP3_MARKETS": "xyz:GOLD", "HIP3_LEVERAGE": "3", "HIP3_MIN_EDGE_BPS": "5000"}
    with contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(local_exchange(seed)) for seed in (1, 2))
        other = {
            "HIP3_NETWORK": "mainnet", "HIP3_MODE": "trade", "HIP3_API_URL": second.url, "HIP3_JOURNAL_SYNC": "true",
            "HIP3_PRIVATE_KEY": "0x" + key_number_one(2).hex(), "HIP3_STATE_DIR": str(tmp / "mainnet" / "elsewhere"),
            "HIP3_LOG_DIR": str(tmp / "mainnet" / "talk"),
        }  # fmt: skip
        wished = {
            "one": (first, {"HIP3_API_URL": first.url, "HIP3_HTTP_PORT": port}),
            "mainnet": (second, other),
            "deaf": (second, {"HIP3_API_URL": second.url, "HIP3_WS_URL": "ws://127.0.0.1:9/ws", "HIP3_LEVERAGE": "0"}),
        }
        started = {
            name: (stack.enter_context(service(tmp / name, rigged=RIG, **(alike | env))), at)
            for name, (at, env) in wished.items()
        }  # fmt: skip

        def settled(name: str, status: dict[str, Any]) -> bool:
            if name == "deaf":
                return any("no connection" in reason for reason in status["reasons"])
            sent = status["nonce_last"] is not None and status["nonce_last"] > 0
            return bool(status["ws"]["connected"]) and sent

        out = {}
        for name, (run, at) in started.items():
            out[name] = Run(run, at, run.wait_for(lambda s, name=name: settled(name, s), 40, f"{name} has settled"))
        eventually(lambda: {key.address for key in KEYS} <= set(SOURCES), 20, "a signed action of each")
        yield out


def test_two_values_of_each_differ_in_what_a_process_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "recover_l1", _noted)
    with _runs(tmp_path) as runs:  # one test: three starts are enough for all rows
        for name, row in SHOWN.items():
            assert tuple(row.see(runs[which]) for which in row.runs) == row.seen, f"{name}: {row.what}"
