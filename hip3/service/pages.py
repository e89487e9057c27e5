"""The status over HTTP, tied to the running service."""

from typing import TYPE_CHECKING

from loguru import logger

from hip3.ops.http import StatusServer
from hip3.ops.metrics import MetricsPage
from hip3.ops.status_text import status_text
from hip3.service.details import histograms

if TYPE_CHECKING:
    from hip3.service.app import App


def status_server(app: "App") -> StatusServer | None:
    """The server on HIP3_HTTP_PORT; None where it is turned off or the port is not free."""
    port = app.settings.base.http_port
    if not port:
        return None
    metrics = MetricsPage(app.status, lambda: histograms(app))
    try:
        return StatusServer(port, app.status, status_text, metrics.text, app.clock.mono_ms)
    except OSError as error:
        logger.warning(f"no status over HTTP: port {port} is not free ({error.strerror}); set HIP3_HTTP_PORT")
        return None
