"""Deliberately wrong executors: each a patch of production code that some seed of the simulation must catch."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """`patches`: (module below hip3/, what stands there once, what the wrong one says instead)."""

    name: str
    patches: tuple[tuple[str, str, str], ...]


def _m(name: str, module: str, old: str, new: str) -> Mutant:
    return Mutant(name, ((module, old, new),))


TRACKER, LOOP, ORDERS = "position/tracker.py", "execution/sending/loop.py", "execution/orders_in.py"
_READ = "        self._view.take(report.marks, report.liquidations, report.margins, now_ms)\n"
RESOLVER, GATES, POSTS = "execution/truth/resolver.py", "execution/entries/gates.py", "execution/sending/posts.py"
DESK, TRADING, KEEPING = "position/exit_attempts.py", "service/trading.py", "execution/truth/housekeeping.py"

QUOTER, KEYS, PLACING = "execution/quotes/quoter.py", "execution/quotes/keys.py", "execution/quotes/placing.py"
_SLOTS = "        for tracked in alive:\n            order = tracked.order\n"
_NO_SECOND_LOOK = (
    TRACKER,
    "                admitted = decide(self._view_locked(), order) if free else None",
    "                admitted = decide(self._view_locked(), order)",
)
_NO_QUOTE_GATES = (
    GATES,
    "QUOTE_GATES = tuple(g for g in GATES if g.number <= 6)",
    "QUOTE_GATES: tuple[Gate, ...] = ()",
)


LADDER, FACTS = "strategy/ladder.py", "execution/quotes/facts.py"
_NO_ROOM = (
    LADDER,
    "        room = p.max_inventory_usd - max(position_usd * side.sign, ZERO)",
    "        room = p.max_inventory_usd",
)


_NOT_KEPT = (
    "execution/quotes/adoption.py",
    "        if tracked.generation or tracked.state is not OrderState.OPEN or order.side not in sides:",
    "        if True:",
)
"""Nothing is wished for in the place of an adopted quote before its market is priced: the pace would be spent there."""


def _empty_slot(name: str, condition: str, *more: tuple[str, str, str]) -> Mutant:
    """An order of a key that may be alive does not count as such."""
    slots = (KEYS, _SLOTS, f"{_SLOTS}            if {condition}:\n                continue\n")
    return Mutant(name, (_NO_SECOND_LOOK, slots, *more))


MUTANTS: tuple[Mutant, ...] = (
    # Quotes.
    _empty_slot("a quote that is being cancelled counts as gone", "order.cloid in self._cancels"),
    _empty_slot("a quote of unknown fate counts as gone", "tracked.state is OrderState.UNKNOWN"),
    _empty_slot("a quote on its way counts as gone", "tracked.state in (OrderState.QUEUED, OrderState.SENT)"),
    _empty_slot("an adopted quote does not hold its key", "not tracked.generation and tracked.oid is not None", _NOT_KEPT),
    _m("the ladder is on the wrong side of fair", LADDER,
       "shift_bps(base, -sign * away - shift)", "shift_bps(base, sign * half_bps - shift)"),
    _m("quotes are not post only", PLACING, "tif=Tif.ALO", "tif=Tif.GTC"),
    Mutant("quotes pass no gate", (_NO_QUOTE_GATES,)),
    Mutant("the ladder forgets its inventory", (_NO_QUOTE_GATES, _NO_ROOM)),
    _m("quotes stay when their market is quoted no more", QUOTER,
       "        steps = self._steps(market, desired, slots, spec, now_ms)\n",
       "        steps = self._steps(market, desired, slots, spec, now_ms) if market.stance.quotes else []\n"),
    _m("quotes are placed after the cut-off", "execution/quotes/stance.py", "(Stance.CUTOFF, facts.cutoff),\n", "\n"),
    _m("quotes rest until the end of a session", FACTS,
       "ahead = [*range(at_ms, at_ms + p.cutoff_ms, MINUTE_MS), at_ms + p.cutoff_ms]", "ahead = [at_ms]"),
    _m("a session's end is looked up once", FACTS, "if market.cutoff[0] != second:", "if market.cutoff[0] < 0:"),
    _m("quotes cost nothing", "execution/quotes/pacing.py",
       "        if not urgent and self._tokens < 1 + beside:\n            return False\n", ""),
    _m("what was sent is paid back", PLACING,
       "for _ in range(len(wished) - len(admitted) + len(full)):", "for _ in range(len(wished)):"),
    _m("the budget of a day is spent within minutes", "execution/quotes/pacing.py",
       "max(0, left - kept) / HORIZON_MS", "max(0, left - kept) * 1000 / HORIZON_MS"),
    _m("a completion loosens its cap", "execution/quotes/completion.py",
       "        return (px, sz) if sz > 0 else None\n",
       "        if touch is not None:\n"
       "            px = (touch.px * (Decimal('0.99') if position.szi > 0 else Decimal('1.01'))).quantize(px)\n"
       "            sz = abs(position.szi)\n        return (px, sz) if sz > 0 else None\n"),
    _m("quotes are between two ticks", LADDER, "        px = maker_price(px, spec.sz_decimals, is_buy=buy)\n", ""),
    _m("quotes are no whole lots", LADDER, "floor_size(div(size, px), spec.sz_decimals)))", "div(size, px)))"),
    _m("quotes do not expire", LOOP, "or self._expires_after_ms == 0:", "or self._expires_after_ms == 0 or batch.quotes:"),
    Mutant("the ladder does not see our own other side", (
        (LADDER, "(around.ask, around.own_sell) if side.is_buy else (around.bid, around.own_buy)", "()"),
        (LADDER, "shift_bps(base, -sign * away - shift)", "shift_bps(base, sign * away - shift)"),
    )),
    Mutant("the gates of quotes do not know the bound of the inventory", (
        (PLACING, "min(limits.max_per_market, market.params.ladder.max_inventory_usd)", "limits.max_per_market"), _NO_ROOM,
    )),
    Mutant("what rests does not count", (
        ("core/ledger.py", "max(signed if buy else -signed, ZERO) + orders.get(coin, ZERO)",
         "max(signed if buy else -signed, ZERO)"), _NO_ROOM,
    )),
    Mutant("a quote is as large as the inventory may be", (
        (LADDER, "away, nearest = p.size_usd, ", "away, nearest = p.max_inventory_usd * 2, "), _NO_QUOTE_GATES,
        (LADDER, "        room = p.max_inventory_usd - max(", "        room = p.max_inventory_usd * 9 - max("),
    )),
    Mutant("what is being moved is moved again", (
        _NO_SECOND_LOOK, (KEYS, "            if order.cloid in moving:\n", "            if order.cloid in moving and not order.level:\n"),
        ("execution/quotes/cancelling.py", "extra.order.cloid not in replacing", "extra.order.replaces is None"),
    )),
    _m("a move needs no room", PLACING, "        refusal, passed = run(QUOTE_GATES, entry)\n",
       "        refusal, passed = run(QUOTE_GATES if order.replaces is None else (), entry)\n"),
    Mutant("quotes of another epoch leave", (
        (LOOP, "if epoch is None or epoch != order.epoch:", "if order.level is None and (epoch is None or epoch != order.epoch):"),
        (QUOTER, "if market is None or not market.stance.quotes:", "if market is None:"),
        (QUOTER, "if self._clock.mono_us() - order.decided_us > WAITED_US:", "if False:"),
        ("execution/sending/scheduler.py",
         "purged = [*self._quotes, *self._new]\n            self._quotes.clear()\n", "purged = [*self._new]\n"),
    )),
    _m("an empty list is no answer", "execution/truth/open_orders.py",
       "        for tracked in open_before:\n", "        for tracked in open_before if listed else ():\n"),
    _m("an update that ends a quote is lost", ORDERS, "            events = self._tracker.on_order_update(item)\n",
       "            known = self._tracker.get(item.cloid or '')\n"
       "            if known is not None and known.order.level is not None and item.status != 'open':\n"
       "                continue\n            events = self._tracker.on_order_update(item)\n"),
    # Fills and positions.
    _m("a fill is deduplicated by its order", "position/results.py",
       "return fill.key in self._seen or", "return fill.cloid in {k[0] for k in self._seen} or"),
    _m("fills are not deduplicated", "position/results.py",
       "return fill.key in self._seen or fill.time_ms < self._known_until_ms", "return False"),
    _m("fills of other hands are not booked", ORDERS,
       "self._tracker.on_fills(ours), now_ms)", "self._tracker.on_fills([f for f in ours if is_ours(f.cloid)]), now_ms)"),
    _m("a restart counts fills again", "position/results.py", " and fill.key not in counted", ""),
    _m("results are not kept for a restart", "execution/exits/exiting.py",
       'self._journal.keep("totals", totals)', "pass"),
    _m("missing fills are not asked for", KEEPING, "        if not late and not gaps and not self.unexplained.due(now_ms):\n", "        if True:\n"),
    _m("what a reply executed is not counted before its fills", "position/order_index.py",
       "        if tracked.provisional:\n            self.provisional", "        if False:\n            self.provisional"),
    _m("entries count before the exits that went before them", "position/views.py",
       "key=lambda t: t.nonce)", "key=lambda t: t.order.reduce_only)"),
    _m("an update outbids the reply of an IOC", "position/tracked.py",
       "self.reply.total_sz if self.order.tif is Tif.IOC else max(self.claimed, self.reply.total_sz)",
       "max(self.claimed, self.reply.total_sz)"),
    _m("the start believes an empty account", "execution/truth/bootstrap.py",
       "report = by_fills(read_beginning(rest, user, universe.dexs), universe.dexs)",
       "report = read_beginning(rest, user, universe.dexs)"),
    _m("a resync clears first", KEEPING, _READ,
       _READ + "        for coin in list(self._tracker.booked()):\n"
       "            self._tracker.adopt(coin, ZERO, Opening(px=ZERO, ms=0))\n"),
    _m("a stale reading is adopted although the fills say otherwise", "execution/truth/difference.py",
       "by_fill = told.get(coin, (ZERO, ZERO))[0] == ours", "by_fill = False"),
    _m("a fill that a read position holds is added to it", "position/tracker.py",
       "if self._read.hold(fill, holding.szi):", "if False:"),
    _m("what an earlier run counted is counted again", "position/results.py",
       "        if not self.counted_before(fill):\n            self.totals", "        if True:\n            self.totals"),
    _m("a reading of positions holds every fill that comes", "position/read_positions.py",
       "        if at_ms > self._as_of.get(coin, -1):\n            return False\n", ""),
    _m("an empty reading is believed at once", "execution/truth/difference.py",
       "return self.readings >= GONE_READINGS and now_ms - self.since_ms >= GONE_MS", "return True"),
    # What the way out believes.
    _m("an exit is priced by one quote", "position/flatten.py",
       "    if touch is None or abs(touch.px - anchor) > abs(anchor - bound):\n        return anchor, bound\n"
       "    limit = shift_bps(touch.px, shift)\n"
       "    return touch.px, min(limit, bound) if side.is_buy else max(limit, bound)",
       "    if touch is None:\n        return anchor, bound\n    return touch.px, shift_bps(touch.px, shift)"),
    _m("a rule believes one thin side", "position/exit_rules.py",
       "    return px if bps_of(view.ask.px - view.bid.px, view.bid.px) <= within_bps else anchor", "    return px"),
    _m("before the first mark a rule believes anything", "position/exit_rules.py",
       "    return px if bps_of(view.ask.px - view.bid.px, view.bid.px) <= within_bps else anchor",
       "    return px if anchor is None or bps_of(view.ask.px - view.bid.px, view.bid.px) <= within_bps else anchor"),
    # Admission.
    _m("the limit ignores unknown orders", "position/views.py",
       "        if order.protective:\n            continue",
       '        if order.protective or tracked.state.value == "unknown":\n            continue'),
    _m("the limit ignores orders under way", "position/views.py",
       "        if order.protective:\n            continue",
       '        if order.protective or tracked.state.value == "sent":\n            continue'),
    _m("the total limit ignores positions", GATES,
       "    worst = sum((ledger.worst_usd(coin, e.marks.get(coin, ZERO)) for coin in others), ZERO)",
       "    worst = sum((ledger.buys.get(c, ZERO) + ledger.sells.get(c, ZERO) for c in others), ZERO)"),
    _m("the total limit ignores pending entries", GATES,
       "    worst = sum((ledger.worst_usd(coin, e.marks.get(coin, ZERO)) for coin in others), ZERO)",
       "    worst = sum((abs(ledger.position_usd(coin, e.marks.get(coin, ZERO))) for coin in others), ZERO)"),
    _m("the limit cuts nothing", GATES, "    size = min(e.size, floor_size(", "    size = max(e.size, floor_size("),
    _m("markets are not counted", GATES, "    if others >= e.max_positions:", "    if False:"),
    _m("a held market is entered again", GATES, "    if szi:\n        return Skipped", "    if False:\n        return Skipped"),
    Mutant("a pending entry does not stop the next", (
        (GATES, "    if usd:\n", "    if False:\n"),
        (GATES, "    return ledger.side_usd(e.coin, e.marks[e.coin], buy=e.side.is_buy)\n\n\ndef total",
         "    return ledger.position_usd(e.coin, e.marks[e.coin]) * e.side.sign\n\n\ndef total"),
    )),
    Mutant("a tripped latch stops nothing", (
        (GATES, "    if e.hard_stop is not None:", "    if False:"),
        (LOOP, "        if self._latch.tripped:\n", "        if False:\n"),
        (LOOP, "        if self._latch.tripped and new_risk:", "        if False and new_risk:"),
    )),
    Mutant("READY does not matter", (
        (GATES, "    if e.not_ready:", "    if False:"),
        (LOOP, "        if epoch is None or epoch != order.epoch:", "        if False:"),
    )),
    _m("READY without the account", "execution/readiness.py",
       "        if self._needs_account and self._account_generation != self._generation:", "        if False:"),
    _m("a stop does not stop entries", "execution/readiness.py",
       "            self._stopping = True", "            self._stopping = False"),
    # The life of an order.
    _m("a time-out frees the order", ORDERS,
       "                self._consequences.dispatch(self._tracker.mark_unknown(order.cloid, why, now_ms), now_ms)\n        else:",
       "                self._consequences.dispatch(self._tracker.drop(order.cloid, why), now_ms)\n        else:"),
    _m("a pending order is never freed", "execution/orders_in.py",
       "            return self._tracker.refuse(cloid, res.text)", "            return []"),
    _m("a dropped order is never freed", TRACKER,
       "        return self._change(cloid, OrderState.DROPPED, why)", "        return []"),
    _m("an ended order stays among the live", "position/order_index.py",
       "            self.live.pop(tracked.order.cloid, None)\n", ""),
    _m("orders move backwards", "core/order_state.py", "    return to in TRANSITIONS[state]", "    return True"),
    _m("a reply is paired with the wrong order", ORDERS,
       "zip(post.batch.orders, answers, strict=True)",
       "zip(reversed(post.batch.orders), answers, strict=True)"),
    _m("an unreadable answer means refused", "execution/sending/replies.py",
       "        fate = Fate.UNKNOWN if executed else Fate.REFUSED", "        fate = Fate.REFUSED"),
    # Unknown outcomes.
    _m("nobody resolves unknown orders", RESOLVER,
       "        doubtful = [*self._tracker.live(OrderState.UNKNOWN), *self._left_open(now_ms)]",
       "        doubtful = self._left_open(now_ms)"),
    _m("an order the exchange does not know is dead", RESOLVER,
       "            self._not_known(tracked, case, now_ms)\n",
       '            self._dead(tracked, "guess", "not known", now_ms)\n'),
    _m("a used nonce proves death", RESOLVER,
       '            verdict = next((word for word in ("duplicate", "too low", "too high") if word in text), "")',
       '            self._dead(tracked, "guess", text, now_ms)\n            return True'),
    _m("two reads prove death without waiting for the expiry", RESOLVER,
       "        if left_ms > 0:\n", "        if False:\n"),
    # Sending.
    _m("a nonce of a clock that was wrong stays the highest", "exchange/nonce.py",
       "            self._last = floor_of(self._last, exchange_ms)", "            pass"),
    _m("a nonce is the raw clock", "exchange/nonce.py", "            nonce = max(self._last + 1, now_ms)", "            nonce = now_ms"),
    _m("nonces follow the machine's clock", LOOP,
       "            nonce = self._nonces.next(self._exchange_ms())", "            nonce = self._nonces.next(wall_ms)"),
    _m("an entry leaves after the tick was held up", LOOP,
       "generation, now_ms + HELD_UP_MS if new_risk else None)", "generation, None)"),
    _m("the wait for a reply begins before the post has left", LOOP,
       "        self._posts.left(post.post_id, now_ms)\n", ""),
    _m("a second exit is decided while the socket takes the first", "position/exit_attempts.py",
       "            if state.leaving or (", "            if (") ,
    _m("a post is given up while its request is under way", "execution/sending/posts.py",
       " and p.post_id not in self._begun", ""),
    _m("nobody looks at the account after a silence", "execution/flow.py",
       "        if now_ms - self._link.last_event_ms > QUIET_MS:", "        if False:"),
    _m("what others executed without a fill is believed to be nothing", "execution/truth/open_orders.py",
       "            if self._untold(update):\n", "            if False:\n"),
    Mutant("a clock that stood still is believed", (
        (ORDERS, "        self._view.clock_doubted = True\n        self._wake_rest()", "        pass"),
        ("service/supervisor.py", "            self._trading.view.clock_doubted = True", "            pass"),
        ("execution/market_in.py", "            self._view.clock_doubted = True", "            pass"),
    )),
    _m("the intent is written after the send", LOOP,
       "        if not self._record(batch, nonce, expires, wall_ms, now_ms):\n            return\n"
       "        body = signed_body(action, nonce, signature, self._identity.vault, expires)\n"
       "        self._send(batch, body, nonce, expires, generation, now_ms + HELD_UP_MS if new_risk else None)\n",
       "        body = signed_body(action, nonce, signature, self._identity.vault, expires)\n"
       "        self._send(batch, body, nonce, expires, generation, now_ms + HELD_UP_MS if new_risk else None)\n"
       "        self._record(batch, nonce, expires, wall_ms, now_ms)\n"),
    _m("posts that a cut took are forgotten", ORDERS,
       "        for post in self._posts.disconnected(generation):\n"
       "            self.on_post_lost(post, \"disconnected before the reply\", now_ms)\n",
       "        self._posts.disconnected(generation)\n"),
    _m("a late reply is believed to be a refusal", ORDERS,
       "            return self._tracker.mark_unknown(cloid, res.text, now_ms)\n        if res.fate",
       "            return self._tracker.refuse(cloid, res.text)\n        if res.fate"),
    Mutant("a disconnect finds a post whose orders are not marked", (
        (LOOP, "        if isinstance(batch, OrderBatch):\n            for order in batch.orders:\n                if order.reduce",
         "        self._posts.register(post)\n        if isinstance(batch, OrderBatch):\n"
         "            for order in batch.orders:\n                if order.reduce"),
        (LOOP, "to make them unknown.\n        self._posts.register(post)\n", "to make them unknown.\n"),
    )),
    _m("a post by HTTP that was given up is sent", ORDERS,
       "        if not self._posts.begin(post.post_id):\n            return\n", ""),
    _m("a post leaves on a later connection", "exchange/writer.py",
       "            if generation not in (None, current):", "            if False:"),
    _m("entries go on without a durable intent", LOOP,
       "            if isinstance(batch, OrderBatch) and not batch.reduce_only:\n                self._give_up",
       "            if False:\n                self._give_up"),
    _m("a broken send counts as not sent", LOOP,
       "        elif result.outcome is SendOutcome.NOT_SENT:", "        elif result.outcome is not SendOutcome.SENT:"),
    _m("orders do not expire", LOOP, "        return self._latest_ms() + max(self._expires_after_ms, least)",
       "        return None"),
    _m("expiry by the machine's clock", LOOP, "        return self._latest_ms() +", "        return self._clock.wall_ms() +"),
    _m("posts never time out", POSTS, "now_ms - p.sent_ms > timeout_ms", "False"),
    _m("post ids repeat", POSTS, "            self._next_id += 1\n", "            self._next_id = self._next_id % 2 + 1\n"),
    _m("a completed post is not counted", POSTS, "                self._completed += 1\n", "                pass\n"),
    _m("exits are not reduce-only on the wire", "exchange/wire_out.py", '"r": order.reduce_only', '"r": False'),
    _m("asset ids are off by one", "exchange/wire_out.py",
       "[order_item(order, asset_ids[order.coin]) for", "[order_item(order, asset_ids[order.coin] + 1) for"),
    # Exits.
    _m("exits are not claimed", DESK,
       "            if state.leaving or (state.deadline_ms is not None and now_ms < state.deadline_ms):\n                return None\n"
       "            if now_ms < state.next_ms:\n                return None\n", ""),
    _m("an exit that was not answered is forgotten", DESK,
       "                state.next_ms = now_ms + UNANSWERED_RETRY_MS", "                state.next_ms = now_ms + 10**9"),
    _m("an exit's time runs before it leaves", DESK, "                state.deadline_ms = now_ms + max(self._deadline_ms, least_ms)\n\n", "                pass\n\n"),
    _m("holding times by the machine's clock", TRADING, "journal=g.journal, exchange_ms=books.offset.exchange_ms,\n        watch_foreign",
       "journal=g.journal, exchange_ms=clock.wall_ms,\n        watch_foreign"),
    _m("no time stop", "position/exit_rules.py", "    (ExitReason.TIME_STOP, time_stop),\n", ""),
    # Restarts and files.
    _m("the latch is in memory only", "risk/hard_stop.py", "                write_latch(self._path, state)\n            except", "                pass\n            except"),
    _m("a restart forgets open orders", "service/kept.py", "    if recovered is not None:\n        for order", "    if False:\n        for order"),
    _m("an order that is unknown has ended on disk", "ops/journal.py",
       '        if kind == "order" and fields["event"].after.terminal:', '        if kind == "order":'),
    _m("what waits for the journal is lost at the end", "ops/journal.py",
       "        self._next_try_ms = 0\n        self._look_again()\n", ""),
    _m("what a full disk refused is never written", "ops/intents.py",
       'if self._kept else ""', 'if False else ""'),
    _m("a limit is not on the tick", "core/money.py",
       "    return round_price(price, sz_decimals, up=is_buy)\n\n\ndef maker", "    return price\n\n\ndef maker"),
    _m("an exit is of the position's own side", "position/flatten.py",
       "    side = Side.SELL if position.szi > 0 else Side.BUY\n    priced",
       "    side = Side.BUY if position.szi > 0 else Side.SELL\n    priced"),
    _m("the signature leaves the expiry out", LOOP,
       "                expires_after=expires, mainnet=", "                expires_after=None, mainnet="),
    _m("exits wait for READY", LOOP,
       "        if order.reduce_only:\n            return None\n        if self._latch",
       "        if order.reduce_only and epoch is not None:\n            return None\n        if self._latch"),
    _m("the latch holds exits back", LOOP, "        if self._latch.tripped and new_risk:", "        if self._latch.tripped:"),
    _m("ends of orders are not written", "ops/journal.py",
       "            self._intents.end(event.order.cloid, event.after.value, at_ms)", "            pass"),
    _m("nothing is compared after the start", KEEPING, '("comparison", self._compare), ', ""),
    _m("fills are never asked for", KEEPING,
       '            out.append(("missing fills", self.fetch_fills))\n', ""),
    _m("fees are not counted", "position/tracked.py",
       "        self.fees += fill.fee\n        self.fills += 1", "        self.fills += 1"),
    _m("an order of before is not restored", "service/kept.py",
       "            tracker.restore(order, nonce=nonce, expires_ms=expires, mono_ms=now_ms)", "            pass"),
    _m("lost acknowledgements are waited for", "exchange/protocol.py",
       "        return now_ms - self._began_ms >= ACKNOWLEDGED_WITHIN_MS and not", "        return False and not"),
    # What must come about by itself.
    _m("no stop is ever placed", "execution/exits/protector.py",
       "            if todo.place and position is not None:", "            if False and position is not None:"),
    _m("max_loss is off", "risk/monitor.py", "        if -net <= limit:", "        if limit:"),
    _m("nobody quotes", QUOTER, "        for market in self._due(now_ms):", "        for market in self._due(now_ms)[:0]:"),
    _m("a stop hears no other wish", "service/stopping.py",
       "        if self._mode.covers(wish.mode):\n            return False\n", "        if self._end_ms:\n            return False\n"),
    _m("a stop that was shrunk counts whole", "position/protection.py",
       "        and t.order.sz == t.covers\n        and t.covers in (size, most)", "        and t.order.sz in (size, most)"),
    _m("a mark is believed for ever", "position/flatten.py",
       "_age(view.ctx_at_ms, now_ms) <= OLD_MS", "_age(view.ctx_at_ms, now_ms) <= 10**9"),
)  # fmt: skip
