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
from pathlib import Path

import msgspec

from hip3.config.settings import Settings
from hip3.errors import PreflightError, VenueReadError
from hip3.exchange.embedded import SEED_REQUEST, drip_request, key_number_one
from hip3.exchange.keys import KeySource, load_key
from hip3.exchange.signing import SigningKey
from hip3.execution.truth.account import Rest

START_TIMEOUT_S = 20
PACKAGE_PARENT = Path(__file__).resolve().parents[2]
"""What must be on the path for `import hip3`: the checkout, or where pip put the package."""


def hip3_command(*arguments: str) -> list[str]:
    """The command line of another hip3 process: this interpreter, this package, wherever it was started."""
    return [sys.executable, "-P", "-m", "hip3", *arguments]


def hip3_environment() -> dict[str, str]:
    """The environment of another hip3 process: ours without a single setting, so that no key is in it."""
    return {k: v for k, v in os.environ.items() if not k.startswith("HIP3_")} | {"PYTHONPATH": str(PACKAGE_PARENT)}


class OwnExchange:
    """The service's own embedded exchange."""

    def __init__(self, settings: Settings) -> None:
        seed = settings.exchange_seed
        self.seed = secrets.randbelow(2**32) if seed is None else seed
        self.profile = settings.exchange_profile
        command = hip3_command(
            "exchange", "--port", "0", "--seed", str(self.seed), "--profile", self.profile, "--until-eof"
        )
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            start_new_session=True, env=hip3_environment(),
        )  # fmt: skip
        assert self._child.stdout is not None
        ready, _, _ = select.select([self._child.stdout], [], [], START_TIMEOUT_S)
        line = self._child.stdout.readline() if ready else ""
        if not line.startswith("listening on "):
            self.stop()
            raise PreflightError([f"the embedded exchange did not start: {line.strip() or 'it ended at once'}"])
        self.url = line.removeprefix("listening on ").strip()

    @property
    def alive(self) -> bool:
        return self._child.poll() is None

    def stop(self, patience_s: float = 3) -> None:
        """End it and wait for it."""
        if self._child.stdin is not None:
            self._child.stdin.close()
        try:
            self._child.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()


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
    if source is None:
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
    if vault is not None and settings.own_exchange:
        fault = (
            "HIP3_VAULT_ADDRESS: an exchange of our own begins without vaults; point HIP3_API_URL at one that has it"
        )
        raise PreflightError([fault])
    if key is None:
        key = _embedded_key(settings, rest)
    account = (settings.account_address or key.address).lower()
    if settings.own_exchange:
        rest.info(drip_request(account))
    return Who(key, vault or account, vault)


def _embedded_key(settings: Settings, rest: Rest) -> SigningKey:
    if settings.own_exchange:
        return SigningKey(secrets.token_bytes(32))
    seed = settings.exchange_seed
    if seed is None:
        answer = rest.info_json(SEED_REQUEST)
        try:
            seed = int(answer["seed"])
        except (KeyError, TypeError, ValueError):
            raise VenueReadError(
                "HIP3_API_URL does not answer like an embedded exchange; set a key, or HIP3_EXCHANGE_SEED"
            ) from None
    return SigningKey(key_number_one(seed))
