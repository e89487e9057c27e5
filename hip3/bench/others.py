"""How busy others keep the machine, as far as the kernel tells. Linux: read from /proc."""

import os
from pathlib import Path

from hip3.bench.rig import pause

SAMPLE_S = 0.5
MOST_PERCENT = 10
"""Of all cores: what is measured beside more is not judged."""
_PROC = Path("/proc")


def share_percent() -> float:
    """Of all cores, in percent, what is neither idle nor this process and its children, over half a second. Time that a
    virtual machine was not given counts as others'. 0 where the kernel does not tell."""
    try:
        busy, whole, own = _machine(), _whole(), _ours()
        pause(SAMPLE_S)
        others = (_machine() - busy) - (_ours() - own)
        passed = _whole() - whole
    except (OSError, ValueError, IndexError):
        return 0.0
    return max(0.0, 100 * others / passed) if passed else 0.0


def _fields() -> list[int]:
    return [int(n) for n in (_PROC / "stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]]


def _machine() -> int:
    """Ticks of all cores that were not idle, waiting for disks or nobody's."""
    user, nice, system, _, _, irq, soft, steal = _fields()
    return user + nice + system + irq + soft + steal


def _whole() -> int:
    return sum(_fields())


def _ours() -> int:
    """Ticks of this process and of all that it has started and that still run, or were waited for."""
    parents, ticks = dict[int, int](), dict[int, int]()
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            except OSError:
                continue  # it has ended
            parents[int(entry.name)] = int(fields[1])
            ticks[int(entry.name)] = sum(int(n) for n in fields[11:15])
    ours, more = {os.getpid()}, True
    while more:
        found = {pid for pid, parent in parents.items() if parent in ours} - ours
        ours, more = ours | found, bool(found)
    return sum(ticks.get(pid, 0) for pid in ours)
