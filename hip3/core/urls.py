"""Addresses: notification addresses, as one setting has several of them, and how an address is shown. Pure."""

import re
from urllib.parse import SplitResult, unquote, urlsplit


def split_urls(text: str | None) -> list[str]:
    """Addresses, comma separated. One of them may hold commas itself: a new one begins with its service.

    White space separates, too. Empty for None or nothing but separators. An address is not checked here, and may hold
    a secret: it belongs in no log.
    """
    parts = re.split(r"\s*,\s*(?=[a-zA-Z0-9]+://)|\s+", (text or "").strip())
    return [part.strip(", ") for part in parts if part.strip(", ")]


def parts_of(url: str) -> SplitResult | None:
    """Scheme, host and the rest; None for what is no address: without a host, or with brackets or a port amiss."""
    try:
        parts = urlsplit(url)
        known = bool(parts.hostname) and parts.port != 0  # to ask for the port is what reads it
    except ValueError:
        return None
    return parts if known else None


def tokens_in(text: str) -> list[str]:
    """The words of a path or a query that are most likely tokens: long ones with a digit in them."""
    return [word for word in re.split(r"[/?&=,]", text) if len(word) >= 8 and re.search(r"\d", word)]


def secret_words(url: str) -> list[str]:
    """What of an address is most likely a token or a password, longest first: a user, and words of path and query that
    no path is made of."""
    parts = parts_of(url)
    if parts is None:
        return [url]
    words = tokens_in(f"{parts.path}/{parts.query}")
    words += [w for w in (parts.username, parts.password) if w and len(w) >= 4]
    return sorted({v for w in words for v in (w, unquote(w))}, key=len, reverse=True)


def told(text: str, url: str) -> str:
    """What somebody at an address said, for people: one line of at most 200 characters, without what may be secret of
    the address: a page that was not found repeats it."""
    parts, line = parts_of(url), " ".join(text[:2000].split())
    whole = (parts.path.rstrip("/"), parts.query) if parts is not None else ()
    for word in (*whole, *secret_words(url)):
        if word not in ("", "/ws"):
            line = line.replace(word, "…")
    return line[:200]


def shown_url(url: str) -> str:
    """An address for people: scheme, host and port. A user, a path other than `/ws` or a query may hold a token, and
    becomes `/…`."""
    parts = parts_of(url)
    if parts is None:
        return url if re.fullmatch(r"[\w.:-]{1,40}", url) else "an address that cannot be read"
    path, port, host = parts.path.strip("/"), parts.port, parts.hostname or ""
    secret = parts.username or parts.password or path not in ("", "ws") or parts.query
    rest = "/…" if secret else f"/{path}" if path else ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}{rest}"
