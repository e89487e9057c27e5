"""`check`: the preflight. It only reads, but for a test message to each alert channel; every finding says what to do.

`--sign` sends one `noop`: under the state lock, with a nonce above all that were given out, recorded before it leaves.
"""

import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import IO

import msgspec

from hip3.clock import SystemClock
from hip3.commands.check_account import actions_left, funds
from hip3.commands.check_quotes import quotes
from hip3.commands.check_trading import (
    WARNING,
    asks_for_margins,
    costs,
    margins,
    needs,
    prices_of,
    sizes,
    stops,
    what_is_open,
)
from hip3.config.reading import MarketSettings
from hip3.config.settings import Settings
from hip3.core.events import ActionRefused, Statuses
from hip3.core.market import DELISTED, MarketSpec
from hip3.core.nonce_floor import floor_of
from hip3.core.ports import CLOCK_STOP_MS, CLOCK_WARN_MS
from hip3.errors import ODD_ANSWERS, AlreadyRunning, ConfigError, Hip3Error, PreflightError, RateLimited, VenueReadError
from hip3.exchange.clock_offset import ClockOffset
from hip3.exchange.nonce import NonceManager
from hip3.exchange.recover import recovers
from hip3.exchange.registry import FEE_SCALE_UNKNOWN, dex_indices
from hip3.exchange.rest import RestClient
from hip3.exchange.signing import SigningKey, sign_l1_action
from hip3.exchange.wire_out import signed_body
from hip3.exchange.wire_reply import parse_action_answer
from hip3.execution.truth.margin import read_margins
from hip3.execution.truth.signer import AgentTerm, check_signer, check_vault
from hip3.execution.truth.universe import learn_universe
from hip3.execution.truth.worth import USDC, tokens_of
from hip3.ops.alerts import LEAST_DISK_PERCENT, Alert
from hip3.ops.colour import RED, fitted, painted
from hip3.ops.intents import IntentLog
from hip3.ops.state_dir import StateLock, account_dir, socket_path
from hip3.ops.store import kept
from hip3.risk.hard_stop import HardStopLatch
from hip3.service.alerting import free_percent, send_once
from hip3.service.kept import latch_path
from hip3.service.start import OwnExchange, Who, configured_key, identity

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS


class Finding(msgspec.Struct, frozen=True):
    """One line of the check."""

    name: str
    ok: bool
    text: str


def shown(findings: list[Finding], out: IO[str]) -> str:
    """A line each, what failed in red; as wide as a terminal."""
    words = ["FAIL" if not f.ok else "warn" if f.text.startswith(WARNING) else "ok  " for f in findings]
    heads = [f"{word}  {f.name:<10} " for word, f in zip(words, findings, strict=True)]
    return "\n".join(
        painted(fitted(head, f.text.removeprefix(WARNING), out), None if f.ok else RED, out)
        for head, f in zip(heads, findings, strict=True)
    )


def run_checks(settings: MarketSettings, *, sign: bool = False) -> list[Finding]:
    """All checks that can be made; a failed one does not stop the others that do not need it."""
    base = settings.base
    out = [Finding("settings", True, f"{base.network}, mode {base.doing}")]
    out += [_writable("state", Path(base.state_dir)), _writable("logs", Path(base.log_dir))]
    out += _alerts(base) + _page(base)
    try:
        key = configured_key(base)
    except ConfigError as error:
        return [*out, *(Finding("key", False, fault) for fault in error.faults)]
    own = OwnExchange(base, keep=False).listening() if base.own_exchange else None
    if own is not None:
        text = "one of its own, for this check alone; what a running service holds is in ./run.sh status"
        out.append(Finding("exchange", True, text))
    try:
        rest = RestClient(own.url if own is not None else base.http_url, SystemClock())
        return out + _ExchangeChecks(settings, rest).run(key, sign=sign)
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
    free = free_percent(folder)
    if free is not None and free < LEAST_DISK_PERCENT:
        return Finding(name, False, f"{folder} is on a disk with {free} % free; make room")
    return Finding(name, True, f"{folder} is writable")


def _alerts(base: Settings) -> list[Finding]:
    """A test message through each channel; the dead man's address is not asked for: that would say we live."""
    try:
        results = send_once(base, Alert(kind="test", text="check: this channel works"), None, SystemClock())
    except ConfigError as error:
        return [Finding("alerts", False, fault) for fault in error.faults]
    out = []
    for r in results:
        text = "a test message was delivered" if r["ok"] else f"{r['detail']}; see HIP3_ALERT_URLS"
        out.append(Finding("alerts", bool(r["ok"]), f"channel {r['channel']}: {text}"))
    if base.deadman_url is not None:
        out.append(Finding("alerts", True, "the dead man's address is asked for by the running service alone"))
    return out or [Finding("alerts", True, "none are sent; set HIP3_ALERT_URLS to be told")]


def _page(base: Settings) -> list[Finding]:
    """Who would look at the usual place for the page would see somebody else's figures."""
    if not base.http_port:
        return []
    try:
        with socket.create_server(("127.0.0.1", base.http_port)):
            return []
    except OSError:
        if socket_path(Path(base.state_dir)).exists():  # the service that runs here has it
            return []
    text = f"port {base.http_port} is taken; the page will be on the next free one, as log and status say"
    return [Finding("page", True, f"{text}; set HIP3_HTTP_PORT to choose")]


def _closed(why: str) -> str:
    """Why a market takes no entries, what that means, and what to do."""
    if why == DELISTED:
        return "is delisted on the exchange: nothing trades there, what is held is settled; take it out of HIP3_MARKETS"
    if why == FEE_SCALE_UNKNOWN:
        why = f"{why}, so what an order costs is not"
    return f"is closed to entries: {why}; take it out of HIP3_MARKETS, what is held there is still left"


class _ExchangeChecks:
    """What the exchange is asked; in order."""

    def __init__(self, settings: MarketSettings, rest: RestClient) -> None:
        self._settings, self._base, self._rest = settings, settings.base, rest
        self._specs: dict[str, MarketSpec] = {}
        self._out: list[Finding] = []
        self._tokens: Collection[int] | None = USDC
        self._who: Who | None = None

    def run(self, key: SigningKey | None, *, sign: bool) -> list[Finding]:
        self._guarded("clock", self._clock)
        self._guarded("key", lambda: self._key(key))
        who = self._who
        self._guarded("markets", lambda: self._markets(who.account if who else None))
        if self._taken:
            self._guarded("costs", lambda: costs(self._settings, self._taken))
            self._guarded("sizes", lambda: sizes(self._settings, self._taken, prices_of(self._rest, self._specs)))
        if self._specs and self._base.quoted_coins:
            self._guarded("quotes", lambda: self._quotes(who.account if who else None))
        if who is not None and who.account is not None:
            self._of_account(who, who.account)
        if sign and who is not None and who.key is not None and who.account is not None:
            signer, account = who.key, who.account
            self._guarded("sign", lambda: self._sign(signer, account, who))
        elif sign:
            self._out.append(Finding("sign", False, "nothing to sign with; set a key and HIP3_MODE=trade"))
        return self._out

    def _of_account(self, who: Who, account: str) -> None:
        """What is read of the account; all but the agent's approval also where no key is given."""
        signer = who.key
        if signer is not None:
            self._guarded("agent", lambda: self._agent(signer.address, account, who))
        self._guarded("account", lambda: self._funds(account))
        self._guarded("actions", lambda: actions_left(self._rest, account))
        if self._specs:
            self._guarded("margin", lambda: margins(self._settings, self._specs))
            self._guarded("stops", lambda: self._stops(account))
            self._guarded("open", lambda: self._open(account))

    def _guarded(self, name: str, probe: Callable[[], str]) -> None:
        try:
            self._out.append(Finding(name, True, probe()))
        except PreflightError as error:
            self._out.extend(Finding(name, False, fault) for fault in error.faults)
        except AlreadyRunning:
            text = "not done: the service runs and signs by itself; see ./run.sh status, or stop it first"
            self._out.append(Finding(name, False, text))
        except RateLimited:
            text = "the exchange's weight limit is spent (a running service shares it); try again in a minute"
            self._out.append(Finding(name, False, text))
        except (VenueReadError, *ODD_ANSWERS) as error:
            self._out.append(Finding(name, False, f"the exchange does not answer: {error}"))
        except (Hip3Error, OSError) as error:
            self._out.append(Finding(name, False, str(error)))

    def _now(self) -> int:
        return int(self._rest.info_json({"type": "exchangeStatus"})["time"])

    def _clock(self) -> str:
        system = SystemClock()
        offset, sent = ClockOffset(system), system.mono_ms()
        offset.add(self._now(), system.mono_ms() - sent)
        ahead = -offset.offset_ms
        if abs(ahead) > CLOCK_STOP_MS:
            way = "ahead of" if ahead > 0 else "behind"
            fault = (
                f"this machine's clock is {abs(ahead)} ms {way} the exchange's; set it (chrony, ntpd): no entry leaves"
            )
            raise PreflightError([fault])
        warning = "; set it soon (chrony, ntpd)" if abs(ahead) > CLOCK_WARN_MS else ""
        return f"{ahead} ms off the exchange's{warning}"

    def _key(self, key: SigningKey | None) -> str:
        who = self._who = identity(self._base, key, self._rest)
        if who.key is None:
            return "none needed (observe)"
        action = {"type": "noop"}
        signature = sign_l1_action(who.key, action, 1, mainnet=self._base.mainnet)
        if not recovers(signature, action, 1, who.key.address, mainnet=self._base.mainnet):
            raise PreflightError(["a sample signature does not recover to the key's address; reinstall coincurve"])
        whose = "the account's own" if who.account == who.key.address else f"for {who.account}"
        return f"signs as {who.key.address}, {whose}"

    def _markets(self, account: str | None) -> str:
        universe = learn_universe(self._rest, self._base, account)
        self._specs = {coin: universe.specs[coin] for coin in universe.open}
        self._tokens = tokens_of(universe.specs.values())
        if universe.blocked and self._base.coins:
            raise PreflightError([f"market {coin} {_closed(why)}" for coin, why in universe.blocked.items()])
        return ", ".join(universe.open)

    def _agent(self, signer: str, account: str, who: Who) -> str:
        if who.vault is not None:
            doubt = check_vault(self._rest, signer, who.vault)
            if doubt:
                raise PreflightError([doubt])
            return f"{account} is a vault or sub-account that the key may trade for; ./run.sh check --sign proves it"
        try:
            until = check_signer(self._rest, signer, account)
        except PreflightError:
            until = self._known_term(signer, account)
            if until is None or until > self._now():
                raise
        if signer == account:
            return "none: the key is the account's own"
        if until is None:
            return "approved without an end"
        left = until - self._now()
        day = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(until // 1000))
        if left < WEEK_MS:
            when = f"expires in {left // DAY_MS} days, on {day}" if left > 0 else f"has expired, on {day}"
            raise PreflightError([f"agent {signer} {when}; approve a new one and change the key"])
        return f"approved until {day}"

    def _known_term(self, signer: str, account: str) -> int | None:
        """What the service kept of the agent's term."""
        name = f"{self._base.place}-{account[:10]}"
        try:
            body = kept(Path(self._base.state_dir) / name / "journal.db", "agent")
            term = None if body is None else msgspec.json.decode(body, type=AgentTerm)
        except (sqlite3.Error, msgspec.DecodeError):
            return None
        return term.until_ms if term is not None and term.agent == signer else None

    def _funds(self, account: str) -> str:
        known = dex_indices(self._rest.info_json({"type": "perpDexs"}))
        dexs = [dex for dex in self._base.dexs or known if dex in known]
        if not dexs:
            raise PreflightError(
                [f"not looked at: none of the dexs exists there; it has {', '.join(filter(None, known))}"]
            )
        return funds(
            self._rest, account, dexs, self._tokens, threading.Event().wait, needs(self._settings, self._specs)
        )

    @property
    def _taken(self) -> dict[str, MarketSpec]:
        return {coin: spec for coin, spec in self._specs.items() if coin not in self._base.quoted_coins}

    def _quotes(self, account: str | None) -> str:
        prices = prices_of(self._rest, self._specs)
        return quotes(self._settings, self._specs, prices, self._rest, self._now(), account)

    def _stops(self, account: str) -> str:
        asked = asks_for_margins(self._settings, self._specs)
        return stops(self._settings, self._specs, read_margins(self._rest, account, asked, {}))

    def _open(self, account: str) -> str:
        return what_is_open(self._settings, self._specs, self._rest, account)

    def _sign(self, key: SigningKey, account: str, who: Who) -> str:
        """One signed noop, which changes nothing but the nonce."""
        base = self._base
        lock = StateLock(Path(base.state_dir))
        try:
            now = self._now()
            if base.fresh_exchange or base.paper:  # its account ends with it: there is nothing to go on from
                nonce = now
            else:
                folder = account_dir(Path(base.state_dir), base.network, account)
                HardStopLatch(latch_path(folder))  # an account's state begins with its latch
                intents = IntentLog(folder / "intents.log", sync=base.journal_sync)
                try:
                    nonce = NonceManager(floor_of(intents.recovered.nonce_floor, now)).next(now)
                    intents.action("noop", nonce, SystemClock().wall_ms())
                finally:
                    intents.close()
            action = {"type": "noop"}
            signature = sign_l1_action(key, action, nonce, vault_address=who.vault, mainnet=base.mainnet)
            outcome = parse_action_answer(self._rest.exchange(signed_body(action, nonce, signature, who.vault)))
        finally:
            lock.release()
        if isinstance(outcome, ActionRefused):
            raise PreflightError([f"the exchange refused a signed noop: {outcome.text}"])
        if not isinstance(outcome, Statuses):
            raise PreflightError([f"the exchange's answer to a signed noop cannot be read: {outcome}"])
        return f"the exchange accepted a signed noop (nonce {nonce})"
