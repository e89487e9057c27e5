"""What people get wrong in their first ten minutes: each is answered with what to do, and by the right exit code.

One row for each: what is typed, with which settings or `.env`, the exit code, and words of the sentence that helps.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hip3.commands.init import init
from hip3.config.reading import load
from hip3.errors import ConfigError
from hip3.ops.state_dir import operator
from tests.stories.process import ROOT, TABLE, command, service

KEY = "0x" + "11" * 32
TESTNET = {"HIP3_NETWORK": "testnet", "HIP3_MARKETS": "xyz:GOLD", "HIP3_MODE": "trade"}
DEAD = {"HIP3_API_URL": "http://127.0.0.1:9"}
Row = tuple[str, str, dict[str, str], int, str]

MISTAKES: list[Row] = [
    ("a typo in a command", "statuss", {}, 2, "did you mean status?"),
    ("a command of another bot", "start", {}, 2, "there is no command start"),
    ("a typo in an option", "stop --flaten", {}, 2, "did you mean --flatten?"),
    ("a duration in words", "run --duration soon", {}, 2, "no number of seconds"),
    ("the word help", "help", {}, 0, "examples:"),
    ("the word help for one command", "help stop", {}, 0, "--flatten"),
    ("the checks of the code without run.sh", "test", {}, 2, "./run.sh test"),
    ("markets apart by spaces", "check", {"HIP3_MARKETS": "xyz:GOLD xyz:NVDA"}, 2, "separated by commas"),
    ("a key that is a seed phrase", "check", TESTNET | {"HIP3_PRIVATE_KEY": "abandon " * 11 + "about"}, 4, "seed phrase"),
    ("a key one digit short", "check", TESTNET | {"HIP3_PRIVATE_KEY": KEY[:-1]}, 4, "has 63 hexadecimal digits; it must have 64"),
    ("a dex that is not there", "check", {"HIP3_MARKETS": "xyzz:GOLD"}, 4, "FAIL  account    not looked at: none of the dexs"),
    ("no command of explain's", "explain", {}, 2, "CLOID"),
    ("an order's number that is none", "explain xyz", {}, 2, "is no cloid"),
    ("a typo in a setting", "check", {"HIP3_MARKTES": "xyz:GOLD"}, 2, "HIP3_MARKETS"),
    ("a number in words", "check", {"HIP3_MAX_NOTIONAL_TOTAL": "hundred"}, 2, "HIP3_MAX_NOTIONAL_TOTAL"),
    ("a negative limit", "check", {"HIP3_MAX_NOTIONAL_TOTAL": "-1"}, 2, "HIP3_MAX_NOTIONAL_TOTAL"),
    ("limits the wrong way round", "check", {"HIP3_MAX_NOTIONAL_PER_MARKET": "200"}, 2, "is above HIP3_MAX_NOTIONAL_TOTAL"),
    ("an unknown network", "check", {"HIP3_NETWORK": "mainet"}, 2, "embedded | testnet | mainnet"),
    ("no market on a real network", "check", {"HIP3_NETWORK": "testnet"}, 2, "HIP3_MARKETS"),
    ("a market without its dex", "check", {"HIP3_MARKETS": "GOLD"}, 2, "dex:COIN"),
    ("trade without a key", "check", TESTNET, 2, "KEY"),
    ("a key that is none", "check", TESTNET | {"HIP3_PRIVATE_KEY": "zzz"}, 4, "hexadecimal"),
    ("a key that is an address", "check", TESTNET | {"HIP3_PRIVATE_KEY": "0x" + "11" * 20}, 4, "it must have 32"),
    ("a key and a key file", "check", TESTNET | {"HIP3_PRIVATE_KEY": KEY, "HIP3_PRIVATE_KEY_FILE": "k"}, 2, "one"),
    ("a key file that is not there", "check", TESTNET | {"HIP3_PRIVATE_KEY_FILE": "none.key"}, 4, "none.key"),
    ("mainnet's address on testnet", "check", TESTNET | {"HIP3_API_URL": "https://api.hyperliquid.xyz"}, 2, "mainnet's address"),
    ("no internet", "markets", {"HIP3_NETWORK": "testnet"} | DEAD, 5, "does not answer"),
    ("nothing runs: status", "status", {}, 3, "start it with ./run.sh"),
    ("nothing runs: stop", "stop", {}, 3, "no service"),
    ("nothing runs: pause", "pause", {}, 3, "no service"),
    ("an alert address that is none", "check", {"HIP3_ALERT_URLS": "telegram"}, 2, "HIP3_ALERT_URLS"),
    ("a markets file that is not there", "check", {"HIP3_MARKETS_FILE": "m.toml"}, 2, "m.toml"),
    ("a latch reset without a reason", "latch reset", {}, 2, "--reason"),
    ("no seeds at all", "simulate --seeds 0", {}, 2, "must be at least 1"),
    ("a home that is read-only", "run --duration 1", {"HIP3_STATE_DIR": "/proc/nowhere"}, 7, "make it usable"),
]  # fmt: skip
"""(what, words typed, settings, exit code, words of the answer)."""


def _typed(words: str, folder: Path, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("HIP3_")}
    places = {"HIP3_STATE_DIR": str(folder / "state"), "HIP3_LOG_DIR": str(folder / "logs"), "HIP3_HTTP_PORT": "0"}
    return subprocess.run(
        command(*words.split()), cwd=folder, env=clean | places | settings, capture_output=True, text=True, timeout=60,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def _answered(done: subprocess.CompletedProcess[str], code: int, words: str) -> None:
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert (done.returncode, words in said) == (code, True), said
    assert len([line for line in said.splitlines() if line.startswith("hip3")]) <= 3, "a sentence, not a page"


@pytest.mark.parametrize(("what", "words", "settings", "code", "answer"), MISTAKES, ids=[row[0] for row in MISTAKES])
def test_a_mistake_is_answered_with_what_to_do(
    what: str, words: str, settings: dict[str, str], code: int, answer: str, tmp_path: Path
) -> None:
    _answered(_typed(words, tmp_path, settings), code, answer)


def test_a_half_filled_env_names_its_lines(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HIP3_NETWORK=testnet\nHIP3_MARKETS=\nHIP3_MODE=trade\nHIP3_PRIVATE_KEY_FILE\n")
    _answered(_typed("check", tmp_path, {}), 2, "HIP3_MARKETS")


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"HIP3_PRIVATE_KEY={KEY}\n")
    (tmp_path / ".env").chmod(0o644)
    _answered(_typed("check", tmp_path, {}), 2, "chmod 600")


def test_a_second_start_names_the_first(tmp_path: Path) -> None:
    from hip3.ops.state_dir import StateLock

    lock = StateLock(tmp_path / "state")
    _answered(_typed("run --duration 1", tmp_path, {}), 6, f"its lock is held by process {os.getpid()} since 20")
    lock.release()


def test_a_port_that_is_taken_moves_the_page_and_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        checked = _typed("check", tmp_path, {"HIP3_HTTP_PORT": str(port)})
        done = _typed("run --duration 2", tmp_path, {"HIP3_HTTP_PORT": str(port)})
    assert done.returncode == 0, done.stderr
    assert f"since port {port} is taken; set HIP3_HTTP_PORT" in done.stderr
    _answered(checked, 0, f"port {port} is taken; the page will be on the next free one")


def test_an_exchange_whose_port_is_taken_says_it_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = _typed(f"exchange --port {taken.getsockname()[1]}", tmp_path, {})
    _answered(done, 2, "choose another --port")
    assert done.stderr.count("\n") == 1


def test_without_its_packages_it_says_how_it_is_started(tmp_path: Path) -> None:
    bare = [sys.executable, "-S", "-E", str(ROOT / "hip3.py"), "status"]  # without site-packages
    done = subprocess.run(bare, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    _answered(done, 1, "start it with ./run.sh")
    assert done.stderr.count("\n") == 1


def test_quiet_leaves_results_states_and_alarms(tmp_path: Path) -> None:
    with service(tmp_path, "--quiet", *TABLE, HIP3_EXCHANGE_SEED="5") as run:
        run.wait_for(lambda s: s["counters"]["sent"], 60, "an order, which is not told")
        assert run.flatten() == 0, run.stderr
        said = run.stderr.splitlines()
    assert any(" state  " in line for line in said), "states are told"
    assert not [line for line in said if any(word in line for word in ("sent  ", "signal  ", "wired", "leverage   "))]


def test_a_path_with_spaces_is_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "my bots"
    folder.mkdir()
    with service(folder) as run:
        run.wait_for(lambda s: s["state"] == "READY", 60, "READY")
        assert run.flatten() == 0, run.stderr
    assert list((folder / "state").glob("embedded-*"))


@pytest.mark.parametrize(
    ("version", "code", "words"),
    [("3.9", 1, "needs Python 3.11 or newer"), ("3.11", 1, "apt-get install python3-venv")],
)
def test_an_old_python_or_one_without_venv_is_told(version: str, code: int, words: str, tmp_path: Path) -> None:
    new = int(version.partition(".")[2]) >= 11
    for name in ("python3.13", "python3.12", "python3.11", "python3"):
        fake = tmp_path / name
        fake.write_text(f'#!/bin/sh\ncase "$*" in *version_info*) exit {0 if new else 1};; *) exit 1;; esac\n')
        fake.chmod(0o755)
    (tmp_path / "box").mkdir()
    for name in ("run.sh", "requirements.txt"):
        (tmp_path / "box" / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "box" / "run.sh").chmod(0o755)
    done = subprocess.run(
        [str(tmp_path / "box" / "run.sh"), "check"], capture_output=True, text=True, timeout=30, check=False,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )  # fmt: skip
    _answered(done, code, words)


def test_help_about_the_checks_installs_nothing(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_bytes((ROOT / "run.sh").read_bytes())
    done = subprocess.run(
        ["bash", str(tmp_path / "run.sh"), "test", "--help"], capture_output=True, text=True, timeout=30, check=False
    )
    _answered(done, 0, "quick")
    assert [path.name for path in tmp_path.iterdir()] == ["run.sh"]


def test_a_checkout_without_its_lock_says_what_that_means(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_bytes((ROOT / "run.sh").read_bytes())
    (tmp_path / "requirements.txt").write_text("no-such-package-of-ours @ file:///nowhere\n")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(ROOT / ".venv" / "bin")
    done = subprocess.run(
        ["bash", str(tmp_path / "run.sh"), "status"], capture_output=True, text=True, timeout=60, check=False
    )
    _answered(done, 1, "there is no lock: what requirements.txt bring")
    assert "pip could not install" in done.stderr


# `init`.


def _init(path: Path, *answers: str) -> tuple[list[str], list[str]]:
    asked: list[str] = []
    said: list[str] = []
    waiting = list(answers)

    def ask(words: str) -> str:
        asked.append(words)
        if not waiting:
            raise EOFError
        return waiting.pop(0)

    init(path, ask, said.append)
    assert not waiting, waiting
    return asked, said


def test_init_asks_again_until_an_answer_is_right_and_writes_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    _, said = _init(path, "testent", "testnet", "GOLD", "xyz:GOLD", "observe", "abc", "100", "200", "50", "", "", "")
    assert len([line for line in said if line.startswith("  ")]) == 4
    assert path.stat().st_mode & 0o777 == 0o600
    assert "HIP3_MARKETS=xyz:GOLD\n" in path.read_text()
    assert "HIP3_ALERT_URLS" not in path.read_text(), "what is left out is not set"


def test_init_asks_for_the_key_s_file_and_never_for_the_key(tmp_path: Path) -> None:
    asked, _ = _init(tmp_path / ".env", "mainnet", "", "trade", "", "0x" + "22" * 20, "no", "5", "22", "22", "", "", "")
    assert any("file with the agent's private key" in words for words in asked)
    assert "HIP3_PRIVATE_KEY=" not in (tmp_path / ".env").read_text()


def test_init_begins_mainnet_with_the_small_trial_and_what_it_writes_is_valid(tmp_path: Path) -> None:
    """Its limits beside the profile were refused, and without it the first orders were nine times as large."""
    _init(tmp_path / ".env", "mainnet", "", "trade", "", "0x" + "22" * 20, "", "", "", "", "")
    found = load({}, tmp_path / ".env")
    assert (found.profile, found.leverage, found.max_notional_total) == ("micro", 3, 15)


def test_init_keeps_what_is_there_unless_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HIP3_NETWORK=testnet\n")
    with pytest.raises(ConfigError, match="stays as it is"):
        _init(tmp_path / ".env", "")
    with pytest.raises(ConfigError, match="terminal"):
        _init(tmp_path / ".env", "yes", "testnet")
    assert (tmp_path / ".env").read_text() == "HIP3_NETWORK=testnet\n"


def test_a_user_without_a_name_gives_commands_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the container image a tripped latch could not be reset."""

    def nobody(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert operator() == str(os.getuid())


def test_an_environment_whose_python_is_gone_is_made_anew(tmp_path: Path) -> None:
    """After an upgrade of the machine every start failed for ever: the scripts of the old one were still there."""
    box = tmp_path / "box"
    (box / ".venv" / "bin").mkdir(parents=True)
    for name in ("run.sh", "requirements.txt", "requirements.lock"):
        (box / name).write_bytes((ROOT / name).read_bytes())
    (box / "run.sh").chmod(0o755)
    (box / ".venv" / "bin" / "python").symlink_to(tmp_path / "gone")
    (box / ".venv" / "bin" / "pip").write_text("#!/bin/sh\n")
    (box / ".venv" / "bin" / "pip").chmod(0o755)
    (tmp_path / "python3.11").write_text('#!/bin/sh\n[ "$1" = -m ] && echo "made anew: $*" >&2 && exit 1\nexit 0\n')
    (tmp_path / "python3.11").chmod(0o755)
    done = subprocess.run(
        [str(box / "run.sh"), "check"], capture_output=True, text=True, timeout=30, check=False,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )  # fmt: skip
    assert "made anew: -m venv --clear .venv" in done.stderr, done.stderr
