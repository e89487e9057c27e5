"""`exchange snapshot` and `exchange restore`: the state of a running embedded exchange into a file, and back. Main."""

import os
from collections.abc import Callable
from pathlib import Path

import requests

from hip3.errors import ConfigError, PreflightError, VenueReadError

TIMEOUT_S = 60


def move(action: str, file: Path | None, url: str, say: Callable[[str], None]) -> int:
    """Do it; 0. ConfigError for the file, PreflightError for a refused state, VenueReadError without an answer."""
    if file is None:
        raise ConfigError([f"exchange {action}: name a file"])
    if action == "snapshot":
        body = _asked(url + "/control", b'{"snapshot":true}')
        new = file.with_name(file.name + ".new")
        try:
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
                out.write(body)
            new.replace(file)
        except OSError as error:
            raise ConfigError([f"{file} cannot be written: {error.strerror}"]) from None
        say(f"{file}: {len(body)} bytes of {url}")
        return 0
    try:
        body = file.read_bytes()
    except OSError as error:
        raise ConfigError([f"{file} cannot be read: {error.strerror}"]) from None
    _asked(url + "/restore", body)
    say(f"{url} goes on from {file}; its sockets were cut")
    return 0


def _asked(url: str, body: bytes) -> bytes:
    try:
        with requests.Session() as session:
            session.trust_env = False  # it is on this machine
            answer = session.post(url, data=body, headers={"Content-Type": "application/json"}, timeout=TIMEOUT_S)
    except requests.RequestException:
        raise VenueReadError(f"{url}: does not answer; is it an embedded exchange? name its --port") from None
    if answer.status_code != 200:
        raise PreflightError([f"{url}: {answer.status_code} {answer.text[:200]}"])
    return answer.content
