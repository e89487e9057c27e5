"""What the exchange answers to what is no request, as measured in autumn 2026: by HTTP, over a real socket."""

from collections.abc import Iterator

import pytest
import requests

from hip3.exchange.signing import SigningKey
from tests.stories.process import TESTER, LocalExchange, exchange, local_exchange


@pytest.fixture(scope="module")
def at() -> Iterator[LocalExchange]:
    with local_exchange() as started:
        yield started


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        ("POST", "/info", "{nope", 400, "Failed to parse the request body as JSON"),
        ("POST", "/exchange", "nope", 400, "Failed to parse the request body as JSON"),
        ("GET", "/info", None, 405, ""),
        ("GET", "/exchange", None, 405, ""),
        ("POST", "/info", '{"type":"metaAndAssetCtxs","dex":"nope"}', 500, "null"),
        ("POST", "/info", '{"type":"meta","dex":"nope"}', 500, "null"),
        ("POST", "/info", '{"type":"nope"}', 422, "Failed to deserialize the JSON body into the target type"),
    ],
)
def test_what_is_no_request_is_answered_as_measured(
    at: LocalExchange, method: str, path: str, body: str | None, status: int, text: str
) -> None:
    headers = {"Content-Type": "application/json"} | TESTER
    answer = requests.request(method, at.url + path, data=body, headers=headers, timeout=5)
    assert (answer.status_code, answer.text.startswith(text)) == (status, True), answer.text


def test_what_a_market_and_a_dex_say_of_their_fees(at: LocalExchange) -> None:
    """Each market has its own scale and when that changed; the field of its dex is gone, its funding lists are there."""
    gold = next(m for m in at.info(type="meta", dex="xyz")["universe"] if m["name"] == "xyz:GOLD")
    assert {"deployerFeeScale", "lastFeeScaleChangeTime"} <= set(gold)
    xyz = next(d for d in at.info(type="perpDexs") if d and d["name"] == "xyz")
    assert "deployerFeeScale" not in xyz
    assert {"assetToFundingClamp", "assetToFundingMultiplier", "assetToFundingInterestRate"} <= set(xyz)


def test_a_browser_of_another_page_may_ask_and_trade_and_inject_nothing() -> None:
    with exchange() as started:
        for path in ("/info", "/exchange"):
            before = requests.options(started.url + path, headers={"Origin": "http://example.com"}, timeout=5)
            assert (before.status_code, before.headers["Access-Control-Allow-Origin"]) == (204, "*")
            assert "Content-Type" in before.headers["Access-Control-Allow-Headers"]
        assert (
            "Access-Control-Allow-Origin"
            in requests.post(started.url + "/info", json={"type": "perpDexs"}, timeout=5).headers
        )
        assert requests.options(started.url + "/control", timeout=5).status_code == 405


def test_the_funded_key_is_told_and_trades() -> None:
    with exchange(7) as started:
        assert started.process.stdout is not None
        word, address, _, key = started.process.stdout.readline().split()
        assert word == "funded"
        assert SigningKey(bytes.fromhex(key[2:])).address == address
        assert (
            float(started.info(type="clearinghouseState", user=address, dex="xyz")["marginSummary"]["accountValue"]) > 0
        )
