"""Items of the review of an order manager and position tracker (PM), and of orders over restarts (RS).

Continues `tests/coverage_table.py`; kept apart for its length.
"""

from typing import NamedTuple


class Row(NamedTuple):
    """One item or several that are one: where it is, what holds it, and a mutant that the test must catch."""

    ids: str
    what: str
    module: str
    test: str
    old: str
    new: str


K = "tests/position/test_tracker.py::"
X = "tests/position/test_exit_attempts.py::"
G = "tests/execution/entries/test_gates.py::"
O = "tests/execution/truth/test_open_orders.py::"  # noqa: E741
P = "tests/sessions/test_positions.py::"
F = "tests/ops/test_files.py::"
A = "tests/sessions/test_adversity.py::"

POSITION_ROWS: tuple[Row, ...] = (
    Row(
        "PM-SEC-1 PM-STD-3",
        "a limit without the account's state refuses",
        "hip3/execution/entries/gates.py",
        G + "test_each_gate_refuses_what_it_is_for",
        "    if price is None or ledger is None or e.blocked is not None:\n        missing = e.blocked or",
        "    if ledger is None:\n        return e.size\n    if price is None or e.blocked is not None:\n        missing = e.blocked or",
    ),
    Row(
        "PM-PERF-1 PM-STD-4 PM-PAT-2",
        "unrealised results come from snapshots, outside the lock",
        "hip3/service/snapshot.py",
        P + "test_unrealized_results_need_no_lock_of_the_books",
        "p.szi * (mark - p.entry_px)",
        "p.szi * (mark - p.entry_px) + len(running.trading.tracker.positions())",
    ),
    Row(
        "PM-QUAL-1 PM-STD-5",
        "no order below the minimum, after every cut",
        "hip3/execution/entries/gates.py",
        G + "test_the_size_is_cut_to_what_is_left_and_below_eleven_dollars_is_a_refusal",
        "    if not meets_minimum(e.limit_px, size):",
        "    if size <= 0:",
    ),
    Row(
        "PM-STD-1 PM-ANTI-1",
        "an order is never briefly invisible between collections",
        "hip3/position/order_index.py",
        P + "test_an_order_that_ends_is_found_at_every_instant",
        "            self.done[tracked.order.cloid] = tracked\n            self.live.pop(tracked.order.cloid, None)\n",
        "            self.live.pop(tracked.order.cloid, None)\n            self.done[tracked.order.cloid] = tracked\n",
    ),
    Row(
        "PM-STD-2 PM-TEST-1 PM-REC-1",
        "a close that was decided twice happens once",
        "hip3/position/exit_attempts.py",
        X + "test_a_claim_whose_end_nobody_tells_expires",
        "            if state.leaving or (state.deadline_ms is not None and now_ms < state.deadline_ms):\n                return None\n",
        "",
    ),
    Row(
        "PM-TEST-2 PM-REC-2",
        "positions, exits and protection are sized by fills",
        "hip3/position/tracked.py",
        K + "test_an_ioc_that_filled_partly_is_over_by_its_reply",
        "        return max(self._sums[0], self._said)",
        "        return self.order.sz if self.reply else max(self._sums[0], self._said)",
    ),
    Row(
        "PM-TEST-2b",
        "the stop on the exchange follows the filled size",
        "hip3/position/protection.py",
        "tests/execution/exits/test_protector.py::test_what_to_do",
        "and t.covers in (size, most)",
        "and t.covers > 0",
    ),
    Row(
        "PM-TEST-3 PM-REC-3",
        "limits count what is not proven dead",
        "hip3/execution/entries/gates.py",
        G + "test_each_gate_refuses_what_it_is_for",
        "    return ledger.side_usd(e.coin, e.marks[e.coin], buy=e.side.is_buy)\n\n\ndef total",
        "    return ledger.position_usd(e.coin, e.marks[e.coin]) * e.side.sign\n\n\ndef total",
    ),
    Row(
        "PM-TEST-4",
        "trailing stop: armed by a gain, follows the best",
        "hip3/position/exit_rules.py",
        X + "test_the_trailing_stop_is_armed_by_a_gain_and_follows_the_best",
        "    if best < p.trailing_activation_bps or best - result",
        "    if best - result",
    ),
    Row(
        "PM-P1 take profit",
        "take profit",
        "hip3/position/exit_rules.py",
        X + "test_the_further_rules",
        "result >= e.params.take_profit_bps",
        "result >= e.params.take_profit_bps * 2",
    ),
    Row(
        "PM-P1 stop loss",
        "stop loss",
        "hip3/position/exit_rules.py",
        X + "test_the_further_rules",
        "-result < limit",
        "-result < limit * 2",
    ),
    Row(
        "PM-TEST-5 PM-ANTI-3",
        "a database that fails keeps what was recorded, and takes no new risk",
        "hip3/ops/journal.py",
        F + "test_what_cannot_be_written_is_kept_and_written_later",
        "        for _ in rows:\n            self._unwritten.popleft()\n",
        "        self._unwritten.clear()\n        self._facts.clear()\n        if rows and self.store_failed:\n            return\n",
    ),
    Row(
        "PM-ANTI-2 PM-MEM",
        "all memory is bounded",
        "hip3/position/order_index.py",
        K + "test_the_oldest_ended_orders_are_forgotten_and_the_rest_is_not",
        "            while len(self.done) > KEPT_ORDERS:",
        "            while len(self.done) > KEPT_ORDERS * 2:",
    ),
    Row(
        "PM-PAT-1",
        "token bucket with a refill in constant time",
        "hip3/exchange/rate_limit.py",
        "tests/exchange/test_session.py::test_a_bucket_never_gives_more_than_its_capacity_and_refill",
        "        gained = elapsed * self._capacity * 1000 // MINUTE_MS",
        "        gained = elapsed * self._capacity * 2000 // MINUTE_MS",
    ),
    Row(
        "PM-PAT-3",
        "a failed reading of the background changes nothing",
        "hip3/execution/truth/housekeeping.py",
        A + "test_one_failing_dex_of_two_is_unknown_and_not_flat",
        "                self._guarded(duty, now_ms)",
        "                duty(now_ms)",
    ),
    Row(
        "PM-MULTI",
        "a second instance on the account is noticed",
        "hip3/execution/truth/open_orders.py",
        O + "test_a_second_instance_stops_entries_until_it_is_gone",
        '        self._readiness.hold("second_instance", why)',
        '        self._readiness.hold("second_instance", "")',
    ),
    Row(
        "RS-1b RS-6.2",
        "expected refusals are told from failures",
        "hip3/core/refusals.py",
        "tests/core/test_refusals.py::test_expected_refusals_never_count_and_every_row_says_what_to_do",
        '"Post only order would have immediately matched", _E, False',
        '"Post only order would have immediately matched", _E, True',
    ),
    Row(
        "RS-2a",
        "the start policy cancel_all",
        "hip3/execution/truth/open_orders.py",
        O + "test_the_policy_cancel_all_begins_with_an_empty_list",
        "(cancel_all or ours) and not",
        "ours and not",
    ),
    Row(
        "RS-2b RS-2c",
        "reconcile: our own orders that have no place now are cancelled",
        "hip3/execution/truth/open_orders.py",
        O + "test_an_order_of_an_earlier_run_has_no_place_now_and_is_cancelled",
        "        return order.placed_ms <= since or self._known_before(order.cloid)",
        "        return False",
    ),
    Row(
        "RS-2d",
        "and inventory is seeded with its age and its edge",
        "hip3/execution/truth/bootstrap.py",
        P + "test_a_restart_keeps_age_edge_and_what_the_exits_remember",
        "        edge_bps=held.entry_edge_bps if held is not None else ZERO,",
        "        edge_bps=ZERO,",
    ),
    Row(
        "RS-3 RS-6.4",
        "a storm of unknown orders stops entries and reads everything",
        "hip3/execution/truth/strangers.py",
        O + "test_a_storm_of_unknown_orders_stops_entries_and_reads_everything",
        "        return len(self._came) > STORM and",
        "        return len(self._came) > STORM + 1 and",
    ),
    Row(
        "RS-3b",
        "an order whose mapping was lost is found again by its status",
        "hip3/execution/truth/open_orders.py",
        O + "test_an_order_that_is_gone_without_a_word_is_asked_for",
        "            if tracked.oid is not None and tracked.oid not in listed and tracked.state is OrderState.OPEN:",
        "            if tracked.oid is None:",
    ),
    Row(
        "RS-6.3",
        "a market whose tick size is unknown is not traded",
        "hip3/exchange/registry.py",
        "tests/sessions/test_regressions.py::test_a_changed_precision_stops_its_market_only",
        "    if new.sz_decimals != old.sz_decimals:",
        "    if new.sz_decimals != new.sz_decimals:",
    ),
    Row(
        "RS-6.5",
        "open orders are compared every minute",
        "hip3/execution/truth/open_orders.py",
        O + "test_an_order_that_lives_against_our_books_is_cancelled",
        "            if tracked is not None and tracked.state.terminal:\n                self._settle",
        "            if tracked is not None and not tracked.state:\n                self._settle",
    ),
)
