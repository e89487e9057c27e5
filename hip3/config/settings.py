"""The one table of settings: names, defaults, bounds and meanings. `hip3.config.reading` reads and checks them."""

from decimal import Decimal
from typing import Annotated, Literal

from hip3.config.describing import number as _d
from hip3.config.describing import switch as _m
from hip3.config.describing import text as _t
from hip3.config.describing import whole as _i
from hip3.config.quote_settings import QuoteSettings


class Settings(QuoteSettings, frozen=True, kw_only=True):
    """Every setting; those of quoting come last in `.env.example`. None means not given."""

    network: Annotated[
        Literal["embedded", "testnet", "mainnet"],
        _t("where to trade; decides the signing source too (a on mainnet, else b)"),
    ] = "embedded"
    mode: Annotated[
        Literal["trade", "observe", "paper"] | None,
        _t(
            "trade; observe: no key needed, no action leaves; paper: simulated money on the network's live market; "
            "default trade on embedded, else observe"
        ),
    ] = None
    api_url: Annotated[str | None, _t("another endpoint, for example another embedded exchange")] = None
    ws_url: Annotated[str | None, _t("its WebSocket; derived from HIP3_API_URL if absent")] = None
    private_key: Annotated[str | None, _t("the signing key in hex; never logged", secret=True)] = None
    private_key_file: Annotated[str | None, _t("a file that holds the key, mode 0600")] = None
    keystore_file: Annotated[str | None, _t("an Ethereum keystore, mode 0600")] = None
    keystore_password: Annotated[str | None, _t("the keystore's password", secret=True)] = None
    signer_address: Annotated[str | None, _t("if given, the key must have this address")] = None
    account_address: Annotated[
        str | None, _t("the account traded for; default the key's address; differs for an agent wallet")
    ] = None
    vault_address: Annotated[str | None, _t("trade for this vault or sub-account")] = None
    markets: Annotated[
        str | None, _t("coins, comma separated, like xyz:GOLD,xyz:NVDA; default the embedded exchange's")
    ] = None
    dex: Annotated[str | None, _t("dexs, comma separated; default the prefixes of HIP3_MARKETS")] = None
    markets_file: Annotated[str | None, _t("TOML with settings per market and groups")] = None
    state_dir: Annotated[str, _t("journal, latch, lock")] = "state"
    log_dir: Annotated[str, _t("log files")] = "logs"
    http_port: Annotated[int, _i("status over HTTP on loopback; 0 turns it off", 0, 65535)] = 8730
    tick_ms: Annotated[int, _i("longest time between two executor ticks", 1, 1000)] = 100
    taker_fee_bps: Annotated[
        Decimal | None, _d("one taker leg; default the market's own", ge="0", le="100", market=True)
    ] = None
    slippage_bps: Annotated[Decimal, _d("expected slippage", ge="0", le="1000", market=True)] = Decimal(2)
    min_edge_bps: Annotated[Decimal, _d("edge to keep after costs", ge="0", le="10000", market=True)] = Decimal(5)
    min_oracle_change_bps: Annotated[
        Decimal, _d("least size of the last oracle step", ge="0", le="1000", market=True)
    ] = Decimal(3)
    min_oracle_moves: Annotated[
        int, _i("least consecutive oracle steps in the trade's direction", 1, 100, market=True)
    ] = 2
    oracle_move_bps: Annotated[Decimal, _d("what counts as an oracle step", ge="0", le="1000", market=True)] = Decimal(
        2
    )
    sizing_alpha: Annotated[Decimal, _d("share of the touch to take", gt="0", le="1", market=True)] = Decimal("0.10")
    min_book_notional: Annotated[
        Decimal, _d("USD of the touch at which the liquidity factor is 0", ge="0", market=True)
    ] = Decimal(500)
    normal_book_notional: Annotated[
        Decimal, _d("USD of the touch at which the liquidity factor is 1", gt="0", market=True)
    ] = Decimal(5000)
    max_notional_per_market: Annotated[Decimal, _d("USD per market", ge="11", market=True)] = Decimal(50)
    max_notional_total: Annotated[Decimal, _d("USD over all markets", ge="11")] = Decimal(100)
    max_concurrent_positions: Annotated[int, _i("markets with a position or an order not proven dead", 1, 1000)] = 5
    entry_slippage_bps: Annotated[
        Decimal, _d("entry limit = the signalled touch, this much worse", ge="0", le="1000", market=True)
    ] = Decimal(0)
    time_stop_ms: Annotated[int, _i("longest holding time", 100, 86_400_000, market=True)] = 30_000
    mark_regression_bps: Annotated[
        Decimal, _d("exit when the touch is back within this of the oracle", ge="0", le="1000", market=True)
    ] = Decimal(5)
    min_holding_ms: Annotated[int, _i("no mark-regression exit before", 0, 86_400_000, market=True)] = 1000
    exit_slippage_bps: Annotated[
        Decimal, _d("exit limit = the other side's touch, this much worse", ge="0", le="5000", market=True)
    ] = Decimal(50)
    exit_step_bps: Annotated[Decimal, _d("more with each attempt", ge="0", le="5000", market=True)] = Decimal(50)
    exit_max_slippage_bps: Annotated[Decimal, _d("and never more than this", ge="0", le="5000", market=True)] = Decimal(
        300
    )
    quick_profit_bps: Annotated[
        Decimal, _d("mark regression: leave at this gain at once", ge="0", le="10000", market=True)
    ] = Decimal(0)
    quick_profit_min_holding_ms: Annotated[int, _i("but not before", 0, 86_400_000, market=True)] = 500
    edge_evaporation: Annotated[
        bool, _m("mark regression: leave when the side we entered at offers no edge any more")
    ] = False
    edge_evaporation_bps: Annotated[Decimal, _d("what counts as no edge", ge="-1000", le="1000", market=True)] = (
        Decimal(2)
    )
    edge_evaporation_min_holding_ms: Annotated[int, _i("but not before", 0, 86_400_000, market=True)] = 500
    min_loss_exit_bps: Annotated[
        Decimal, _d("mark regression takes no loss smaller than this", ge="0", le="10000", market=True)
    ] = Decimal(0)
    entry_edge_scaling: Annotated[bool, _m("mark regression: the distance may be a share of the entry's edge")] = False
    entry_edge_scale_factor: Annotated[Decimal, _d("that share", gt="0", le="10", market=True)] = Decimal("0.5")
    time_decay: Annotated[bool, _m("mark regression: the distance shrinks until the time stop")] = False
    time_decay_start_ms: Annotated[int, _i("from this age on", 1, 86_400_000, market=True)] = 5000
    time_decay_min_factor: Annotated[Decimal, _d("down to this share", ge="0", le="1", market=True)] = Decimal("0.2")
    oracle_exit: Annotated[bool, _m("leave after oracle steps against the position, or enough with it")] = False
    oracle_exit_against_moves: Annotated[int, _i("consecutive steps against", 1, 100, market=True)] = 2
    oracle_exit_with_moves: Annotated[int, _i("consecutive steps with it", 1, 100, market=True)] = 3
    oracle_exit_min_holding_ms: Annotated[int, _i("but not before", 0, 86_400_000, market=True)] = 1000
    take_profit_bps: Annotated[
        Decimal, _d("leave at this gain at the touch; 0 off", ge="0", le="10000", market=True)
    ] = Decimal(0)
    stop_loss_bps: Annotated[Decimal, _d("leave at this loss at the touch; 0 off", ge="0", le="10000", market=True)] = (
        Decimal(0)
    )
    trailing_activation_bps: Annotated[
        Decimal, _d("trailing stop: armed at this gain; 0 off", ge="0", le="10000", market=True)
    ] = Decimal(0)
    trailing_distance_bps: Annotated[
        Decimal,
        _d("trailing stop: leave when so much of the best gain is lost; 0 off", ge="0", le="10000", market=True),
    ] = Decimal(0)
    protective_stop_bps: Annotated[
        Decimal,
        _d(
            "a stop on the exchange, so far from the entry and never beyond the liquidation price; 0 off",
            ge="0",
            le="5000",
            market=True,
        ),
    ] = Decimal(300)
    max_bbo_age_ms: Annotated[
        int, _i("no entry on an older touch while the market's contexts are late, too; 0 off", 0, 600_000, market=True)
    ] = 0
    max_ctx_age_ms: Annotated[
        int, _i("no entry while the market's asset context is older; 0 off", 0, 600_000, market=True)
    ] = 8000
    max_mark_mid_bps: Annotated[
        Decimal, _d("no entry while mark and middle are further apart; 0 off", ge="0", le="10000", market=True)
    ] = Decimal(50)
    spread_shock: Annotated[
        Decimal,
        _d(
            "smaller entries at so many times the usual spread, none at twice that; 0 off",
            ge="0",
            le="1000",
            market=True,
        ),
    ] = Decimal(3)
    blackout: Annotated[
        str | None, _t("no entries at these times of day (UTC), like 14:25-14:40,23:50-00:10", market=True)
    ] = None
    sessions: Annotated[
        str | None,
        _t(
            "hours in which a market may be entered, like Mon-Fri 09:30-16:00 America/New_York; several by ;",
            market=True,
        ),
    ] = None
    max_oracle_still_ms: Annotated[
        int, _i("no entry while the oracle has not moved for so long; 0 off", 0, 86_400_000, market=True)
    ] = 0
    max_oracle_step_bps: Annotated[
        Decimal,
        _d("an oracle step too large to be believed: no entry for 60 s; 0 off", ge="0", le="10000", market=True),
    ] = Decimal(300)
    max_edge_bps: Annotated[
        Decimal, _d("an edge too large to be believed: no entry for 60 s; 0 off", ge="0", le="10000", market=True)
    ] = Decimal(200)
    re_entry_delay_ms: Annotated[
        int, _i("no entry so soon after the market was left; 0 off", 0, 86_400_000, market=True)
    ] = 0
    max_hourly_drawdown_usd: Annotated[Decimal, _d("no entries after such a loss within an hour; 0 off", ge="0")] = (
        Decimal(0)
    )
    max_hourly_drawdown_pct: Annotated[Decimal, _d("the same, in percent of equity; 0 off", ge="0", le="100")] = (
        Decimal(0)
    )
    correlation_close_threshold: Annotated[
        int, _i("no entries after so many round trips ended within the window; 0 off", 0, 1000)
    ] = 0
    correlation_window_ms: Annotated[int, _i("that window", 1, 86_400_000)] = 30_000
    correlation_cooldown_ms: Annotated[int, _i("for so long", 1, 86_400_000)] = 60_000
    correlation_position: Annotated[
        bool, _t("limit the sum of weights of occupied markets instead of their number ([groups] of the markets file)")
    ] = False
    max_weighted_positions: Annotated[Decimal, _d("that limit; a market of no group weighs 1", gt="0", le="1000")] = (
        Decimal(5)
    )
    burst_signal: Annotated[bool, _m("pause a market that has had too many entries")] = False
    burst_window_ms: Annotated[int, _i("within so long", 1, 86_400_000, market=True)] = 1_800_000
    burst_max_signals: Annotated[int, _i("so many", 1, 200, market=True)] = 3
    burst_cooldown_ms: Annotated[int, _i("for so long", 1, 86_400_000, market=True)] = 300_000
    burst_bypass_edge_bps: Annotated[
        Decimal, _d("a larger edge passes the pause; 0: none does", ge="0", le="10000", market=True)
    ] = Decimal(0)
    tilt_guard: Annotated[bool, _t("pause after too many losing round trips in a row")] = False
    tilt_max_consecutive_losses: Annotated[int, _i("so many", 1, 1000)] = 3
    tilt_cooldown_ms: Annotated[int, _i("for so long", 1, 86_400_000)] = 300_000
    market_health: Annotated[bool, _m("pause a market whose last round trips are poor")] = False
    market_health_window: Annotated[int, _i("so many round trips are looked at", 1, 200, market=True)] = 20
    market_health_disable: Annotated[
        Decimal, _d("below this score (0.6 x share of gains + 0.4 x mean result) it rests", ge="0", le="1", market=True)
    ] = Decimal("0.3")
    market_health_enable: Annotated[Decimal, _d("from this score on it is back", ge="0", le="1", market=True)] = (
        Decimal("0.5")
    )
    market_health_min_samples: Annotated[int, _i("not judged before so many", 1, 200, market=True)] = 10
    market_health_retry_ms: Annotated[int, _i("and is tried again after so long", 1000, 604_800_000, market=True)] = (
        3_600_000
    )
    order_notional: Annotated[
        Decimal, _d("USD of every entry, rounded up to the lot; 0: by the touch", ge="0", le="100000", market=True)
    ] = Decimal(0)
    orders_per_second: Annotated[int, _i("ActionBudget: new orders per second", 1, 10_000)] = 100
    max_inflight: Annotated[int, _i("posts in flight", 5, 100)] = 100
    post_timeout_ms: Annotated[int, _i("silence after which an outcome is unknown", 100, 60_000)] = 5000
    expires_after_ms: Annotated[
        int, _i("how long after signing the exchange may accept an order; 0 leaves it out", 0, 600_000)
    ] = 5000
    hard_stop_max_loss_usd: Annotated[Decimal, _d("HardStop above this loss", gt="0")] = Decimal(20)
    hard_stop_max_consecutive_losses: Annotated[int, _i("HardStop above this losing run", 1, 10_000)] = 5
    hard_stop_max_flatten_failures: Annotated[int, _i("HardStop above this many", 1, 10_000)] = 3
    hard_stop_max_rejects_per_hour: Annotated[int, _i("HardStop above this many", 1, 100_000)] = 10
    hard_stop_max_slippage_bps: Annotated[Decimal, _d("HardStop above this slippage", gt="0")] = Decimal(50)
    hard_stop_slippage_streak: Annotated[int, _i("in so many orders in a row", 1, 1000)] = 3
    hard_stop_flatten: Annotated[bool, _t("a tripped latch also closes positions")] = True
    max_daily_loss_usd: Annotated[
        Decimal,
        _d("HardStop above this loss within a UTC day, open positions at their marks and fees in it; 0 off", ge="0"),
    ] = Decimal(20)
    max_drawdown_pct: Annotated[
        Decimal, _d("HardStop so far below the UTC day's highest value, in percent of equity; 0 off", ge="0", le="100")
    ] = Decimal(0)
    disconnect_limit_ms: Annotated[
        int, _i("after the connection was gone for longer, entries wait 10 s more", 1000, 3_600_000)
    ] = 30_000
    profile: Annotated[
        Literal["micro"] | None,
        _t("the small-money trial: $11 orders, one market, 100 trades, checkpoints that stop it"),
    ] = None
    start_policy: Annotated[
        Literal["reconcile", "cancel_all"],
        _t("orders found at the start: take over our own, or cancel every order in the dexs of ours"),
    ] = "reconcile"
    foreign_positions: Annotated[
        Literal["manage", "watch"], _t("positions in our markets that others opened: like our own, or left alone")
    ] = "watch"
    journal_sync: Annotated[bool, _t("intents survive power loss, too")] = False
    journal_keep_days: Annotated[int, _i("older records of the journal are deleted", 1, 3650)] = 30
    journal_keep_mb: Annotated[int, _i("so are the oldest beyond this size", 1, 1_000_000)] = 500
    record: Annotated[
        str | None,
        _t("folder that the running service records its frames to; none: off, but recordings in paper; off there, too"),
    ] = None
    record_keep_days: Annotated[int, _i("whole days of recordings older than this are deleted", 1, 3650)] = 14
    record_keep_gb: Annotated[int, _i("so are the oldest beyond this size", 1, 1_000_000)] = 50
    followups: Annotated[
        bool | None,
        _t("look again T+1, 3, 5, 10, 30 s after each signal and near miss; default true but in trade"),
    ] = None
    alert_urls: Annotated[
        str | None,
        _t("notification URLs, comma separated, as apprise writes them (tgram://…, mailto://…, json://…)", secret=True),
    ] = None
    deadman_url: Annotated[
        str | None, _t("asked for every minute while the service lives: its silence is the alert", secret=True)
    ] = None
    unknown_alert_ms: Annotated[
        int, _i("alert when an order's outcome is unknown for longer; 0 off", 0, 86_400_000)
    ] = 30_000
    not_ready_alert_ms: Annotated[int, _i("alert when READY is gone for longer; 0 off", 0, 86_400_000)] = 60_000
    leverage: Annotated[int, _i("leverage of every market; 0 leaves it", 0, 100, market=True)] = 0
    margin: Annotated[
        Literal["isolated", "keep"],
        _t(
            "isolated: every market is set so before its first entry, never while a position is open in it; "
            "keep: as the account has it",
            market=True,
        ),
    ] = "isolated"
    exchange_seed: Annotated[
        int | None, _d("seed of the own embedded exchange; default random", ge="0", le="9223372036854775807")
    ] = None
    exchange_profile: Annotated[Literal["lively", "calibrated"], _t("the own embedded exchange's profile")] = "lively"

    @property
    def doing(self) -> str:
        """The mode, or its default by network."""
        return self.mode or ("trade" if self.network == "embedded" else "observe")

    @property
    def trading(self) -> bool:
        """Whether orders may leave; those of `paper` reach an exchange of our own."""
        return self.doing != "observe"

    @property
    def paper(self) -> bool:
        """Whether money is simulated on a real network's market."""
        return self.mode == "paper"

    @property
    def follows(self) -> bool:
        """Whether what becomes of signals and near misses is followed: the setting, or its default by mode."""
        mode = self.mode or ("trade" if self.network == "embedded" else "observe")
        return mode != "trade" if self.followups is None else self.followups

    @property
    def mainnet(self) -> bool:
        """Whether actions are signed for mainnet: never in paper."""
        return self.network == "mainnet" and not self.paper

    @property
    def own_exchange(self) -> bool:
        """Whether the service starts an exchange of its own: the embedded one, or in paper a mirror."""
        return self.paper or self.fresh_exchange

    @property
    def fresh_exchange(self) -> bool:
        """Whether that one begins anew with each start, and its accounts with it."""
        return self.network == "embedded" and self.api_url is None

    @property
    def place(self) -> str:
        """What a folder calls the network."""
        return f"paper-{self.network}" if self.paper else self.network

    @property
    def shown_network(self) -> str:
        """What people are told of the network."""
        return f"paper on {self.network}" if self.paper else self.network

    @property
    def record_dir(self) -> str | None:
        """Where the running service records; None: it does not."""
        if self.record == "off":
            return None
        return self.record or ("recordings" if self.paper else None)

    @property
    def coins(self) -> list[str]:
        """The configured markets, in order, without repeats; empty if not given."""
        return split(self.markets)

    @property
    def quoted_coins(self) -> list[str]:
        """The markets that are quoted, in order, without repeats."""
        return split(self.quote_markets)

    @property
    def dexs(self) -> list[str]:
        """The configured dexs: HIP3_DEX, else the prefixes of the markets."""
        return split(self.dex) or list(dict.fromkeys(coin.split(":")[0] for coin in self.coins))

    @property
    def http_url(self) -> str:
        """The exchange that is traded on; "" in paper: it is one of our own, and nothing that trades knows another."""
        return "" if self.paper else self.public_url

    @property
    def public_url(self) -> str:
        """Where the network's market data is: for who only listens."""
        return self.api_url or API_URLS.get(self.network, "")

    @property
    def websocket_url(self) -> str:
        return self.ws_url or ws_url_of(self.http_url)


API_URLS = {
    "mainnet": "https://api.hyperliquid.xyz",
    "testnet": "https://api.hyperliquid-testnet.xyz",
}


def split(text: str | None) -> list[str]:
    """Comma separated words, trimmed, in order, without repeats."""
    words = [word.strip() for word in (text or "").split(",")]
    return list(dict.fromkeys(word for word in words if word))


def ws_url_of(http_url: str) -> str:
    """http://host -> ws://host/ws, https likewise."""
    return "ws" + http_url.rstrip("/").removeprefix("http") + "/ws" if http_url else ""
