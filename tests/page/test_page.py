"""The live page in a browser: what it shows is the status, it comes back, it asks nobody else, everybody can use it."""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.page.browser import Seen, browser, differences, pictured, serious_faults
from tests.stories.process import LocalExchange, Service, eventually, local_exchange

DRAWN = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
LIVE = "body[data-lost=false]"
SETTINGS = {"HIP3_EXCHANGE_SEED": "5", "HIP3_QUOTE_MARKETS": "xyz:GOLD"}


@pytest.fixture
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def _running(folder: Path, port: int, **settings: str) -> Iterator[Service]:
    folder.mkdir(exist_ok=True)
    service = Service(folder, **(SETTINGS | {"HIP3_HTTP_PORT": str(port)} | settings))
    try:
        yield service
        service.terminate()
    finally:
        service.close()


def _asked(service: Service, *args: str) -> str:
    done = service.run(*args)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _open(chromium: Browser, port: int, **options: Any) -> tuple[Page, Seen]:
    page = chromium.new_context(**options).new_page()
    seen = Seen(page, port)
    page.goto(f"http://127.0.0.1:{port}/")
    page.wait_for_selector(LIVE)
    return page, seen


def _next_frames(page: Page, count: int) -> None:
    """So many more have come than had by now."""
    seen = page.evaluate("() => window.hip3.frames")
    page.wait_for_function("n => window.hip3.frames >= n", arg=seen + count)


def _text(page: Page, selector: str) -> str:
    return page.locator(selector).inner_text()


def test_a_short_session_is_on_the_page_and_its_exchange_on_another(chromium: Browser, tmp_path: Path) -> None:
    """The gate's share of the long session below: what is shown is what the command says, and nobody else is asked."""
    port = _free_port()
    with (
        local_exchange() as at,
        _running(tmp_path / "one", port, HIP3_API_URL=at.url, HIP3_EXCHANGE_SEED="1") as service,
    ):
        service.wait_for(lambda s: s["state"] == "READY", 30, "READY")
        page, seen = _open(chromium, port)
        _every_value_is_of_one_frame(page, 1)
        _at_rest_it_is_what_the_command_says(page, service)
        assert seen.faults == []
        _the_exchange_s_page_shows_it_and_acts(chromium, at)


def _the_exchange_s_page_shows_it_and_acts(chromium: Browser, at: LocalExchange) -> None:
    page = chromium.new_page()
    seen = Seen(page, int(at.url.rpartition(":")[2]))
    page.goto(at.url + "/")
    page.wait_for_selector("#markets button")
    named = page.locator("#markets th button").all_inner_texts()
    assert named == list(at.venue.engine.markets)
    assert page.locator("#accounts tr").count() == 1, "the funded one, that the service trades with"
    page.locator("#markets th button", has_text="xyz:GOLD").click()
    eventually(lambda: page.locator("#book-coin").inner_text() == "xyz:GOLD", 5, "its book")
    assert serious_faults(page) == []
    page.locator("#coin").select_option("xyz:GOLD")
    page.get_by_role("button", name="inject").click()
    eventually(lambda: at.venue.engine.markets["xyz:GOLD"].halted, 10, "a market that is halted by hand")
    page.get_by_role("button", name="end all faults").click()
    eventually(lambda: not at.venue.engine.markets["xyz:GOLD"].halted, 10, "all faults over")
    page.locator("#pause").click()
    eventually(lambda: at.venue.pace.held, 10, "time that stands")
    page.evaluate("() => { setTimeout(() => document.getElementById('pause').click(), 300) }")
    eventually(lambda: not at.venue.pace.held, 10, "time that runs, asked for while nobody drives the page")
    assert seen.faults == []
    page.close()


@pytest.mark.long
def test_the_page_is_the_session(chromium: Browser, tmp_path: Path) -> None:
    """One session, looked at from its first trades to its restart; each look says what it holds."""
    port = _free_port()
    with _running(tmp_path / "one", port) as service:
        service.wait_for(lambda s: s["result"]["total"] and s["result"]["total"]["round_trips"] > 0, 60, "round trips")
        page, seen = _open(chromium, port)
        _every_value_is_of_one_frame(page)
        _everybody_can_use_it(chromium, port)
        _a_page_of_somebody_else_gets_nothing(chromium, port)
        _at_rest_it_is_what_the_command_says(page, service)
        _a_reload_shows_the_past(page)
        _an_order_s_story_is_at_hand(page)
        _a_keyboard_is_enough(page)
        assert seen.faults == []
    eventually(lambda: "no news" in _text(page, "#link"), 10, "the page says that it hears nothing")
    with _running(tmp_path / "one", port):
        page.wait_for_selector(LIVE, timeout=30_000)
    page.context.close()


def _every_value_is_of_one_frame(page: Page, frames: int = 3) -> None:
    for _ in range(frames):
        _next_frames(page, 1)
        assert differences(page) == []


def _everybody_can_use_it(chromium: Browser, port: int) -> None:
    """In both looks: no serious fault for axe, the first screen holds what matters, no screen is too narrow."""
    for scheme in ("dark", "light"):
        page, seen = _open(chromium, port, viewport={"width": 1280, "height": 800}, color_scheme=scheme)
        page.wait_for_selector("#curve canvas")
        bottom = page.evaluate("() => document.querySelector('.quotes').getBoundingClientRect().bottom")
        assert bottom <= 800
        assert serious_faults(page) == []
        for width, height in ((1280, 800), (1920, 1080), (390, 844)):
            page.set_viewport_size({"width": width, "height": height})
            page.evaluate(DRAWN)
            wide = page.evaluate("() => document.documentElement.scrollWidth")
            assert wide <= width, f"at {width} the page is {wide} wide"
            pictured(page, f"page-{width}-{scheme}", whole=width == 390)
        assert seen.faults == []
        page.context.close()


def _a_page_of_somebody_else_gets_nothing(chromium: Browser, port: int) -> None:
    page = chromium.new_page()
    page.goto("data:text/html,<p>another page</p>")
    ask = f"() => fetch('http://127.0.0.1:{port}/status').then(a => a.text(), () => 'refused')"
    assert page.evaluate(ask) == "refused"
    page.close()


def _at_rest_it_is_what_the_command_says(page: Page, service: Service) -> None:
    """Nothing moves but ages and prices, so that frame and command are of the same moment."""
    _asked(service, "pause")
    _asked(service, "flatten")
    service.wait_for(lambda s: not s["positions"] and not any(s["orders"].values()), 20, "at rest")
    _next_frames(page, 2)
    eventually(lambda: not _apart(page, service), 30, "a frame that is what the command says")
    assert _text(page, "#state") == "REDUCING"
    assert "pause" in _text(page, "#reasons")


def _apart(page: Page, service: Service) -> list[str]:
    """What of the last frame the command says otherwise. A stream may fall silent for a moment between the two."""
    frame, told = page.evaluate("() => window.hip3.status"), json.loads(_asked(service, "status", "--json"))
    assert frame.keys() == told.keys()
    names = ("state", "reasons", "positions", "orders", "exposure", "pnl", "result", "hard_stop")
    counted = ("queued", "sent", "filled")  # signals go on, and are refused
    return [n for n in names if frame[n] != told[n]] + [
        n for n in counted if frame["counters"][n] != told["counters"][n]
    ]


def _a_reload_shows_the_past(page: Page) -> None:
    signals = page.locator("#signals tr").count()
    page.reload()
    page.wait_for_selector(LIVE)
    page.wait_for_selector("#fills button")
    assert signals > 1
    eventually(lambda: page.locator("#signals tr").count() >= signals, 5, "the signals of before")  # they go on
    assert page.locator("#curve canvas").count() == 1


def _an_order_s_story_is_at_hand(page: Page) -> None:
    page.locator("#fills button").first.click()
    page.wait_for_selector("#story[open]")
    eventually(lambda: "outcome: filled" in _text(page, "#story-text"), 5, "a story")
    page.keyboard.press("Escape")


def _a_keyboard_is_enough(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("xyz:")
    page.keyboard.press("Enter")
    page.wait_for_selector("#found li button")
    page.locator("#main").focus()
    before = page.locator("#market").input_value()
    page.keyboard.press("]")
    assert page.locator("#market").input_value() != before


def test_fifty_pages_are_served_beside_one_that_reads_nothing(tmp_path: Path) -> None:
    """Sockets, not browsers: what counts is what the service does for them."""
    port = _free_port()
    with _running(tmp_path / "one", port) as service, contextlib.ExitStack() as stack:
        service.wait_for(lambda s: s["state"] == "READY", 30, "READY")
        conns = []
        for _ in range(50):
            conn = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            conn.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            conns.append(conn)
        for conn in conns[1:]:
            data = b""
            while data.count(b"\ndata: {") < 2:
                data += conn.recv(65_536)
        service.wait_for(lambda s: s["state"] == "READY", 5, "still READY")
