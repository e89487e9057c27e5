"""Addresses: notification addresses, as one setting has several of them, and how an address is shown. Pure."""

import re
from urllib.parse import unquote, urlsplit


def split_urls(text: str | None) -> list[str]:
    """Addresses, comma separated. One of them may hold commas itself: a new one begins with its service.

    White space separates, too. Empty for None or nothing but separators. An address is not checked here, and may hold
    a secret: it belongs in no log.
    """
    parts = re.split(r"\s*,\s*(?=[a-zA-Z0-9]+://)|\s+", (text or "").strip())
    return [part.strip(", ") for part in parts if part.strip(", ")]


def secret_words(url: str) -> list[str]:
    """What of an address is most likely a token or a password: a user, and words of path and query that no path is
    made of."""
    parts = urlsplit(url)
    words = [w for w in re.split(r"[/?&=,]", f"{parts.path}/{parts.query}") if len(w) >= 8 and re.search(r"\d", w)]
    words += [w for w in (parts.username, parts.password) if w and len(w) >= 4]
    return sorted({v for w in words for v in (w, unquote(w))}, key=len, reverse=True)


def told(text: str, url: str) -> str:
    """What somebody at an address said, for people: one line of at most 200 characters, without what may be secret of
    the address: a page that was not found repeats it."""
    parts, line = urlsplit(url), " ".join(text[:2000].split())
    for word in (parts.path.rstrip("/"), parts.query, *secret_words(url)):
        if word not in ("", "/ws"):
            line = line.replace(word, "…")
    return line[:200]


def shown_url(url: str) -> str:
    """An address for people: scheme, host and port. A user, a path other than `/ws` or a query may hold a token, and
    becomes `/…`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "an address that cannot be read"
    if not host:
        return re.split(r"[/?#@]", url)[0][:40]
    path = parts.path.strip("/")
    secret = parts.username or parts.password or path not in ("", "ws") or parts.query
    rest = "/…" if secret else f"/{path}" if path else ""
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{rest}"
