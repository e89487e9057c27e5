"""What each gate saw of one signal, for the journal. Made by the journal thread, off the hot path.

The ws-reader only puts the two values together; neither changes any more, so the journal thread needs no lock.
"""

from hip3.core.decisions import Rejected, Skipped, Verdict
from hip3.core.money import ZERO
from hip3.execution.entries.gates import GATES, Entry, market_usd, total_usd
from hip3.risk.guards import GUARDS

Passed = tuple[int, str, dict[str, str], bool]
"""One gate: (number, name, figures, whether it let the signal pass)."""


class GateTrace:
    """The facts a signal was decided on; `plain` renders them gate by gate, up to the one that refused.

    `entry` is what the last gates that ran saw, with the size they left: without a ledger if it ended at gate 1 or 2,
    or at a guard.
    """

    __slots__ = ("entry", "verdict")

    def __init__(self, entry: Entry, verdict: Verdict) -> None:
        self.entry, self.verdict = entry, verdict

    def plain(self) -> list[Passed]:
        """One row for each gate that was asked, in order; the last has the refusal's own figures, too.

        A guard's refusal is a row of its own after gate 1. All nine pass where the order came as far as the queue, also
        a full one. Raises nothing.
        """
        refused = self.verdict.gate if isinstance(self.verdict, Rejected | Skipped) else None
        out: list[Passed] = []
        for gate in GATES:
            # The guards are asked between gates 1 and 2.
            if gate.number > 1 and refused is not None and refused in GUARDS:
                assert isinstance(self.verdict, Rejected)
                out.append((1, refused, dict(self.verdict.numbers), False))
                return out
            numbers = self._figures(gate.number)
            if gate.name == refused:
                assert isinstance(self.verdict, Rejected | Skipped)
                out.append((gate.number, gate.name, numbers | dict(self.verdict.numbers), False))
                return out
            out.append((gate.number, gate.name, numbers, True))
        return out

    def _figures(self, number: int) -> dict[str, str]:
        """What a gate looks at, in USD where its name says so; empty where its input was missing."""
        e, ledger = self.entry, self.entry.ledger
        if number == 1:
            return {"latch": e.hard_stop or "not tripped"}
        if number == 2:
            return {"missing": "; ".join(e.not_ready) or "nothing"}
        if ledger is None:
            return {}
        if number == 3 and e.coin in e.marks:
            return {"used_usd": f"{market_usd(e, ledger):.2f}", "limit_usd": str(e.max_per_market)}
        if number == 4 and all(coin in e.marks for coin in (e.coin, *ledger.positions)):
            return {"used_usd": f"{total_usd(e, ledger):.2f}", "limit_usd": str(e.max_total)}
        if number == 5:
            return {"markets": str(len(ledger.occupied - {e.coin})), "limit": str(e.max_positions)}
        if number == 6:
            return {"leaving": str(e.exiting or e.coin in ledger.reducing).lower()}
        if number == 7:
            return {"position": str(ledger.positions.get(e.coin, ZERO))}
        if number == 8:
            return {"pending_usd": f"{ledger.entries.get(e.coin, ZERO):.2f}"}
        return {}
