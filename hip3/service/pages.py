"""The status over HTTP, tied to the running service."""

from typing import Any

from loguru import logger

from hip3.ops.http import StatusServer
from hip3.ops.metrics import MetricsPage
from hip3.ops.status_text import status_text
from hip3.service.details import histograms
from hip3.service.running import Running
from hip3.service.snapshot import snapshot


def status_server(running: Running) -> StatusServer | None:
    """The server on HIP3_HTTP_PORT; None where it is turned off or the port is not free."""
    port = running.settings.base.http_port
    if not port:
        return None

    def status() -> dict[str, Any]:
        return snapshot(running)

    metrics = MetricsPage(status, lambda: histograms(running))
    try:
        return StatusServer(port, status, status_text, metrics.text, running.clock.mono_ms)
    except OSError as error:
        logger.warning(f"no status over HTTP: port {port} is not free ({error.strerror}); set HIP3_HTTP_PORT")
        return None
