"""The interpreter is set up as the page on performance says."""

import gc
import sys

from hip3.service.tuning import SWITCH_INTERVAL_S, tune


def test_what_the_start_made_is_frozen_and_threads_switch_early() -> None:
    before = sys.getswitchinterval()
    try:
        tune()
        assert gc.get_freeze_count() > 0
        assert gc.isenabled()
        assert abs(sys.getswitchinterval() - SWITCH_INTERVAL_S) < 1e-6
    finally:
        gc.unfreeze()
        sys.setswitchinterval(before)
