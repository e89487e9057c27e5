"""What sizes the account's positions have had, by the exchange's books."""

from decimal import Decimal

from hip3.core.money import ZERO
from hip3.simulate.scene import Scene


class Sizes:
    """Written after each step of the exchange."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._was: dict[str, list[tuple[int, Decimal]]] = {}
        """By market: (since, size)."""

    def note(self) -> None:
        """Take down what has changed."""
        now, held = self._scene.clock.mono_ms(), self._scene.positions()
        for coin in {*held, *self._was}:
            was = self._was.setdefault(coin, [(0, ZERO)])
            if was[-1][1] != held.get(coin, ZERO):
                was.append((now, held.get(coin, ZERO)))

    def since(self, coin: str, since_ms: int) -> set[Decimal]:
        """Every size that the position has had since then."""
        was = self._was.get(coin, [(0, ZERO)])
        ended = [began for began, _ in was[1:]] + [self._scene.clock.mono_ms() + 1]
        return {size for (_, size), end in zip(was, ended, strict=True) if end > since_ms}
