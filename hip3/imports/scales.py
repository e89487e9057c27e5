"""Numbers of a column as whole ones: text to int to the same text. Pure.

A column has one exponent, and one form in which the zeros at the end of its numbers are written. Where neither form
says every number of the column again, the column stays text: nothing is ever lost.
"""

import re
from typing import Literal

import msgspec

Form = Literal["plain", "point", "fixed"]
_NUMBER = re.compile(r"(-?)(0|[1-9]\d*)(?:\.(\d+))?")
MOST_DIGITS = 18
"""An int64 holds every number of so many."""


class Scale(msgspec.Struct, frozen=True):
    """How the whole numbers of a column are to be read: `plain` as 4000 and 4000.5, `point` as 4000.0 and 4000.5,
    `fixed` with all its digits."""

    exponent: int
    form: Form

    def text(self, whole: int) -> str:
        """The number's text."""
        digits = str(abs(whole)).rjust(self.exponent + 1, "0")
        cut = len(digits) - self.exponent
        head, tail = digits[:cut], digits[cut:]
        if self.form != "fixed":
            tail = tail.rstrip("0") or ("0" if self.form == "point" else "")
        return ("-" if whole < 0 else "") + head + (f".{tail}" if tail else "")


class Seen:
    """What the numbers of a column have in common."""

    def __init__(self) -> None:
        self._forms: set[Form] = {"plain", "point", "fixed"}
        self._decimals: int | None = None
        self._most = self._whole_digits = 0

    def add(self, text: str) -> None:
        """One more number."""
        found = _NUMBER.fullmatch(text)
        if found is None or (found[1] and not text.strip("-0.")):
            self._forms.clear()  # an exponent, leading zeros, a zero below 0
            return
        tail = found[3] or ""
        if tail.endswith("0"):
            self._forms.discard("plain")
        if not tail or (tail.endswith("0") and tail != "0"):
            self._forms.discard("point")
        if self._decimals is not None and len(tail) != self._decimals:
            self._forms.discard("fixed")
        self._decimals = len(tail)
        self._most = max(self._most, len(tail))
        self._whole_digits = max(self._whole_digits, len(found[2]))

    def scale(self) -> Scale | None:
        """One that says all of them again; None: there is none."""
        if self._whole_digits + self._most > MOST_DIGITS:
            return None
        forms: tuple[Form, ...] = ("fixed", "plain", "point")
        return next((Scale(self._most, form) for form in forms if form in self._forms), None)
