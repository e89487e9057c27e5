"""Addresses: notification addresses, as one setting has several of them, and how an address is shown. Pure."""

import re
from urllib.parse import urlsplit


def split_urls(text: str | None) -> list[str]:
    """Addresses, comma separated. One of them may hold commas itself: a new one begins with its service.

    White space separates, too. Empty for None or nothing but separators. An address is not checked here, and may hold
    a secret: it belongs in no log.
    """
    parts = re.split(r"\s*,\s*(?=[a-zA-Z0-9]+://)|\s+", (text or "").strip())
    return [part.strip(", ") for part in parts if part.strip(", ")]


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
