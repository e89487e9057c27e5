"""The exchange's own page in a browser: everybody can use it, on every screen, in both looks; its buttons do what they say."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page

from hip3.exchange.embedded import key_number_one
from hip3.exchange.signing import SigningKey
from tests.page.browser import Seen, browser, pictured, serious_faults
from tests.stories.process import LocalExchange, eventually, local_exchange

FIRST = SigningKey(key_number_one(7))
FRIEND = "0x5ee0000000000000000000000000000000000b0b"
STRANGER = "0x" + "ab" * 20
TRADED = ("xyz:GOLD", "xyz:SILVER", "xyz:NVDA", "xyz:META", "xyz:AAPL", "xyz:AMD")
SCREENS = ((1280, 800), (1920, 1080), (390, 844))
DRAWN = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
CUT = """() => [...document.querySelectorAll('.scroll, section, header, td, th')]
  .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => [e.tagName, e.className, e.id, e.scrollWidth, e.clientWidth])"""
"""Whatever holds more than it is wide: its end is out of sight."""


@pytest.fixture
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture
def at() -> Iterator[LocalExchange]:
    """An exchange on which something happened: fills, resting orders of each kind, two accounts, a halt and a fault."""
    with local_exchange(7, limited=False) as started:
        _trade(started)
        yield started


def _trade(at: LocalExchange) -> None:
    _wish(at, fund={"user": FRIEND, "usd": "250"})
    now = at.info(type="exchangeStatus")["time"]
    for number, coin in enumerate(TRADED):
        for step, order in enumerate(_orders(at, coin, kept=number < 3)):
            at.sign(FIRST, {"type": "order", "orders": [order], "grouping": "na"}, now + 10 * number + step)
    _wish(at, fault={"kind": "halt", "coin": "xyz:TSLA", "for_ms": 600_000})
    _wish(at, fault={"kind": "delay", "on": "orderUpdates", "ms": 200, "for_ms": 600_000})


def _orders(at: LocalExchange, coin: str, *, kept: bool) -> list[dict[str, Any]]:
    """Some 25 dollars of it bought, and sold again; or kept, with a stop, and a bid that rests."""
    info, oracle = at.do(lambda venue, now_ms: (venue.engine.markets[coin].info, venue.engine.markets[coin].oracle))
    px = [_plain(f"{float(oracle) * share:.4g}") for share in (1.01, 0.99, 0.97, 0.95, 0.90)]
    size = _plain(f"{25 / float(oracle):.{info.sz_decimals}f}")

    def order(px: str, kind: dict[str, Any], *, buy: bool) -> dict[str, Any]:
        return {"a": info.asset_id, "b": buy, "p": px, "s": size, "r": not buy, "t": kind}

    taken = order(px[0], {"limit": {"tif": "Ioc"}}, buy=True)
    if not kept:
        return [taken, order(px[1], {"limit": {"tif": "Ioc"}}, buy=False)]
    fires = {"trigger": {"isMarket": True, "triggerPx": px[3], "tpsl": "sl"}}
    return [taken, order(px[2], {"limit": {"tif": "Gtc"}}, buy=True), order(px[4], fires, buy=False)]


def _plain(number: str) -> str:
    """As the exchange signs it: without zeros at the end."""
    return f"{Decimal(number).normalize():f}"


def _wish(at: LocalExchange, **wish: Any) -> None:
    assert requests.post(f"{at.url}/control", json=wish, timeout=10).ok


def _open(chromium: Browser, at: LocalExchange, **options: Any) -> tuple[Page, Seen]:
    page = chromium.new_context(**options).new_page()
    seen = Seen(page, int(at.url.rpartition(":")[2]))
    page.goto(at.url + "/")
    page.wait_for_selector("#markets button")
    return page, seen


@pytest.mark.long
def test_everybody_can_use_it_on_every_screen_in_both_looks(chromium: Browser, at: LocalExchange) -> None:
    for scheme in ("dark", "light"):
        page, seen = _open(chromium, at, color_scheme=scheme)
        for width, height in SCREENS:
            page.set_viewport_size({"width": width, "height": height})
            page.evaluate(DRAWN)
            pictured(page, f"exchange-{width}-{scheme}", whole=True)
            assert serious_faults(page) == [], (width, scheme)
            assert page.evaluate("() => document.documentElement.scrollWidth") <= width
            assert page.evaluate(CUT) == [], (width, scheme)
        assert seen.faults == []
        page.context.close()


@pytest.mark.long
def test_a_keyboard_is_enough_and_what_was_refused_is_told(chromium: Browser, at: LocalExchange) -> None:
    page, seen = _open(chromium, at)
    page.locator("#markets th button", has_text="xyz:NVDA").press("Enter")
    eventually(lambda: page.locator("#book-coin").inner_text() == "xyz:NVDA", 10, "its book")
    page.locator("#fund-user").fill(STRANGER)
    page.locator("#fund-usd").fill("75.5")
    page.keyboard.press("Enter")
    eventually(lambda: STRANGER in page.locator("#accounts").inner_text(), 10, "another account")
    page.locator("#theme").press("Enter")
    assert page.evaluate("() => document.documentElement.dataset.theme") == "dark"
    page.reload()
    page.wait_for_selector("#markets button")
    assert page.evaluate("() => document.documentElement.dataset.theme") == "dark", "it is kept"
    assert seen.faults == []
    page.locator("#fund-user").fill("0x12")
    page.keyboard.press("Enter")
    eventually(lambda: "not understood" in page.locator("#told").inner_text(), 10, "why not")
    assert serious_faults(page) == []
