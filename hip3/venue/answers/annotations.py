"""What deployers say of their markets, and whom a permissioned dex keeps out (docs/venue-facts.md F44)."""

from typing import Any

from hip3.venue.answers.replies import Answer, user_of
from hip3.venue.books.books import Books
from hip3.venue.engine.model import Annotation, MarketInfo


def concise(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """perpConciseAnnotations: every market that has one."""
    return 200, [[info.coin, _of(info.annotation)] for info in _annotated(books)]


def one(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """perpAnnotation of a coin; null where there is none."""
    found = next((i.annotation for i in _annotated(books) if i.coin == request.get("coin")), None)
    return 200, None if found is None else _of(found) | {"description": found.description}


def categories(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """perpCategories."""
    return 200, [[info.coin, info.annotation.category] for info in _annotated(books)]


def star_state(books: Books, request: dict[str, Any], now_ms: int) -> Answer:
    """userStarState: nobody is kept out of a permissioned dex here, nor may deposit to its backstop."""
    user_of(request)
    approved = {"isReduceOnly": False, "isBackstopLiquidatorDepositAllowed": False}
    return 200, {"dexToState": [[dex.name, approved] for dex in books.dexs if dex.permissioned]}


def _annotated(books: Books) -> list[MarketInfo]:
    return [m.info for m in books.engine.markets.values() if m.info.annotation.category]


def _of(annotation: Annotation) -> dict[str, Any]:
    out: dict[str, Any] = {"category": annotation.category}
    if annotation.display_name is not None:
        out["displayName"] = annotation.display_name
    return out | ({"keywords": list(annotation.keywords)} if annotation.keywords else {})
