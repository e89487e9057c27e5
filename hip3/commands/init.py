"""`init`: asks for what a start on a real network needs, writes `.env` (0600). The caller runs `check` on it.

Every answer has a default in brackets that Enter takes; an answer that the settings refuse is asked for again, with
what is wrong with it. A key is never asked for: it stays in its own file.
"""

import os
from collections.abc import Callable
from pathlib import Path

from hip3.config.reading import load
from hip3.errors import ConfigError

KEY_FILE = "agent.key"
NETWORKS = ("embedded", "testnet", "mainnet")
Answers = dict[str, str]


def init(path: Path, ask: Callable[[str], str], say: Callable[[str], None]) -> None:
    """Ask, and write `path`. ConfigError if it is there and shall stay, or if there is nobody to answer."""
    try:
        if path.exists() and ask(f"{path} is there already; replace it? [no] ").strip().lower() not in ("y", "yes"):
            raise ConfigError([f"{path} stays as it is; edit it, or answer yes"])
        answers = _asked(ask, say)
    except EOFError:
        raise ConfigError(["init asks questions: run it in a terminal, or write .env by hand (.env.example)"]) from None
    text = "# Written by ./run.sh init; .env.example lists every setting.\n"
    text += "".join(f"{name}={value}\n" for name, value in answers.items() if value)
    new = path.with_name(path.name + ".new")  # whole or not at all: the one before may be the only one
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
    new.replace(path)
    say(f"{path} is written. The check:")


def _asked(ask: Callable[[str], str], say: Callable[[str], None]) -> Answers:
    known: Answers = {}

    def one(name: str, words: str, default: str = "", no: str = "") -> str:
        while True:
            value = ask(f"{words} [{default or 'none'}]: ").strip() or default
            value = "" if value == no else value
            fault = _fault(known, name, value)
            if not fault:
                known[name] = value
                return value
            say(f"  {fault}")

    network = one("HIP3_NETWORK", f"network ({', '.join(NETWORKS)})", "testnet")
    if network == "embedded":
        one("HIP3_QUOTE_MARKETS", "markets to quote, for example xyz:GOLD")
    else:
        one("HIP3_MARKETS", "markets, comma separated (./run.sh markets lists them)", "xyz:GOLD")
        mode = one("HIP3_MODE", "mode (observe: look only; paper: simulated money; trade)", "observe")
        if mode == "trade":
            one("HIP3_PRIVATE_KEY_FILE", "file with the agent's private key, mode 0600", KEY_FILE)
            one("HIP3_ACCOUNT_ADDRESS", "address of the account that the agent trades for")
            first = "micro" if network == "mainnet" else "no"
            one("HIP3_PROFILE", "the trial of $11 orders first (micro or no; docs/mainnet.md)", first, "no")
            one("HIP3_LEVERAGE", "leverage of every market, set before its first entry (0: as it is)", "3")
    if not known.get("HIP3_PROFILE"):  # the trial has its own
        one("HIP3_MAX_NOTIONAL_TOTAL", "most USD in all markets together", "100")
        one("HIP3_MAX_NOTIONAL_PER_MARKET", "most USD in one market", "50")
    one("HIP3_HARD_STOP_MAX_LOSS_USD", "loss in USD after which it stops for good", "20")
    one("HIP3_MAX_DAILY_LOSS_USD", "loss in USD within a day", "20")
    one("HIP3_ALERT_URLS", "where alerts go (docs/runbook.md), for example ntfy://TOPIC")
    return known


def _fault(known: Answers, name: str, value: str) -> str:
    """What the settings say against this answer, or "". Faults of what has not been asked yet do not count."""
    probe = known | {name: value}
    if name == "HIP3_MODE" and value == "trade":
        probe["HIP3_PRIVATE_KEY_FILE"] = KEY_FILE  # the next question
    if name == "HIP3_MAX_NOTIONAL_TOTAL":
        probe["HIP3_MAX_NOTIONAL_PER_MARKET"] = value  # so is this
    try:
        load({k: v for k, v in probe.items() if v}, Path(os.devnull), markets=False)
    except ConfigError as error:
        own = [fault for fault in error.faults if name in fault]
        return own[0] if own else ""
    return ""
