"""Before the service: its own embedded exchange, and who it is.

`OwnExchange` is a child process on loopback. It ends when its standard input does, so it cannot
outlive the service, however that ends; it is in a session of its own, so that Ctrl-C in a terminal
reaches the service alone, which then still has an exchange to cancel on. It is given none of our settings: no key.
"""

import os
import secrets
import select
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

import msgspec

from hip3.config.settings import Settings
from hip3.core.urls import shown_url
from hip3.errors import PreflightError, VenueReadError
from hip3.exchange.embedded import FROM_ENVIRONMENT, SEED_REQUEST, UPSTREAM, drip_request, key_number_one
from hip3.exchange.keys import KeySource, load_key
from hip3.exchange.signing import SigningKey
from hip3.execution.truth.account import Rest

START_TIMEOUT_S = 20
NO_ANSWER = 5
"""The exit code of a mirror whose upstream does not answer."""
IN_USE = "is in use by another exchange"
PACKAGE_PARENT = Path(__file__).resolve().parents[2]
"""What must be on the path for `import hip3`: the checkout, or where pip put the package."""


def hip3_command(*arguments: str) -> list[str]:
    """The command line of another hip3 process: this interpreter, this package, wherever it was started."""
    return [sys.executable, "-P", "-m", "hip3", *arguments]


def hip3_environment() -> dict[str, str]:
    """The environment of another hip3 process: ours without a single setting, so that no key is in it."""
    return {k: v for k, v in os.environ.items() if not k.startswith("HIP3_")} | {"PYTHONPATH": str(PACKAGE_PARENT)}


def kept_exchange(settings: Settings) -> Path:
    """The file in which a mirror keeps its accounts."""
    folder = Path(settings.state_dir)
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve() / f"{settings.place}.exchange.json"


def _log_of(settings: Settings) -> IO[str]:
    """Where a mirror says how its upstream is."""
    folder = Path(settings.log_dir)
    folder.mkdir(parents=True, exist_ok=True)
    return (folder / "mirror.log").open("w+")


def _unnamed() -> IO[str]:
    """A file of nobody else's, gone with its last user."""
    return tempfile.TemporaryFile("w+")


class OwnExchange:
    """The service's own exchange: the embedded one, or in paper a mirror of the network, which keeps its account over
    restarts where `keep`. It is begun at once, and has to be waited for: `listening`. Who began it stops it."""

    url: str
    """Once it listens; not there before."""

    def __init__(self, settings: Settings, *, keep: bool = True) -> None:
        seed = settings.exchange_seed
        self.seed = secrets.randbelow(2**32) if seed is None else seed
        self.profile = settings.exchange_profile
        words = ["exchange", "--port", "0", "--until-eof"]
        if not settings.paper:
            self.what = f"embedded exchange, profile {self.profile}, seed {self.seed}"
            words += ["--seed", str(self.seed), "--profile", self.profile]
        else:
            self.what = f"a mirror of {settings.network if settings.api_url is None else shown_url(settings.api_url)}"
            words += ["--mirror", settings.network if settings.api_url is None else FROM_ENVIRONMENT]
            words += ["--state", str(kept_exchange(settings))] if keep else []
            words += [] if seed is None else ["--seed", str(seed)]
        self._name = "mirror" if settings.paper else "embedded exchange"
        self._said = _log_of(settings) if settings.paper and keep else _unnamed()
        try:
            self._child = subprocess.Popen(
                hip3_command(*words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, text=True,
                start_new_session=True, env=hip3_environment() | {UPSTREAM: settings.api_url or ""},
            )  # fmt: skip
        except OSError:
            self._said.close()
            raise

    def listening(self) -> "OwnExchange":
        """Wait until it listens. VenueReadError: the network does not answer the mirror; PreflightError: it does not
        start. It is ended then."""
        assert self._child.stdout is not None
        with self._said as said:
            ready, _, _ = select.select([self._child.stdout], [], [], START_TIMEOUT_S)
            line = self._child.stdout.readline() if ready else ""
            if not line.startswith("listening on "):
                self._end()
                said.seek(0)
                why = (said.read().strip().splitlines() or ["it ended at once"])[-1].removeprefix("hip3: ")
                if self._child.returncode == NO_ANSWER or IN_USE in why:  # the one before is still ending
                    raise VenueReadError(why)
                raise PreflightError([f"the {self._name} did not start: {why}"])
        self.url = line.removeprefix("listening on ").strip()
        return self

    @property
    def alive(self) -> bool:
        return self._child.poll() is None

    def stop(self, patience_s: float = 3) -> None:
        """End it and wait for it; again is nothing."""
        self._end(patience_s)
        self._said.close()

    def _end(self, patience_s: float = 3) -> None:
        if self._child.stdin is not None:
            self._child.stdin.close()
        try:
            self._child.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()


def begun(settings: Settings) -> OwnExchange | None:
    """An embedded exchange of our own, which starts while the service is still imported; None where there is none."""
    return OwnExchange(settings) if settings.fresh_exchange and not settings.paper else None


class Who(msgspec.Struct, frozen=True):
    """The key that signs and the account it trades for; no key in observe mode."""

    key: SigningKey | None
    account: str | None
    """Lower case; the vault when one is set."""
    vault: str | None


def key_source(settings: Settings) -> KeySource | None:
    """The configured key, or None."""
    if settings.private_key is not None:
        return KeySource("environment", text=settings.private_key)
    if settings.private_key_file is not None:
        return KeySource("file", path=settings.private_key_file)
    if settings.keystore_file is not None:
        return KeySource("keystore", path=settings.keystore_file, password=settings.keystore_password or "")
    return None


def configured_key(settings: Settings) -> SigningKey | None:
    """The configured key, loaded and checked; None if none is. ConfigError says what is wrong."""
    source = key_source(settings)
    if source is None or settings.paper:
        return None
    return load_key(source, settings.signer_address)


def identity(settings: Settings, key: SigningKey | None, rest: Rest) -> Who:
    """Who we are. On embedded without a key: a new one of our own, or the exchange's number one.

    VenueReadError while the exchange does not answer.
    """
    vault = None if settings.vault_address is None else settings.vault_address.lower()
    if not settings.trading:
        account = settings.account_address or (key.address if key is not None else None)
        return Who(None, vault or (None if account is None else account.lower()), vault)
    if vault is not None and settings.fresh_exchange:
        fault = (
            "HIP3_VAULT_ADDRESS: an exchange of our own begins without vaults; point HIP3_API_URL at one that has it"
        )
        raise PreflightError([fault])
    if key is None:
        key = _embedded_key(settings, rest)
        if settings.signer_address is not None and settings.signer_address.lower() != key.address:
            fault = f"HIP3_SIGNER_ADDRESS is {settings.signer_address}, and the exchange's key number one {key.address}"
            raise PreflightError([f"{fault}: leave it out, or give the key"])
    account = (settings.account_address or key.address).lower()
    if settings.fresh_exchange:
        rest.info(drip_request(account))
    return Who(key, vault or account, vault)


def _embedded_key(settings: Settings, rest: Rest) -> SigningKey:
    if settings.fresh_exchange:
        return SigningKey(secrets.token_bytes(32))
    seed = None if settings.paper else settings.exchange_seed
    if seed is None:
        answer = rest.info_json(SEED_REQUEST)
        try:
            seed = int(answer["seed"])
        except (KeyError, TypeError, ValueError):
            raise VenueReadError(
                "HIP3_API_URL does not answer like an embedded exchange; set a key, or HIP3_EXCHANGE_SEED"
            ) from None
    return SigningKey(key_number_one(seed))
