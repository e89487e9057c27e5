"""Notification addresses, as one setting has several of them. Pure."""

import re


def split_urls(text: str | None) -> list[str]:
    """Addresses, comma separated. One of them may hold commas itself: a new one begins with its service.

    White space separates, too. Empty for None or nothing but separators. An address is not checked here, and may hold
    a secret: it belongs in no log.
    """
    parts = re.split(r"\s*,\s*(?=[a-zA-Z0-9]+://)|\s+", (text or "").strip())
    return [part.strip(", ") for part in parts if part.strip(", ")]
