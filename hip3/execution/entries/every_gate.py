"""What every entry gate says of one signal, for its episode: not only up to the first that refuses. Journal thread.

Where nothing is traded the facts are those of a flat account with the limits of the settings.
"""

from typing import Any

import msgspec

from hip3.core.decisions import Rejected, Skipped, Verdict
from hip3.execution.entries.gates import GATES, Entry


class EveryGate:
    """The facts of a signal, with the books; `plain` asks each pure gate of them. Neither changes any more."""

    __slots__ = ("entry", "verdict")

    def __init__(self, entry: Entry, verdict: Verdict | None) -> None:
        """`verdict`: what the executor said; None where nothing is traded."""
        self.entry, self.verdict = entry, verdict

    def plain(self) -> dict[str, Any]:
        """`refused`: each gate that would refuse, with its figures; `first`: the one that did, or would; `would_pass`.

        A gate is asked with the size that those before it left. Raises nothing.
        """
        entry, refused = self.entry, dict[str, dict[str, str]]()
        for gate in GATES:
            outcome = entry.size if gate.check is None else gate.check(entry)
            if isinstance(outcome, Rejected | Skipped):
                refused[gate.name] = dict(outcome.numbers)
            elif outcome != entry.size:
                entry = msgspec.structs.replace(entry, size=outcome)
        said = self.verdict.gate if isinstance(self.verdict, Rejected | Skipped) else None
        if said is not None and said not in refused:  # a guard, a budget, or a market that is quoted
            refused[said] = dict(self.verdict.numbers)  # type: ignore[union-attr]
        return {"would_pass": not refused, "first": said or next(iter(refused), None), "refused": refused,
                "decided": self.verdict is not None}  # fmt: skip
