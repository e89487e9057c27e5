"""A real browser in front of the page: Debian's chromium, driven by playwright.

`run.sh test` installs it beside the tests' packages where it may; a machine without any browser skips.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = (  # noqa: SIM905 as one types them
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage"
).split()
NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALLING = Path(__file__).parents[2] / ".venv" / "chromium.installing"
PAUSE_S, PATIENCE_S = 0.5, 100
AXE = Path(__file__).with_name("axe.min.js")
SERIOUS = """axe.run().then(r => JSON.stringify(r.violations.filter(v => ['serious', 'critical'].includes(v.impact))
  .map(v => [v.id, v.nodes.map(n => n.html.slice(0, 160) + n.failureSummary)])))"""


def executable() -> str:
    """Where the browser is, as soon as the set-up has installed it; skips where there is none."""
    end = time.monotonic() + PATIENCE_S
    while True:
        found = next((path for path in map(shutil.which, NAMES) if path is not None), None)
        under_way = INSTALLING.exists() and Path(f"/proc/{INSTALLING.read_text().strip() or 0}").exists()
        if found is not None and not under_way:
            return found
        if not under_way or time.monotonic() > end:
            pytest.skip("there is no browser here: apt-get install chromium")
        time.sleep(PAUSE_S)


@contextmanager
def browser() -> Iterator[Browser]:
    """One browser process, without a network beyond this machine."""
    path = executable()
    with sync_playwright() as playwright:
        env = {k: v for k, v in os.environ.items() if not k.upper().endswith("_PROXY")}
        opened = playwright.chromium.launch(executable_path=path, args=FLAGS, env=env)
        try:
            yield opened
        finally:
            opened.close()


class Seen:
    """What a page did that it must not: console errors, requests to elsewhere, failed requests."""

    def __init__(self, page: Page, port: int) -> None:
        self.faults: list[str] = []
        self._own = f"http://127.0.0.1:{port}/"
        # Heard of, and not routed through here: a page whose requests this thread had to let through would stand still
        # as long as the test waits for something else, even for what the page is about to ask.
        page.on(
            "console", lambda m: self.faults.append(f"console: {m.text}") if m.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda e: self.faults.append(f"error: {e}"))
        page.on("request", lambda r: None if r.url.startswith(self._own) else self.faults.append(f"asked {r.url}"))


def serious_faults(page: Page) -> list[Any]:
    """What axe-core finds in the page as it stands that keeps somebody from using it, contrast of texts among it."""
    client = page.context.new_cdp_session(page)  # a page's own policy lets no script of ours in
    client.send("Runtime.evaluate", {"expression": AXE.read_text()})
    found = client.send("Runtime.evaluate", {"expression": SERIOUS, "awaitPromise": True, "returnByValue": True})
    faults: list[Any] = json.loads(found["result"]["value"])
    return faults


def pictured(page: Page, name: str, *, whole: bool) -> None:
    """A picture for docs/pictures, where HIP3_TEST_SCREENSHOTS names a folder; `whole`: with what is below the screen."""
    if shots := os.environ.get("HIP3_TEST_SCREENSHOTS"):
        page.screenshot(path=f"{shots}/{name}.png", full_page=whole)


SHOWN = """() => [window.hip3.status, [...document.querySelectorAll('[data-k]')].filter(e => e.dataset.k)
  .map(e => [e.dataset.k, e.textContent])]"""


def differences(page: Page) -> list[str]:
    """Every value on the page that is not the one of its status under that name, as far as its digits say."""
    out = []
    status, shown = page.evaluate(SHOWN)  # of one step: a frame may come at any time
    assert len(shown) > 50
    for name, text in shown:
        value: Any = status
        for part in name.split("."):
            value = value[int(part)] if isinstance(value, list) else (value or {}).get(part)
        if not _same(text, value):
            out.append(f"{name}: the page shows {text!r}, the status has {value!r}")
    return out


def _same(text: str, value: Any) -> bool:
    if value is None:
        return text in ("?", "", "no account")
    plain = text.replace(",", "").replace("−", "-").lstrip("+")
    try:
        shown, real = float(plain), float(value)
    except (TypeError, ValueError):
        return text == str(value) or ("…" in text and str(value).startswith(text.partition("…")[0]))
    digits = len(plain.partition(".")[2])
    return abs(shown - real) <= 0.500001 * 10**-digits
