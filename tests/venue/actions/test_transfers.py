"""Cash on the move, sub-accounts and vaults."""

from typing import Any

import pytest

from hip3.exchange.signing import SigningKey
from hip3.venue.setup.settings import VaultSetup
from tests.venue.desk import D, Desk

STRANGER = "0x" + "5" * 40
TOO_LITTLE = {"status": "err", "response": "Insufficient balance for token transfer"}


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def one(desk: Desk) -> SigningKey:
    return desk.key(1)


def _cash(desk: Desk, user: str, dex: str = "") -> str:
    text: str = desk.info("clearinghouseState", user=user, dex=dex)["withdrawable"]
    return text


def _ledger(desk: Desk, user: str) -> list[dict[str, Any]]:
    return [row["delta"] for row in desk.info("userNonFundingLedgerUpdates", user=user, startTime=0)]


def test_usd_goes_to_another_address_which_exists_from_then_on(desk: Desk, one: SigningKey) -> None:
    check = desk.info("preTransferCheck", user=STRANGER, source=one.address)
    assert check == {"fee": "0.0", "isSanctioned": False, "userExists": False, "userHasSentTx": False}
    assert desk.by_user(1, {"type": "usdSend", "destination": STRANGER, "amount": "250"})["status"] == "ok"
    assert (_cash(desk, one.address), _cash(desk, STRANGER)) == ("750.0", "250.0")
    delta = {
        "type": "internalTransfer", "usdc": "250.0", "user": one.address, "destination": STRANGER, "fee": "0.0",
    }  # fmt: skip
    assert _ledger(desk, one.address) == _ledger(desk, STRANGER) == [delta]
    assert desk.info("userRole", user=STRANGER) == {"role": "user"}


def test_assets_go_between_dexs_and_spot(desk: Desk, one: SigningKey) -> None:
    def send(source: str, to: str, amount: str, token: str = "USDC") -> Any:
        action = {
            "type": "sendAsset", "destination": one.address, "sourceDex": source, "destinationDex": to,
            "token": token, "amount": amount, "fromSubAccount": "",
        }  # fmt: skip
        return desk.by_user(1, action)

    assert send("", "xyz", "400", "USDC:0x6d1e7cde53ba9467b783cb7c530ce054")["status"] == "ok"
    assert (_cash(desk, one.address), _cash(desk, one.address, "xyz")) == ("600.0", "1400.0")
    assert send("xyz", "spot", "100")["status"] == "ok"
    assert desk.info("spotClearinghouseState", user=one.address)["balances"] == [
        {"coin": "USDC", "token": 0, "total": "100.0", "hold": "0.0", "entryNtl": "0.0"}
    ]
    assert send("spot", "para", "100")["status"] == "ok"
    assert _cash(desk, one.address, "para") == "100.0"
    assert desk.info("spotClearinghouseState", user=one.address) == {"balances": []}
    assert send("", "xyz", "601") == TOO_LITTLE
    assert send("", "xyz", "1", "HYPE") == TOO_LITTLE
    assert [d["destinationDex"] for d in _ledger(desk, one.address)] == ["xyz", "spot", "para"]


def test_margin_in_use_cannot_be_sent_away(desk: Desk, one: SigningKey) -> None:
    desk.order(one, True, "4000", "0.5")  # holds 100
    action = {
        "type": "sendAsset", "destination": one.address, "sourceDex": "xyz", "destinationDex": "",
        "token": "USDC", "amount": "900.01", "fromSubAccount": "",
    }  # fmt: skip
    assert desk.by_user(1, action) == TOO_LITTLE
    assert desk.by_user(1, action | {"amount": "900"})["status"] == "ok"


def test_class_transfer_and_withdrawal(desk: Desk, one: SigningKey) -> None:
    assert desk.by_user(1, {"type": "usdClassTransfer", "amount": "30", "toPerp": False})["status"] == "ok"
    assert desk.by_user(1, {"type": "usdClassTransfer", "amount": "10", "toPerp": True})["status"] == "ok"
    assert _cash(desk, one.address) == "980.0"
    spot_send = {"type": "spotSend", "destination": STRANGER, "token": "USDC", "amount": "20"}
    assert desk.by_user(1, spot_send)["status"] == "ok"
    assert desk.info("spotClearinghouseState", user=STRANGER)["balances"][0]["total"] == "20.0"
    assert desk.by_user(1, {"type": "withdraw3", "destination": one.address, "amount": "100"})["status"] == "ok"
    assert _cash(desk, one.address) == "880.0"
    assert [d["type"] for d in _ledger(desk, one.address)] == [
        "accountClassTransfer", "accountClassTransfer", "send", "withdraw",
    ]  # fmt: skip


def test_an_agent_sends_to_its_own_account_only(desk: Desk, one: SigningKey) -> None:
    agent = desk.key(9, cash=None)
    desk.venue.books.agents.approve(one.address, agent.address, "bot", desk.now)
    action = {
        "type": "agentSendAsset", "destination": one.address, "sourceDex": "", "destinationDex": "xyz",
        "token": "USDC", "amount": "5", "fromSubAccount": "", "nonce": 1,
    }  # fmt: skip
    assert desk.act(agent, action)["status"] == "ok"
    assert _cash(desk, one.address, "xyz") == "1005.0"
    assert desk.act(agent, action | {"destination": STRANGER})["status"] == "err"


def test_a_sub_account_is_made_funded_traded_and_listed(desk: Desk, one: SigningKey) -> None:
    gated = desk.act(one, {"type": "createSubAccount", "name": "mm"})["response"]
    assert gated.endswith("until enough volume traded. Required: $100000. Traded: $0.00.")
    assert desk.info("subAccounts", user=one.address) is None
    desk.venue.engine.accounts[one.address].volume = D(100_000)
    made = desk.act(one, {"type": "createSubAccount", "name": "mm"})["response"]
    assert made["type"] == "createSubAccount"
    sub = made["data"]
    assert desk.info("userRole", user=sub) == {"role": "subAccount", "data": {"master": one.address}}
    move = {"type": "subAccountTransfer", "subAccountUser": sub, "isDeposit": True, "usd": 300_000_000}
    assert desk.act(one, move)["status"] == "ok"
    assert _cash(desk, sub) == "300.0"
    oid = desk.order(one, True, "80000", "0.001", asset=0, vault=sub)["resting"]["oid"]
    assert [o["oid"] for o in desk.info("openOrders", user=sub)] == [oid]
    assert desk.act(one, {"type": "noop"}, vault=sub.removeprefix("0x"))["status"] == "ok"
    assert desk.info("openOrders", user=one.address) == []
    assert desk.act(one, {"type": "cancel", "cancels": [{"a": 0, "o": oid}]}, vault=sub)["status"] == "ok"
    assert desk.act(one, move | {"isDeposit": False})["status"] == "ok"
    assert desk.act(one, {"type": "subAccountModify", "subAccountUser": sub, "name": "mm2"})["status"] == "ok"
    (row,) = desk.info("subAccounts2", user=one.address)
    assert (row["name"], row["master"]) == ("mm2", one.address)
    assert [dex for dex, _ in row["dexToClearinghouseState"]] == ["", "xyz", "para"]
    assert "clearinghouseState" in desk.info("subAccounts", user=one.address)[0]


def test_nobody_else_trades_a_sub_account(desk: Desk, one: SigningKey) -> None:
    desk.venue.engine.accounts[one.address].volume = D(100_000)
    sub = desk.act(one, {"type": "createSubAccount", "name": "mm"})["response"]["data"]
    other = desk.key(2)
    order = {"type": "noop"}
    assert desk.act(other, order, vault=sub)["response"] == f"Vault not registered: {sub}"
    assert desk.act(one, order, vault=one.address)["response"] == f"Vault not registered: {one.address}"
    move = {"type": "subAccountTransfer", "subAccountUser": sub, "isDeposit": True, "usd": 1_000_000}
    assert desk.act(other, move)["response"] == f"Sub-account {sub} is not registered to {other.address}"
    for number in range(9):
        assert desk.act(one, {"type": "createSubAccount", "name": f"n{number}"})["status"] == "ok"
    assert desk.act(one, {"type": "createSubAccount", "name": "more"})["response"] == "Too many sub-accounts."


def test_a_vault_is_traded_by_its_leader_and_owned_by_its_depositors() -> None:
    vault = "0x" + "7" * 40
    leader = SigningKey(bytes([1]) * 32).address
    desk = Desk(vaults=[VaultSetup(vault, leader, "Ours")])
    one, two = desk.key(1), desk.key(2)

    def move(key: SigningKey, usd: int, *, deposit: bool) -> Any:
        action = {"type": "vaultTransfer", "vaultAddress": vault, "isDeposit": deposit, "usd": usd * 1_000_000}
        return desk.act(key, action)["status"]

    assert (move(one, 100, deposit=True), move(two, 300, deposit=True)) == ("ok", "ok")
    assert "resting" in desk.order(one, True, "80000", "0.001", asset=0, vault=vault)
    assert desk.act(two, {"type": "noop"}, vault=vault)["response"] == f"Vault not registered: {vault}"
    desk.venue.engine.accounts[vault].dex("").raw_usd += 40  # it gains a tenth
    details = desk.info("vaultDetails", vaultAddress=vault, user=two.address)
    assert (details["leader"], details["followerState"]["vaultEquity"]) == (one.address, "330.0")
    assert details["portfolio"] == desk.info("portfolio", user=vault)
    assert desk.info("userVaultEquities", user=one.address) == [
        {"vaultAddress": vault, "equity": "110.0", "lockedUntilTimestamp": 0}
    ]
    assert move(two, 331, deposit=False) == "err"
    assert move(two, 330, deposit=False) == "ok"
    assert _cash(desk, two.address) == "1030.0"
    assert desk.info("userRole", user=vault) == {"role": "vault"}


def test_the_ledger_without_a_start_has_the_newest_first(desk: Desk, one: SigningKey) -> None:
    for amount in ("1", "2", "3"):
        assert desk.by_user(1, {"type": "usdSend", "destination": STRANGER, "amount": amount})["status"] == "ok"
    rows = desk.info("userNonFundingLedgerUpdates", user=one.address)
    assert [row["delta"]["usdc"] for row in rows] == ["3.0", "2.0", "1.0"]
    assert desk.info("userNonFundingLedgerUpdates", user=one.address, startTime=None) == rows
    assert desk.info("userNonFundingLedgerUpdates", user=one.address, startTime=0) == rows[::-1]
