"""hummingbot's connector for perpetuals, where somebody has built it.

It has no wheel, and building it takes a C++ compiler and minutes. With `CLIENTS_HUMMINGBOT_PYTHON` naming a Python that
has it the test runs; else it is skipped.
"""

import json
import os
from pathlib import Path

import pytest

from tests.clients.environment import HERE, run_command
from tests.clients.scene import funded, open_exchange, setup_for, text_of_key

PYTHON = os.environ.get("CLIENTS_HUMMINGBOT_PYTHON")
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(PYTHON is None, reason="CLIENTS_HUMMINGBOT_PYTHON names no Python with hummingbot in it"),
]


def test_the_connector_becomes_ready_and_trades_on_both_kinds_of_market(tmp_path: Path) -> None:
    with open_exchange(tmp_path, 46, "--speed", "2") as venue:
        wallet = funded(venue)
        setup = setup_for(venue) | {"key": text_of_key(wallet), "user": wallet.address}
        said = run_command([str(PYTHON), str(HERE / "py" / "hummingbot_connector.py"), json.dumps(setup)], cwd=tmp_path)
        fills = venue.info(type="userFills", user=wallet.address)
        orders = venue.info(type="historicalOrders", user=wallet.address)
    assert {name: one.error for name, one in said.items() if one.error} == {}
    assert all(said["ready"].value.values())
    assert said["balance"].value == "1000.0"
    assert said["rules"].value["XYZ:GOLD-USD"] == "0.0001"
    assert said["leverage"].value == [True, ""]
    assert said["positions"].value == {"ETH-USD": "0.02", "XYZ:GOLD-USD": "0.02"}
    assert [(f["coin"], f["dir"]) for f in reversed(fills)] == [
        ("ETH", "Open Long"), ("xyz:GOLD", "Open Long"), ("ETH", "Close Long"),
    ]  # fmt: skip
    assert {str(o["order"]["oid"]): o["status"] for o in orders}[said["rests"].value] == "canceled"
    assert [o["status"] for o in orders if o["status"].endswith("Rejected")] == ["badAloPxRejected"]
