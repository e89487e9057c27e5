"""Rows of the coverage table that are about quoting: seed 004 (RS-…) and the acceptance cases of its specification (Q…)."""

from tests.coverage_position import Row

S = "tests/sessions/test_quoting.py::"
D = "tests/strategy/test_quote_diff.py::"
L = "tests/strategy/test_ladder.py::"
F = "tests/strategy/test_fair.py::"
DIFF, LADDER, FAIR = "hip3/strategy/quote_diff.py", "hip3/strategy/ladder.py", "hip3/strategy/fair.py"
QUOTES = "hip3/execution/quotes/"
_RETREAT = "    if ahead >= max(tick, rung.px * BASIS_POINT * max(ONE, t.half_bps * QUARTER)):"

QUOTE_ROWS: tuple[Row, ...] = (
    Row("RS-1 Q1 Q2", "a ladder is kept by its differences: a still market gets nothing new", DIFF,
        S + "test_a_still_market_gets_one_quote_for_each_key_and_nothing_more", _RETREAT, "    if ahead >= 0:"),
    Row("Q3", "a tolerance is honoured", DIFF,
        S + "test_what_moves_within_the_tolerance_moves_no_quote_and_beyond_it_one_side", _RETREAT, "    if ahead >= tick:"),
    Row("Q4", "improvements are patient", DIFF,
        "tests/strategy/test_quote_diff.py::test_patience_holds_improvements_back_and_no_retreat",
        "or may_improve.get(key, True)):", "or True):"),
    Row("Q5 Q6", "a retreat is at once, and its replacement waits for the proof", DIFF,
        S + "test_a_bid_that_the_price_falls_through_is_cancelled_at_once_and_replaced_after_the_proof",
        "(why in (Why.RISK, Why.RETREAT) or", "(why is Why.RISK or"),
    Row("Q17", "refusals for margin halve the sizes", QUOTES + "heard.py",
        S + "test_refusals_for_margin_halve_the_sizes_and_trip_nothing", "div(market.scale, Decimal(2))", "market.scale"),
    Row("Q18", "a sweep makes its side rest", QUOTES + "pulls.py",
        S + "test_two_fills_of_a_side_within_a_second_make_it_rest_and_the_other_is_skewed",
        "SWEEP_MS, SWEEP_FILLS = 1000, 2", "SWEEP_MS, SWEEP_FILLS = 1000, 99"),
    Row("Q19", "inventory turns its side off", QUOTES + "facts.py",
        S + "test_inventory_turns_its_side_off_and_comes_back_with_hysteresis", "            if full >= at:", "            if full >= 2:"),
    Row("Q20", "the skew is in the desired price", LADDER,
        S + "test_two_fills_of_a_side_within_a_second_make_it_rest_and_the_other_is_skewed",
        "    shift = p.skew *", "    shift = 0 * p.skew *"),
    Row("Q21", "our own orders are no outside price", FAIR, F + "test_our_own_orders_are_no_outside_price",
        "    left = level.sz - own.get(level.px, ZERO)", "    left = level.sz"),
    Row("Q22", "no price is beyond an own order of the other side", LADDER,
        L + "test_no_price_is_beyond_the_touch_or_an_own_order_of_the_other_side",
        "(around.ask, around.own_sell) if side.is_buy", "(around.ask,) if side.is_buy"),
    Row("Q23", "the tick is that of the price", LADDER, L + "test_the_golden_example",
        "px = maker_price(px, spec.sz_decimals, is_buy=buy)", "px = px.quantize(Decimal('0.01'))"),
    Row("Q24", "what is too small is dropped", LADDER, L + "test_a_rung_below_the_least_value_is_left_out_and_not_rounded_up",
        "            if meets_minimum(fits.px, fits.sz):", "            if fits.sz > 0:"),
    Row("Q25", "nobody quotes into a dead book", QUOTES + "pulls.py", S + "test_nobody_quotes_into_a_dead_book",
        '            self.pull("the book has one side", now_ms + NORMAL_MS)', "            pass"),
    Row("Q26", "a bad print keeps quotes away", QUOTES + "pulls.py",
        S + "test_a_print_of_eighteen_percent_takes_all_quotes_for_a_minute", "BAD_PRINT_MS = 60_000", "BAD_PRINT_MS = 600"),
    Row("Q27", "old data take the quotes", QUOTES + "pulls.py", S + "test_contexts_that_stop_take_the_quotes_within_five_seconds",
        "        if ctx is None or ctx > CTX_AGE_MS:", "        if ctx is None:"),
    Row("Q28", "a cut socket cancels by HTTP", "hip3/execution/sending/loop.py",
        S + "test_a_cut_socket_cancels_by_http_and_counts_the_fill_of_meanwhile_once",
        'return "http" if now_ms - self._cut_since >= HTTP_AFTER_MS else None', "return None"),
    Row("Q29", "quotes leave the reserve to exits", QUOTES + "pacing.py",
        S + "test_a_budget_at_its_reserve_takes_the_quotes_and_no_exit", "= left <= kept,", "= False,"),
    Row("Q32 Q33", "a start cancels what rests before it is READY", "hip3/execution/truth/open_orders.py",
        S + "test_a_restart_cancels_what_rests_before_it_is_ready",
        "self._of_before(order) or self._restored(order)  #", "self._of_before(order)  #"),
    Row("RS-5 Q37", "no quotes from a minute before the end of a session, and no inventory at its end", QUOTES + "facts.py",
        S + "test_a_session_that_ends_takes_the_quotes_a_minute_before",
        "ahead = [*range(at_ms, at_ms + p.cutoff_ms, MINUTE_MS), at_ms + p.cutoff_ms]", "ahead = [at_ms]"),
    Row("RS-4 RS-6.1 Q39", "the completion executor keeps its cap", "hip3/strategy/completing.py",
        S + "test_a_book_beyond_the_cap_gets_no_looser_cap_and_the_quotes_go_on",
        "    if touch is None or (touch.px < px if long else touch.px > px):", "    if touch is None:"),
    Row("Q40", "a completion of unknown fate is followed by none", QUOTES + "completion.py",
        S + "test_a_completion_of_unknown_fate_is_followed_by_none",
        "        if market.coin in self._tracker.ledger().reducing:", "        if False:"),
    Row("Q42", "whatever stops entries takes the quotes", QUOTES + "facts.py",
        S + "test_whatever_stops_entries_takes_the_quotes_and_says_why",
        "if state in (State.HARD_STOP, State.REDUCING) else", "if False else"),
    Row("Q43", "a maker's trips are no streak", "hip3/execution/consequences.py",
        S + "test_losing_trips_of_a_maker_are_no_streak_and_their_loss_is_money",
        "            trip = msgspec.structs.replace(trip, quoted=True)", "            pass"),
)  # fmt: skip
