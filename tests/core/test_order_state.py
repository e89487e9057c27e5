"""The order's life: the table holds, terminal means terminal, and unknown words are not guessed."""

import pytest

from hip3.core.order_state import TRANSITIONS, OrderState, may_move, state_of_status


def test_every_state_has_a_row_and_terminal_rows_are_empty() -> None:
    assert set(TRANSITIONS) == set(OrderState)
    terminal = {s for s in OrderState if s.terminal}
    assert terminal == {
        OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED, OrderState.DROPPED, OrderState.DEAD,
    }  # fmt: skip


def test_an_order_that_may_be_alive_is_never_dropped_without_proof() -> None:
    assert not may_move(OrderState.UNKNOWN, OrderState.DROPPED)
    assert not may_move(OrderState.OPEN, OrderState.DEAD)
    assert not may_move(OrderState.OPEN, OrderState.UNKNOWN)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("open", OrderState.OPEN),
        ("triggered", OrderState.OPEN),
        ("filled", OrderState.FILLED),
        ("canceled", OrderState.CANCELED),
        ("marginCanceled", OrderState.CANCELED),
        ("scheduledCancel", OrderState.CANCELED),
        ("rejected", OrderState.REJECTED),
        ("perpMarginRejected", OrderState.REJECTED),
        ("somethingNewRejected", OrderState.REJECTED),
        ("brandNewWord", None),
    ],
)
def test_status_words(status: str, state: OrderState | None) -> None:
    assert state_of_status(status) is state
