"""The one definition of each figure: the parts add up, what is unknown stays unknown."""

from decimal import ROUND_HALF_UP, Decimal, localcontext

from hip3.core.money import half_even
from hip3.core.results import NOTHING, Mean, Sums, captured_usd, markout_bps, net, plain, rounded, split

D = Decimal


def _sums(**more: object) -> Sums:
    base: dict[str, object] = {
        "realized_usd": "5", "fees_usd": "1.5", "funding_usd": "-0.25", "captured_usd": "7", "open_usd": "2", "equity_usd": None,
    }  # fmt: skip
    return Sums(**(base | more))  # type: ignore[arg-type]


def test_the_split_adds_up_to_what_fills_and_open_positions_came_to() -> None:
    out = split(_sums(), NOTHING)
    assert D(out["net_usd"]) == net(D(5), D("1.5"), D("-0.25")) + 2
    parts = [D(out[k]) for k in ("captured_usd", "moves_usd", "funding_usd")]
    assert sum(parts) - D(out["fees_usd"]) == D(out["net_usd"])


def test_a_mark_that_is_not_known_leaves_the_net_unknown() -> None:
    out = split(_sums(open_usd=None), NOTHING)
    assert (out["net_usd"], out["moves_usd"], out["captured_usd"]) == (None, None, "7")


def test_markouts_are_seen_from_the_side_of_the_fill() -> None:
    assert markout_bps(1, D(100), D(101)) == 100 == markout_bps(-1, D(100), D(99))
    assert captured_usd(D(10), D(2), D(1000)) == 2
    mean = Mean()
    assert mean.value is None
    mean.add(D(10), D(100))
    mean.add(D(-2), D(300))
    assert (mean.value, mean.usd) == (D(1), D("0.04"))
    assert plain(D("-0.500")) == "-0.5"


def test_a_figure_is_rounded_half_even_whatever_the_thread_s_context_is() -> None:
    with localcontext() as context:
        context.rounding, context.prec = ROUND_HALF_UP, 3
        assert [rounded(D(x)) for x in ("2.585", "-2.585", "0.005", "12345.675")] == [
            "2.58",
            "-2.58",
            "0.00",
            "12345.68",
        ]
        assert half_even(D("0.125"), 2) == D("0.12")
