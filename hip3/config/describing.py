"""How a setting is described: its sentence, its bounds, whether it is of one market, whether it is secret."""

import re
from typing import Any

import msgspec

Meta = msgspec.Meta


def number(
    words: str, *, ge: str | None = None, gt: str | None = None, le: str | None = None, market: bool = False
) -> Any:
    """A Decimal and its bounds; `market`: it may be set per market, as in the others."""
    return Meta(description=words, extra={"ge": ge, "gt": gt, "le": le, "market": market})


def whole(words: str, ge: int, le: int, *, market: bool = False) -> Any:
    """A whole number and its bounds."""
    return Meta(ge=ge, le=le, description=words, extra={"market": market})


def text(words: str, *, secret: bool = False, later: bool = False, market: bool = False) -> Any:
    """Words or a choice; `secret` ones are never shown."""
    return Meta(description=words, extra={"secret": secret, "later": later, "market": market})


def switch(words: str) -> Any:
    """A switch that may be set per market."""
    return Meta(description=words, extra={"market": True})


def looks_secret(words: str) -> bool:
    """Whether it is a private key, or at least 12 words as a seed phrase has them, wherever it was put."""
    return re.fullmatch(r"(0x)?[0-9a-fA-F]{64}|([a-z]{3,8}\s+){11,}[a-z]{3,8}", words.strip()) is not None
