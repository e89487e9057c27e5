"""`markets` against the exchange's own answers: nothing is invented, and what is not known is a dash."""

import re
from typing import Any

import pytest

from hip3.commands.markets import HEAD, lines
from hip3.config import reading
from hip3.config.reading import MarketSettings
from hip3.config.settings import Settings
from hip3.errors import ConfigError, PreflightError, VenueReadError
from tests.commands.test_check_account import _Rest
from tests.venue.desk import Desk


def _table(desk: Desk, **settings: Any) -> dict[str, dict[str, str]]:
    """Market -> column -> cell."""
    out = {}
    for line in lines(_Rest(desk), MarketSettings(Settings(**settings))):
        assert len(line) <= 80 or "New_York" in line
        cells = re.split(" {2,}", line)
        if len(cells) == len(HEAD) and cells[0] != HEAD[0]:
            out[cells[0]] = dict(zip(HEAD, cells, strict=True))
    return out


def test_each_market_is_told_with_what_an_order_needs() -> None:
    desk = Desk(quiet=False)
    desk.venue.engine.markets["xyz:NVDA"].halted = True
    found = _table(desk, sessions="Mon-Fri 09:30-16:00 America/New_York")
    gold, index = found["xyz:GOLD"], found["xyz:XYZ100"]
    assert (gold["taker"], gold["maker"], gold["lot"], gold["max"]) == ("9", "3", "0.0001", "25x")
    assert (found["xyz:META"]["margin"], gold["margin"], index["margin"]) == ("strict", "both", "both")
    assert (index["taker"], index["maker"]) == ("0.9", "0.3")
    assert 11 <= float(gold["least"]) < 11.5
    assert gold["spread"] != "-"
    assert gold["hours"] == "Mon-Fri 09:30-16:00 America/New_York"
    assert (gold["state"], found["xyz:NVDA"]["state"]) == ("traded", "delisted")
    assert {coin.split(":")[0] for coin in found} == {"xyz", "para"}
    assert set(_table(desk, dex="para")) == {"para:AVGO", "para:UNITREE"}


def test_what_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    with pytest.raises(PreflightError, match="it has xyz, para"):
        lines(_Rest(desk), MarketSettings(Settings(dex="nope")))
    rest = _Rest(desk)
    monkeypatch.setattr(rest, "info_json", lambda r: [None, {"name": "xyz"}] if r["type"] == "perpDexs" else [{}, 5])
    with pytest.raises(VenueReadError, match="dex xyz cannot be read"):
        lines(rest, MarketSettings(Settings()))


def test_markets_need_not_be_named_to_be_looked_at() -> None:
    with pytest.raises(ConfigError, match="HIP3_MARKETS"):
        reading.load({"HIP3_NETWORK": "mainnet"}, None)
    assert reading.load({"HIP3_NETWORK": "mainnet"}, None, markets=False).network == "mainnet"


def test_dexs_of_another_shape_are_unread_and_no_traceback() -> None:
    class Odd(_Rest):
        def info_json(self, request: dict[str, Any]) -> Any:
            return {}

    with pytest.raises(VenueReadError, match="perpDexs"):
        lines(Odd(Desk()), MarketSettings(Settings()))
