"""Who may sign for the account: an agent, its owner, and for a vault or sub-account whom that belongs to. Only reads.

Confined to the rest thread (in `commands/`, without a service, to main). `VenueReadError` means "not now, try again";
`PreflightError` means "not like this". Addresses are lower case, with 0x; times are the exchange's.
"""

from typing import Any

import msgspec

from hip3.errors import PreflightError, VenueReadError
from hip3.execution.truth.account import Rest


class AgentTerm(msgspec.Struct, frozen=True):
    """Until when (exchange time) an agent was approved: the exchange forgets those that have expired. Kept as a fact,
    so that `check` can tell an expired agent from one that never was."""

    agent: str
    until_ms: int


def agent_until(rest: Rest, signer: str, account: str) -> int | None:
    """Until when (exchange time) a named agent is approved; None for the unnamed one, or without end.

    `signer` is the agent's address, `account` its master's. One request of weight 20 (docs/venue-facts.md F10).
    """
    for agent in rest.info_json({"type": "extraAgents", "user": account}) or []:
        if str(agent.get("address", "")).lower() == signer:
            until = agent.get("validUntil")
            return None if until is None else int(until)
    return None


def check_signer(rest: Rest, signer: str, account: str) -> int | None:
    """PreflightError unless `signer` may trade for `account`; only reads (`userRole`, `extraAgents`).

    Returns until when an agent is approved (exchange time), or None. userRole alone has a weight of 60
    (docs/venue-facts.md F10), so `Checked` spares it after a recent start. VenueReadError: the answer says nothing.
    """
    kind, role = _role(rest, signer)
    if kind == "agent":
        master = _of(role, "user")
        if master != account:
            raise PreflightError(
                [
                    f"the key's address {signer} is an agent of {master}, not of HIP3_ACCOUNT_ADDRESS {account}; "
                    "a sub-account or vault of it is named by HIP3_VAULT_ADDRESS instead"
                ]
            )
        return agent_until(rest, signer, account)
    if signer != account:
        raise PreflightError(
            [
                f"the key's address {signer} is not an approved agent of {account} (never approved, taken back, or its "
                "approval has expired): approve it on the exchange, or correct HIP3_ACCOUNT_ADDRESS"
            ]
        )
    if kind == "missing":
        raise PreflightError(
            [
                f"account {account} does not exist on the exchange: deposit first "
                "(embedded exchange: POST /info with type claimDrip)"
            ]
        )
    return None


def check_vault(rest: Rest, signer: str, vault: str) -> str:
    """Why `vault` may be none that `signer` trades for; empty: it is. PreflightError where the exchange contradicts it.

    A sub-account trades by its master, a vault by its leader, both by their agents, too (docs/venue-facts.md F26).
    Weight 120, and 20 for a vault. VenueReadError: the answers say nothing.
    """
    kind, role = _role(rest, signer)
    if kind == "missing":
        fault = f"the key's address {signer} is no account and no approved agent: approve it, or correct the key"
        raise PreflightError([fault])
    owner = _of(role, "user") if kind == "agent" else signer
    kind, role = _role(rest, vault)
    if kind == "subAccount":
        whose = _of(role, "master")
    elif kind == "vault":
        told = rest.info_json({"type": "vaultDetails", "vaultAddress": vault})
        whose = str(told.get("leader", "")).lower() if isinstance(told, dict) else ""
    else:
        return f"HIP3_VAULT_ADDRESS {vault} is no sub-account and no vault, but {kind}: correct it, or leave it out"
    if whose and whose != owner:
        fault = f"HIP3_VAULT_ADDRESS {vault} belongs to {whose}, and the key signs for {owner}: correct one of them"
        raise PreflightError([fault])
    return ""


def _role(rest: Rest, address: str) -> tuple[str, dict[str, Any]]:
    role = rest.info_json({"type": "userRole", "user": address})
    kind = role.get("role") if isinstance(role, dict) else None
    if not isinstance(kind, str):
        raise VenueReadError(f"userRole of {address} cannot be read: {str(role)[:120]}")
    return kind, role


def _of(role: dict[str, Any], name: str) -> str:
    return str((role.get("data") or {}).get(name, "")).lower()
