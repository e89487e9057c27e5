"""The exchange's time: the machine's, unless somebody holds it, lets it go on, or moves it forward. Pure."""


class Pace:
    """Confined to the venue's thread but for `at`, which any thread may ask: each of its steps is one assignment."""

    def __init__(self) -> None:
        self._shift_ms = 0
        self._held_ms: int | None = None
        self._raw_ms = 0

    def at(self, raw_ms: int) -> int:
        """The exchange's time where the machine's would be `raw_ms`."""
        self._raw_ms = raw_ms
        held = self._held_ms
        return raw_ms + self._shift_ms if held is None else held

    @property
    def held(self) -> bool:
        """Whether time stands still."""
        return self._held_ms is not None

    def hold(self) -> None:
        """Time stands still from now on."""
        if self._held_ms is None:
            self._held_ms = self._raw_ms + self._shift_ms

    def release(self) -> None:
        """Time goes on from where it stood."""
        if self._held_ms is not None:
            self._shift_ms, self._held_ms = self._held_ms - self._raw_ms, None

    def step(self, ms: int) -> None:
        """Time is so much later, whether it stands or runs. ValueError for a step back."""
        if ms < 0:
            raise ValueError("time runs forward: step_ms must not be negative")
        if self._held_ms is None:
            self._shift_ms += ms
        else:
            self._held_ms += ms
