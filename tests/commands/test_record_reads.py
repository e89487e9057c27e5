"""What `record` reads of the markets: at the start it must know them, later a failed reading costs nothing."""

import argparse
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hip3.clock import SystemClock
from hip3.commands.record import _Run
from hip3.config.settings import Settings
from hip3.errors import VenueReadError
from hip3.record.recorder import Recorder

ODD: list[Any] = [None, {}, [None], {"error": "x"}, [None, {"name": "xyz"}], 5]


class _Answers:
    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def info_json(self, request: dict[str, Any]) -> Any:
        return self._answer

    def info(self, request: dict[str, Any]) -> bytes:
        return b"null"


@contextlib.contextmanager
def _run(folder: Path, answer: Any) -> Iterator[_Run]:
    args = argparse.Namespace(markets="xyz:GOLD", all_of=None, trades=False, depth=False, duration=None)
    run = _Run(args, Settings(), "http://127.0.0.1:9", Recorder(folder, SystemClock()), threading.Event())
    run._rest = _Answers(answer)  # type: ignore[assignment]
    run._dexs = ["xyz"]
    yield run
    run._recorder.close()


@pytest.mark.parametrize("answer", ODD)
def test_an_answer_of_another_shape_does_not_end_a_recording_of_days(tmp_path: Path, answer: Any) -> None:
    with _run(tmp_path, answer) as run:
        run._read_again()


@pytest.mark.parametrize("answer", [None, 5])
def test_at_the_start_it_is_an_exchange_that_cannot_be_read(tmp_path: Path, answer: Any) -> None:
    with _run(tmp_path, answer) as run, pytest.raises(VenueReadError, match="cannot be read"):
        run._learn()
