"""`check` and the state folder as a user meets them: each fault of an exchange named, and what to do about it."""

import json
import subprocess
from pathlib import Path
from typing import Any

from hip3.exchange.embedded import key_number_one
from hip3.exchange.signing import SigningKey
from hip3.execution.truth.signer import AgentTerm
from hip3.ops.intents import IntentLog
from hip3.ops.state_dir import account_dir
from hip3.ops.store import JournalStore, encode
from tests.stories.listener import listener
from tests.stories.process import LocalExchange, Service, local_exchange, service

STRANGER = "0x" + "07" * 32
MASTER = SigningKey(key_number_one(1))


def _approve(at: LocalExchange, agent: str, until: int) -> None:
    def job(venue: Any, now_ms: int) -> None:
        assert venue.books.agents.approve(MASTER.address, agent, f"bot valid_until {until}", now_ms) is None

    at.do(job)


def _check(tmp_path: Path, at: LocalExchange, *args: str, **settings: str) -> tuple[int, dict[str, str], str]:
    """Exit code, the failed findings by name, and all that was said. Nothing runs."""
    tmp_path.mkdir(parents=True, exist_ok=True)
    quiet = Service.__new__(Service)
    quiet.folder = tmp_path
    quiet.env = {
        "PATH": "/usr/bin:/bin",
        "HIP3_STATE_DIR": str(tmp_path / "state"),
        "HIP3_LOG_DIR": str(tmp_path / "logs"),
    }
    quiet.env |= {"HIP3_API_URL": at.url} | settings
    done: subprocess.CompletedProcess[str] = quiet.run("check", "--json", *args)
    findings = json.loads(done.stdout)
    return done.returncode, {f["name"]: f["text"] for f in findings if not f["ok"]}, done.stdout + done.stderr


def test_everything_that_is_wrong_is_named_at_once_with_what_to_do(tmp_path: Path) -> None:
    occupied = tmp_path / "occupied"
    occupied.write_text("not a folder")

    def spoil(venue: Any, now_ms: int) -> None:
        venue.clock_offset_ms += 10_000
        venue.engine.markets["xyz:NVDA"].halted = True
        venue.engine.account(MASTER.address).dexs.pop("para", None)

    with local_exchange() as at, listener() as hook:
        at.do(spoil)
        hook.status = 500
        code, failed, said = _check(
            tmp_path, at, HIP3_PRIVATE_KEY=STRANGER, HIP3_ACCOUNT_ADDRESS=MASTER.address,
            HIP3_MARKETS="xyz:GOLD,xyz:NVDA", HIP3_DEX="xyz,para", HIP3_STATE_DIR=str(occupied),
            HIP3_ALERT_URLS=hook.json_url,
        )  # fmt: skip
    assert code == 4
    wanted = {
        "state": ("cannot be written", "make it writable"),
        "clock": ("ms behind the exchange's", "set it (chrony, ntpd)"),
        "markets": ("market xyz:NVDA is delisted", "take it out of HIP3_MARKETS"),
        "agent": ("is not an approved agent of", "approve it on the exchange"),
        "account": ("has no funds on dex para", "transfer collateral there"),
        "alerts": ("channel 1 json: not delivered", "see HIP3_ALERT_URLS"),
    }
    assert set(failed) == set(wanted), failed
    for name, words in wanted.items():
        for word in words:
            assert word in failed[name], failed[name]
    assert "token5up3rs3cret" not in said


def test_an_expired_agent_is_named(tmp_path: Path) -> None:
    with local_exchange() as at:
        _approve(at, SigningKey(bytes.fromhex(STRANGER[2:])).address, 1_000)
        settings = {"HIP3_PRIVATE_KEY": STRANGER, "HIP3_ACCOUNT_ADDRESS": MASTER.address}
        code, failed, _ = _check(tmp_path, at, **settings)
        assert code == 4
        assert set(failed) == {"agent"}
        assert "its approval has expired" in failed["agent"]
        assert "approve it on the exchange" in failed["agent"]
        # The exchange forgets those that have expired; a service that ran with it does not.
        folder = account_dir(tmp_path / "state", "embedded", MASTER.address)
        store = JournalStore(folder / "journal.db")
        agent = SigningKey(bytes.fromhex(STRANGER[2:])).address
        store.write([], {"agent": encode(AgentTerm(agent, 1_600_000_000_000))})
        store.close()
        _, failed, _ = _check(tmp_path, at, **settings)
        assert failed["agent"] == (
            f"agent {agent} has expired, on 2020-09-13 12:26 UTC; approve a new one and change the key"
        )


def test_what_is_in_order_exits_0_and_sign_sends_one_noop_above_every_nonce(tmp_path: Path) -> None:
    seed = {"HIP3_EXCHANGE_SEED": "1", "HIP3_MARKETS": "xyz:GOLD"}  # few reads: the exchange limits them
    with local_exchange() as at, listener() as hook:
        code, failed, _ = _check(tmp_path, at, "--sign", HIP3_ALERT_URLS=hook.json_url, **seed)
        assert (code, failed) == (0, {})
        assert [m["title"] for m in hook.received] == ["hip3 info: test"]
        folder = tmp_path / "state" / f"embedded-{MASTER.address[:10]}"
        first = _floor(folder)
        assert at.do(lambda venue, now_ms: first in venue.books.nonces(MASTER.address).kept)
        ahead = IntentLog(folder / "intents.log")
        ahead.cancels(first + 50_000, 0)
        ahead.close()
        assert _check(tmp_path, at, "--sign", **seed)[:2] == (0, {})
        assert _floor(folder) == first + 50_001
        settings = {"HIP3_API_URL": at.url, **seed}
        with service(tmp_path, **settings) as run:
            status = run.wait_for(lambda s: s["state"] == "READY", 30, "READY")
            assert not status["hard_stop"]["tripped"]  # the check's traces are no damage
            refused = run.run("check", "--sign")
            assert refused.returncode == 4
            assert "the service runs and signs by itself" in refused.stdout
            assert run.terminate() == 0


def _floor(folder: Path) -> int:
    log = IntentLog(folder / "intents.log")
    log.close()
    return log.recovered.nonce_floor


def test_a_state_folder_with_a_path_of_200_characters_works(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    assert len(str(deep)) > 200
    settings = {"HIP3_STATE_DIR": str(deep), "HIP3_EXCHANGE_SEED": "1"}
    with local_exchange() as at, service(tmp_path, HIP3_API_URL=at.url, **settings) as run:
        run.wait_for(lambda s: s["state"] == "READY", 30, "READY")
        assert (deep / "control.sock").is_socket()
        assert run.run("run").returncode == 6
        assert run.run("stop", "--flatten").returncode == 0
        assert run.wait(5) == 0
        assert not (deep / "control.sock").exists()
