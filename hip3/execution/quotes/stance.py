"""The stance of a quoted market: whether it is quoted, and every reason why not. Computed anew in each pass. Pure."""

import enum

import msgspec

from hip3.core.orders import SIDES, Side


class Stance(enum.Enum):
    """In the order in which they are looked at: the first that holds is it."""

    OFF = "OFF"
    """Nothing but a person or a setting changes it."""
    LEAVING = "LEAVING"
    """The position is being left, or the service takes no new risk."""
    COMPLETING = "COMPLETING"
    """Inventory is being taken to the other side of the book."""
    CUTOFF = "CUTOFF"
    """The session is about to end, or is over."""
    PULLED = "PULLED"
    """Something about the market keeps quotes away; each cause ends by itself or is alerted."""
    WAIT = "WAIT"
    """Something is not known yet."""
    ONE_SIDED = "ONE_SIDED"
    QUOTING = "QUOTING"

    @property
    def quotes(self) -> bool:
        """Whether anything may rest."""
        return self in (Stance.ONE_SIDED, Stance.QUOTING)


BOTH = frozenset(SIDES)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a stance is made of: texts are reasons, and empty where nothing stands against quoting."""

    blocked: str = ""
    leaving: str = ""
    completing: str = ""
    cutoff: str = ""
    pulled: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    starting: bool = False
    """Whether what is missing is what every start has to learn: adopted quotes stay meanwhile."""
    off_sides: dict[Side, tuple[str, ...]] = {}
    """Sides that are not quoted, and why."""


def stance(facts: Facts) -> tuple[Stance, tuple[str, ...], frozenset[Side]]:
    """The stance, the reasons for it, and the sides that may be quoted."""
    nothing: frozenset[Side] = frozenset()
    for found, why in (
        (Stance.OFF, facts.blocked), (Stance.LEAVING, facts.leaving), (Stance.COMPLETING, facts.completing),
        (Stance.CUTOFF, facts.cutoff),
    ):  # fmt: skip
        if why:
            return found, (why,), nothing
    if facts.pulled:
        return Stance.PULLED, facts.pulled, nothing
    if facts.missing:
        return Stance.WAIT, facts.missing, nothing
    sides = open_sides(facts)
    reasons = tuple(
        f"{'buys' if side.is_buy else 'sells'}: {why}" for side in SIDES for why in facts.off_sides.get(side, ())
    )
    if not sides:
        return Stance.PULLED, reasons, nothing
    return (Stance.ONE_SIDED if reasons else Stance.QUOTING), reasons, sides


def open_sides(facts: Facts) -> frozenset[Side]:
    """The sides that nothing turns off."""
    if not facts.off_sides:
        return BOTH
    return frozenset(side for side in SIDES if not facts.off_sides.get(side))
