"""`exchange --state FILE`: an exchange that is stopped and started again is the same one to everybody."""

import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests

from hip3.core.orders import PendingOrder, Side, Tif
from hip3.exchange.embedded import key_number_one
from hip3.exchange.signing import SigningKey, sign_l1_action
from hip3.exchange.wire_out import order_action, signed_body
from tests.stories.process import TESTER, Exchange, command, exchange, service

GOLD, GOLD_ID = "xyz:GOLD", 110003
SEED = 3
KEY = SigningKey(key_number_one(SEED))


def _order(at: Exchange, side: Side, tif: Tif, share: float, number: int) -> Any:
    """An order of somebody with the same key, `share` of the middle price; its status entry."""
    px = round(float(at.info(type="allMids", dex="xyz")[GOLD]) * share, 1)
    wished = PendingOrder(
        cloid=f"0x{number:032x}", coin=GOLD, side=side, px=Decimal(str(px)), sz=Decimal("0.01"), reduce_only=False,
        created_ms=0, tif=tif,
    )  # fmt: skip
    nonce = at.info(type="exchangeStatus")["time"]
    action = order_action([wished], {GOLD: GOLD_ID})
    body = signed_body(action, nonce, sign_l1_action(KEY, action, nonce, mainnet=False))
    answer = requests.post(at.url + "/exchange", json=body, headers=TESTER, timeout=5).json()
    return answer["response"]["data"]["statuses"][0]


def _account(at: Exchange) -> Any:
    state = at.info(type="clearinghouseState", user=KEY.address, dex="xyz")
    sizes = [(p["position"]["coin"], p["position"]["szi"], p["position"]["entryPx"]) for p in state["assetPositions"]]
    fills = [(f["tid"], f["px"], f["closedPnl"]) for f in at.info(type="userFills", user=KEY.address)]
    return sizes, at.info(type="openOrders", user=KEY.address, dex="xyz"), fills


def test_a_service_goes_on_over_a_restart_of_its_exchange(tmp_path: Path) -> None:
    kept = ("--state", str(tmp_path / "exchange.json"))
    settings = {"HIP3_EXCHANGE_SEED": str(SEED), "HIP3_MARKETS": GOLD, "HIP3_MIN_EDGE_BPS": "5000"}
    with exchange(SEED, *kept) as at, service(tmp_path, HIP3_API_URL=at.url, **settings) as run:
        run.wait_for(lambda s: s["state"] == "READY", 30, "READY")
        assert "filled" in _order(at, Side.BUY, Tif.IOC, 1.02, 1)
        assert "resting" in _order(at, Side.BUY, Tif.GTC, 0.9, 2)
        run.wait_for(lambda s: s["positions"] and s["orders"]["foreign"] == 1, 10, "the position and the order")
        before = _account(at)
        at.stop()
        with exchange(SEED, "--port", at.url.rpartition(":")[2], *kept) as again:
            assert _account(again) == before
            after = run.wait_for(lambda s: s["state"] == "READY" and s["ws"]["generation"] > 1, 60, "READY again")
            assert [p["market"] for p in after["positions"]] == [GOLD]
            assert after["orders"]["foreign"] == 1
            assert run.terminate() == 0


def test_what_a_state_does_not_fit_is_said(tmp_path: Path) -> None:
    path = tmp_path / "exchange.json"

    def refused(*args: str) -> str:
        done = subprocess.run(
            command("exchange", "--port", "0", "--state", str(path), *args), capture_output=True, text=True, timeout=30,
            check=False,
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        return done.stderr

    with exchange(SEED, "--state", str(path)):
        assert "in use by another exchange; stop it" in refused()
    assert f"is of seed {SEED}; leave --seed away" in refused("--seed", "4")
    path.write_text("{}")
    assert "is no state of an exchange" in refused()
    path.unlink()
    path.mkdir()
    assert "is a folder: --state needs the name of a file" in refused()
