"""What is around a simulated process: the network it connects to, and the witness of what it does."""

from typing import Any

from hip3.core.orders import Post
from hip3.onethread.http import Http
from hip3.onethread.process import Socket
from hip3.onethread.threads import Violation
from hip3.ops.intents import Intent
from hip3.service.running import Running
from hip3.simulate.checks import check_adopted, check_reason
from hip3.simulate.mishaps import Mishaps
from hip3.simulate.network import Network
from hip3.simulate.scene import Scene
from hip3.simulate.witness import Witness


class Surroundings:
    """`hip3.onethread.process.Around`."""

    def __init__(self, scene: Scene, network: Network, witness: Witness, mishaps: Mishaps) -> None:
        self._scene, self._network, self._witness, self._mishaps = scene, network, witness, mishaps

    def connect(self, url: str) -> Socket:
        """Open a WebSocket; OSError if it is refused."""
        return self._network.connect(url)

    def session(self) -> Http:
        """What the service takes for a `requests.Session`."""
        return Http(self._network.request)

    def jitter(self) -> float:
        """Of back-offs."""
        return self._scene.rng.random()

    def run(self) -> str:
        """The same cloids for the same seed, others for each process."""
        return f"{self._scene.plan.seed % 2**32:08x}{self._scene.counts['starts']:04x}"

    def tick_began(self) -> None:
        """A round of the tick."""
        self._witness.tick_began()

    def recorded(self, kind: str, fields: dict[str, Any]) -> None:
        """Something for the journal."""
        if kind == "late_reply":
            self._witness.late_reply(fields["post_id"])
        elif kind == "post_lost":
            self._witness.gave_up(fields["post"], fields["why"])
        elif kind == "event_failed":
            raise Violation(f"a {fields['event']} breaks the service: {fields['why']}")
        elif kind == "duty_failed":
            raise Violation(f"a duty of the rest thread breaks: {fields['what']}")
        elif kind == "exit":
            check_reason(self._scene, fields["order"], fields["position"])
        elif kind == "adopted":
            check_adopted(self._scene, self._witness, fields["coin"], fields["theirs"])
        self._scene.tell(kind, fields)

    def intent_written(self, record: Intent) -> None:
        """A record of the intent log is on disk."""
        self._witness.intent(record)
        if record.k != "end":
            self._mishaps.intent_written(record)

    def intent_failed(self, record: Intent) -> None:
        """A record could not be written."""
        self._witness.unwritten.add(record.nonce)

    def look_in(self, running: Running) -> None:
        """The start is done: posts by HTTP are counted from now on."""
        trading = running.trading
        assert trading is not None
        assert trading.loop is not None
        by_http = trading.loop._http

        def counted(post: Post, body: dict[str, Any]) -> None:
            self._witness.posts += 1
            by_http(post, body)

        trading.loop._http = counted
