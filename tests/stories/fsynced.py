"""The production process, which notes in the file `fsyncs` when the intent log was forced to the disk."""

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from hip3.cli import main

_fsync = os.fsync


def noted(fd: Any) -> None:
    _fsync(fd)
    if os.readlink(f"/proc/self/fd/{fd}").endswith("intents.log"):
        Path("fsyncs").touch()


if __name__ == "__main__":
    os.fsync = noted
    sys.exit(main(sys.argv[1:]))
