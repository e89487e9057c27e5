"""The start-up self-report: which parts are wired, read from the same data that runs.

A module with tests is not a module that runs: the ancestor had a time stop, a flattener and a RiskMonitor with
tests, and none of them was connected. One line per row is logged at the start; `tests/stories/test_wiring.py`
cuts each row and sees a session fail.
"""

from collections.abc import Iterable

from hip3.exchange.subscriptions import wanted
from hip3.execution.entries.gates import GATES
from hip3.execution.exits.hard_stop_sequence import STEPS
from hip3.execution.truth.streams import OWNERS
from hip3.position.exit_rules import RULES
from hip3.risk.guards import GUARDS
from hip3.risk.market_gates import MARKET_GATES
from hip3.risk.monitor import TRIGGERS
from hip3.service.parts import Trading


def report(trading: Trading, threads: Iterable[str]) -> list[str]:
    """Rows of a kind and a name: "gate HardStop", "exit time_stop", "trigger max_loss", "duty comparison".

    Drawdown and the micro trial (`manual`) are wired always; what is off by a setting is so in its own part.
    """
    rows = []
    if trading.executor is not None:
        rows += [f"gate {gate.name}" for gate in GATES]
        rows += [f"exit {reason.value}" for reason, _ in RULES]
        rows.append("protection stop on the exchange")
        rows += [f"trigger {code}" for code in (*TRIGGERS, "drawdown", "manual")]
        rows += [f"guard {name}" for name in GUARDS]
        rows += [f"hard stop {step}" for step in STEPS]
    rows += [f"market gate {name}" for name, _ in MARKET_GATES]
    rows += [f"reducing {owner}" for owner in OWNERS]
    streams = wanted(["any"], "anybody" if trading.executor is not None else None)
    rows += [f"stream {subscription['type']}" for subscription in streams]
    rows += [f"duty {name}" for name, _ in trading.housekeeping.duties()]
    return rows + [f"thread {name}" for name in threads]
