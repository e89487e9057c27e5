"""nautilus_trader's client, written in Rust: its reads, its signatures, its parsing of our answers."""

import json
import tomllib
from pathlib import Path

import pytest
from hyperliquid.info import Info

from hip3.venue.setup.settings import DATA_FILE
from tests.clients.environment import Said, run_newer_python, run_python
from tests.clients.gate import gate
from tests.clients.scene import funded, open_exchange, setup_for, text_of_key
from tests.stories.process import exchange

pytestmark = pytest.mark.long

VENUE = "HYPERLIQUID"
HOST = "api.hyperliquid-testnet.xyz"
LISTED = ("SOL", "APT", "ATOM", "BTC", "ETH")
"""As testnet lists them: this version knows the ids of assets by heart."""
REFUSED = {
    "post only that takes": "Post only order would have immediately matched, bbo was ",
    "too small": "Order must have minimum value of $10. asset=4",
}


def _market(coin: str) -> str:
    """The built-in ETH under another name."""
    entry = next(m for m in tomllib.loads(DATA_FILE.read_text())["markets"] if m["coin"] == "ETH")
    rows = [f"{key} = {json.dumps(value)}" for key, value in (entry | {"coin": coin}).items()]
    return "\n".join(["[[markets]]", *rows, ""])


def test_its_reads_and_orders(tmp_path: Path) -> None:
    config = tmp_path / "exchange.toml"
    config.write_text("\n".join(_market(coin) for coin in LISTED))
    with exchange(51, "--latency", "0", "--config", str(config)) as venue:
        wallet = funded(venue)
        mid = float(Info(venue.url, skip_ws=True).all_mids()["ETH"])
        px = {name: f"{mid * factor:.5g}" for name, factor in (("lower", 0.45), ("low", 0.5), ("high", 1.03))}
        setup = {"key": text_of_key(wallet), "px": px}
        with gate(tmp_path, HOST, venue.url) as env:
            said = run_python("nautilus.py", setup, **env)
        fills = venue.info(type="userFills", user=wallet.address)
        orders = venue.info(type="frontendOpenOrders", user=wallet.address)
    _check_reads(said, wallet.address.lower())
    errors = {name: str(one.error) for name, one in said.items() if one.error}
    assert set(errors) == set(REFUSED)
    assert all(REFUSED[name] in text for name, text in errors.items())
    assert {name: said[name].value["status"] for name in ("gtc", "post only", "ioc")} == {
        "gtc": "ACCEPTED", "post only": "ACCEPTED", "ioc": "FILLED",
    }  # fmt: skip
    resting = [said["gtc"].value, said["post only"].value, *said["batch"].value]
    assert said["order reports"].value == sorted(one["oid"] for one in resting)
    assert [o["oid"] for o in said["open orders"].value] == [int(one["oid"]) for one in reversed(resting)]
    assert [o["tif"] for o in orders] == ["Gtc", "Gtc", "Alo", "Gtc"]
    assert [(f["oid"], f["sz"]) for f in fills] == [(int(said["ioc"].value["oid"]), "0.05")]
    (held,) = said["account"].value["assetPositions"]
    assert (held["position"]["coin"], held["position"]["szi"]) == ("ETH", "0.05")


def _check_reads(said: dict[str, Said], user: str) -> None:
    assert said["address"].value == user
    perps, spots = {f"{coin}-USD-PERP.{VENUE}" for coin in LISTED}, {f"{p}-USDC-SPOT.{VENUE}" for p in ("PURR", "HFUN")}
    assert set(said["instruments"].value) == perps | spots
    assert [m["name"] for m in said["perp meta"].value["universe"]] == list(LISTED)
    assert [token["name"] for token in said["spot meta"].value["tokens"]][:2] == ["USDC", "PURR"]
    bids, asks = said["book"].value["levels"]
    assert float(bids[0]["px"]) < float(asks[0]["px"])


HEARD = [
    "PyCapsule", "FundingRateUpdate", "OrderStatusReport", "FillReport", "HyperliquidAllMids", "HyperliquidOpenInterest",
    "HyperliquidAllDexsAssetCtxs",
]  # fmt: skip
"""Quotes, trades, books, bars and prices come as capsules."""


def test_the_later_version_trades_by_both_ways_and_hears_everything(tmp_path: Path) -> None:
    with open_exchange(tmp_path, 52, "--speed", "3") as venue:
        wallet = funded(venue)
        setup = setup_for(venue) | {"key": text_of_key(wallet), "user": wallet.address.lower(), "wanted": HEARD}
        setup["ws"] = venue.url.replace("http", "ws") + "/ws"
        with gate(tmp_path, HOST, venue.url) as env:
            said = run_newer_python("nautilus_newer.py", setup, **env)
        fills = venue.info(type="userFills", user=wallet.address)
        orders = {o["order"]["oid"]: o["status"] for o in venue.info(type="historicalOrders", user=wallet.address)}
    errors = {name: str(one.error) for name, one in said.items() if one.error}
    assert set(errors) == {f"{way} {name}" for way in ("http", "ws") for name in ("small", "alo that takes")}, errors
    assert all("minimum value" in text or "Post only order would have" in text for text in errors.values())
    for way in ("http", "ws"):
        assert said[f"{way} gtc"].value[0] == said[f"{way} stop"].value[0] == "ACCEPTED"
        assert (said[f"{way} ioc"].value[0], said[f"{way} gold"].value[0]) == ("FILLED", "FILLED")
        assert orders[int(said[f"{way} gtc"].value[1])] == "canceled"
        assert f"{way} modify" in said
        assert orders[int(said[f"{way} stop"].value[1])] == "open"
    assert sorted(orders.values()).count("canceled") == 4, "two were modified first"
    assert [f["coin"] for f in fills] == ["xyz:GOLD", "ETH"] * 2
    assert len(said["fill reports"].value) == 4
    assert said["positions"].value == ["0.1000"]
    assert sorted(said["order reports"].value) == sorted(said[f"{way} stop"].value[1] for way in ("http", "ws"))
    assert "xyz:GOLD-USD-PERP.HYPERLIQUID" in said["instruments"].value
    assert set(HEARD) <= set(said["heard"].value), said["heard"].value
