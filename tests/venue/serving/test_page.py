"""The exchange's own page and its controls: who may, what they do, and that time and state can be had again."""

import itertools
import json
import socket
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from hip3 import cli
from hip3.exchange.embedded import key_number_one
from hip3.exchange.signing import SigningKey
from hip3.venue.serving.pace import Pace
from hip3.venue.serving.page_files import is_ours, page_files
from tests.stories.process import LocalExchange, local_exchange

JSON = {"Content-Type": "application/json"}
FIRST = SigningKey(key_number_one(1))


@pytest.fixture
def at() -> Iterator[LocalExchange]:
    with local_exchange() as started:
        yield started


def _wish(at: LocalExchange, **wish: Any) -> requests.Response:
    return requests.post(f"{at.url}/control", json=wish, timeout=10)


def _view(at: LocalExchange, coin: str = "") -> Any:
    return requests.post(f"{at.url}/view", json=coin, timeout=10).json()


# Who may.


def test_a_page_of_others_gets_and_does_nothing(at: LocalExchange) -> None:
    strangers = ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"})
    for path in ("/", "/view", "/control", "/restore", "/page/venue.js"):
        for headers, method in itertools.product(strangers, ("GET", "POST")):
            done = requests.request(method, at.url + path, headers=headers, json={"clear": True}, timeout=10)
            assert done.status_code == 403, (path, headers, method)
    asked = requests.options(at.url + "/control", headers={"Origin": "http://evil.example"}, timeout=10)
    assert "Access-Control-Allow-Origin" not in asked.headers, "so that no browser sends its JSON"
    plain = requests.post(
        at.url + "/control", data='{"clear":true}', headers={"Content-Type": "text/plain"}, timeout=10
    )
    assert plain.status_code == 415, "which a browser sends without asking"


def test_another_machine_is_not_ours_and_this_one_is() -> None:
    here = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:3001"}
    assert is_ours(here)
    assert is_ours(here | {"HTTP_ORIGIN": "http://localhost:3001"})
    assert not is_ours(here | {"REMOTE_ADDR": "192.0.2.7"})
    assert not is_ours(here | {"HTTP_HOST": "localhost.evil.example"})


def test_the_page_asks_nothing_from_elsewhere() -> None:
    for path, (_, text) in page_files().items():
        assert "//" not in text.replace("http://www.w3.org/", "") or path.endswith((".js", ".svg"))
        assert "https://" not in text


# Connections.


def test_a_connection_is_kept_for_the_next_request_and_ends_with_one_that_was_not_read(at: LocalExchange) -> None:
    host, port = at.url.removeprefix("http://").split(":")
    body = b'{"type":"allMids"}'
    ask = b"POST /info HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )
    with socket.create_connection((host, int(port)), timeout=10) as conn:
        for times in (1, 3):  # three at once: none may be lost
            conn.sendall(ask * times)
            seen = b""
            while seen.count(b"HTTP/1.1 200 OK") < times or not seen.endswith(b"}"):
                seen += conn.recv(65_536)
            assert b"close" not in seen
        conn.sendall(b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nGET /")
        seen = b""
        while data := conn.recv(65_536):
            seen += data
        assert seen.count(b"HTTP/1.1 ") == 1
        assert b"Connection: close" in seen


def test_who_wants_it_closed_has_it_closed(at: LocalExchange) -> None:
    done = requests.post(at.url + "/info", json={"type": "allMids"}, headers={"Connection": "close"}, timeout=10)
    assert done.status_code == 200


# Time.


def test_time_stands_steps_and_goes_on_from_where_it_stood() -> None:
    pace = Pace()
    assert pace.at(1000) == 1000
    pace.hold()
    assert [pace.at(2000), pace.at(3000)] == [1000, 1000]
    pace.step(500)
    assert pace.at(3000) == 1500
    pace.release()
    assert [pace.at(3000), pace.at(3100)] == [1500, 1600]
    pace.step(400)
    assert pace.at(3100) == 2000
    with pytest.raises(ValueError, match="forward"):
        pace.step(-1)


def test_an_order_travels_only_while_time_runs(at: LocalExchange) -> None:
    held = _wish(at, clock={"pause": True}).json()
    assert held["paused"]
    assert at.info(type="exchangeStatus")["time"] == held["time"] == _view(at)["time"]
    later = _wish(at, clock={"step_ms": 60_000}).json()
    assert later["time"] == held["time"] + 60_000
    assert at.info(type="exchangeStatus")["time"] == later["time"]
    before = _view(at)["markets"]
    _wish(at, clock={"step_ms": 3000})
    assert _view(at)["markets"] != before, "a short step is lived through"
    assert not _wish(at, clock={"resume": True}).json()["paused"]


# What a person does.


def test_every_wish_is_done_or_refused_with_why(at: LocalExchange) -> None:
    stranger = "0x" + "ab" * 20
    assert _wish(at, fund={"user": stranger, "usd": "250"}).ok
    assert at.info(type="clearinghouseState", user=stranger, dex="xyz")["marginSummary"]["accountValue"] == "250.0"
    assert stranger in [account["address"] for account in _view(at)["accounts"]]
    assert _wish(at, fault={"kind": "halt", "coin": "xyz:GOLD", "for_ms": 60_000}).ok
    _until(at, lambda v: next(m for m in v["markets"] if m["coin"] == "xyz:GOLD")["halted"])
    (told,) = _wish(at, faults=True).json()["faults"]
    assert (told["kind"], told["coin"], told["active"]) == ("halt", "xyz:GOLD", True)
    assert _wish(at, clear=True).ok
    shown = _view(at)
    assert not any(market["halted"] for market in shown["markets"]), "what a fault halted is open again"
    assert shown["faults"] == []
    for wrong in ({}, {"fund": {"user": "0x12", "usd": 1}}, {"fund": {"user": stranger, "usd": "-1"}}, {"clock": {"step_ms": -1}},
                  {"clock": {"pause": 1}, "clear": True}, {"fault": {"kind": "halt", "coin": "none"}}, {"move": 1}, {"clear": 1}):  # fmt: skip
        done = requests.post(f"{at.url}/control", json=wrong, timeout=10)
        assert done.status_code == 400
        assert done.text.startswith("not understood: ")


def _until(at: LocalExchange, condition: Callable[[Any], bool]) -> Any:
    for _ in range(200):
        shown = _view(at)
        if condition(shown):
            return shown
    raise AssertionError("it does not come")


def test_the_view_has_orders_fills_and_the_book_of_the_market_asked_for(at: LocalExchange) -> None:
    book = _view(at, "xyz:GOLD")["book"]
    assert book["coin"] == "xyz:GOLD"
    best = Decimal(book["levels"][1][0]["px"])
    wire = {"a": 110003, "b": True, "p": str(best + 20), "s": "0.01", "r": False, "t": {"limit": {"tif": "Ioc"}}}
    rest = wire | {"p": str(best - 100), "t": {"limit": {"tif": "Gtc"}}}
    now = at.info(type="exchangeStatus")["time"]
    assert "filled" in at.sign(FIRST, {"type": "order", "orders": [wire], "grouping": "na"}, now)["data"]["statuses"][0]
    at.sign(FIRST, {"type": "order", "orders": [rest], "grouping": "na"}, now + 1)
    shown = _view(at, "xyz:GOLD")
    (order,) = shown["orders"]
    assert (order["user"], order["coin"], order["side"], order["sz"]) == (FIRST.address, "xyz:GOLD", "buy", "0.01")
    assert [(f["coin"], f["sz"]) for f in shown["fills"]] == [("xyz:GOLD", "0.01")]
    (position,) = next(a for a in shown["accounts"] if a["address"] == FIRST.address)["positions"]
    assert position["size"] == "0.01"
    assert _view(at, "nothing")["book"]["coin"] == shown["markets"][0]["coin"]


# State.


def test_a_snapshot_is_gone_back_to_and_nonsense_changes_nothing(at: LocalExchange) -> None:
    stranger = "0x" + "cd" * 20
    before = _wish(at, snapshot=True).content
    assert _wish(at, fund={"user": stranger, "usd": "10"}).ok
    for wrong in (b"{}", b"[]", b"nonsense", json.dumps(json.loads(before) | {"version": 99}).encode()):
        refused = requests.post(at.url + "/restore", data=wrong, headers=JSON, timeout=10)
        assert (refused.status_code, refused.text[:12]) == (400, "not restored")
    assert stranger in [a["address"] for a in _view(at)["accounts"]]
    assert requests.post(at.url + "/restore", data=before, headers=JSON, timeout=20).json() == {"status": "ok"}
    shown = _view(at)
    assert stranger not in [a["address"] for a in shown["accounts"]]
    assert shown["time"] >= json.loads(before)["at_ms"], "time never runs back"
    assert FIRST.address in [a["address"] for a in shown["accounts"]]


def test_snapshot_and_restore_are_commands(
    at: LocalExchange, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where, file = ["--port", at.url.rpartition(":")[2]], tmp_path / "before.json"
    assert cli.main(["exchange", "snapshot", str(file), *where]) == 0
    assert _wish(at, fund={"user": "0x" + "ef" * 20, "usd": "10"}).ok
    assert cli.main(["exchange", "restore", str(file), *where]) == 0
    assert "0x" + "ef" * 20 not in [a["address"] for a in _view(at)["accounts"]]
    assert file.stat().st_mode & 0o077 == 0
    capsys.readouterr()
    for words, code, told in (
        (["snapshot"], 2, "name a file"), (["restore", str(tmp_path / "none"), *where], 2, "cannot be read"),
        (["restore", __file__, *where], 4, "not restored"), (["snapshot", str(file), "--port", "9"], 5, "does not answer"),
    ):  # fmt: skip
        assert cli.main(["exchange", *words]) == code
        assert told in capsys.readouterr().err
