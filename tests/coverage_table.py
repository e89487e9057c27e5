"""What the project was asked for in its executor documents, item by item: where it is and what holds it.

Each row names the items (ids of the specification, concerns and suggestions of its two reviews, the lines that
are not negotiable), the module, the test, and a mutant: a small patch that makes the test fail.
`docs/coverage.md` is printed from this table; `tests/test_coverage.py` checks that every test exists, and
`./run.sh test long` runs every mutant.
"""

from typing import NamedTuple


class Row(NamedTuple):
    """One item or several that are one."""

    ids: str
    what: str
    module: str
    test: str
    old: str
    new: str


T = "tests/test_trading.py::"
R = "tests/test_regressions.py::"
Q = "tests/execution/test_queues.py::"
G = "tests/execution/test_gates.py::"
K = "tests/position/test_tracker.py::"
X = "tests/position/test_exits.py::"
S = "tests/exchange/test_signing.py::"
E = "tests/exchange/test_session.py::"
W = "tests/exchange/test_wire.py::"
M = "tests/risk/test_monitor_and_latch.py::"
C = "tests/exchange/test_sender_contract.py::"
P = "tests/stories/test_service.py::"

ROWS: tuple[Row, ...] = (
    # Shared types.
    Row(
        "C-1",
        "PendingOrder",
        "hip3/core/orders.py",
        K + "test_an_entry_occupies_its_market_until_it_is_proven_dead",
        "        return self.sz * self.admission_px",
        "        return self.sz * 0",
    ),
    Row(
        "C-2",
        "PendingCancel",
        "hip3/exchange/wire_out.py",
        S + "test_a_cancel_has_its_wire_form",
        '"o": c.oid}',
        '"o": c.created_ms}',
    ),
    Row(
        "C-3",
        "TrackedOrder",
        "hip3/position/tracked.py",
        K + "test_a_reply_is_replaced_by_its_fills_and_not_joined_with_them",
        "return max(ZERO, said - self.booked)",
        "return said",
    ),
    Row(
        "C-4 B13",
        "ActionBatch: orders or cancels, never both",
        "hip3/execution/scheduler.py",
        Q + "test_cancels_before_reduce_only_before_new_and_never_mixed",
        "            if self._cancels:\n                return CancelBatch",
        "            if self._cancels and not self._reduce:\n                return CancelBatch",
    ),
    Row(
        "C-5 S-5",
        "order and cancel wire forms",
        "hip3/exchange/wire_out.py",
        S + "test_an_order_has_the_sdk_s_wire_form",
        '        "p": to_wire(order.px),\n        "s": to_wire(order.sz),',
        '        "s": to_wire(order.sz),\n        "p": to_wire(order.px),',
    ),
    Row(
        "C-6 D-1 D-2",
        "results and reasons, QueuedDegraded",
        "hip3/execution/scheduler.py",
        Q + "test_the_limit_in_flight_is_never_exceeded_and_slots_are_kept_for_exits",
        "degraded = inflight + 1 >= self.high_watermark",
        "degraded = False",
    ),
    # NonceManager.
    Row(
        "N-1 N-2",
        "clock injected; the one module that reads a clock",
        "hip3/exchange/nonce.py",
        E + "test_nonces_rise_whatever_the_clock_does",
        "nonce = max(self._last + 1, now_ms)",
        "nonce = now_ms",
    ),
    Row(
        "N-3 N-5 N-7.1 N-7.2",
        "NonceManager: max(last + 1, now), no duplicate from threads",
        "hip3/exchange/nonce.py",
        E + "test_no_nonce_twice_from_eight_threads",
        "            self._last = nonce\n            return nonce",
        "            return nonce",
    ),
    Row(
        "N-7.3",
        "clock back",
        "hip3/exchange/nonce.py",
        E + "test_nonces_rise_whatever_the_clock_does",
        "max(self._last + 1, now_ms)",
        "max(self._last, now_ms)",
    ),
    Row(
        "N-4 N-6 N-7.4 N-7.5",
        "exchange time: offset by median, half the round trip taken off",
        "hip3/exchange/clock_offset.py",
        E + "test_the_clock_offset_is_the_median_of_five_without_half_the_round_trip",
        "now = exchange_ms + round_trip_ms // 2",
        "now = exchange_ms",
    ),
    Row(
        "N-7.6 N-7.7",
        "a nonce too far ahead is refused",
        "hip3/exchange/nonce.py",
        E + "test_a_nonce_an_hour_ahead_is_refused",
        "if nonce > now_ms + MAX_LEAD_MS:",
        "if nonce > now_ms + MAX_LEAD_MS * 2:",
    ),
    # BatchScheduler.
    Row(
        "B-1 B-10.7",
        "in flight counts posts, is the table's length",
        "hip3/execution/posts.py",
        Q + "test_sent_minus_completed_is_in_flight_at_every_instant",
        "            self._completed += len(ended)",
        "            self._completed += 1",
    ),
    Row(
        "B-2 B-10.4",
        "capacities 200, 500, 1000",
        "hip3/execution/scheduler.py",
        Q + "test_every_queue_is_bounded_and_says_so",
        "if len(self._new) >= NEW:",
        "if len(self._new) > NEW:",
    ),
    Row(
        "B-3 B-10.1",
        "three queues, cancel before reduce-only before new",
        "hip3/execution/scheduler.py",
        Q + "test_cancels_before_reduce_only_before_new_and_never_mixed",
        "            if self._reduce:\n                return OrderBatch",
        "            if self._reduce and not self._new:\n                return OrderBatch",
    ),
    Row(
        "B-4 B-10.5 B-10.6",
        "enqueue_new: limit and watermark act",
        "hip3/execution/scheduler.py",
        Q + "test_the_limit_in_flight_is_never_exceeded_and_slots_are_kept_for_exits",
        "if inflight >= self.high_watermark:",
        "if inflight >= self.max_inflight:",
    ),
    Row(
        "B-5 NN-5",
        "reduce-only is queued whatever is in flight",
        "hip3/execution/scheduler.py",
        Q + "test_a_second_exit_of_a_market_is_answered_truthfully",
        "if any(o.coin == order.coin for o in self._reduce):",
        "if any(o.coin == order.cloid for o in self._reduce):",
    ),
    Row(
        "B-6 NN-6",
        "cancels first, also at the watermark",
        "hip3/execution/scheduler.py",
        Q + "test_cancels_before_reduce_only_before_new_and_never_mixed",
        "                return CancelBatch(tuple(_take(self._cancels)))",
        "                return None",
    ),
    Row(
        "B-7 B-10.2",
        "one kind per tick, at most 50",
        "hip3/execution/scheduler.py",
        Q + "test_a_batch_holds_at_most_fifty_in_order_of_arrival",
        "BATCH = 50",
        "BATCH = 60",
    ),
    Row(
        "B-8",
        "sent and completed account exactly",
        "hip3/execution/posts.py",
        Q + "test_each_post_ends_exactly_once_whatever_comes_after",
        "self.late_replies += 1",
        "self._completed += 1",
    ),
    Row(
        "B-9 B-10.9",
        "purge returns what it dropped",
        "hip3/execution/scheduler.py",
        Q + "test_purge_returns_what_it_dropped_and_leaves_the_rest",
        "            self._new.clear()\n            return purged",
        "            return purged",
    ),
    Row(
        "B-10.8",
        "HardStop filter after the queue",
        "hip3/execution/loop.py",
        "tests/test_coverage.py::test_a_latch_that_trips_between_queue_and_send_lets_nothing_leave",
        '        if self._latch.tripped:\n            return "HardStop"',
        "        if self._latch.tripped:\n            pass",
    ),
    Row(
        "B-10.10 B-10.11 B-10.12",
        "put back to the front, in order",
        "hip3/execution/scheduler.py",
        Q + "test_what_did_not_leave_returns_to_the_front",
        "target.extendleft(reversed(batch.orders))",
        "target.extend(batch.orders)",
    ),
    # Signer.
    Row(
        "S-1 S-2 S-3",
        "key sources, one parser, prepared key",
        "hip3/exchange/signing.py",
        S + "test_a_key_is_read_with_and_without_prefix_and_never_shown",
        'return f"SigningKey({self.address})"',
        'return f"SigningKey({self._key.secret.hex()})"',
    ),
    Row(
        "S-4 S-7 CON-6 SUG-2",
        "action hash; failure is an error, not a crash",
        "hip3/exchange/signing.py",
        S + "test_what_cannot_be_serialised_is_an_error_not_a_crash",
        "except (TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:",
        "except RecursionError as error:",
    ),
    Row(
        "S-6 S-9.1",
        "time in force",
        "hip3/exchange/wire_out.py",
        S + "test_an_order_has_the_sdk_s_wire_form",
        '"t": {"limit": {"tif": order.tif.value}},',
        '"t": {"limit": {"tif": "Ioc"}},',
    ),
    Row(
        "S-8 CON-5 SUG-6",
        "EIP-712, chain id 1337 and zero contract with their source",
        "hip3/exchange/signing.py",
        S + "test_golden_vectors_of_our_own",
        "CHAIN_ID = 1337",
        "CHAIN_ID = 1",
    ),
    Row(
        "S-9.2 S-9.3",
        "vault and expiry tags",
        "hip3/exchange/signing.py",
        S + "test_orders_sign_like_the_official_sdk",
        'data += b"\\x00" + expires_after.to_bytes(8, "big")',
        'data += expires_after.to_bytes(8, "big")',
    ),
    Row(
        "S-9.4",
        "mainnet and testnet sources",
        "hip3/exchange/signing.py",
        S + "test_orders_sign_like_the_official_sdk",
        'True: _AGENT_TYPE_HASH + keccak256(b"a")',
        'True: _AGENT_TYPE_HASH + keccak256(b"b")',
    ),
    Row(
        "S-9.5 S-9.6",
        "r and s padded, v 27 or 28",
        "hip3/exchange/signing.py",
        S + "test_golden_vectors_of_our_own",
        '"v": raw[64] + 27}',
        '"v": raw[64]}',
    ),
    Row(
        "S-9.7",
        "address mismatch refused",
        "hip3/exchange/keys.py",
        P + "test_a_wrong_key_is_said_plainly_with_exit_2_and_never_echoed",
        "key.address != expected_address.lower()",
        "False",
    ),
    # Positions.
    Row(
        "P-1",
        "position with its opening time",
        "hip3/position/holding.py",
        K + "test_a_flip_starts_a_new_position_at_the_fill",
        "cost, since = (fill.sz - abs(szi)) * fill.px, fill.time_ms",
        "cost, since = (fill.sz - abs(szi)) * fill.px, since",
    ),
    Row(
        "P-2 P-3 P-4 P-5",
        "one ledger behind one lock",
        "hip3/position/tracker.py",
        K + "test_an_entry_occupies_its_market_until_it_is_proven_dead",
        "                entries[order.coin] = entries.get(order.coin, ZERO) + order.exposure",
        "                entries[order.coin] = order.exposure * 0",
    ),
    Row(
        "P-6 P-7",
        "the pending mark is the order, set in one step",
        "hip3/position/tracker.py",
        K + "test_eight_threads_admit_exactly_one_entry_per_market",
        "        with self._lock:\n            admitted = decide(self._view_locked(), order)",
        "        with self._lock:\n            view = self._view_locked()\n        with self._lock:\n            admitted = decide(LedgerView(positions={}, held={}, entries={}, reducing=frozenset(), foreign={}), order)",
    ),
    Row(
        "P-8",
        "orderUpdates: state only forward",
        "hip3/position/order_index.py",
        K + "test_an_order_never_moves_backwards",
        "        if before is to or not may_move(before, to):",
        "        if before is to:",
    ),
    Row(
        "P-9",
        "userFills move positions, once each",
        "hip3/position/tracker.py",
        K + "test_all_729_states_of_an_order_filled_in_three_parts",
        "        return fill.key in self._seen or fill.time_ms < self._known_until_ms",
        "        return fill.time_ms < self._known_until_ms",
    ),
    Row(
        "P-10",
        "snapshot and increments are the same events",
        "hip3/position/tracker.py",
        K + "test_fills_known_at_the_start_are_in_the_position_already",
        "        return fill.key in self._seen or fill.time_ms < self._known_until_ms",
        "        return fill.key in self._seen",
    ),
    Row(
        "P-11",
        "time stop",
        "hip3/position/exit_rules.py",
        X + "test_the_rules",
        "held > params.time_stop_ms",
        "held >= params.time_stop_ms",
    ),
    Row(
        "P-12 D-3",
        "FlattenOrderBuilder",
        "hip3/position/flatten.py",
        X + "test_the_order_sells_to_the_other_side_this_much_worse",
        "slippage_bps if side.is_buy else -slippage_bps",
        "slippage_bps",
    ),
    # Integration.
    Row(
        "I-1 CON-4 SUG-4 REV-3 DOC",
        "gate 2 is wired: one readiness object, asked twice",
        "hip3/execution/gates.py",
        G + "test_each_gate_refuses_what_it_is_for",
        "    if e.not_ready:\n",
        "    if not e.not_ready and e.not_ready:\n",
    ),
    Row(
        "I-2",
        "post ids pair replies",
        "hip3/execution/posts.py",
        Q + "test_each_post_ends_exactly_once_whatever_comes_after",
        "post = self._pending.pop(post_id, None)\n            if post is None:",
        "post = self._pending.get(post_id)\n            if post is None:",
    ),
    Row(
        "I-3 CON-2 SUG-3 REV-4",
        "posts end once; expiry in one pass",
        "hip3/execution/posts.py",
        Q + "test_each_post_ends_exactly_once_whatever_comes_after",
        "now_ms - p.sent_ms > timeout_ms",
        "now_ms - p.sent_ms > timeout_ms * 2",
    ),
    Row(
        "I-4 I-5",
        "gate order",
        "hip3/execution/gates.py",
        G + "test_the_order_is_the_documented_one",
        'Gate(3, "MaxPositionPerMarket", max_position_per_market),\n    Gate(4, "MaxPositionTotal", max_position_total),',
        'Gate(3, "MaxPositionTotal", max_position_total),\n    Gate(4, "MaxPositionPerMarket", max_position_per_market),',
    ),
    Row(
        "I-6",
        "exits pass no gate",
        "hip3/execution/scheduler.py",
        T + "test_a_tripped_latch_lets_no_entry_leave_and_positions_are_still_closed",
        "            self._reduce.append(order)\n",
        "            pass\n",
    ),
    Row(
        "I-7",
        "tick: re-check, sign, record, register, send",
        "hip3/execution/loop.py",
        T + "test_the_intent_is_durable_before_the_bytes_leave",
        "        if not self._record(batch, nonce, expires, wall_ms, now_ms):\n            return\n        body = signed_body(action, nonce, signature, self._identity.vault, expires)\n        self._send(batch, body, nonce, expires, now_ms, lane)",
        "        body = signed_body(action, nonce, signature, self._identity.vault, expires)\n        self._send(batch, body, nonce, expires, now_ms, lane)\n        self._record(batch, nonce, expires, wall_ms, now_ms)",
    ),
    Row(
        "I-8 NN-2",
        "HardStop: no entry, exits go on",
        "hip3/execution/gates.py",
        T + "test_a_tripped_latch_lets_no_entry_leave_and_positions_are_still_closed",
        "    if e.hard_stop is not None:\n",
        "    if e.hard_stop is not None and e.exiting:\n",
    ),
    # WebSocket.
    Row(
        "W-1 W-10.1",
        "post request and reply forms",
        "hip3/exchange/wire.py",
        W + "test_every_status_form",
        '        if "resting" in item:',
        '        if "rest" in item:',
    ),
    Row(
        "W-2 W-6",
        "write handle: what left, and on which connection",
        "hip3/exchange/writer.py",
        C + "test_a_send_that_breaks_may_have_left",
        "return SendResult(SendOutcome.MAYBE_SENT, generation, failure)",
        "return SendResult(SendOutcome.NOT_SENT, generation, failure)",
    ),
    Row(
        "W-3 W-4",
        "one reader, one door for writers",
        "hip3/exchange/writer.py",
        C + "test_without_a_connection_not_one_byte_leaves",
        'return SendResult(SendOutcome.NOT_SENT, generation, "not connected")',
        'return SendResult(SendOutcome.SENT, generation, "not connected")',
    ),
    Row(
        "W-5",
        "in flight ends with the connection",
        "hip3/execution/flow.py",
        T + "test_a_post_cut_before_its_reply_is_unknown_until_the_exchange_tells",
        "        for post in self._posts.disconnected(generation):",
        "        for post in self._posts.disconnected(-1):",
    ),
    Row(
        "W-7 W-10.2",
        "orderUpdates and userFills in every shape",
        "hip3/exchange/wire.py",
        W + "test_order_updates_come_as_list_object_or_nothing_and_a_broken_item_costs_itself",
        '    if data[:1] == b"{":\n        return [msgspec.Raw(data)]',
        '    if data[:1] == b"?":\n        return [msgspec.Raw(data)]',
    ),
    Row(
        "W-8",
        "private streams are subscribed",
        "hip3/exchange/subscriptions.py",
        E + "test_it_subscribes_once_and_is_complete_by_acknowledgements_alone",
        '        out.append({"type": "orderUpdates", "user": user})\n',
        "",
    ),
    Row(
        "W-9 W-10.3",
        "pong and unknown channels",
        "hip3/exchange/wire.py",
        W + "test_acknowledgements_errors_pongs_and_unknown_channels",
        '    if channel == "pong":\n        return Pong()',
        '    if channel == "ping":\n        return Pong()',
    ),
    Row(
        "W-10.4",
        "status words and suffixes",
        "hip3/core/order_state.py",
        "tests/core/test_order_state.py::test_status_words",
        'status.endswith("Rejected")',
        'status.endswith("rejected")',
    ),
    Row(
        "W-11.1",
        "time-out",
        "hip3/execution/loop.py",
        T + "test_a_lost_request_is_proven_dead_after_its_expiry_and_frees_the_market",
        'self._flow.on_post_lost(post, "no reply in time", now_ms)',
        "pass",
    ),
    Row(
        "W-11.2",
        "fewer statuses than orders",
        "hip3/execution/replies.py",
        Q + "test_what_a_reply_says_of_each_order",
        'return out + [Resolution(Fate.UNKNOWN, text="the reply has no entry for it")] * missing',
        "return out + [Resolution(Fate.REFUSED)] * missing",
    ),
    Row(
        "W-11.3",
        "one pre-validation entry is everybody's",
        "hip3/execution/replies.py",
        Q + "test_what_a_reply_says_of_each_order",
        '" asset=" not in only.text',
        '" asset=" in only.text',
    ),
    Row(
        "W-11.4",
        "status err and type error",
        "hip3/execution/replies.py",
        Q + "test_what_a_reply_says_of_each_order",
        'NOT_EXECUTED = ("400", "415", "422", "429")',
        'NOT_EXECUTED = ("400", "415", "422", "429", "500")',
    ),
    Row(
        "W-11.5",
        "disconnect: exits go by HTTP after 2 s",
        "hip3/execution/loop.py",
        T + "test_exits_and_cancels_go_by_http_once_the_socket_was_gone_for_two_seconds",
        'return "http" if now_ms - self._cut_since >= HTTP_AFTER_MS else None',
        "return None",
    ),
    Row(
        "W-11.6 W-11.7",
        "what a disconnect took, or is no longer queued, is not sent",
        "hip3/execution/loop.py",
        R + "test_an_order_that_is_no_longer_queued_is_not_sent",
        '            return "no longer wanted"',
        "            pass",
    ),
    # Risk.
    Row(
        "R-1 D-4 NN-2b",
        "latch keeps its first reason and survives",
        "hip3/risk/hard_stop.py",
        M + "test_the_latch_keeps_its_first_reason_and_survives",
        "            if self._state.tripped:\n                return False",
        "            pass",
    ),
    Row(
        "R-2 R-3 TH-1",
        "cumulative loss",
        "hip3/risk/monitor.py",
        M + "test_loss_is_more_than_the_limit_and_gains_count_against_it",
        "if -self.net_usd > self.limits.max_loss_usd:",
        "if -self.net_usd >= self.limits.max_loss_usd:",
    ),
    Row(
        "TH-2",
        "consecutive losses",
        "hip3/risk/monitor.py",
        M + "test_losses_in_a_row_and_what_ends_the_run",
        "self.losing_run + 1 if trip.net < 0 else 0",
        "self.losing_run + 1 if trip.net < 0 else self.losing_run",
    ),
    Row(
        "TH-3",
        "flatten failures",
        "hip3/risk/monitor.py",
        M + "test_flatten_failures_of_one_position",
        "        if event.failures <= most:",
        "        if event.failures <= most + 1:",
    ),
    Row(
        "TH-4",
        "refusals in a rolling hour",
        "hip3/risk/monitor.py",
        M + "test_refusals_within_any_rolling_hour",
        "now_ms - self.rejects[0] >= HOUR_MS",
        "now_ms - self.rejects[0] >= HOUR_MS * 2",
    ),
    Row(
        "TH-5",
        "slippage",
        "hip3/risk/monitor.py",
        M + "test_slippage_in_three_finished_orders_in_a_row_adverse_only",
        "worse = (event.avg_px - touch) * event.order.side.sign",
        "worse = abs(event.avg_px - touch)",
    ),
    Row(
        "R-4",
        "position limit per market, size cut",
        "hip3/execution/gates.py",
        G + "test_the_size_is_cut_to_what_is_left_and_below_eleven_dollars_is_a_refusal",
        "    left = limit - used\n",
        "    left = limit\n",
    ),
    Row(
        "R-5",
        "position limit in total, each at its own mark",
        "hip3/execution/gates.py",
        G + "test_each_gate_refuses_what_it_is_for",
        "        used += _position_usd(ledger, coin, mark)\n",
        "        pass\n",
    ),
    # The lines that are not negotiable, and the reviews.
    Row(
        "NN-1",
        "cloid made once, kept",
        "hip3/execution/executor.py",
        T + "test_a_minute_of_trading_ends_flat_and_equal_to_the_exchange",
        'return f"0x{RUN_TAG}{self._run}{next(self._count):012x}"',
        'return f"0x{RUN_TAG}{self._run}{0:012x}"',
    ),
    Row(
        "NN-3",
        "Decimal, exact",
        "hip3/core/money.py",
        "tests/core/test_money.py::test_a_rounded_price_is_legal_and_never_crosses_the_wished_side",
        "ROUND_CEILING if up else ROUND_FLOOR",
        "ROUND_CEILING",
    ),
    Row(
        "NN-4",
        "monotone freshness",
        "hip3/exchange/nonce.py",
        E + "test_nonces_rise_whatever_the_clock_does",
        "self._last = max(self._last, floor)",
        "self._last = floor",
    ),
    Row(
        "CON-1 SUG-1 REV-1",
        "ActionBudget: check, consume and reset are one step",
        "hip3/execution/budget.py",
        "tests/test_coverage.py::test_a_budget_whose_reset_is_overtaken_gives_no_more_than_its_limit",
        "        with self._lock:\n            if now_ms - self._start_ms >= WINDOW_MS:\n                self._start_ms, self._count = now_ms, 0\n",
        "        with self._lock:\n            stale = now_ms - self._start_ms >= WINDOW_MS\n        with self._lock:\n            if stale:\n                self._start_ms, self._count = now_ms, 0\n",
    ),
    Row(
        "CON-3",
        "registration cannot be dropped",
        "hip3/execution/executor.py",
        "tests/test_coverage.py::test_a_refused_enqueue_leaves_nothing_behind",
        "        self._tracker.drop(order.cloid, answer.value)\n",
        "",
    ),
    Row(
        "SUG-5 REV-5",
        "structured errors",
        "hip3/errors.py",
        "tests/test_coverage.py::test_errors_carry_their_fields",
        "        self.fields = fields\n",
        "        self.fields = {}\n",
    ),
)


def document() -> str:
    """The text of docs/coverage.md."""
    lines = [
        "# What was asked for, and what holds it",
        "",
        "Printed from `tests/coverage_table.py`. Ids: C, N, B, S, P, I, W, R, D are items and deviations of the executor",
        "specification, N-7.x, B-10.x, S-9.x, W-10.x and W-11.x its unit lists one by one, TH its thresholds, NN the lines",
        "that are not negotiable, CON and SUG concerns and suggestions of the first review, REV and DOC of the second.",
        "For each row a kept mutant makes the named test fail; `./run.sh test long` runs them.",
        "",
        "| items | what | module | test |",
        "|---|---|---|---|",
    ]
    for row in ROWS:
        path, _, name = row.test.partition("::")
        lines.append(f"| {row.ids} | {row.what} | `{row.module}` | `{path}` {name} |")
    return "\n".join(lines) + "\n"
