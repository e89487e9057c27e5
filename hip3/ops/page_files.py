"""The live page's own files, read once from the package: nothing of it is asked from anywhere else."""

from functools import cache
from importlib import resources

_KINDS = {
    "html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}  # fmt: skip
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""What a browser lets the page do: ask its own server, and nothing else."""


@cache
def page_files() -> dict[str, tuple[str, str]]:
    """Path -> (content type, text)."""
    out = {}
    for file in (resources.files("hip3.ops") / "page").iterdir():
        kind = _KINDS.get(file.name.rpartition(".")[2])
        if kind is not None:
            path = "/" if file.name == "index.html" else f"/page/{file.name}"
            out[path] = (kind, file.read_text(encoding="utf-8"))
    return out
