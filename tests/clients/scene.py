"""An account that has lived: the same past for every client that reads it, made with the official SDK."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import requests
from eth_account import Account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.types import BuilderInfo, Cloid

from hip3.exchange.embedded import key_number_one
from tests.stories.process import Exchange as ExchangeProcess
from tests.stories.process import exchange

GTC: Any = {"limit": {"tif": "Gtc"}}
VAULT = "0x" + "7" * 40
CLOID = "0x" + "c" * 32
HOUR_MS = 3_600_000


def open_exchange(
    folder: Path, seed: int, *args: str, **parameters: str
) -> contextlib.AbstractContextManager[ExchangeProcess]:
    """An exchange without the gates that ask for volume, and with a vault that the first key of its seed leads."""
    leader = Account.from_key(key_number_one(seed)).address.lower()
    lines = ["schedule_cancel_volume = 0", "sub_account_volume = 0", *(f"{k} = {v}" for k, v in parameters.items())]
    vault = f'[[vaults]]\naddress = "{VAULT}"\nleader = "{leader}"\nname = "Ours"\n'
    config = folder / "exchange.toml"
    config.write_text("[parameters]\n" + "\n".join(lines) + "\n" + vault)
    return exchange(seed, "--latency", "0", "--no-limits", "--config", str(config), *args)


class Scene(NamedTuple):
    """Who is there; addresses in lower case, keys as text."""

    venue: ExchangeProcess
    key: str
    user: str
    other_key: str
    other: str
    agent: str
    sub: str
    oid: int
    """A bid that rests."""


def done(answer: Any) -> Any:
    """The only status of an action; other actions say no more than that they are done."""
    assert answer["status"] == "ok", answer
    data = answer["response"].get("data")
    if not isinstance(data, dict):
        return data
    (status,) = data["statuses"]
    assert "error" not in status, answer
    return status


def funded(venue: ExchangeProcess) -> Any:
    """A new wallet with 1,000 USDC on each dex."""
    wallet = Account.create()
    venue.info(type="claimDrip", user=wallet.address)
    return wallet


def text_of_key(wallet: Any) -> str:
    return "0x" + str(wallet.key.hex()).removeprefix("0x")


def px(trader: Exchange, coin: str, factor: float) -> float:
    """A price of five figures, so far from the middle."""
    dex = coin.split(":", maxsplit=1)[0] if ":" in coin else ""
    return float(f"{float(trader.info.all_mids(dex=dex)[coin]) * factor:.5g}")


def an_hour_later(venue: ExchangeProcess) -> None:
    """Let the exchange's clock pass the hour, so that funding is paid; it lives through all of it."""
    hour = venue.info(type="exchangeStatus")["time"] // HOUR_MS
    while venue.info(type="exchangeStatus")["time"] // HOUR_MS == hour:
        ahead = {"fault": {"kind": "clock", "ms": 20_000}}  # in small steps: no request waits for long
        assert requests.post(venue.url + "/control", json=ahead, timeout=30).status_code == 200
        venue.info(type="exchangeStatus")


@contextlib.contextmanager
def lived_in(folder: Path, seed: int, *args: str, **parameters: str) -> Iterator[Scene]:
    """An exchange, and on it an account with positions, orders of every kind, fills, a ledger, an agent, a sub-account."""
    with open_exchange(folder, seed, *args, **parameters) as venue:
        wallet, other = funded(venue), funded(venue)
        trader = Exchange(wallet, venue.url, perp_dexs=["", "xyz"])
        oid = _orders(trader, BuilderInfo(b=other.address.lower(), f=10))
        sub, agent = _money(trader, other.address)
        yield Scene(
            venue,
            text_of_key(wallet),
            wallet.address.lower(),
            text_of_key(other),
            other.address.lower(),
            agent,
            sub,
            oid,
        )


def _orders(trader: Exchange, builder: BuilderInfo) -> int:
    """Fills on two dexs, orders that rest, wait, were refused and were cancelled; the order id of one that rests."""
    done(trader.approve_builder_fee(builder["b"], "0.05%"))
    done(trader.market_open("ETH", True, 0.1, builder=builder))
    done(trader.market_open("ETH", False, 0.02))
    done(trader.update_leverage(5, "xyz:GOLD", is_cross=False))
    done(trader.market_open("xyz:GOLD", False, 0.05))
    oid: int = done(trader.order("ETH", True, 0.05, px(trader, "ETH", 0.4), GTC))["resting"]["oid"]
    done(trader.order("ETH", True, 0.05, px(trader, "ETH", 0.41), GTC, cloid=Cloid.from_str(CLOID)))
    gone = done(trader.order("ETH", True, 0.05, px(trader, "ETH", 0.42), GTC))["resting"]["oid"]
    assert done(trader.cancel("ETH", gone)) == "success"
    assert "minimum value" in str(trader.order("ETH", True, 0.001, px(trader, "ETH", 0.4), GTC))
    bracket = [
        _item("ETH", True, 0.05, px(trader, "ETH", 0.5), GTC, False),
        _item("ETH", False, 0.05, px(trader, "ETH", 0.4), _trigger(px(trader, "ETH", 0.45), "sl"), True),
        _item("ETH", False, 0.05, px(trader, "ETH", 1.4), _trigger(px(trader, "ETH", 1.5), "tp"), True),
    ]
    assert trader.bulk_orders(bracket, grouping="normalTpsl")["status"] == "ok"
    done(
        trader.order(
            "ETH", False, 0.05, px(trader, "ETH", 0.5), _trigger(px(trader, "ETH", 0.6), "sl"), reduce_only=True
        )
    )
    return oid


def _item(coin: str, buy: bool, sz: float, at: float, kind: Any, reduce: bool) -> Any:
    return {"coin": coin, "is_buy": buy, "sz": sz, "limit_px": at, "order_type": kind, "reduce_only": reduce}


def _trigger(at: float, kind: str) -> Any:
    return {"trigger": {"triggerPx": at, "isMarket": True, "tpsl": kind}}


def _money(trader: Exchange, other: str) -> tuple[str, str]:
    """Transfers of every kind; the addresses of a sub-account and of an agent."""
    sub: str = done(trader.create_sub_account("desk"))
    done(trader.sub_account_transfer(sub, True, 50_000_000))
    done(trader.usd_class_transfer(60, False))
    done(trader.usd_transfer(5, other))
    done(trader.send_asset(trader.wallet.address, "", "xyz", "USDC", 7))
    done(trader.vault_usd_transfer(VAULT, True, 20_000_000))
    done(trader.withdraw_from_bridge(3, other))
    answer, key = trader.approve_agent("bot")
    done(answer)
    return sub, Account.from_key(key).address.lower()


def setup_for(venue: ExchangeProcess) -> dict[str, Any]:
    """What scripts are told of an exchange: where it is, and prices far below and above what is paid."""
    info = Info(venue.url, skip_ws=True)
    mid, gold = float(info.all_mids()["ETH"]), float(info.all_mids(dex="xyz")["xyz:GOLD"])
    factors = {"lower": 0.45, "low": 0.5, "high": 1.03, "far": 1.5}
    return {
        "url": venue.url, "eth": info.name_to_asset("ETH"), "gold": 110003,
        "px": {k: f"{mid * f:.5g}" for k, f in factors.items()},
        "goldPx": {k: f"{gold * f:.5g}" for k, f in factors.items()},
    }  # fmt: skip


def setup_of(scene: Scene) -> dict[str, Any]:
    """What scripts are told of an account that has lived, and of its exchange."""
    return setup_for(scene.venue) | {
        "key": scene.key, "user": scene.user, "otherKey": scene.other_key, "other": scene.other,
        "agent": scene.agent, "sub": scene.sub, "oid": scene.oid, "vault": VAULT, "cloid": CLOID,
    }  # fmt: skip
