"""Logs by loguru: for people on the terminal, rotated in files, secrets redacted.

`diagnose` stays off: loguru would otherwise print the values of local variables with a traceback,
and one of them may be a key.
"""

import fcntl
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from loguru import logger

from hip3.ops.colour import coloured

TERMINAL_FORMAT = "{time:HH:mm:ss.SSS} {level: <7} {message}"
FEW = (
    "hip3 ",
    "HARD STOP",
    "connected",
    "state ",
    "round trip",
    "alert ",
    "latch ",
    "stop",
    "funding ",
    "operator",
    "page ",
)
WARNING = logger.level("WARNING").no
OUTPUT_BYTES, OUTPUT_KEPT = 10_000_000, 5
_FILE_FORMAT = "{time:YYYY-MM-DD HH:mm:ss.SSS} {level: <7} {thread.name: <12} {message}"


def rotate_output(fd: int = 2, limit: int = OUTPUT_BYTES) -> None:
    """Where output is appended to a file (cron's `>> cron.log 2>&1`), copy it away once it is large and empty it.

    Cron starts one process a minute, so a running service's file is looked after too. It is emptied rather than
    renamed, since the service goes on writing to the file it was given; what it writes between the two is in its
    own log.
    """
    try:
        found = os.fstat(fd)
        appended = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_APPEND
        if not stat.S_ISREG(found.st_mode) or not appended or found.st_size <= limit:
            return
        path = Path(os.readlink(f"/proc/self/fd/{fd}"))
        for number in range(OUTPUT_KEPT - 1, 0, -1):
            older = path.with_name(f"{path.name}.{number}")
            if older.exists():
                older.replace(path.with_name(f"{path.name}.{number + 1}"))
        shutil.copyfile(path, path.with_name(f"{path.name}.1"))
        os.ftruncate(fd, 0)
    except OSError as error:
        print(f"hip3: output is not rotated: {error.strerror}", file=sys.stderr)  # noqa: T201


def redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """What takes secrets out of a text."""
    needles = sorted((s for s in secrets if s), key=len, reverse=True)

    def redact(text: str) -> str:
        for needle in needles:
            if needle in text:
                text = text.replace(needle, "***")
        return text

    return redact


def _patcher(secrets: Iterable[str]) -> Any:
    redact = redactor(secrets)

    def patch(record: Any) -> None:
        record["message"] = redact(record["message"])

    return patch


def secret_forms(*secrets: str | None) -> list[str]:
    """Every way a secret could be written: as given, trimmed, with and without 0x, in both cases."""
    forms: set[str] = set()
    for secret in secrets:
        if secret is None or len(secret.strip()) < 4:
            continue
        body = secret.strip()
        bare = body[2:] if body[:2].lower() == "0x" else body
        forms |= {secret, body, bare, bare.lower(), bare.upper()}
    return sorted(forms, key=len, reverse=True)


def _quiet(record: Any) -> bool:
    """What is worth a line to who wants few: results, states, alarms."""
    return bool(record["level"].no >= WARNING or record["message"].startswith(FEW))


def _coloured(record: Any) -> str:
    """The terminal's format; an alarm in its level's colour, gain and loss in theirs, with the sum behind a trip."""
    gained = record["extra"].get("gained")
    tag = "level" if record["level"].no >= WARNING else {True: "green", False: "red"}.get(gained, "normal")
    alarm = f"<{tag}>{{message}}</{tag}>"
    return "{time:HH:mm:ss.SSS} <level>{level: <7}</level> " + alarm + "{extra[tail]}\n{exception}"


def _with_sum(record: Any) -> str:
    record["extra"]["tail"] = f"; {record['extra']['so_far']}" if record["extra"].get("so_far") else ""
    return _coloured(record)


def _plainly(record: Any) -> str:
    record["extra"]["tail"] = ""
    return _coloured(record)


def setup(log_dir: Path | None, secrets: Iterable[str], *, lines: bool = True, quiet: bool = False) -> None:
    """Terminal (stderr, unless something else than `lines` is shown there) and, with a folder, hip3.log.

    10 MB each, ten kept. `quiet`: of the lines on the terminal only results, states and alarms.
    """
    logger.remove()
    logger.configure(patcher=_patcher(secrets))
    if lines:
        logger.add(
            sys.stderr, format=_with_sum if quiet else _plainly, level="INFO", backtrace=False, diagnose=False,
            colorize=coloured(sys.stderr), filter=_quiet if quiet else None,
        )  # fmt: skip
    if log_dir is None:
        return
    try:
        log_dir.mkdir(parents=True, exist_ok=True)
        logger.add(
            log_dir / "hip3.log", format=_FILE_FORMAT, level="DEBUG", rotation="10 MB", retention=10,
            encoding="utf-8", backtrace=False, diagnose=False,
        )  # fmt: skip
    except OSError as error:
        logger.error(f"nothing is logged to {log_dir}: {error.strerror}")
