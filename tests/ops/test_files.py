"""What is on disk: the intent log at every byte, the journal, and the state folder."""

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from hip3.core.ledger import OrderChanged
from hip3.core.order_state import OrderState
from hip3.core.orders import OrderBatch
from hip3.errors import AlreadyRunning, JournalError
from hip3.ops import intents as intents_module
from hip3.ops import store as store_module
from hip3.ops.figures import LONGEST, Figures, shape
from hip3.ops.intents import Intent, IntentLog
from hip3.ops.journal import EventLog
from hip3.ops.state_dir import StateLock, account_dir, began_ms, keep_began
from hip3.ops.store import JournalStore, story
from tests.builders import D, exit_order, order


def _log(path: Path) -> IntentLog:
    return IntentLog(path)


def test_what_was_appended_is_there_after_a_kill_and_ends_take_it_away(tmp_path: Path) -> None:
    path = tmp_path / "intents.log"
    log = _log(path)
    log.orders(OrderBatch((order(1), order(2))), 100, 500, 1)
    log.cancels(101, 2)
    log.noop(100, order(1).cloid, 3)
    log.end(order(1).cloid, "filled", 4)
    log.action("updateLeverage", 140, 5)
    again = _log(path).recovered  # the first is not closed: as after kill -9
    assert again.open == [(order(2), 100, 500)]
    assert (again.nonce_floor, again.torn) == (140, 0)
    third = _log(path).recovered
    assert (third.open, third.nonce_floor) == (again.open, 140)
    log.close()


def test_a_record_cut_at_any_byte_loses_itself_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "intents.log"
    log = _log(path)
    log.orders(OrderBatch((order(1),)), 100, None, 1)
    whole = path.read_bytes()
    log.orders(OrderBatch((exit_order(2),)), 101, 500, 2)
    log.close()
    both = path.read_bytes()
    for cut in range(len(whole), len(both)):
        path.write_bytes(both[:cut])
        found = _log(path).recovered
        complete = cut >= len(both) - 1  # only the line's end is missing
        assert [o.cloid for o, _, _ in found.open] == [order(1).cloid] + ([exit_order(2).cloid] if complete else [])
        assert found.torn == (0 if complete or cut == len(whole) else 1)


def test_a_damaged_line_in_between_is_skipped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "intents.log"
    log = _log(path)
    for number in (1, 2, 3):
        log.orders(OrderBatch((order(number),)), 100 + number, None, 1)
    log.close()
    lines = path.read_bytes().split(b"\n")
    lines[1] = lines[1].replace(b"4000", b"9000", 1)
    path.write_bytes(b"\n".join(lines))
    found = _log(path).recovered
    assert [o.cloid for o, _, _ in found.open] == [order(1).cloid, order(3).cloid]
    assert found.torn == 1


def test_a_torn_tail_takes_no_later_record_with_it_where_the_start_could_not_write_the_log_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "intents.log"
    log = _log(path)
    log.orders(OrderBatch((order(1),)), 101, None, 1)
    log.close()
    with open(path, "ab") as file:
        file.write(b'{"k":"orders","at_ms":1')  # and the disk was full
    with monkeypatch.context() as full:
        full.setattr("os.replace", _no_space)
        again = _log(path)
    again.orders(OrderBatch((order(2),)), 102, None, 1)
    again.close()
    found = _log(path).recovered
    assert [o.cloid for o, _, _ in found.open] == [order(1).cloid, order(2).cloid]
    assert (found.nonce_floor, found.torn) == (102, 1)


def _no_space(*args: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_log_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    log = _log(tmp_path / "intents.log")
    log.close()
    with pytest.raises(JournalError):
        log.orders(OrderBatch((order(1),)), 1, None, 1)
    assert "cannot be written" in log.failed


def test_threads_do_not_mix_their_records(tmp_path: Path) -> None:
    log = _log(tmp_path / "intents.log")

    def work(start: int) -> None:
        for number in range(start, start + 200):
            log.orders(OrderBatch((order(number),)), number, None, 1)

    threads = [threading.Thread(target=work, args=(n * 1000,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    log.close()
    found = _log(tmp_path / "intents.log").recovered
    assert (len(found.open), found.torn) == (800, 0)


def test_the_journal_tells_the_story_of_an_order(tmp_path: Path) -> None:
    journal = EventLog(lambda: 77)
    journal.open(tmp_path / "journal.db", _log(tmp_path / "intents.log"))
    journal.record("exit", order=exit_order(3), position=None)
    journal.record("certificate", cloid=exit_order(3).cloid, how="noop", detail="accepted")
    journal.record("exit", order=exit_order(4), position=None)
    journal.drain(0)
    journal.close()
    records = story(tmp_path / "journal.db", exit_order(3).cloid)
    assert [(at, kind) for at, kind, _ in records] == [(77, "exit"), (77, "certificate")]
    assert records[0][2]["order"]["px"] == "4000"
    assert records[1][2]["how"] == "noop"


@pytest.mark.parametrize("damage", ["garbage", "truncated", "page"])
def test_a_damaged_journal_is_set_aside_and_a_new_one_begun(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "journal.db"
    first = EventLog(lambda: 1)
    first.open(path, _log(tmp_path / "intents.log"))
    for n in range(300):
        first.record("exit", order=exit_order(n), position=None)
    first.drain(0)
    first.close()
    raw = path.read_bytes()
    assert len(raw) > 20_000
    half = len(raw) // 2 // 4096 * 4096
    path.write_bytes(
        {"garbage": b"not a database" * 100, "truncated": raw[: len(raw) // 2],
         "page": raw[:half] + bytes(4096) + raw[half + 4096 :]}[damage]
    )  # fmt: skip
    journal = EventLog(lambda: 77)
    journal.open(path, _log(tmp_path / "intents2.log"))
    assert journal.store_failed == ""
    assert (tmp_path / "journal.db.damaged-77").exists()
    journal.record("exit", order=exit_order(3), position=None)
    journal.drain(0)
    journal.close()
    assert [kind for _, kind, _ in story(path, exit_order(3).cloid)] == ["exit"]


@pytest.mark.parametrize("root", ["records", "names", "facts"])
def test_a_damage_that_only_writing_meets_sets_the_journal_aside_too(
    tmp_path: Path, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large file is not read through at the start: each look opened it again, and nothing was written ever after."""
    monkeypatch.setattr(store_module, "CHECKED_BYTES", 0)
    path, now = tmp_path / "journal.db", [1000]
    first = EventLog(lambda: 1)
    first.open(path, _log(tmp_path / "intents.log"))
    first.record("exit", order=exit_order(1), position=None)
    first.keep("closed", {"xyz:GOLD": 1})
    first.drain(0)
    first.close()
    db = sqlite3.connect(path)
    (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (root,)).fetchone()
    db.close()
    raw = path.read_bytes()
    path.write_bytes(raw[: (page - 1) * 4096] + b"\xff" * 4096 + raw[page * 4096 :])
    journal = EventLog(lambda: now[0])
    journal.open(path, _log(tmp_path / "intents2.log"))
    for number in (3, 4, 5):
        journal.record("exit", order=exit_order(number), position=None)
        journal.drain(0)
        now[0] += 2000
    journal.close()
    assert journal.store_failed == ""
    assert [p for p in tmp_path.iterdir() if ".damaged-" in p.name]
    assert [[kind for _, kind, _ in story(path, exit_order(n).cloid)] for n in (3, 4, 5)] == [["exit"]] * 3


def test_a_journal_of_version_one_is_brought_up_to_date(tmp_path: Path) -> None:
    path, cloid = tmp_path / "journal.db", exit_order(3).cloid
    db = sqlite3.connect(path)
    db.executescript(
        "CREATE TABLE records (id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, cloid TEXT,"
        "coin TEXT, body TEXT NOT NULL);CREATE INDEX records_cloid ON records (cloid) WHERE cloid IS NOT NULL;"
        f"CREATE INDEX records_kind ON records (kind);INSERT INTO records VALUES (1, 5, 'exit', '{cloid}', 'x', '{{}}');"
        "PRAGMA user_version=1;"
    )
    db.close()
    journal = EventLog(lambda: 77)
    journal.open(path, _log(tmp_path / "intents.log"))
    journal.record("certificate", cloid=cloid, how="noop", detail="accepted")
    journal.drain(0)
    journal.close()
    assert [(at, kind) for at, kind, _ in story(path, cloid)] == [(5, "exit"), (77, "certificate")]


def test_a_journal_of_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    path, told = tmp_path / "journal.db", []
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()
    journal = EventLog(lambda: 77)
    journal.on_state = told.append
    journal.open(path, _log(tmp_path / "intents.log"))
    assert "newer version" in told[0]
    assert [p.name for p in tmp_path.iterdir() if "damaged" in p.name] == []
    journal.close()


def test_what_cannot_be_written_is_kept_and_written_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, told = [1000], []
    journal = EventLog(lambda: now[0])
    journal.on_state = told.append
    journal.open(tmp_path / "journal.db", _log(tmp_path / "intents.log"))

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(JournalStore, "write", full)
    journal.record("exit", order=exit_order(3), position=None)
    journal.keep("held", [1, 2])
    journal.drain(0)
    assert "disk is full" in told[-1]
    monkeypatch.undo()
    now[0] += 5000
    journal.drain(0)
    assert told[-1] == ""
    assert journal.fact("held", list[int]) == [1, 2]
    journal.close()
    assert [kind for _, kind, _ in story(tmp_path / "journal.db", exit_order(3).cloid)] == ["exit"]


def test_a_record_that_does_not_fit_is_counted_and_a_fill_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hip3.ops.journal.CAPACITY", 2)
    journal, lost = EventLog(lambda: 1), []
    journal.on_fill_lost = lambda: lost.append(1)
    for kind in ("exit", "exit", "exit", "fill"):
        journal.record(kind)
    assert (journal.lost, lost) == (2, [1])


def test_exits_that_could_not_be_recorded_are_recorded_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = _log(tmp_path / "intents.log")
    monkeypatch.setattr(os, "write", lambda fd, line: 0)
    for batch in (OrderBatch((exit_order(1),)), OrderBatch((order(2),))):
        with pytest.raises(JournalError):
            log.orders(batch, 5, None, 1)
    log.retry(2)
    assert log.failed
    monkeypatch.undo()
    log.retry(3)
    assert log.failed == ""
    log.close()
    found = _log(tmp_path / "intents.log").recovered
    assert [o.cloid for o, _, _ in found.open] == [exit_order(1).cloid]  # the entry was never sent
    assert found.nonce_floor == 5


def test_one_lock_per_state_folder(tmp_path: Path) -> None:
    lock = StateLock(tmp_path / "state")
    with pytest.raises(AlreadyRunning):
        StateLock(tmp_path / "state")
    lock.release()
    StateLock(tmp_path / "state").release()


def test_the_beginning_of_an_account_is_written_once(tmp_path: Path) -> None:
    assert began_ms(tmp_path, 5) == 5
    assert not (tmp_path / "account.json").exists(), "a start that read nothing makes no account known"
    keep_began(tmp_path, 5)
    assert began_ms(tmp_path, 9) == 5
    (tmp_path / "account.json").write_text("damaged")
    assert began_ms(tmp_path, 9) == 9


def test_an_intent_log_that_grows_is_written_anew_while_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intents_module, "COMPACT_BYTES", 20_000)
    log = IntentLog(tmp_path / "intents.log")
    for number in range(200):
        log.orders(OrderBatch((order(number),)), 1000 + number, None, 0)
        if number % 50:
            log.end(order(number).cloid, "filled", 0)
    before = (tmp_path / "intents.log").stat().st_size
    log.compact()
    assert (tmp_path / "intents.log").stat().st_size < before / 10
    log.orders(OrderBatch((order(777),)), 5000, None, 0)
    log.close()
    again = IntentLog(tmp_path / "intents.log")
    assert {o.cloid for o, _, _ in again.recovered.open} == {order(n).cloid for n in (0, 50, 100, 150, 777)}
    assert again.recovered.nonce_floor == 5000
    assert sorted(again.live()) == sorted(o.cloid for o, _, _ in again.recovered.open)
    again.close()


def test_the_last_runs_are_known_even_by_orders_whose_intent_was_never_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "intents.log"
    for number in range(intents_module.RUNS + 2):
        log = IntentLog(path)
        log.begin(f"0x68697033{number:012x}", 0)
        log.close()
    log = IntentLog(path)
    assert log.knows(f"0x68697033{number:012x}{77:012x}")
    assert not log.knows(f"0x68697033{0:012x}{77:012x}")
    monkeypatch.setattr(intents_module, "COMPACT_BYTES", 10)
    log.compact()
    log.close()
    again = IntentLog(path)
    assert again.knows(f"0x68697033{number:012x}{78:012x}")
    again.close()


def test_a_run_that_the_disk_does_not_take_is_written_when_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = IntentLog(tmp_path / "intents.log")
    with monkeypatch.context() as full:
        full.setattr("os.write", _full)
        log.begin("0x68697033aaaaaaaaaaaa", 0)
    assert log.failed
    assert log.knows("0x68697033aaaaaaaaaaaa000000000001")
    log.retry(0)
    log.close()
    again = IntentLog(tmp_path / "intents.log")
    assert again.knows("0x68697033aaaaaaaaaaaa000000000001")
    again.close()


def _full(fd: int, data: bytes) -> int:
    raise OSError(28, "No space left on device")


def test_a_compaction_that_a_record_overtakes_leaves_the_file_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intents_module, "COMPACT_BYTES", 100)
    log = IntentLog(tmp_path / "intents.log")
    log.orders(OrderBatch((order(1),)), 7, None, 0)
    honest = log._write_new

    def overtaken(lines: list[bytes]) -> Path:
        path = honest(lines)
        log.orders(OrderBatch((order(2),)), 8, None, 0)
        return path

    monkeypatch.setattr(log, "_write_new", overtaken)
    log.compact()
    log.close()
    assert {o.cloid for o, _, _ in IntentLog(tmp_path / "intents.log").recovered.open} == {
        order(1).cloid,
        order(2).cloid,
    }


def test_what_names_an_open_order_outlives_the_others(tmp_path: Path) -> None:
    store = JournalStore(tmp_path / "journal.db")
    live, gone = "0x" + "a" * 32, "0x" + "b" * 32
    store.write([(n, "sent", None, f'{{"cloid":"{live if n == 3 else gone}"}}') for n in range(10)], {"risk": "1"})
    assert store.prune(100, 10**9, [live], 4) == 4
    assert store.prune(100, 10**9, [live], 100) == 5
    assert store.knows(live)
    assert not store.knows(gone)
    assert store.fact("risk") == "1"
    store.close()


def test_refusals_with_figures_in_them_are_one_kind() -> None:
    figures = Figures()
    for number in range(1000):
        text = f"Too many cumulative requests sent ({number} > 10000) for cumulative volume traded ${number}.5."
        figures.note("order", {"event": OrderChanged(order=order(), before=OrderState.SENT, after=OrderState.REJECTED, why=text,
                                                     executed=D(0), avg_px=D(0))})  # fmt: skip
        figures.note("order", {"event": OrderChanged(order=order(), before=OrderState.SENT, after=OrderState.REJECTED,
                                                     why="a" * (number % 300 + 1), executed=D(0), avg_px=D(0))})  # fmt: skip
    assert len(figures.venue_rejected) <= 101
    assert max(figures.venue_rejected.values()) >= 1000
    assert shape("sent (12 > 10000) for $7.5 asset=110002", ()) == shape("sent (13 > 9) for $1.25", ())
    assert shape("a" * 1000, ()) == "a" * LONGEST


def test_of_accounts_on_exchanges_that_ended_the_newest_few_are_kept(tmp_path: Path) -> None:
    for number in range(9):
        folder = account_dir(tmp_path, "embedded", f"0x{number:08x}", fresh=True)
        os.utime(folder, (number, number))
    real = account_dir(tmp_path, "embedded", "0xffffffff", fresh=False)
    account_dir(tmp_path, "embedded", "0xaaaaaaaa", fresh=True)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"embedded-0xaaaaaaaa", real.name, *(f"embedded-0x{n:08x}" for n in range(4, 9))}


def test_the_state_of_a_torn_line_is_one_thread_s_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tick and journal append to the log: one would continue the other's torn line, and count as written."""
    log = IntentLog(tmp_path / "intents.log", sync=False)
    write, seen = log._write_locked, []

    def watched(record: Intent) -> None:
        seen.append(log._lock.locked())
        write(record)

    monkeypatch.setattr(log, "_write_locked", watched)
    log.action("noop", 5, 1)
    log.orders(OrderBatch((order(),)), 6, None, 1)
    log.end(order().cloid, "filled", 1)
    assert seen
    assert all(seen)
