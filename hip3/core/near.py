"""What somebody may have meant. Pure."""

from collections.abc import Iterable
from difflib import get_close_matches


def like(coin: str, known: Iterable[str]) -> str:
    """ "; did you mean xyz:GOLD?" where a known market's name is like this one, with or without its dex, else ""."""
    names = sorted(known)
    same = [c for c in names if coin.lower() in (c.lower(), c.partition(":")[2].lower())]
    near = same or get_close_matches(coin, names, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""
