"""Where each file of the product is tested that has no test of its own name.

`hip3/a/b.py` has `tests/a/test_b.py`, or stands here beside the test that holds most of what it does; which that is was
measured, line by line, when the table was made. `tests/test_structure.py` refuses a file that is in neither place.
"""

_BY_TEST = {
    "bench/test_bench": (
        "bench/command bench/durable bench/facts bench/flood bench/frames bench/growth bench/inbound bench/load bench/others bench/pages "
        "bench/process bench/quoting bench/replied bench/secure "
        "bench/reference bench/rows bench/scaling bench/shots bench/signed bench/soak bench/stats "
        "bench/wired"
    ),
    "config/test_settings": "config/describing config/quote_settings exchange/keys service/params service/start",
    "exchange/test_bounded": "exchange/opening",
    "imports/test_command": (
        "imports/archive imports/arrays imports/faults imports/frames imports/raw imports/reading imports/sources imports/tables "
        "imports/writing"
    ),
    "imports/test_sheets": "imports/cells imports/hydromancer imports/hyena imports/oxarchive imports/parquet",
    "imports/test_columns": "imports/convert imports/layout imports/scales",
    "exchange/test_registry": "core/market",
    "venue/test_mirroring": "venue/upstream/reads",
    "config/test_reading": "config/paper",
    "exchange/test_sender_contract": "core/ports exchange/writer",
    "exchange/test_session": (
        "exchange/backoff exchange/clock_offset core/nonce_floor exchange/nonce exchange/protocol exchange/rate_limit "
        "exchange/subscriptions"
    ),
    "exchange/test_signing": "exchange/wire_out",
    "exchange/test_wire": "core/events exchange/wire_fills exchange/wire_numbers exchange/wire_reply",
    "execution/entries/test_gates": "core/decisions",
    "execution/exits/test_protector": "position/protection",
    "execution/sending/test_scheduler": "execution/entries/budget execution/sending/replies",
    "execution/truth/test_open_orders": "execution/truth/strangers",
    "ops/test_files": "ops/intents ops/journal ops/state_dir ops/store",
    "ops/test_metrics": "execution/entries/gate_trace ops/figures ops/histogram service/details",
    "ops/test_alerts": "ops/alert_records",
    "ops/test_status_http": "ops/page_files",
    "commands/test_accept": "commands/checklist",
    "venue/books/test_candles": "venue/books/past",
    "venue/serving/test_page": (
        "commands/exchange_state venue/serving/connections venue/serving/control venue/serving/pace venue/serving/page_files venue/serving/view"
    ),
    "commands/test_explain": "ops/stories",
    "commands/test_words": "commands/parsing",
    "commands/test_mistakes": "commands/init",
    "stories/test_readme": "commands/demo",
    "ops/test_terminal": "commands/watch service/terminal_view",
    "service/test_live": "ops/told service/market_view service/results",
    "position/test_exit_attempts": "position/exit_rules position/exit_state position/flatten position/held",
    "position/test_tracker": (
        "core/ledger position/holding position/read_positions position/order_index position/tracked "
        "position/tracker_views position/views"
    ),
    "properties/test_hard_stop": "execution/sending/address_budget",
    "properties/test_interleavings": "core/orders execution/sending/posts",
    "observe/test_observer": "observe/baseline observe/episode observe/followups observe/markouts",
    "observe/test_summary": "observe/interval",
    "sessions/test_observing": "execution/entries/every_gate",
    "record/test_recorder": "record/folder",
    "risk/test_market_gates": "execution/entries/refusal_watch execution/truth/markets risk/market_flags",
    "risk/test_monitor_and_latch": "risk/hard_stop risk/monitor",
    "report/test_report": (
        "commands/report report/document report/facts report/figures report/journal report/market_figures report/page "
        "report/sections report/thin"
    ),
    "stories/test_evidence": "commands/ended commands/observed",
    "venue/test_recorded": "venue/market/filling venue/market/offers venue/market/queueing venue/market/tape",
    "replay/test_models": "replay/band replay/held replay/once",
    "replay/test_quoted": "replay/ways",
    "bench/test_replaying": "bench/by_hftbacktest bench/by_nautilus bench/day bench/rule",
    "replay/test_replay": (
        "replay/checks replay/command replay/head replay/latency replay/network replay/run replay/setup replay/source "
        "venue/market/answers venue/market/latency venue/market/own"
    ),
    "service/test_alerting": "core/urls ops/channels",
    "service/test_operating": "service/control_requests service/snapshot",
    "sessions/test_adversity": "execution/truth/streams",
    "sessions/test_doubt": "execution/orders_in execution/truth/resolver",
    "sessions/test_leaving": "execution/truth/books",
    "sessions/test_neighbours": "core/blocked",
    "sessions/test_positions": "execution/account_view execution/exits/exiting execution/truth/housekeeping service/kept",
    "sessions/test_regressions": "execution/truth/bootstrap",
    "sessions/test_edges": "execution/sending/socket_trust",
    "sessions/test_unreadable": "execution/truth/universe",
    "sessions/test_risk": (
        "execution/consequences execution/exits/hard_stop_sequence execution/exits/risk_desk position/trips "
        "risk/drawdown risk/trial"
    ),
    "sessions/test_risk_review": "service/assembly",
    "sessions/test_trading": (
        "execution/entries/executor execution/flow execution/link execution/market_in execution/ports "
        "execution/readiness execution/sending/identity execution/sending/loop"
    ),
    "simulate/test_regressions": (
        "onethread/clock onethread/http onethread/process onethread/threads simulate/checks simulate/disk simulate/mishap "
        "simulate/network simulate/scene simulate/setup simulate/sizes simulate/surroundings simulate/wire simulate/witness "
        "simulate/world"
    ),
    "simulate/test_simulate": (
        "simulate/combined simulate/command simulate/coverage simulate/lasting simulate/mishaps simulate/operator "
        "simulate/plan simulate/quoted simulate/quoting simulate/run"
    ),
    "stories/test_agreement": "ops/logs",
    "stories/test_check": "commands/check",
    "stories/test_exchange_state": "commands/exchange venue/state_file",
    "stories/test_install": "__main__ version",
    "stories/test_latch": "commands/latch",
    "stories/test_record": "commands/evidence commands/record service/recording",
    "stories/test_runbook": "cli commands/pause",
    "stories/test_service": "clock exchange/embedded service/quote_view service/running service/runtime",
    "stories/test_stop": "commands/stop service/stop_wish",
    "stories/test_supervision": "ops/supervised service/supervisor service/workers",
    "stories/test_verification": "exchange/rest",
    "stories/test_wiring": "service/trading service/parts service/wiring",
    "sessions/test_quoting": (
        "execution/quotes/cancelling execution/quotes/completion execution/quotes/heard execution/quotes/keys "
        "execution/quotes/market "
        "execution/quotes/pacing execution/quotes/params execution/quotes/pulls execution/quotes/quoter "
        "execution/quotes/placing execution/quotes/stance"
    ),
    "strategy/test_detector": "strategy/oracle strategy/sizing",
    "test_architecture": "locks",
    "test_coverage": "errors execution/sending/cloids",
    "venue/actions/test_actions": (
        "exchange/recover venue/actions/account_actions venue/actions/auth venue/actions/order_actions "
        "venue/books/agents venue/books/books venue/engine/modify"
    ),
    "venue/actions/test_transfers": "venue/actions/sub_accounts venue/answers/info_vaults venue/answers/spot venue/books/sub_accounts",
    "venue/answers/test_streams": "venue/answers/user_streams venue/serving/hub venue/serving/publisher",
    "venue/engine/test_engine": (
        "venue/engine/account venue/engine/book venue/engine/matching venue/engine/model venue/engine/numbers "
        "venue/engine/state"
    ),
    "venue/engine/test_fees": "venue/answers/info_fees",
    "venue/engine/test_liquidation": "venue/engine/margin",
    "venue/engine/test_rules": "venue/engine/halts venue/setup/parameters",
    "venue/engine/test_triggers": "venue/engine/endings venue/engine/orders venue/engine/placing",
    "venue/market/test_calibration": "venue/market/crowd venue/market/market",
    "venue/serving/test_faults": "venue/setup/fault venue/setup/settings",
    "venue/serving/test_limits": "venue/serving/gateway venue/serving/output venue/venue",
    "venue/test_captured": "venue/answers/info venue/answers/info_account venue/answers/info_market venue/answers/replies",
}
"""Test -> the files it holds, both without folder and ending."""

TESTED_IN = {f"hip3/{name}.py": f"tests/{test}.py" for test, names in _BY_TEST.items() for name in names.split()}
