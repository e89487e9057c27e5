"""Where the signing key comes from. Key bytes never reach a log, an error or a repr.

Called from: main, at a start and in commands. Reads files; takes no lock.
"""

import json
import os
import stat
from pathlib import Path

import msgspec

from hip3.errors import ConfigError, SigningError
from hip3.exchange.signing import SigningKey, parse_secret


class KeySource(msgspec.Struct, frozen=True):
    """Exactly one of the ways to name a key; `text` and `password` are secrets."""

    kind: str
    """"environment", "file", "keystore" or "memory"."""
    text: str = ""
    """environment, memory: the key in hex."""
    path: str = ""
    """file, keystore: where it is; the file must be its owner's alone to read."""
    password: str = ""
    """keystore."""

    def __repr__(self) -> str:
        """Without secrets: reprs end in logs and tracebacks."""
        return f"KeySource({self.kind}, {self.path or 'hidden'})"


def refuse_if_readable_by_others(path: Path) -> None:
    """ConfigError if the mode of the file gives group or others anything at all; OSError if it cannot be looked at."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise ConfigError([f"{path} holds a key and is readable by others (mode {mode:04o}); chmod 600 it"])


def load_key(source: KeySource, expected_address: str | None = None) -> SigningKey:
    """The prepared key. ConfigError says what is wrong with it or its file, never what it is.

    `expected_address` guards against the wrong key: a key of any other address is refused. Case does not matter.
    """
    try:
        if source.kind in ("environment", "memory"):
            secret = parse_secret(source.text)
        elif source.kind == "file":
            secret = _from_file(Path(source.path))
        else:
            secret = _from_keystore(Path(source.path), source.password)
        try:
            key = SigningKey(secret)
        finally:
            secret[:] = bytes(len(secret))  # overwritten where Python allows it
    except SigningError as error:
        raise ConfigError([f"{_name(source)}: {error}"]) from None
    except OSError as error:
        raise ConfigError([f"{_name(source)}: {os.strerror(error.errno or 0)}: {source.path}"]) from None
    if expected_address is not None and key.address != expected_address.lower():
        raise ConfigError(
            [
                f"{_name(source)} has the address {key.address}, "
                f"but HIP3_SIGNER_ADDRESS expects {expected_address.lower()}"
            ]
        )
    return key


def _name(source: KeySource) -> str:
    """What faults call the key by: the setting it came from."""
    return {
        "environment": "HIP3_PRIVATE_KEY",
        "file": "HIP3_PRIVATE_KEY_FILE",
        "keystore": "HIP3_KEYSTORE_FILE",
    }.get(source.kind, "the key")


def _from_file(path: Path) -> bytearray:
    """The key as hex, alone in its file. SigningError, ConfigError, OSError."""
    refuse_if_readable_by_others(path)
    return parse_secret(path.read_text(encoding="ascii", errors="replace"))


def _from_keystore(path: Path, password: str) -> bytearray:
    """The key of an Ethereum keystore. SigningError, ConfigError, OSError."""
    from eth_account import Account  # noqa: PLC0415 a quarter of a second and 15 MB, for keystores alone

    refuse_if_readable_by_others(path)
    try:
        keystore = json.loads(path.read_text(encoding="utf-8"))
        return bytearray(Account.decrypt(keystore, password))
    except (ValueError, KeyError, TypeError):
        raise SigningError("cannot be opened: not a keystore, or the password is wrong") from None
