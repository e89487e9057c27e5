"""Settings: precedence, bounds, combinations, secrets, and `.env.example` as printed."""

from decimal import Decimal
from pathlib import Path

import pytest

from hip3.config import reading
from hip3.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
KEY = "0x" + "ab" * 32


def _faults(environ: dict[str, str], env_file: Path | None = None) -> list[str]:
    with pytest.raises(ConfigError) as error:
        reading.load(environ, env_file)
    return error.value.faults


def test_the_weekend_preset_gives_way_to_single_settings() -> None:
    found = reading.load({"HIP3_QUOTE_PRESET": "weekend", "HIP3_QUOTE_LEVELS": "3"}, None)
    assert (found.quote_levels, found.quote_size_usd) == (3, 15)
    assert (found.quote_sessions or "").startswith("Fri 17:00")


def test_env_example_is_the_table() -> None:
    assert (ROOT / ".env.example").read_text() == reading.example_env()


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("HIP3_TICK_MS=50\nHIP3_MIN_EDGE_BPS=7\nOTHER=1\n")
    settings = reading.load({"HIP3_TICK_MS": "60", "PATH": "/bin"}, file)
    assert (settings.tick_ms, settings.min_edge_bps) == (60, Decimal(7))


def test_every_default_of_the_example_is_accepted_as_given() -> None:
    lines = [line[1:] for line in reading.example_env().splitlines() if line.startswith("#HIP3_")]
    environ = dict(line.split("=", 1) for line in lines)
    assert reading.load(environ, None) == reading.load({}, None)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("HIP3_TICK_MS", "0", ">= 1"),
        ("HIP3_TICK_MS", "1.5", "expected int"),
        ("HIP3_MIN_EDGE_BPS", "NaN", "finite"),
        ("HIP3_SIZING_ALPHA", "0", "more than 0"),
        ("HIP3_SIZING_ALPHA", "1.01", "at most 1"),
        ("HIP3_NETWORK", "moonnet", "embedded | testnet | mainnet"),
        ("HIP3_HARD_STOP_FLATTEN", "maybe", "expected bool"),
        ("HIP3_TIK_MS", "1", "did you mean HIP3_TICK_MS?"),
        ("HIP3_MODE", "paper", "needs HIP3_NETWORK=mainnet or testnet"),
        ("HIP3_MODE", "real", "trade | observe | paper"),
        ("HIP3_BLACKOUT", "14:25", "not of the form HH:MM-HH:MM"),
        ("HIP3_BLACKOUT", "9:15-9:70", "not of the form HH:MM-HH:MM"),
        ("HIP3_ACCOUNT_ADDRESS", "0x12", "not an address"),
        ("HIP3_MARKETS", "GOLD", "dex:COIN"),
        ("HIP3_EXCHANGE_SEED", "-1", "at least 0"),
    ],
)
def test_a_bad_value_is_named_with_what_would_do(name: str, value: str, words: str) -> None:
    faults = _faults({name: value})
    assert len(faults) == 1
    assert name in faults[0]
    assert words in faults[0]


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"HIP3_PRIVATE_KEY": KEY, "HIP3_KEYSTORE_FILE": "k", "HIP3_KEYSTORE_PASSWORD": "p"}, "more than one key"),
        ({"HIP3_MAX_NOTIONAL_PER_MARKET": "101"}, "above HIP3_MAX_NOTIONAL_TOTAL"),
        ({"HIP3_MIN_BOOK_NOTIONAL": "5000"}, "must be below"),
        ({"HIP3_MARKETS": "xyz:GOLD", "HIP3_DEX": "para"}, "outside HIP3_DEX"),
        ({"HIP3_NETWORK": "mainnet", "HIP3_MODE": "trade", "HIP3_MARKETS": "xyz:GOLD"}, "needs a key"),
        ({"HIP3_NETWORK": "testnet"}, "HIP3_MARKETS must be given"),
        ({"HIP3_ALERT_URLS": "s3cret"}, "HIP3_ALERT_URLS: entry"),
        ({"HIP3_DEADMAN_URL": "ftp://s3cret"}, "HIP3_DEADMAN_URL: expected https://"),
        ({"HIP3_DEADMAN_URL": "https://[s3cret"}, "HIP3_DEADMAN_URL: expected https://"),
        ({"HIP3_API_URL": "http://[s3cret"}, "HIP3_API_URL: expected http://HOST:PORT"),
        ({"HIP3_API_URL": "http://host:s3cret"}, "HIP3_API_URL: expected http://HOST:PORT"),
        ({"HIP3_API_URL": "s3cret@host"}, "HIP3_API_URL: expected http://HOST:PORT"),
        ({"HIP3_API_URL": "http://host", "HIP3_WS_URL": "ws://[s3cret"}, "HIP3_WS_URL: expected ws://HOST:PORT"),
        ({"HIP3_TICK_MS": "500", "HIP3_TIME_STOP_MS": "400"}, "above HIP3_TIME_STOP_MS"),
    ],
)
def test_combinations_that_contradict_stop_the_start(environ: dict[str, str], words: str) -> None:
    faults = _faults(environ)
    assert len(faults) == 1
    assert words in faults[0]
    assert "s3cret" not in faults[0]


def test_all_faults_at_once() -> None:
    assert len(_faults({"HIP3_TICK_MS": "x", "HIP3_NOPE": "1", "HIP3_MAX_NOTIONAL_PER_MARKET": "500"})) == 3


def test_a_readable_env_with_a_key_is_refused_and_the_key_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f"HIP3_PRIVATE_KEY={KEY}\n")
    file.chmod(0o640)
    faults = _faults({}, file)
    assert "chmod 600" in faults[0]
    assert KEY not in faults[0]
    file.chmod(0o600)
    settings = reading.load({}, file)
    assert reading.redacted(settings)["private_key"] == "***"


def test_alert_addresses_are_secrets_like_the_key(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("HIP3_ALERT_URLS=json://h/s3cret\nHIP3_DEADMAN_URL=https://h/s3cret\n")
    file.chmod(0o644)
    (fault,) = _faults({}, file)
    assert "chmod 600" in fault
    file.chmod(0o600)
    shown = reading.redacted(reading.load({}, file))
    assert (shown["alert_urls"], shown["deadman_url"]) == ("***", "***")


def test_defaults_follow_the_network() -> None:
    embedded = reading.load({}, None)
    assert embedded.trading
    assert embedded.own_exchange
    testnet = reading.load({"HIP3_NETWORK": "testnet", "HIP3_MARKETS": "xyz:GOLD"}, None)
    assert not testnet.trading
    assert testnet.websocket_url == "wss://api.hyperliquid-testnet.xyz/ws"
    assert testnet.dexs == ["xyz"]
    other = reading.load({"HIP3_API_URL": "http://127.0.0.1:3001"}, None)
    assert not other.own_exchange
    assert other.websocket_url == "ws://127.0.0.1:3001/ws"


PAPER = {"HIP3_NETWORK": "mainnet", "HIP3_MODE": "paper", "HIP3_MARKETS": "xyz:GOLD"}


def test_paper_trades_and_knows_no_exchange_but_its_own() -> None:
    paper = reading.load(PAPER, None)
    assert (paper.trading, paper.own_exchange, paper.fresh_exchange) == (True, True, False)
    assert (paper.http_url, paper.public_url) == ("", "https://api.hyperliquid.xyz")
    assert not paper.mainnet  # its actions are signed for testnet: invalid where money is real
    assert (paper.place, paper.shown_network) == ("paper-mainnet", "paper on mainnet")
    dirs = [reading.load(PAPER | {"HIP3_RECORD": v}, None).record_dir for v in ("", "here", "off")]
    assert dirs == ["recordings", "here", None]
    assert reading.load({}, None).record_dir is None


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("HIP3_PRIVATE_KEY", KEY, "paper needs no key"),
        ("HIP3_PRIVATE_KEY_FILE", "key", "paper needs no key"),
        ("HIP3_KEYSTORE_FILE", "store", "paper needs no key"),
        ("HIP3_KEYSTORE_PASSWORD", "p", "paper needs no key"),
        ("HIP3_ACCOUNT_ADDRESS", "0x" + "1" * 40, "an account of its own"),
        ("HIP3_SIGNER_ADDRESS", "0x" + "1" * 40, "an account of its own"),
        ("HIP3_WS_URL", "ws://127.0.0.1:1/ws", "beside HIP3_API_URL"),
    ],
)
def test_what_paper_does_not_go_with_ends_the_start(name: str, value: str, words: str) -> None:
    """evidence.md 8.2, case 18: a key in the environment is a refusal."""
    faults = [fault for fault in _faults(PAPER | {name: value}) if "paper" in fault]
    assert len(faults) == 1
    assert name in faults[0]
    assert words in faults[0]


def test_a_markets_file_overrides_one_market_and_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    file = tmp_path / "markets.toml"
    file.write_text('["xyz:GOLD"]\nmin_edge_bps = 12\ntime_stop_ms = 5000\n')
    settings = reading.load({"HIP3_MARKETS_FILE": str(file)}, None)
    markets = reading.load_markets_file(settings)
    assert (markets.for_market("xyz:GOLD").min_edge_bps, markets.for_market("xyz:TSLA").min_edge_bps) == (12, 5)
    file.write_text('["xyz:GOLD"]\nmin_edge = 12\ntick_ms = 5\ntime_stop_ms = "x"\n')
    with pytest.raises(ConfigError) as error:
        reading.load_markets_file(settings)
    assert len(error.value.faults) == 3


def test_the_small_money_trial_sets_its_limits_and_nothing_else_does(tmp_path: Path) -> None:
    small = reading.load({"HIP3_PROFILE": "micro"}, None)
    assert (small.order_notional, small.max_notional_per_market, small.max_notional_total) == (11, 15, 15)
    assert small.max_concurrent_positions == 1
    with pytest.raises(ConfigError) as clash:
        reading.load({"HIP3_PROFILE": "micro", "HIP3_MAX_NOTIONAL_TOTAL": "500"}, None)
    assert "is set by HIP3_PROFILE=micro" in clash.value.faults[0]
    with pytest.raises(ConfigError) as two:
        reading.load({"HIP3_PROFILE": "micro", "HIP3_MARKETS": "xyz:GOLD,xyz:NVDA"}, None)
    assert "one market" in two.value.faults[0]
    file = tmp_path / "markets.toml"
    file.write_text('["xyz:GOLD"]\nmax_notional_per_market = 400\n')
    with pytest.raises(ConfigError) as table:
        reading.load_markets_file(reading.load({"HIP3_PROFILE": "micro", "HIP3_MARKETS_FILE": str(file)}, None))
    assert "is set by HIP3_PROFILE=micro" in table.value.faults[0]


@pytest.mark.parametrize(
    "given",
    [
        {"HIP3_MAX_NOTIONAL_PER_MARKET": "11", "HIP3_MAX_NOTIONAL_TOTAL": "11"},
        {"HIP3_MAX_NOTIONAL_PER_MARKET": "40", "HIP3_ORDER_NOTIONAL": "40"},
    ],
)
def test_a_limit_that_lets_no_order_through_is_refused(given: dict[str, str]) -> None:
    (fault,) = _faults(given)
    assert "lets no order through" in fault
    least = fault.partition("give ")[2].partition(",")[0]
    reading.load(given | {"HIP3_MAX_NOTIONAL_PER_MARKET": least, "HIP3_MAX_NOTIONAL_TOTAL": least}, None)


@pytest.mark.parametrize("secret", [KEY, KEY[2:], "abandon " * 11 + "about"])
def test_a_key_put_into_any_setting_by_mistake_is_not_shown(secret: str) -> None:
    """In HIP3_PRIVATE_KEY_FILE it came out with every start that failed, as the file that is not there."""
    hidden = {"HIP3_PRIVATE_KEY", "HIP3_KEYSTORE_PASSWORD", "HIP3_ALERT_URLS", "HIP3_DEADMAN_URL"}
    for name in reading.FIELDS:
        setting = f"HIP3_{name.upper()}"
        if setting not in hidden:
            (fault, *_) = _faults(
                {setting: secret, "HIP3_NETWORK": "embedded"} if name != "network" else {setting: secret}
            )
            assert fault.startswith(setting)
            assert "HIP3_PRIVATE_KEY_FILE" in fault
            assert secret not in fault


def test_none_is_a_value_of_a_market_s_own(tmp_path: Path) -> None:
    """It was passed over, and the account's hours and fee stayed."""
    file = tmp_path / "markets.toml"
    file.write_text('["xyz:GOLD"]\nsessions = "none"\nblackout = ""\ntaker_fee_bps = "none"\n')
    base = {
        "HIP3_SESSIONS": "Mon-Fri 09:30-16:00 America/New_York",
        "HIP3_BLACKOUT": "14:00-15:00",
        "HIP3_TAKER_FEE_BPS": "9",
    }
    found = reading.load_markets_file(reading.load(base | {"HIP3_MARKETS_FILE": str(file)}, None))
    gold, other = found.for_market("xyz:GOLD"), found.for_market("xyz:TSLA")
    fields = {name: reading.FIELDS[name].default for name in ("sessions", "blackout", "taker_fee_bps")}
    assert {name: getattr(gold, name) for name in fields} == fields
    assert (other.blackout, other.taker_fee_bps) == ("14:00-15:00", 9)
