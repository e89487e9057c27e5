"""The machine a result was taken on: what a reader needs to judge it, and nothing that names it."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from hip3.bench.stats import now_ns
from hip3.service.start import PACKAGE_PARENT
from hip3.version import __version__

PACKAGES = (
    "coincurve", "safe-pysha3", "msgpack", "msgspec", "websocket-client", "hyperliquid-python-sdk", "eth-account",
)  # fmt: skip


def machine() -> dict[str, object]:
    """Processor, cores, memory, system, Python, package versions and how busy the machine was."""
    return {
        "hip3": __version__,
        "commit": _commit(),
        "processor": _cpu(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "additions_ms": round(_additions_ms()),
        "load_average": [round(x, 2) for x in os.getloadavg()],
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _commit() -> str | None:
    """Of the checkout; with "+changed" where it is another. None outside of one."""

    def git(*args: str) -> str:
        return subprocess.run(
            ["git", *args], cwd=PACKAGE_PARENT, capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+changed" if git("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _additions_ms() -> float:
    """How long ten million additions take the interpreter, the best of three: by this, figures of machines compare."""
    took = []
    for _ in range(3):
        began, number = now_ns(), 0
        while number < 10_000_000:
            number += 1
        took.append((now_ns() - began) / 1e6)
    return min(took)


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # another system than Linux
    return platform.processor() or "unknown"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
