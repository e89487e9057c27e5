"""`check`: the preflight. It only reads; every finding says what to do."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from hip3.clock import SystemClock
from hip3.config import MarketSettings
from hip3.errors import ODD_ANSWERS, ConfigError, PreflightError, VenueReadError
from hip3.exchange.clock_offset import ClockOffset
from hip3.exchange.recover import recovers
from hip3.exchange.rest import RestClient
from hip3.exchange.signing import SigningKey, sign_l1_action
from hip3.execution.account import read_account
from hip3.execution.bootstrap import check_signer, learn_universe
from hip3.settings import Settings
from hip3.start import OwnExchange, Who, configured_key, identity

CLOCK_LIMIT_MS = 5000
DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS


class Finding(msgspec.Struct, frozen=True):
    """One line of the check."""

    name: str
    ok: bool
    text: str


def run_checks(settings: MarketSettings) -> list[Finding]:
    """All checks that can be made; a failed one does not stop the others that do not need it."""
    base = settings.base
    out = [Finding("settings", True, f"{base.network}, mode {'trade' if base.trading else 'observe'}")]
    out += [_writable("state", Path(base.state_dir)), _writable("logs", Path(base.log_dir))]
    try:
        key = configured_key(base)
    except ConfigError as error:
        return [*out, *(Finding("key", False, fault) for fault in error.faults)]
    own = OwnExchange(base) if base.own_exchange else None
    try:
        rest = RestClient(own.url if own is not None else base.http_url, SystemClock())
        return out + _exchange_checks(base, key, rest)
    finally:
        if own is not None:
            own.stop()


def _writable(name: str, folder: Path) -> Finding:
    probe = folder / f".probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_text("x", encoding="ascii")
        probe.unlink()
    except OSError as error:
        return Finding(name, False, f"{folder} cannot be written ({os.strerror(error.errno or 0)}); make it writable")
    return Finding(name, True, f"{folder} is writable")


def _exchange_checks(base: Settings, key: SigningKey | None, rest: RestClient) -> list[Finding]:
    out: list[Finding] = []
    who: Who | None = None

    def guarded(name: str, probe: Callable[[], str]) -> None:
        try:
            out.append(Finding(name, True, probe()))
        except PreflightError as error:
            out.extend(Finding(name, False, fault) for fault in error.faults)
        except (VenueReadError, *ODD_ANSWERS) as error:
            out.append(Finding(name, False, f"the exchange does not answer: {error}"))

    def clock() -> str:
        system = SystemClock()
        offset, sent = ClockOffset(system), system.mono_ms()
        answer = rest.info_json({"type": "exchangeStatus"})
        offset.add(int(answer["time"]), system.mono_ms() - sent)
        if abs(offset.offset_ms) > CLOCK_LIMIT_MS:
            raise PreflightError([f"the clock is {-offset.offset_ms} ms off the exchange's; set it (chrony, ntpd)"])
        return f"{-offset.offset_ms} ms off the exchange's"

    def signer() -> str:
        nonlocal who
        who = identity(base, key, rest)
        if who.key is None:
            return "none needed (observe)"
        action = {"type": "noop"}
        signature = sign_l1_action(who.key, action, 1, mainnet=base.mainnet)
        if not recovers(signature, action, 1, who.key.address, mainnet=base.mainnet):
            raise PreflightError(["a sample signature does not recover to the key's address; reinstall coincurve"])
        return f"signs as {who.key.address} for {who.account}"

    guarded("clock", clock)
    guarded("key", signer)
    guarded("markets", lambda: ", ".join(learn_universe(rest, base, who.account if who else None).specs))
    if who is not None and who.key is not None and who.account is not None:
        guarded("account", lambda: _account(rest, base, who))
    return out


def _account(rest: RestClient, base: Settings, who: Who) -> str:
    assert who.key is not None
    assert who.account is not None
    if who.vault is None:
        until = check_signer(rest, who.key.address, who.account)
        now = int(rest.info_json({"type": "exchangeStatus"})["time"])
        if until is not None and until - now < WEEK_MS:
            days = max(0, (until - now) // DAY_MS)
            raise PreflightError(
                [f"agent {who.key.address} expires in {days} days; approve a new one and change the key"]
            )
    dexs = learn_universe(rest, base, who.account).dexs
    report = read_account(rest, who.account, dexs)
    if report.equity <= 0:
        raise PreflightError([f"account {who.account} has no funds on {', '.join(dexs)}; transfer collateral there"])
    return f"{report.equity} USD on {', '.join(dexs)}, {len(report.orders)} open orders"
