"""Signed actions on an exchange without a market around it: what the tests of actions share."""

from decimal import Decimal
from typing import Any

import msgspec
from eth_account import Account as Wallet
from hyperliquid.utils import signing

from hip3.exchange.signing import SigningKey, sign_l1_action
from hip3.venue.actions.actions import exchange
from hip3.venue.answers.info import answer
from hip3.venue.market.recording import NOTHING, Recording
from hip3.venue.setup.settings import load_setup
from hip3.venue.venue import Venue, WsText

START = 1_790_000_000_000
GOLD, GOLD_ID = "xyz:GOLD", 110003
SILVER_ID, META_ID = 110004, 110005
"""Of markets that are isolated only."""
D = Decimal

USER_TYPES = {
    "usdSend": ("UsdSend", signing.USD_SEND_SIGN_TYPES),
    "spotSend": ("SpotSend", signing.SPOT_TRANSFER_SIGN_TYPES),
    "withdraw3": ("Withdraw", signing.WITHDRAW_SIGN_TYPES),
    "usdClassTransfer": ("UsdClassTransfer", signing.USD_CLASS_TRANSFER_SIGN_TYPES),
    "userSetAbstraction": ("UserSetAbstraction", signing.USER_SET_ABSTRACTION_SIGN_TYPES),
    "approveBuilderFee": (
        "ApproveBuilderFee",
        [
            {"name": "hyperliquidChain", "type": "string"},
            {"name": "maxFeeRate", "type": "string"},
            {"name": "builder", "type": "address"},
            {"name": "nonce", "type": "uint64"},
        ],
    ),
    "sendAsset": ("SendAsset", signing.SEND_ASSET_SIGN_TYPES),
}


class Desk:
    """One venue, some keys, each funded with 1000 USDC per dex unless said otherwise."""

    def __init__(self, *, quiet: bool = True, recording: Recording = NOTHING, **setup: Any) -> None:
        built_in = load_setup()
        setup_used = msgspec.structs.replace(built_in, **setup)
        self.venue = Venue(setup_used, seed=1, profile="lively", now_ms=START, recording=recording)
        self.now = START + 1000
        if quiet:  # nobody but the test
            self.venue._models.clear()
            for account in self.venue.engine.accounts.values():
                for coin in self.venue.engine.markets:
                    self.venue.engine.cancel_all(account, coin, self.now)
        self.venue.advance(self.now)
        self.venue.take_output()
        self._nonce = self.now

    def key(self, number: int, cash: str | None = "1000") -> SigningKey:
        key = SigningKey(bytes([number]) * 32)
        if cash is not None:
            for dex in ("", "xyz"):
                self.venue.engine.fund(key.address, dex, D(cash))
        return key

    def isolate(self, *keys: SigningKey, leverage: int = 20, asset: int = GOLD_ID) -> None:
        """They take a market that may be cross as an isolated one."""
        for key in keys:
            action = {"type": "updateLeverage", "asset": asset, "isCross": False, "leverage": leverage}
            assert self.act(key, action)["status"] == "ok"

    def act(self, key: SigningKey, action: dict[str, Any], *, vault: str | None = None, **more: Any) -> Any:
        """The body of the answer to an L1 action."""
        self._nonce += 1
        self.now += 1
        nonce, expires = more.get("nonce", self._nonce), more.get("expires")
        signature = sign_l1_action(key, action, nonce, vault_address=vault, expires_after=expires, mainnet=False)
        body = {
            "action": action,
            "nonce": nonce,
            "signature": signature,
            "vaultAddress": vault,
            "expiresAfter": expires,
        }
        status, reply = exchange(self.venue.books, msgspec.json.decode(msgspec.json.encode(body)), self.now)
        assert status == 200, (status, reply)
        return reply

    def by_user(self, number: int, action: dict[str, Any]) -> Any:
        """The body of the answer to a user-signed action, signed by the official SDK's functions."""
        self._nonce += 1
        self.now += 1
        name, types = USER_TYPES[action["type"]]
        stamp = "time" if any(t["name"] == "time" for t in types) else "nonce"
        action = action | {stamp: self._nonce}
        wallet = Wallet.from_key(bytes([number]) * 32)
        signature = signing.sign_user_signed_action(
            wallet, action, types, f"HyperliquidTransaction:{name}", is_mainnet=False
        )
        body = {"action": action, "nonce": self._nonce, "signature": signature}
        status, reply = exchange(self.venue.books, body, self.now)
        assert status == 200, (status, reply)
        return reply

    def info(self, kind: str, **request: Any) -> Any:
        status, body = answer(self.venue.books, {"type": kind, **request}, self.now)
        assert status == 200, (status, body)
        return msgspec.json.decode(msgspec.json.encode(body))

    def order(self, key: SigningKey, buy: bool, px: str, sz: str, tif: str = "Gtc", **more: Any) -> Any:
        """The status entry of one limit order."""
        item = wire(buy, px, sz, tif, **more)
        reply = self.act(key, {"type": "order", "orders": [item], "grouping": "na"}, vault=more.get("vault"))
        assert reply["status"] == "ok", reply
        return reply["response"]["data"]["statuses"][0]

    def trade(self, buyer: SigningKey, seller: SigningKey, sz: str, px: str = "4000", asset: int = GOLD_ID) -> None:
        """`buyer` buys from `seller`."""
        self.order(seller, False, px, sz, asset=asset)
        assert "filled" in self.order(buyer, True, px, sz, "Ioc", asset=asset)

    def frames(self) -> list[Any]:
        return [msgspec.json.decode(i.text) for i in self.venue.take_output() if isinstance(i, WsText)]

    def wait(self, ms: int) -> list[Any]:
        self.now += ms
        self.venue.advance(self.now)
        return self.frames()


def wire(buy: bool, px: str, sz: str, tif: str = "Gtc", **more: Any) -> dict[str, Any]:
    """One limit order as it is posted."""
    item = {"a": more.get("asset", GOLD_ID), "b": buy, "p": px, "s": sz, "r": more.get("reduce_only", False)}
    item["t"] = {"limit": {"tif": tif}}
    return item | ({"c": more["cloid"]} if "cloid" in more else {})
