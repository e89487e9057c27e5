"""`demo`: what a newcomer looks at first. Taking and quoting on the embedded exchange, the page in front of them.

Nothing of `.env` counts, so that it is play money whatever is configured; its state is a folder of its own.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from hip3.config.reading import MarketSettings, load, load_markets_file
from hip3.ops.state_dir import DEMO

PORTS = range(8730, 8740)
SETTINGS = {"HIP3_QUOTE_MARKETS": "xyz:GOLD,xyz:SILVER", "HIP3_STATE_DIR": DEMO, "HIP3_LOG_DIR": "logs/demo"}
OPEN = "import sys, time, webbrowser; time.sleep(2); webbrowser.open(sys.argv[1])"


def prepare(environment: Mapping[str, str], say: Callable[[str], None], *, show: bool) -> MarketSettings:
    """The demo's settings, on a free port; says where its page is, and opens it where it may be seen."""
    port = int(environment.get("HIP3_HTTP_PORT") or _free())
    url = f"http://127.0.0.1:{port}/"
    say(f"a demo on the embedded exchange: play money, no key, no account, no internet. Its page: {url}")
    if environment.get("SSH_CONNECTION"):
        say(f"from your own machine: ssh -L {port}:127.0.0.1:{port} THIS-BOX, then open {url} there")
    elif show and (environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")):
        subprocess.Popen(
            [sys.executable, "-c", OPEN, url], start_new_session=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    seed = {k: v for k, v in environment.items() if k == "HIP3_EXCHANGE_SEED"}
    return load_markets_file(load(SETTINGS | seed | {"HIP3_HTTP_PORT": str(port)}, Path(os.devnull)))


def _free() -> int:
    """The first port of the usual ones that nobody has; the usual one where all are taken."""
    for port in PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    return PORTS[0]
