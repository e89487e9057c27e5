"""Paper and the replay of its recording: the same fills; nothing that acts leaves; a cut of the upstream."""

import json
from pathlib import Path
from typing import Any

import pytest

from hip3.config.reading import load, load_markets_file
from hip3.replay.head import first_look
from hip3.replay.result import journal_of
from hip3.replay.run import Ask, replay
from hip3.venue.market.filling import parse_fills
from hip3.venue.market.latency import parse_latency
from hip3.venue.recorded import Model
from tests.replay.paper import PaperSession, fills_of, money_of


def _again(session: PaperSession, folder: Path, fills: str = "pessimistic") -> Any:
    head = first_look(session.recording)
    assert head.paper
    env = {k: v for k, v in session.env.items() if k != "HIP3_RECORD"}
    env |= {
        "HIP3_NETWORK": "embedded", "HIP3_MODE": "trade", "HIP3_STATE_DIR": str(folder / "state"),
        "HIP3_LOG_DIR": str(folder / "logs"),
    }  # fmt: skip
    ask = Ask(
        recording=session.recording, settings=load_markets_file(load(env, None)), coins=head.coins, timed=True,
        latency=parse_latency(None, head.lag_ms), seed=session.seed, model=Model(fills=parse_fills(fills)),
    )  # fmt: skip
    done = replay(ask, head, folder)
    assert not done.problem
    assert journal_of(folder / "state").exists()
    return done


@pytest.mark.parametrize(
    "fills", ["pessimistic", *(pytest.param(f, marks=pytest.mark.long) for f in ("share:0.5", "optimistic"))]
)
def test_paper_is_the_replay_of_its_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fills: str) -> None:
    """evidence.md 8.2, case 17: the same fills, fees and money, whatever the model, with the ways recorded."""
    session = PaperSession(tmp_path, 2, 1, monkeypatch, env={}, fills=parse_fills(fills))
    done = _again(session, tmp_path / "again", fills)
    live = fills_of(session.venue, session.user)
    assert len(live) > 6
    assert fills_of(done.venue, done.user) == live
    assert money_of(done.venue, done.user) == money_of(session.venue, session.user)


def test_a_cut_of_the_upstream_is_a_gap_for_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """evidence.md 8.2, case 19: gates see it, nothing is filled in it, the stop stands; the replay has the same gap."""
    begin_ms, end_ms = 25_000, 65_000
    states: list[tuple[int, str, bool]] = []

    def look(session: PaperSession) -> None:
        app, at = session.app, session.clock.wall_ms() - 1_790_000_000_000
        states.append((at, app.running.readiness.word(session.clock.mono_ms(), tripped=False)[0].value, stops(session)))

    def stops(session: PaperSession) -> bool:
        account = session.venue.engine.account(session.user)
        assert account is not None
        held = {c for dex in account.dexs.values() for c, p in dex.positions.items() if p.szi}
        return held <= {o.coin for o in account.open_orders.values() if o.trigger is not None}

    session = PaperSession(
        tmp_path, 4, 2, monkeypatch, env={"HIP3_TIME_STOP_MS": "60000", "HIP3_MARK_REGRESSION_BPS": "0"},
        cuts=((begin_ms, end_ms),), during=look,
    )  # fmt: skip
    live = fills_of(session.venue, session.user)
    times = [fill[-1] - 1_790_000_000_000 for fill in live]
    assert [t for t in times if begin_ms < t < end_ms] == []
    assert min(times) < begin_ms < end_ms < max(times)
    within = [s for s in states if begin_ms + 2000 < s[0] < end_ms]
    assert {word for _, word, _ in within} == {"NOT_READY"}
    assert all(stopped for _, _, stopped in within)
    assert states[-1][1] == "READY"
    done = _again(session, tmp_path / "again")
    assert fills_of(done.venue, done.user) == live
    assert any(why.startswith("down") for _, why in done.source.gaps)


def test_a_mirror_goes_on_with_its_accounts_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cash, positions, resting orders and the nonce floor are the account's, whatever process serves it."""
    session = PaperSession(
        tmp_path, 4, 0.5, monkeypatch, env={"HIP3_TIME_STOP_MS": "60000", "HIP3_MARK_REGRESSION_BPS": "0"}
    )
    before = session.venue
    after = session.restarted()
    assert money_of(after, session.user) == money_of(before, session.user)
    accounts = [v.engine.account(session.user) for v in (before, after)]
    assert accounts[0] is not None
    assert accounts[1] is not None
    assert accounts[0].open_orders.keys() == accounts[1].open_orders.keys() != set()
    assert {s.coin for s in after._streams(frozenset(after._seen))} >= {
        o.coin for o in accounts[1].open_orders.values()
    }


def test_nothing_but_subscriptions_and_public_reads_is_told_to_the_upstream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """evidence.md 8.2, case 18, from inside: a session that trades says nothing of it."""
    session = PaperSession(tmp_path, 2, 0.5, monkeypatch, env={})
    assert fills_of(session.venue, session.user)
    kinds = {(m.get("method") or m["type"]) for m in (json.loads(text) for text in session.upstream.said)}
    assert kinds <= {
        "subscribe",
        "unsubscribe",
        "ping",
        "meta",
        "metaAndAssetCtxs",
        "perpDexs",
        "perpsAtOpenInterestCap",
    }
    assert not [text for text in session.upstream.said if "user" in text or session.user in text]


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_ten_papers_are_the_replays_of_their_recordings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Case 17 for ten minutes each, with a cut in the middle."""
    session = PaperSession(tmp_path, seed, 10, monkeypatch, env={}, cuts=((300_000, 320_000),))
    done = _again(session, tmp_path / "again")
    live = fills_of(session.venue, session.user)
    assert len(live) > 20
    assert fills_of(done.venue, done.user)[: len(live)] == live
