"""Whom a key may trade for: what userRole, extraAgents and vaultDetails say, and what a start and `check` make of it."""

from typing import Any

import msgspec
import pytest

from hip3.config.settings import Settings
from hip3.errors import PreflightError, VenueReadError
from hip3.exchange.embedded import key_number_one
from hip3.exchange.signing import SigningKey
from hip3.execution.truth.signer import check_signer, check_vault
from hip3.service.start import identity

KEY, MASTER, OTHER, VAULT = ("0x" + digit * 40 for digit in "1234")
AGENT = {"role": "agent", "data": {"user": MASTER}}
SUB = {"role": "subAccount", "data": {"master": MASTER}}


class Roles:
    """A `Rest` that knows roles, and who leads a vault."""

    def __init__(self, roles: dict[str, Any], leader: str = MASTER) -> None:
        self._roles, self._leader = roles, leader

    def info(self, request: dict[str, Any]) -> bytes:
        raise NotImplementedError

    def info_json(self, request: dict[str, Any]) -> Any:
        if request["type"] == "userRole":
            return self._roles.get(request["user"], {"role": "missing"})
        return {"leader": self._leader} if request["type"] == "vaultDetails" else []


@pytest.mark.parametrize(
    ("roles", "leader"),
    [
        ({KEY: AGENT, VAULT: SUB}, ""),
        ({KEY: AGENT, VAULT: {"role": "vault"}}, MASTER),
        ({KEY: {"role": "user"}, VAULT: {"role": "subAccount", "data": {"master": KEY}}}, ""),
        ({KEY: {"role": "user"}, VAULT: {"role": "vault"}}, KEY),
    ],
)
def test_a_master_and_his_agents_trade_for_what_is_his(roles: dict[str, Any], leader: str) -> None:
    assert check_vault(Roles(roles, leader), KEY, VAULT) == ""


@pytest.mark.parametrize(
    ("roles", "leader", "words"),
    [
        ({VAULT: SUB}, "", "no account and no approved agent"),
        ({KEY: {"role": "user"}, VAULT: SUB}, "", f"belongs to {MASTER}, and the key signs for {KEY}"),
        ({KEY: AGENT, VAULT: {"role": "vault"}}, OTHER, f"belongs to {OTHER}, and the key signs for {MASTER}"),
    ],
)
def test_what_the_exchange_contradicts_is_refused(roles: dict[str, Any], leader: str, words: str) -> None:
    with pytest.raises(PreflightError) as error:
        check_vault(Roles(roles, leader), KEY, VAULT)
    assert words in error.value.faults[0]


@pytest.mark.parametrize("role", ["user", "agent", "missing"])
def test_an_address_that_is_no_vault_is_doubted_by_name(role: str) -> None:
    said = check_vault(Roles({KEY: {"role": "user"}, VAULT: {"role": role}}), KEY, VAULT)
    assert VAULT in said
    assert f"but {role}" in said


@pytest.mark.parametrize("odd", [None, [], {"role": 5}])
def test_an_answer_of_another_shape_says_nothing(odd: Any) -> None:
    with pytest.raises(VenueReadError):
        check_vault(Roles({KEY: odd}), KEY, VAULT)
    with pytest.raises(VenueReadError):
        check_signer(Roles({KEY: odd}), KEY, KEY)


def test_the_exchange_s_own_key_is_compared_with_the_address_that_is_expected() -> None:
    here = Settings(api_url="http://127.0.0.1:9", exchange_seed=5)
    key = SigningKey(key_number_one(5)).address
    with pytest.raises(PreflightError) as error:
        identity(msgspec.structs.replace(here, signer_address="0x" + "2" * 40), None, Roles({}))
    assert "HIP3_SIGNER_ADDRESS" in error.value.faults[0]
    assert (
        identity(msgspec.structs.replace(here, signer_address=key.upper().replace("0X", "0x")), None, Roles({})).account
        == key
    )
