"""The recorder of the running service (HIP3_RECORD): its thread, and what it may never do.

Whatever becomes of it, trading goes on: a folder that another process writes to, a disk that is full, a thread that
died are a line in the log, an alert and `recording` in the status.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec
from loguru import logger

from hip3.errors import AlreadyRunning
from hip3.exchange.rest import RestClient
from hip3.record.recorder import Keep, Recorder
from hip3.service.running import Running

JOIN_S = 0.5


def begin_recording(running: Running, rest: RestClient) -> Callable[[], None] | None:
    """Show frames to a recorder from now on, where the settings ask for it: the step of its thread. None: nothing is
    recorded. Main, before anything is read of the exchange."""
    base = running.settings.base
    if base.record_dir is None:
        return None

    def trouble(why: str) -> None:
        if why:
            logger.error(f"recording stands still: {why}")
            running.journal.record("recording_lost", why=why)
        else:
            logger.info("recording goes on")
            running.journal.record("recording_resumed")

    folder = Path(base.record_dir) / base.place
    keep = Keep(days=base.record_keep_days, gb=base.record_keep_gb)
    try:
        recorder = Recorder(folder, running.clock, settings=running.config_hash, keep=keep, trouble=trouble)
    except (AlreadyRunning, OSError) as error:
        trouble(str(error))
        return None
    running.recorder = running.writer.tap = rest.tap = recorder

    def offset() -> int | None:
        trading = running.trading
        return trading.offset.offset_ms if trading is not None and trading.offset.known else None

    def step() -> None:
        recorder.wake()
        running.workers["recorder"].stopping.wait(running.runtime.record_wait_s)

    recorder.offset = offset
    recorder.learnt({"type": "service"}, msgspec.json.encode({"mode": base.doing}), running.clock.wall_ns())
    return step


def end_recording(running: Running) -> None:
    """The last lines, and the side file. Main, after the threads that offer frames have ended."""
    recorder, worker = running.recorder, running.workers.get("recorder")
    if recorder is None:
        return
    if worker is not None:
        worker.stop()
    if worker is None or worker.join(JOIN_S):  # else it hangs on a disk, and so would we
        recorder.close()
