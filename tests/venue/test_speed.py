"""100 markets at 1,000 messages a second from the exchange in its own process, for less than one core's time."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
import websocket

from tests.stories.process import PAUSE, exchange

MARKETS, CLIENTS, WANTED = 100, 7, 1000


def _config(folder: Path) -> Path:
    """Markets that differ in nothing but their name."""
    rows = [
        f'[[markets]]\ncoin = "xyz:M{n}"\npx = "{100 + n}"\nsz_decimals = 3\nmax_leverage = 20\nmargin_mode = "noCross"\n'
        "spread_bps = 1.0\nbasis_bps = 1.0\noracle_step_bps = 3.0\ntouch_usd = 600\n"
        for n in range(MARKETS)
    ]
    path = folder / "markets.toml"
    path.write_text("\n".join(rows))
    return path


class Listener:
    """One socket that listens to every market and counts what it hears."""

    def __init__(self, url: str, number: int) -> None:
        address = f"10.0.0.{number}"  # 1000 subscriptions are an IP's limit
        self._socket = websocket.create_connection(
            url.replace("http", "ws") + "/ws", header=[f"X-Forwarded-For: {address}"], timeout=300
        )
        self.heard = 0
        for n in range(MARKETS):
            for kind in ("bbo", "activeAssetCtx"):
                ask = {"method": "subscribe", "subscription": {"type": kind, "coin": f"xyz:M{n}"}}
                self._socket.send(json.dumps(ask))
        self.over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self.over.is_set():
            self._socket.recv()
            self.heard += 1

    @property
    def listens(self) -> bool:
        """Nothing has cut it off."""
        return self._thread.is_alive()

    def stop(self) -> None:
        self.over.set()
        self._thread.join(10)
        self._socket.close()


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the CPU time of a process from /proc")
@pytest.mark.long
@pytest.mark.parametrize("seconds", [60])
def test_a_hundred_markets_at_a_thousand_messages_a_second(tmp_path: Path, seconds: int) -> None:
    """By what its messages cost: how much of a core it gets beside others is not its doing."""
    with exchange(5, "--config", str(_config(tmp_path))) as started:
        listeners: list[Any] = [Listener(started.url, n) for n in range(CLIENTS)]
        PAUSE.wait(1)
        before, cpu = sum(x.heard for x in listeners), _cpu_s(started.process.pid)
        while (heard := sum(x.heard for x in listeners) - before) < WANTED * seconds:
            assert all(x.listens for x in listeners)
            PAUSE.wait(1)
        cpu = _cpu_s(started.process.pid) - cpu
        for listener in listeners:
            listener.stop()
    print(f"{heard} messages for {cpu:.1f} s of a core")
    assert heard / cpu >= WANTED
