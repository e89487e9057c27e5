"""The report as people open it: from the disk, without a network, in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from hip3.cli import main
from tests.page.browser import browser, pictured, serious_faults
from tests.replay.session import recorded

MARKS = """() => [...document.querySelectorAll('.plot')].filter(p => !p.closest('details:not([open])'))
  .map(p => [p.id, p.querySelectorAll('.trace path, .trace rect, .point path, .points path, .js-line, .bars path').length])"""
DRAWN = "body[data-drawn=true]"
FITS = """() => [...document.querySelectorAll('.plot')].every(p => p.closest('details:not([open])')
  || Math.abs(p.querySelector('.main-svg').getBoundingClientRect().width - p.clientWidth) < 2)"""
NARROW = "() => document.documentElement.scrollWidth"


@pytest.fixture
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


def _open(chromium: Browser, path: Path, faults: list[str], **options: Any) -> Page:
    """The page, with everything that it must not do noted in `faults`."""
    page = chromium.new_context(offline=True, **options).new_page()
    page.on("console", lambda m: faults.append(f"console: {m.text}") if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: faults.append(f"error: {e}"))
    page.on(
        "request", lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else faults.append(f"asked {r.url}")
    )
    page.goto(path.as_uri())
    page.wait_for_selector(DRAWN, timeout=60_000)
    return page


@pytest.mark.long
def test_a_report_opens_without_a_network_and_every_picture_is_drawn(chromium: Browser, tmp_path: Path) -> None:
    """evidence.md 6 and 8.2, case 29: no request, no console error, marks drawn, narrow and wide, light and dark."""
    session = recorded(tmp_path / "session", 5, 4, followups="true", quote_markets="xyz:SILVER")
    path = tmp_path / "report.html"
    assert main(["report", "--journal", str(session.journal), "--out", str(path)]) == 0
    assert path.stat().st_size < 8_000_000
    faults: list[str] = []
    page = _open(chromium, path, faults, viewport={"width": 1280, "height": 900}, color_scheme="light")
    for scheme in ("light", "dark"):
        page.set_viewport_size({"width": 1280, "height": 900})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.wait_for_selector(DRAWN, timeout=60_000)
        assert serious_faults(page) == []
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_function(FITS, timeout=20_000)
            assert page.evaluate(NARROW) <= width
            assert page.evaluate("() => window.hip3.failed") == []
            marks = dict(page.evaluate(MARKS))
            assert len(marks) > 10
            assert [name for name, count in marks.items() if not count] == []
            pictured(page, f"report-{width}-{scheme}", whole=True)
    page.set_viewport_size({"width": 1280, "height": 900})
    _a_keyboard_is_enough(page)
    _it_prints(page, tmp_path / "report.pdf")
    assert faults == []


@pytest.mark.long
def test_a_replay_s_report_shows_what_it_was_tried_under(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = recorded(tmp_path / "session", 5, 1)
    for name, value in session.env.items():
        if "DIR" not in name and name != "HIP3_RECORD":
            monkeypatch.setenv(name, value)
    folder = tmp_path / "out"
    assert main(["replay", str(session.recording), "--sensitivity", "--jobs", "1", "--report", str(folder)]) == 0
    faults: list[str] = []
    page = _open(chromium, folder / "report.html", faults, viewport={"width": 1280, "height": 900})
    assert serious_faults(page) == []
    marks = dict(page.evaluate(MARKS))
    assert all(count for count in marks.values())
    assert {"plot-if-race_band", "plot-if-fees_times"} <= set(marks)
    pictured(page, "replay", whole=True)
    assert faults == []


def _a_keyboard_is_enough(page: Page) -> None:
    """The round trips are found by typing, and a market's picture is closed and opened by keys."""
    page.locator("#search").focus()
    page.keyboard.type("time_stop")
    rows = page.locator("#trips tbody tr:visible")
    assert rows.count() < page.locator("#trips tbody tr").count()
    assert page.locator("#found").inner_text().startswith(f"{rows.count()} of ")
    page.keyboard.press("Control+a")
    page.keyboard.type("xyz:tsla")
    assert rows.count() > 0
    summary = page.locator("summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert not page.locator("details").first.evaluate("d => d.open")
    page.keyboard.press("Enter")
    assert page.locator("details").first.evaluate("d => d.open")
    assert page.locator("a[download]").get_attribute("href").startswith("data:text/csv;base64,")  # type: ignore[union-attr]


def _it_prints(page: Page, path: Path) -> None:
    page.pdf(path=str(path))
    assert path.read_bytes().startswith(b"%PDF")


@pytest.mark.long
def test_an_empty_report_opens_too(chromium: Browser, tmp_path: Path) -> None:
    """Nothing happened yet: a sentence that says so, and no broken picture."""
    session = recorded(tmp_path / "session", 5, 0.1, min_edge_bps="5000")
    path = tmp_path / "report.html"
    assert main(["report", "--journal", str(session.journal), "--out", str(path)]) == 0
    faults: list[str] = []
    page = _open(chromium, path, faults)
    assert page.locator(".sentence").inner_text() == "Nothing was traded."
    assert page.evaluate("() => window.hip3.failed") == []
    assert faults == []
