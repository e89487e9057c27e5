"""The state folder: one lock above, one folder per network and account.

`<state>/lock` is held by flock for as long as a service runs. `<state>/control.sock` is how commands
reach it.
"""

import contextlib
import errno
import fcntl
import json
import os
import pwd
import shutil
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from hip3.errors import AlreadyRunning

DEMO = "state/demo"
"""Where a demo keeps its state, from the folder of the program."""
PLAYED = "own-exchange"
"""Marks the state of an account whose exchange was the service's own, and ended with it."""
KEPT_PLAYS = 5


class StateLock:
    """The exclusive lock on a state folder; released when the process ends, however it ends."""

    def __init__(self, root: Path) -> None:
        self._file: IO[str]
        try:
            root.mkdir(parents=True, exist_ok=True)
            self._file = open(root / "lock", "a", encoding="ascii")  # noqa: SIM115 held for life
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                raise
            # A disk that takes no writing: the lock is as good on a file that is only read.
            self._file = open(root / "lock", encoding="ascii")  # noqa: SIM115
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            where = "" if str(root) == "state" else f"HIP3_STATE_DIR={root} "
            raise AlreadyRunning(
                f"another hip3 runs on {root} (its lock is held{_holder(root / 'lock')}); "
                f"{where}./run.sh status shows it, {where}./run.sh stop ends it"
            ) from None
        with contextlib.suppress(OSError):  # it is for people alone
            self._file.truncate(0)
            self._file.write(f"{os.getpid()}\n")
            self._file.flush()

    def release(self) -> None:
        """Give it up (tests; a process just ends)."""
        self._file.close()


def _holder(lock: Path) -> str:
    """Who holds it, as far as its file says so."""
    try:
        pid, since = int(lock.read_text(encoding="ascii")), lock.stat().st_mtime
    except (OSError, ValueError):
        return ""
    return f" by process {pid} since {datetime.fromtimestamp(since):%Y-%m-%d %H:%M:%S}"


def is_of(folder: str, account: str) -> bool:
    """Whether a state folder of this name is an account's: by its address, by four of its digits at least, or by the
    folder's whole name."""
    given, whose = account.lower(), folder.lower().rpartition("-")[2]
    return given == folder.lower() or (len(given) >= len("0x1234") and whose.startswith(given[:10]))


def account_dir(root: Path, network: str, account: str, *, fresh: bool = False) -> Path:
    """`<state>/<network>-<first 10 characters of the account>`, made if missing.

    `fresh`: the exchange is new, and so is the account on it; what an account of that name left on an
    exchange that is gone is moved aside (one generation is kept), and of the accounts on exchanges that are gone
    only the newest few are kept.
    """
    path = root / f"{network}-{account[:10].lower()}"
    if fresh and path.exists():
        aside = path.with_name(path.name + ".previous")
        shutil.rmtree(aside, ignore_errors=True)
        path.rename(aside)
    with contextlib.suppress(OSError):  # each file in it says for itself that it cannot be written
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if fresh:
            _forget_ended(root, path)
            (path / PLAYED).touch()
    return path


def _forget_ended(root: Path, but: Path) -> None:
    """Remove what accounts of ended exchanges of our own left, but for the newest `KEPT_PLAYS`. OSError."""
    ended = [found.parent for found in root.glob(f"*/{PLAYED}") if found.parent != but]
    for folder in sorted(ended, key=lambda f: f.stat().st_mtime, reverse=True)[KEPT_PLAYS:]:
        shutil.rmtree(folder, ignore_errors=True)


def socket_path(root: Path) -> Path:
    """Where the control socket of a state folder is; the same answer in every process (see `ops.control`)."""
    return root.resolve() / "control.sock"


PAUSE_FILE = "paused"


def keep_pause(folder: Path, why: str) -> None:
    """Remember why an account's entries wait for a person, or that they do not (""): a journal may be set aside."""
    if why:
        (folder / PAUSE_FILE).write_text(why, encoding="utf-8")
    else:
        (folder / PAUSE_FILE).unlink(missing_ok=True)


def pause_of(folder: Path) -> str:
    """Why entries wait for a person; empty if they do not. A file that cannot be read is a pause, too."""
    path = folder / PAUSE_FILE
    try:
        return path.read_text(encoding="utf-8") or f"paused ({path} is empty)"
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        return f"paused ({path} cannot be read: {error})"


def operator() -> str:
    """Who gives a command: by name, or by number where the machine knows no name, as in a container."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def began_ms(folder: Path, now_ms: int) -> int:
    """When this account's state began (exchange time): what `keep_began` wrote, else now. Results count from here."""
    path = folder / "account.json"
    try:
        found: Any = json.loads(path.read_text(encoding="ascii"))["began_ms"]
        return int(found)
    except (OSError, ValueError, KeyError, TypeError):
        return now_ms


def keep_began(folder: Path, ms: int) -> None:
    """This account is known from now on; only where its state has been read, since a journal must go with it."""
    path = folder / "account.json"
    temporary = path.with_suffix(".new")
    with contextlib.suppress(OSError):  # then the next start begins the account's results anew
        temporary.write_text(json.dumps({"began_ms": ms}), encoding="ascii")
        os.replace(temporary, path)
