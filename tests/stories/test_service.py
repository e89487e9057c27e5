"""The real service as a process against a real exchange process, over loopback."""

import json
import os
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from hip3.exchange.embedded import key_number_one
from hip3.exchange.signing import SigningKey
from tests.stories.process import TABLE, Exchange, exchange, local_exchange, proxy, service

SECRET = "0x" + "5c" * 32


def _totals(venue: Exchange, account: str) -> tuple[Decimal, Decimal, list[dict[str, Any]]]:
    fills = venue.info(type="userFills", user=account)
    pnl = sum((Decimal(f["closedPnl"]) for f in fills), Decimal(0))
    return pnl, sum((Decimal(f["fee"]) for f in fills), Decimal(0)), fills


def _flat(venue: Exchange, account: str) -> bool:
    states = [venue.info(type="clearinghouseState", user=account, dex=dex) for dex in ("xyz", "para")]
    orders = [venue.info(type="openOrders", user=account, dex=dex) for dex in ("xyz", "para")]
    return not any(s["assetPositions"] for s in states) and not any(orders)


def _number(text: str) -> Decimal:
    return Decimal(text.split(maxsplit=1)[0])


def test_it_enters_exits_and_ends_flat_and_its_table_is_the_exchange_s_account(tmp_path: Path) -> None:
    with exchange(3) as venue, service(tmp_path / "s", *TABLE, HIP3_API_URL=venue.url) as run:
        status = run.wait_for(lambda s: s["counters"]["filled"] >= 4 and not s["positions"], 60, "round trips")
        assert run.flatten() == 0, run.stdout + run.stderr[-3000:]
        table = run.table()
        pnl, fees, fills = _totals(venue, status["account"])
        assert fills
        assert _flat(venue, status["account"])
        assert _number(table["realized pnl"]) == pnl
        assert _number(table["fees"]) == fees
        # Around a full hour funding is paid, too.
        assert _number(table["net result"]) == pnl - fees + _number(table["funding"])
        assert int(table["round trips"]) >= 1
        assert table["position"] == "flat"
        assert table["unknown orders"] == "0"


def test_a_cut_socket_is_reconnected_reconciled_and_traded_on(tmp_path: Path) -> None:
    with exchange(2) as venue, proxy(venue.url) as middle, service(tmp_path / "s", HIP3_API_URL=middle.url) as run:
        status = run.wait_for(lambda s: s["counters"]["filled"] >= 1, 40, "a first fill")
        account, generation = status["account"], status["ws"]["generation"]
        middle.cut()
        run.wait_for(lambda s: s["ws"]["generation"] > generation and s["state"] == "READY", 20, "READY again")
        filled = run.status()["counters"]["filled"]  # type: ignore[index]
        run.wait_for(lambda s: s["counters"]["filled"] >= filled + 2, 60, "another round trip after the cut")
        assert run.terminate() == 0
        pnl, fees, _ = _totals(venue, account)
        assert pnl or fees


def test_results_stand_when_clearinghouse_state_fails_after_ready(tmp_path: Path) -> None:
    settings = {"HIP3_EXCHANGE_SEED": "4"}
    with exchange(4) as venue, proxy(venue.url) as middle:
        with service(tmp_path / "s", *TABLE, HIP3_API_URL=middle.url, **settings) as run:
            status = run.wait_for(lambda s: s["state"] == "READY", 15, "READY")
            middle.fail("clearinghouseState")
            run.wait_for(lambda s: s["counters"]["filled"] >= 4, 60, "round trips")
            assert run.flatten() == 0, run.stdout + run.stderr[-3000:]
            pnl, fees, fills = _totals(venue, status["account"])
            assert fills
            assert (_number(run.table()["realized pnl"]), _number(run.table()["fees"])) == (pnl, fees)
            assert "userFills" in run.table()["proof"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_under_five_seconds_with_no_entry_resting(tmp_path: Path, number: int) -> None:
    with exchange(1) as venue, service(tmp_path / "s", HIP3_API_URL=venue.url) as run:
        status = run.wait_for(lambda s: s["counters"]["sent"] >= 1, 40, "an order")
        run.process.send_signal(number)
        assert run.wait(5) == 0, run.stderr[-3000:]  # and not a moment longer: TimeoutExpired fails the test
        for dex in ("xyz", "para"):
            resting = venue.info(type="openOrders", user=status["account"], dex=dex)
            assert [o for o in resting if not o["reduceOnly"]] == []


def test_alone_it_brings_its_own_exchange_twice_in_a_row(tmp_path: Path) -> None:
    accounts = []
    for _ in range(2):
        with service(tmp_path / "s", *TABLE, HIP3_EXCHANGE_SEED="5") as run:
            accounts.append(run.wait_for(lambda s: s["state"] == "READY", 15, "READY")["account"])
            assert run.flatten() == 0, run.stdout + run.stderr[-3000:]
            assert "profile lively" in run.stderr.splitlines()[0]
    assert accounts[0] != accounts[1]


def test_a_second_start_ends_at_once_with_6_and_status_without_service_with_3(tmp_path: Path) -> None:
    with service(tmp_path / "s", HIP3_EXCHANGE_SEED="5") as run:
        run.wait_for(lambda s: s["state"] == "READY", 15, "READY")
        second = run.run("run", "--duration", "5")
        assert second.returncode == 6
        assert "another hip3 runs" in second.stderr
        text = run.run("status")
        assert text.stdout.startswith("READY  embedded trade")
        assert max(len(line) for line in text.stdout.splitlines()) < 80
        assert run.terminate() == 0
        assert run.run("status").returncode == 3


def test_an_unreachable_exchange_is_not_ready_with_the_reason_and_no_crash(tmp_path: Path) -> None:
    with service(tmp_path / "s", HIP3_API_URL="http://127.0.0.1:9", HIP3_EXCHANGE_SEED="1") as run:
        status = run.wait_for(lambda s: "does not answer" in " ".join(s["reasons"]), 15, "the reason")
        assert status["state"] == "NOT_READY"
        assert run.terminate(5) == 0


def test_an_exchange_that_comes_late_is_found(tmp_path: Path) -> None:
    with exchange(6) as first:
        port = first.url.rsplit(":", 1)[1]
    with service(tmp_path / "s", HIP3_API_URL=f"http://127.0.0.1:{port}", HIP3_EXCHANGE_SEED="6") as run:
        run.wait_for(lambda s: s["state"] == "NOT_READY", 15, "NOT_READY")
        late = Exchange(6, "--port", port)
        try:
            run.wait_for(lambda s: s["state"] == "READY", 30, "READY")
            assert run.terminate() == 0
        finally:
            late.stop()


def test_observe_needs_no_key_and_sends_nothing(tmp_path: Path) -> None:
    with exchange(2) as venue:
        env = {"HIP3_API_URL": venue.url, "HIP3_MODE": "observe"}
        with service(tmp_path / "s", **env) as run:
            status = run.wait_for(lambda s: s["counters"]["signals"] >= 1, 60, "a signal")
            assert status["state"] == "READY"
            assert status["signer"] is None
            assert status["counters"]["sent"] == 0
            assert run.terminate() == 0


def test_every_fault_of_the_settings_is_named_at_once_with_exit_2(tmp_path: Path) -> None:
    faulty = {
        "HIP3_TICK_MS": "soon", "HIP3_MAX_NOTIONAL_PER_MARKET": "500", "HIP3_COLOUR": "blue", "HIP3_MODE": "paper",
        "HIP3_ALERT_URLS": "nowhere",
    }  # fmt: skip
    with service(tmp_path / "s", **faulty) as run:
        assert run.wait(10) == 2
        lines = run.stderr.splitlines()
        assert len(lines) == 5
        for name in ("HIP3_TICK_MS", "HIP3_MAX_NOTIONAL_TOTAL", "HIP3_COLOUR", "paper", "HIP3_ALERT_URLS"):
            assert any(name in line for line in lines), name


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"HIP3_PRIVATE_KEY": "0x1234"}, "2 bytes"),
        ({"HIP3_PRIVATE_KEY": "hello"}, "not hexadecimal"),
        ({"HIP3_PRIVATE_KEY": SECRET, "HIP3_SIGNER_ADDRESS": "0x" + "1" * 40}, "expects 0x1111"),
        ({"HIP3_PRIVATE_KEY_FILE": "missing.key"}, "No such file"),
        ({"HIP3_NETWORK": "testnet", "HIP3_MODE": "trade", "HIP3_MARKETS": "xyz:GOLD"}, "needs a key"),
        ({"HIP3_PRIVATE_KEY": SECRET, "HIP3_PRIVATE_KEY_FILE": "k"}, "more than one key source"),
    ],
)
def test_a_wrong_key_is_said_plainly_with_exit_2_and_never_echoed(
    tmp_path: Path, settings: dict[str, str], words: str
) -> None:
    with service(tmp_path / "s", **settings) as run:
        assert run.wait(10) == 2
        assert words in run.stderr
        assert settings.get("HIP3_PRIVATE_KEY", "nothing") not in run.stderr


def test_a_key_file_readable_by_others_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "trade.key"
    key.write_text(SECRET)
    key.chmod(0o644)
    with service(tmp_path / "s", HIP3_PRIVATE_KEY_FILE=str(key)) as run:
        assert run.wait(10) == 2
        assert "readable by others" in run.stderr


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"HIP3_MARKETS": "xyz:GOLDD"}, "did you mean xyz:GOLD?"),
        ({"HIP3_MARKETS": "nope:GOLD"}, "dex nope does not exist"),
        ({"HIP3_PRIVATE_KEY": SECRET}, "does not exist on the exchange"),
        ({"HIP3_ACCOUNT_ADDRESS": "0x" + "2" * 40}, "not an approved agent"),
    ],
)
def test_what_the_exchange_shows_to_be_wrong_ends_with_4(tmp_path: Path, settings: dict[str, str], words: str) -> None:
    with exchange(1) as venue, service(tmp_path / "s", HIP3_API_URL=venue.url, **settings) as run:
        assert run.wait(15) == 4, run.stderr
        assert words in run.stderr


def test_check_reports_and_http_answers(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with exchange(1) as venue, service(tmp_path / "s", HIP3_API_URL=venue.url, HIP3_HTTP_PORT=str(port)) as run:
        run.wait_for(lambda s: s["state"] == "READY", 15, "READY")
        base = f"http://127.0.0.1:{port}"
        assert requests.get(base + "/readyz", timeout=5).status_code == 200
        assert requests.get(base + "/healthz", timeout=5).text == "ok\n"
        assert requests.get(base + "/text", timeout=5).text.startswith("READY")
        assert requests.get(base + "/status", timeout=5).json()["state"] == "READY"
        foreign = requests.get(base + "/status", headers={"Host": "evil.example"}, timeout=5)
        assert foreign.status_code == 403
        check = run.run("check", "--json")
        assert check.returncode == 0, check.stdout + check.stderr
        assert {f["name"] for f in json.loads(check.stdout)} >= {"settings", "clock", "key", "markets", "account"}
        assert run.terminate() == 0


def test_the_key_is_in_no_file_and_no_output(tmp_path: Path) -> None:
    with exchange(1) as venue:
        from hip3.exchange.signing import SigningKey, parse_secret

        venue.info(type="claimDrip", user=SigningKey(parse_secret(SECRET)).address)
        with service(tmp_path / "s", *TABLE, HIP3_API_URL=venue.url, HIP3_PRIVATE_KEY=SECRET) as run:
            run.wait_for(lambda s: s["counters"]["filled"] >= 1, 60, "a fill")
            assert run.flatten() == 0, run.stderr
        for path in (tmp_path / "s").rglob("*"):
            if path.is_file():
                assert SECRET[2:] not in path.read_text(errors="replace").lower(), path


def test_a_killed_service_takes_its_exchange_with_it(tmp_path: Path) -> None:
    with service(tmp_path / "s", HIP3_EXCHANGE_SEED="5") as run:
        run.wait_for(lambda s: s["state"] == "READY", 15, "READY")
        children = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children").read_text().split()
        assert children
        run.process.kill()
        run.process.wait(5)
        from tests.stories.process import eventually

        eventually(lambda: not any(_running(int(pid)) for pid in children), 10, "the exchange ended")


def _running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_an_agent_wallet_trades_for_its_account_and_check_names_its_expiry(tmp_path: Path) -> None:
    from eth_account import Account
    from hyperliquid.exchange import Exchange as Client

    from hip3.exchange.embedded import key_number_one

    with exchange(7) as venue:
        master = Account.from_key(key_number_one(7))
        soon = venue.info(type="exchangeStatus")["time"] + 3 * 86_400_000
        answer, agent_key = Client(master, venue.url).approve_agent(f"bot valid_until {soon}")
        assert answer["status"] == "ok"
        settings = {"HIP3_API_URL": venue.url, "HIP3_PRIVATE_KEY": agent_key, "HIP3_ACCOUNT_ADDRESS": master.address}
        with service(tmp_path / "s", **settings) as run:
            status = run.wait_for(lambda s: s["counters"]["filled"] >= 1, 60, "a fill")
            assert status["account"] == master.address.lower()
            assert status["signer"] == Account.from_key(agent_key).address.lower()
            check = run.run("check")
            assert check.returncode == 4
            assert "expires in 2 days" in check.stdout or "expires in 3 days" in check.stdout
            assert run.terminate() == 0
        assert venue.info(type="userFills", user=master.address)


def test_a_frozen_exchange_is_noticed_and_recovered_from(tmp_path: Path) -> None:
    with exchange(2) as venue, service(tmp_path / "s", HIP3_API_URL=venue.url, HIP3_TIME_STOP_MS="3000") as run:
        run.wait_for(lambda s: bool(s["positions"]), 60, "a position")
        venue.process.send_signal(signal.SIGSTOP)
        try:
            run.wait_for(lambda s: s["state"] == "NOT_READY", 20, "NOT_READY")
        finally:
            venue.process.send_signal(signal.SIGCONT)
        status = run.wait_for(lambda s: s["state"] == "READY", 60, "READY again")
        assert not status["hard_stop"]["tripped"]
        run.wait_for(lambda s: s["orders"]["unknown"] == 0, 30, "no unknown order")
        assert run.terminate() == 0


def test_a_folder_that_cannot_be_used_is_one_plain_line(tmp_path: Path) -> None:
    file = tmp_path / "occupied"
    file.write_text("not a folder")
    with service(tmp_path / "s", HIP3_STATE_DIR=str(file)) as run:
        assert run.wait(10) == 7
        assert len(run.stderr.splitlines()) == 1
        assert str(file) in run.stderr


@pytest.mark.parametrize("port", ["99999", "-1", "abc"])
def test_a_port_that_is_none_is_bad_usage(tmp_path: Path, port: str) -> None:
    with service(tmp_path / "s", "--duration", "1") as run:
        answer = run.run("exchange", "--port", port)
        assert answer.returncode == 2
        assert "--port" in answer.stderr
        run.process.kill()


def test_it_trades_for_a_sub_account_of_its_key(tmp_path: Path) -> None:
    """The state that is read, the streams, the orders and the results are the sub-account's."""
    with local_exchange(seed=3) as at:
        key = SigningKey(key_number_one(3))
        now = at.info(type="exchangeStatus")["time"]
        sub = at.sign(key, {"type": "createSubAccount", "name": "hip3"}, now)["data"]
        at.do(lambda venue, now_ms: [venue.engine.fund(sub, dex, Decimal(1000)) for dex in ("xyz", "para")])
        with service(tmp_path, *TABLE, HIP3_API_URL=at.url, HIP3_VAULT_ADDRESS=sub) as run:
            status = run.wait_for(lambda s: s["state"] == "READY", 30, "READY")
            assert (status["account"], status["signer"]) == (sub, key.address)
            run.wait_for(lambda s: s["counters"]["filled"] >= 2, 60, "a round trip")
            assert run.flatten() == 0, run.stderr[-2000:]
            assert run.table()["position"] == "flat"
        fills = at.info(type="userFills", user=sub)
        assert len(fills) == int(run.table()["fills"]) > 0
        assert at.info(type="userFills", user=key.address) == []
