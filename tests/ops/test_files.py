"""What is on disk: the intent log at every byte, the journal, and the state folder."""

import os
import threading
from pathlib import Path

import pytest

from hip3.core.orders import OrderBatch
from hip3.errors import AlreadyRunning, JournalError
from hip3.ops.intents import IntentLog
from hip3.ops.journal import EventLog
from hip3.ops.state_dir import StateLock, began_ms, socket_path
from hip3.ops.store import story
from tests.builders import exit_order, order


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


def test_a_damaged_journal_is_said_and_does_not_stop_the_records(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"not a database" * 100)
    journal = EventLog(lambda: 1)
    journal.open(path, _log(tmp_path / "intents.log"))
    assert "cannot be opened" in journal.store_failed
    journal.record("exit", order=exit_order(3), position=None)
    journal.drain(0)
    assert journal.kinds["exit"] == 1
    journal.close()


def test_one_lock_per_state_folder(tmp_path: Path) -> None:
    lock = StateLock(tmp_path / "state")
    with pytest.raises(AlreadyRunning):
        StateLock(tmp_path / "state")
    lock.release()
    StateLock(tmp_path / "state").release()


def test_a_long_path_gets_a_socket_elsewhere_and_the_same_one_each_time(tmp_path: Path) -> None:
    short, long = tmp_path / "s", tmp_path / ("x" * 200)
    assert socket_path(short).parent == short.resolve()
    assert len(os.fsencode(socket_path(long))) <= 100
    assert socket_path(long) == socket_path(long)
    assert socket_path(long) != socket_path(tmp_path / ("y" * 200))


def test_the_beginning_of_an_account_is_written_once(tmp_path: Path) -> None:
    assert began_ms(tmp_path, 5) == 5
    assert began_ms(tmp_path, 9) == 5
    (tmp_path / "account.json").write_text("damaged")
    assert began_ms(tmp_path, 9) == 9
