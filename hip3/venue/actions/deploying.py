"""perpDeploy: what the deployer of a dex does to its markets (docs/venue-facts.md F43).

A market is halted, and a dex disabled; the other sub-actions are refused by name.
"""

from typing import Any

from hip3.venue.actions.auth import BadAction
from hip3.venue.answers.replies import Answer, err, ok
from hip3.venue.books.books import Books
from hip3.venue.engine import halts
from hip3.venue.engine.account import Account

OFFERED = frozenset({"haltTrading", "disableDex"})
_NOT_YOURS = "Only the deployer of the dex may do this."


def not_offered(action: dict[str, Any]) -> str:
    """The name of a sub-action that is missing here; empty if there is none."""
    return next((str(name) for name in action if name != "type" and name not in OFFERED), "")


def perp_deploy(books: Books, account: Account, action: dict[str, Any], now_ms: int) -> Answer:
    """One sub-action, by the deployer's own account."""
    if action.keys() >= OFFERED or not OFFERED & action.keys():
        raise BadAction("perpDeploy")
    if "haltTrading" in action:
        return _halt_trading(books, account, action["haltTrading"], now_ms)
    return _disable(books, account, action["disableDex"], now_ms)


def _halt_trading(books: Books, account: Account, wish: Any, now_ms: int) -> Answer:
    if not isinstance(wish, dict) or not isinstance(wish.get("isHalted"), bool):
        raise BadAction("haltTrading")
    market = books.engine.markets.get(str(wish.get("coin")))
    if market is None or not _deploys(books, account, market.info.dex):
        return err(_NOT_YOURS)
    if wish["isHalted"]:
        halts.halt(books.engine, market, now_ms)
    else:
        halts.resume(market)
    return ok("default")


def _disable(books: Books, account: Account, wish: Any, now_ms: int) -> Answer:
    """Every market of the dex is halted: orders cancelled, positions settled at mark."""
    if not isinstance(wish, str):
        raise BadAction("disableDex")
    if not _deploys(books, account, wish):
        return err(_NOT_YOURS)
    for market in books.markets_of(wish):
        halts.halt(books.engine, market, now_ms)
    return ok("default")


def _deploys(books: Books, account: Account, dex: str) -> bool:
    return any(d.name == dex and d.deployer.lower() == account.address for d in books.dexs)
