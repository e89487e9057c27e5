"""The exchange's own page, read once from the package, and who may see it: this machine's browsers, on its own pages.

What it has in common with the service's live page (looks, elements, formats of numbers, themes) are that page's files,
from where they are.
"""

import re
from functools import cache
from importlib import resources
from typing import Any

_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_PEERS = ("127.", "::1", "::ffff:127.")
_OWN = {
    "index.html": "text/html; charset=utf-8",
    "venue.css": "text/css; charset=utf-8",
    "venue.js": "text/javascript; charset=utf-8",
}
_SHARED = {
    "base.css": "text/css; charset=utf-8",
    "dom.js": "text/javascript; charset=utf-8",
    "format.js": "text/javascript; charset=utf-8",
    "theme.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
SAFE = [
    ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
     "img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
]  # fmt: skip


@cache
def page_files() -> dict[str, tuple[str, str]]:
    """Path -> (content type, text)."""
    own, shared = resources.files("hip3.venue") / "page", resources.files("hip3.ops") / "page"
    out = {f"/page/{name}": (kind, (own / name).read_text(encoding="utf-8")) for name, kind in _OWN.items()}
    out |= {f"/page/{name}": (kind, (shared / name).read_text(encoding="utf-8")) for name, kind in _SHARED.items()}
    out["/"] = out.pop("/page/index.html")
    return out


def is_ours(environ: dict[str, Any]) -> bool:
    """Whether who asks is on this machine, and no page of others: its name for us, and the page it is on, are ours.

    A page of others cannot set either, nor send JSON here without asking first, which is not answered.
    """
    host, origin = str(environ.get("HTTP_HOST", "")), environ.get("HTTP_ORIGIN")
    return (
        str(environ.get("REMOTE_ADDR", "")).startswith(_PEERS)
        and _HOST.fullmatch(host) is not None
        and (origin is None or str(origin).lower() == f"http://{host.lower()}")
    )
