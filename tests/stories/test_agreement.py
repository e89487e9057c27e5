"""`status` and `/metrics` against the exchange's own account, and a search for secrets in all that was written."""

import base64
import json
import os
import signal
import socket
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from eth_account import Account
from prometheus_client.parser import text_string_to_metric_families

from hip3.cli import parser
from hip3.commands.exchange import mirror_of
from hip3.config.settings import Settings
from hip3.exchange.embedded import UPSTREAM, key_number_one
from hip3.exchange.signing import SigningKey
from hip3.ops.control import ask
from hip3.ops.state_dir import socket_path
from hip3.service.start import OwnExchange
from tests.stories.process import LocalExchange, Service, eventually, local_exchange, service
from tests.stories.test_stop import HOLD, QUIET

SECRET = key_number_one(1)
KEY = SigningKey(SECRET)
PASSWORD = "correct horse battery staple 7"
ALERTS = "json://user:alertsecret99@127.0.0.1:9/hook-secret-path"


COMMANDS = [
    ["status"], ["latch", "show"], ["status", "--json"], ["check"], ["cancel-all"], ["flatten"], ["explain", "1"], ["run"],
    ["flatten", "xyz:NO"],
]  # fmt: skip


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _get(port: int, path: str) -> str:
    return requests.get(f"http://127.0.0.1:{port}{path}", timeout=5).text


def _metrics(port: int) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(_get(port, "/metrics"))
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for f in families for s in f.samples}


def _account(at: LocalExchange) -> dict[str, Any]:
    """What the exchange itself says, in the words of the status."""
    states = [at.info(type="clearinghouseState", user=KEY.address, dex=dex) for dex in ("xyz", "para")]
    fills = at.info(type="userFills", user=KEY.address)
    limits = at.info(type="userRateLimit", user=KEY.address)
    return {
        "positions": {
            p["position"]["coin"]: (Decimal(p["position"]["szi"]), Decimal(p["position"]["entryPx"]))
            for s in states for p in s["assetPositions"]
        },
        "open": sum(len(at.info(type="openOrders", user=KEY.address, dex=dex)) for dex in ("xyz", "para")),
        "realized": sum((Decimal(f["closedPnl"]) for f in fills), Decimal(0)),
        "fees": sum((Decimal(f["fee"]) for f in fills), Decimal(0)),
        "actions": limits["nRequestsUsed"],
    }  # fmt: skip


def _agrees(status: dict[str, Any], theirs: dict[str, Any]) -> bool:
    ours = {p["market"]: Decimal(p["size"]) for p in status["positions"]}
    return (
        ours == {coin: szi for coin, (szi, _) in theirs["positions"].items()}
        and status["orders"]["open"] == theirs["open"]
        and Decimal(status["pnl"]["fees_usd"]) == theirs["fees"]
    )


def test_status_and_metrics_are_the_exchange_s_account(tmp_path: Path) -> None:
    port = _free_port()
    settings = QUIET | {"HIP3_HTTP_PORT": str(port)}
    with local_exchange() as at, service(tmp_path, rigged=HOLD, HIP3_API_URL=at.url, **settings) as run:
        run.wait_for(lambda s: len(s["positions"]) == 3 and s["orders"]["open"] == 5, 40, "positions and orders")
        assert requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
        assert run.run("flatten", "xyz:GOLD").returncode == 0  # so that there are a result, fees and a closed market

        def both() -> tuple[dict[str, Any], dict[str, Any]] | None:
            theirs = _account(at)
            status = json.loads(_get(port, "/status"))
            return (status, theirs) if _agrees(status, theirs) else None

        status, theirs = eventually(both, 20, "agreement")
        assert len(status["positions"]) == 2
        assert Decimal(status["pnl"]["realized_usd"]) == theirs["realized"]
        for p in status["positions"]:
            assert Decimal(p["entry_px"]) == theirs["positions"][p["market"]][1]
        assert status["budgets"]["address_used"] == theirs["actions"]
        assert status["account"] == KEY.address

        metrics = _metrics(port)
        assert metrics["hip3_fees_usd", ()] == float(theirs["fees"])
        assert metrics["hip3_realized_pnl_usd", ()] == float(theirs["realized"])
        assert metrics["hip3_orders_open", ()] == theirs["open"]
        assert metrics["hip3_orders_unknown", ()] == 0
        held = {dict(labels)["coin"]: v for (n, labels), v in metrics.items() if n == "hip3_position_notional_usd"}
        assert set(held) == set(theirs["positions"])
        for coin, (szi, px) in theirs["positions"].items():
            assert (held[coin] > 0) == (szi > 0)
            assert abs(held[coin]) > float(abs(szi) * px) / 2
        limit = float(status["exposure"]["limit_usd"])
        assert sum(map(abs, held.values())) < metrics["hip3_exposure_worst_case_usd", ()] <= 2 * limit
        assert run.run("stop", "--flatten").returncode == 0


def _forms(secret: bytes) -> dict[str, bytes]:
    """Every way a key could be written."""
    texts = {
        "hex": secret.hex(), "HEX": secret.hex().upper(), "decimal": str(int.from_bytes(secret, "big")),
        "base64": base64.b64encode(secret).decode().rstrip("="), "urlsafe": base64.urlsafe_b64encode(secret).decode().rstrip("="),
        "reversed": secret[::-1].hex(), "repr": repr(secret)[2:-1], "list": ", ".join(str(b) for b in secret[:8]),
    }  # fmt: skip
    return {name: text.encode() for name, text in texts.items()} | {"raw": secret}


def _search(where: dict[str, bytes], needles: dict[str, bytes]) -> list[tuple[str, str]]:
    return [(place, name) for place, body in where.items() for name, needle in needles.items() if needle in body]


def _files(*roots: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for root in roots for p in sorted(root.rglob("*")) if p.is_file()}


def _asked(run: Service, root: Path, port: int, commands: list[list[str]]) -> dict[str, bytes]:
    """Every answer that the service and its commands give."""
    out = {
        f"http {path}": _get(port, path).encode() for path in ("/text", "/status", "/metrics", "/readyz", "/healthz")
    }
    for request in ({"command": "status"}, {"command": "nothing"}, {"command": "flatten", "market": 7}, {}):
        out[f"control {request}"] = json.dumps(ask(socket_path(root), request)).encode()
    for words in commands:
        done = run.run(*words)
        out[f"output of {words}"] = (done.stdout + done.stderr).encode()
    out["arguments"] = Path(f"/proc/{run.process.pid}/cmdline").read_bytes()
    return out


def test_no_secret_is_in_any_file_output_answer_or_metric(tmp_path: Path) -> None:
    port, root = _free_port(), tmp_path / "state"
    alerts = {"HIP3_ALERT_URLS": ALERTS, "HIP3_DEADMAN_URL": "http://127.0.0.1:9/dead-man-path"}
    settings = {"HIP3_HTTP_PORT": str(port), "HIP3_PRIVATE_KEY": "0x" + SECRET.hex(), "HIP3_TIME_STOP_MS": "2000",
                "HIP3_MARKETS": "xyz:GOLD,xyz:TSLA,xyz:NVDA"} | alerts  # fmt: skip
    keystore = tmp_path / "outside" / "key.json"
    keystore.parent.mkdir()
    keystore.write_text(json.dumps(Account.encrypt(SECRET, PASSWORD, kdf="pbkdf2", iterations=2)))
    keystore.chmod(0o600)
    needles = _forms(SECRET) | {
        "password": PASSWORD.encode(), "alerts": b"alertsecret99", "alert path": b"hook-secret-path", "dead man": b"dead-man-path",
    }  # fmt: skip
    found: dict[str, bytes] = {}
    with local_exchange() as at:
        with service(tmp_path, HIP3_API_URL=at.url, **settings) as run:
            run.wait_for(lambda s: s["counters"]["filled"] >= 1, 60, "an order")
            found |= _asked(run, root, port, COMMANDS)
            os.kill(run.process.pid, signal.SIGKILL)  # what a crash leaves, too
        by_password = {k: v for k, v in settings.items() if k != "HIP3_PRIVATE_KEY"} | {
            "HIP3_KEYSTORE_FILE": str(keystore), "HIP3_KEYSTORE_PASSWORD": PASSWORD,
        }  # fmt: skip
        with service(tmp_path, HIP3_API_URL=at.url, **by_password) as again:
            again.wait_for(lambda s: s["ws"]["connected"], 40, "a connection")
            found |= {f"again {k}": v for k, v in _asked(again, root, port, COMMANDS[:2]).items()}
            stopped = again.run("stop", "--flatten")
            found["stop"] = (stopped.stdout + stopped.stderr).encode()
            # Settings that are wrong are named, never shown.
            for name, value in (("PRIVATE_KEY", "0x" + SECRET.hex() + "zz"), ("KEYSTORE_PASSWORD", PASSWORD + "!")):
                again.env[f"HIP3_{name}"] = value
                wrong = again.run("run")
                assert wrong.returncode == 2
                found[f"wrong {name}"] = (wrong.stdout + wrong.stderr).encode()
    found |= _files(root, tmp_path / "logs") | {
        name: (tmp_path / name).read_bytes() for name in ("stdout.txt", "stderr.txt")
    }
    assert any(name.endswith("journal.db") for name in found)
    assert any(name.endswith("hip3.log") for name in found)
    assert _search(found, needles) == []
    planted = {"a file": b"... " + SECRET.hex().upper().encode()}
    assert _search(planted, needles)  # the search finds what is there


def test_the_address_of_a_node_is_on_no_command_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Paper hands it to its mirror: a password or a token may be in it, and anybody can read a command line."""
    seen: list[tuple[list[str], dict[str, str]]] = []

    def popen(words: list[str], **how: Any) -> None:
        seen.append((words, how["env"]))
        raise OSError("seen")

    monkeypatch.setattr(subprocess, "Popen", popen)
    url = "http://user:SECRETpw1@127.0.0.1:9/TOKEN12345678"
    paper = Settings(mode="paper", api_url=url, state_dir=str(tmp_path / "s"), log_dir=str(tmp_path / "l"))
    with pytest.raises(OSError, match="seen"):
        OwnExchange(paper)
    ((words, env),) = seen
    assert [word for word in words if "SECRETpw1" in word or "TOKEN" in word] == []
    monkeypatch.setenv(UPSTREAM, env[UPSTREAM])
    mirror = mirror_of(parser().parse_args(words[words.index("exchange") :]))
    assert mirror._ws_url == "ws" + url.removeprefix("http") + "/ws"


def test_the_own_exchange_is_started_without_a_secret_in_its_arguments_or_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HIP3_PRIVATE_KEY", "0x" + SECRET.hex())
    own = OwnExchange(
        Settings(private_key="0x" + SECRET.hex(), keystore_password=PASSWORD, exchange_seed=5)
    ).listening()
    try:
        seen = {name: Path(f"/proc/{own._child.pid}/{name}").read_bytes() for name in ("cmdline", "environ")}
    finally:
        own.stop()
    assert b"--seed\0005" in seen["cmdline"]
    assert _search(seen, _forms(SECRET) | {"password": PASSWORD.encode()}) == []
