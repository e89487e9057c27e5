"""The benchmark's rig fires no shot where the service would have to refuse the entry."""

from pathlib import Path

import pytest

from hip3.bench.rig import Rig, exchange
from hip3.execution.sending.loop import KEPT_MESSAGES


def test_a_shot_waits_for_messages_that_an_entry_may_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quick machine spent those of a minute within 24 s; the service refused the entry, and the benchmark broke off."""
    with exchange(tmp_path, 1) as url, Rig(tmp_path / "rig", url, 1) as rig:
        (coin,) = rig.coins
        rig.wait(lambda: not rig.trading.blocked, "its margin")
        left, looks = rig.writer.messages_left, iter(range(200))
        monkeypatch.setattr(
            rig.writer, "messages_left", lambda now: left(now) if next(looks, None) is None else KEPT_MESSAGES
        )
        rig.wait(lambda: bool(rig.reasons), "a tick that has seen how few there are")
        hit = rig.shoot(coin, 0)
        assert hit.signalled < min(hit.sent, hit.replied)  # the reply may be processed before the send has come back
        assert next(looks, None) is None
