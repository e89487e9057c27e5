"""Notification addresses, as one setting has several of them. Pure."""

import re


def split_urls(text: str | None) -> list[str]:
    """Addresses, comma separated. One of them may hold commas itself: a new one begins with its service."""
    parts = re.split(r"\s*,\s*(?=[a-zA-Z0-9]+://)|\s+", (text or "").strip())
    return [part.strip(", ") for part in parts if part.strip(", ")]
