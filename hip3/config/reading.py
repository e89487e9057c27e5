"""Reading and checking the settings.

`hip3.config.settings.Settings` is the table. `load` reads it from the environment and `.env` (the environment wins),
checks everything and raises `ConfigError` with every fault at once. `.env.example` is printed from
the same table (`example_env`) and a test compares the two.
"""

import functools
import logging
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
from dotenv import dotenv_values
from msgspec.structs import fields

from hip3.config.describing import looks_secret
from hip3.config.paper import paper_faults
from hip3.config.quote_settings import WEEKEND, QuoteSettings, quote_faults
from hip3.config.settings import Settings
from hip3.core.money import LIMIT_SHARE, MIN_NOTIONAL_USD, ceil_size, div
from hip3.core.urls import parts_of, shown_url, split_urls
from hip3.core.windows import parse_sessions, parse_windows
from hip3.errors import ConfigError

PREFIX = "HIP3_"
MICRO: dict[str, Any] = {
    "order_notional": Decimal(11), "max_notional_per_market": Decimal(15), "max_notional_total": Decimal(15),
    "max_concurrent_positions": 1,
}  # fmt: skip
"""What HIP3_PROFILE=micro sets: the smallest orders that the exchange takes with certainty, and room for one."""

_HOSTS = {"api.hyperliquid.xyz": "mainnet", "api.hyperliquid-testnet.xyz": "testnet"}
FIELDS: dict[str, Any] = {f.name: f for f in (*fields(Settings)[len(fields(QuoteSettings)) :], *fields(QuoteSettings))}


@functools.cache
def meta_of(name: str) -> msgspec.Meta:
    """The description, bounds and marks of one setting."""
    for argument in get_args(FIELDS[name].type):
        if isinstance(argument, msgspec.Meta):
            return argument
    raise KeyError(name)


def _extra(name: str) -> dict[str, Any]:
    return meta_of(name).extra or {}


def market_settings() -> list[str]:
    """Names that a markets file may set per market."""
    return [name for name in FIELDS if _extra(name).get("market")]


def load(environ: Mapping[str, str], env_file: Path | None, *, markets: bool = True) -> Settings:
    """Settings from `environ` over `env_file`. ConfigError with all faults. `markets`: whether outside embedded they
    must be named; who only looks at what there is need not."""
    faults: list[str] = []
    raw: dict[str, str] = {}
    if env_file is not None and env_file.is_file():
        logging.getLogger("dotenv").setLevel(logging.ERROR)  # `_line_faults` names what it cannot parse
        try:
            from_file = {k: v or "" for k, v in dotenv_values(env_file).items()}
        except UnicodeDecodeError:
            raise ConfigError([f"{env_file} is not UTF-8 text"]) from None
        raw.update({k: v for k, v in from_file.items() if k.startswith(PREFIX)})
        faults += _file_faults(env_file, raw) + _line_faults(env_file)
    raw.update({k: v for k, v in environ.items() if k.startswith(PREFIX)})
    values: dict[str, Any] = {}
    for key, text in raw.items():
        fault = _take(key.removeprefix(PREFIX).lower(), text.strip(), values)
        if fault:
            faults.append(f"{key}: {fault}")
    if values.get("profile") == "micro":
        clash = [f"{PREFIX}{n.upper()}" for n, v in MICRO.items() if values.get(n, v) != v]
        faults += [f"{name} is set by HIP3_PROFILE=micro; leave it out" for name in clash]
        values |= MICRO
    if values.get("quote_preset") == "weekend":
        values = WEEKEND | values
    if not faults:
        settings = Settings(**values)
        if not (faults := _combination_faults(settings, markets=markets)):
            return settings
    else:  # the combinations are checked too, with what could be read: all faults at once
        faults += _combination_faults(Settings(**values), markets=markets)
    raise ConfigError(faults)


def _file_faults(env_file: Path, raw: Mapping[str, str]) -> list[str]:
    secret = next((name for name in FIELDS if _extra(name).get("secret") and raw.get(PREFIX + name.upper())), None)
    mode = stat.S_IMODE(os.stat(env_file).st_mode)
    if secret is not None and mode & 0o077:
        what = "a key" if "key" in secret else "a secret"
        return [f"{env_file} holds {what} and is readable by others (mode {mode:04o}); chmod 600 it"]
    return []


def _line_faults(env_file: Path) -> list[str]:
    """Lines that name a setting but are no assignment: they would be ignored in silence."""
    faults = []
    for number, line in enumerate(env_file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        text = line.strip().removeprefix("export ").strip()
        if text.startswith(PREFIX) and not re.match(r"[A-Z0-9_]+\s*=", text):
            name = re.match(r"[A-Za-z0-9_]+", text)
            faults.append(f"{env_file} line {number}: {name[0] if name else text[:20]} is not followed by =")
    return faults


def _take(name: str, text: str, values: dict[str, Any]) -> str | None:
    """Put one parsed value into `values`, or say what is wrong with it."""
    if name not in FIELDS:
        near = get_close_matches(name, FIELDS, n=1, cutoff=0.6)
        return "unknown setting" + (f"; did you mean {PREFIX}{near[0].upper()}?" if near else "")
    if looks_secret(text) and not _extra(name).get("secret"):
        return "holds a key or a seed phrase, which belongs into the file that HIP3_PRIVATE_KEY_FILE names (not shown)"
    if text == "" or (text.lower() == "none" and FIELDS[name].default is None):
        return None
    try:
        value = msgspec.convert(text, FIELDS[name].type, strict=False)
    except msgspec.ValidationError as error:
        if _extra(name).get("secret"):
            return "cannot be read"
        choices = _range(name) if "enum" in str(error) else ""
        return f"{_plain(str(error))}{choices} (given: {text!r})"
    if (fault := _bound_fault(name, value)) is None:
        values[name] = value
    return fault


def _plain(message: str) -> str:
    plain = message.replace("Expected ", "expected ").replace("`", "").replace(", got str", "")
    plain = plain.replace(" | null", "").replace("Invalid decimal string", "expected a plain number, like 100")
    return plain.replace("Invalid enum value", "not one of the choices:")


def _bound_fault(name: str, value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        return None
    if isinstance(value, Decimal) and not value.is_finite():
        return f"expected a finite number (given: {value})"
    bounds = _extra(name)
    low, above, high = (None if bounds.get(w) is None else Decimal(bounds[w]) for w in ("ge", "gt", "le"))
    if low is not None and value < low:
        return f"expected at least {low} (given: {value})"
    if above is not None and value <= above:
        return f"expected more than {above} (given: {value})"
    if high is not None and value > high:
        return f"expected at most {high} (given: {value})"
    return None


def _combination_faults(s: Settings, *, markets: bool = True) -> list[str]:
    faults = []
    sources = [n for n in ("private_key", "private_key_file", "keystore_file") if getattr(s, n)]
    if len(sources) > 1:
        names = ", ".join(PREFIX + n.upper() for n in sources)
        faults.append(f"more than one key source: {names}; keep one")
    if s.keystore_file and s.keystore_password is None:
        faults.append("HIP3_KEYSTORE_FILE needs HIP3_KEYSTORE_PASSWORD")
    if s.max_notional_per_market > s.max_notional_total:
        faults.append(f"HIP3_MAX_NOTIONAL_PER_MARKET={s.max_notional_per_market:f} is above HIP3_MAX_NOTIONAL_TOTAL")
    smallest = max(s.order_notional, MIN_NOTIONAL_USD)
    if s.max_notional_per_market * LIMIT_SHARE < smallest:
        least = ceil_size(div(smallest, LIMIT_SHARE), 0) + 1
        faults.append(
            f"HIP3_MAX_NOTIONAL_PER_MARKET {shown(s.max_notional_per_market)} lets no order through: an order is at "
            f"least {shown(smallest)} USD and at most 99 % of it; give {least}, or more where the lot is coarse"
        )
    if s.min_book_notional >= s.normal_book_notional:
        faults.append("HIP3_MIN_BOOK_NOTIONAL must be below HIP3_NORMAL_BOOK_NOTIONAL")
    if (s.trailing_activation_bps > 0) != (s.trailing_distance_bps > 0):
        faults.append(
            "HIP3_TRAILING_ACTIVATION_BPS and HIP3_TRAILING_DISTANCE_BPS work only together; set both or none"
        )
    if s.exit_slippage_bps > s.exit_max_slippage_bps:
        faults.append("HIP3_EXIT_SLIPPAGE_BPS is above HIP3_EXIT_MAX_SLIPPAGE_BPS")
    if s.tick_ms > s.time_stop_ms:
        faults.append("HIP3_TICK_MS is above HIP3_TIME_STOP_MS")
    faults += _risk_faults(s) + _market_faults(s) + _address_faults(s) + _url_faults(s)
    if markets and s.network != "embedded" and not s.coins:
        faults.append("HIP3_MARKETS must be given outside embedded; there is no auto-discovery")
    faults += paper_faults(s) if s.paper else []
    if markets and s.network != "embedded" and s.doing == "trade" and not sources:
        faults.append("HIP3_MODE=trade outside embedded needs a key, for example HIP3_PRIVATE_KEY_FILE")
    return faults


def _risk_faults(s: Settings) -> list[str]:
    faults = []
    if s.market_health_disable > s.market_health_enable:
        faults.append("HIP3_MARKET_HEALTH_DISABLE is above HIP3_MARKET_HEALTH_ENABLE")
    if s.market_health and s.market_health_min_samples > s.market_health_window:
        faults.append("HIP3_MARKET_HEALTH_MIN_SAMPLES is above HIP3_MARKET_HEALTH_WINDOW: it would never be judged")
    for name, parse, text in (
        ("BLACKOUT", parse_windows, s.blackout),
        ("SESSIONS", parse_sessions, s.sessions),
        ("QUOTE_SESSIONS", parse_sessions, s.quote_sessions),
    ):
        try:
            parse(text)
        except ValueError as error:
            faults.append(f"HIP3_{name}: {error}")
    if s.profile == "micro" and len(s.coins) > 1:
        faults.append("HIP3_PROFILE=micro trades one market; name one in HIP3_MARKETS")
    return faults


def _market_faults(s: Settings) -> list[str]:
    faults = []
    for coin in s.coins:
        dex, _, name = coin.partition(":")
        if not dex or not name or " " in coin:
            faults.append(f"HIP3_MARKETS: {coin!r} is not of the form dex:COIN; several are separated by commas")
        elif s.dex is not None and dex not in s.dexs:
            faults.append(f"HIP3_MARKETS: {coin} is outside HIP3_DEX ({', '.join(s.dexs)})")
    return faults + quote_faults(s, s.quoted_coins, s.coins)


def _address_faults(s: Settings) -> list[str]:
    return [
        f"{PREFIX}{name.upper()}: not an address (0x and 40 hex digits)"
        for name in ("signer_address", "account_address", "vault_address")
        if getattr(s, name) is not None and not is_address(getattr(s, name))
    ]


def _url_faults(s: Settings) -> list[str]:
    faults = []
    for name, schemes in (("api_url", ("http", "https")), ("ws_url", ("ws", "wss"))):
        url = getattr(s, name)
        if url is None:
            continue
        parts = parts_of(url)
        if parts is None or parts.scheme not in schemes:
            faults.append(f"{PREFIX}{name.upper()}: expected {schemes[0]}://HOST:PORT (given: {shown_url(url)!r})")
        owner = None if parts is None else _HOSTS.get(parts.hostname or "")
        if owner is not None and owner != s.network:
            faults.append(f"{PREFIX}{name.upper()} is {owner}'s address, but HIP3_NETWORK is {s.network}")
    return faults + _secret_url_faults(s)


def _secret_url_faults(s: Settings) -> list[str]:
    """Faults of addresses that are never shown: they are named by their place."""
    faults = [
        f"HIP3_ALERT_URLS: entry {number} is not of the form service://…"
        for number, url in enumerate(split_urls(s.alert_urls), 1)
        if "://" not in url
    ]
    if s.deadman_url is not None:
        parts = parts_of(s.deadman_url)
        if parts is None or parts.scheme not in ("http", "https"):
            faults.append("HIP3_DEADMAN_URL: expected https://HOST/…")
    return faults


def is_address(text: str) -> bool:
    """0x and 40 hex digits."""
    return re.fullmatch("0x[0-9a-fA-F]{40}", text) is not None


class Group(msgspec.Struct, frozen=True):
    """Markets that move together; each counts `weight` in HIP3_CORRELATION_POSITION."""

    markets: list[str]
    weight: Decimal = Decimal("1.5")


class MarketSettings(msgspec.Struct, frozen=True):
    """Settings of single markets: `for_market(coin)` is the whole table as it holds there."""

    base: Settings
    overrides: dict[str, dict[str, Any]] = {}
    groups: dict[str, Group] = {}

    def weights(self) -> dict[str, Decimal]:
        """The weight of every market that is in a group; the largest where it is in several."""
        out: dict[str, Decimal] = {}
        for group in self.groups.values():
            for coin in group.markets:
                out[coin] = max(group.weight, out.get(coin, group.weight))
        return out

    def for_market(self, coin: str) -> Settings:
        values = self.overrides.get(coin)
        return msgspec.structs.replace(self.base, **values) if values else self.base


def load_markets_file(settings: Settings) -> MarketSettings:
    """The per-market table of HIP3_MARKETS_FILE. ConfigError with all faults."""
    if settings.markets_file is None:
        return MarketSettings(settings)
    path = Path(settings.markets_file)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError([f"HIP3_MARKETS_FILE {path}: {error}"]) from None
    faults, groups = list[str](), dict[str, Group]()
    overrides: dict[str, dict[str, Any]] = {}
    allowed = market_settings()
    for coin, table in tables.items():
        if coin == "groups":
            groups = _groups(table, faults)
            continue
        if not isinstance(table, dict) or ":" not in coin:
            faults.append(f'HIP3_MARKETS_FILE: {coin!r} is not a market table like ["xyz:GOLD"]')
            continue
        values: dict[str, Any] = {}
        for name, value in table.items():
            fault = f"not a setting of a market; {_near(name, allowed)}" if name not in allowed else None
            if settings.profile == "micro" and name in MICRO:
                fault = "is set by HIP3_PROFILE=micro; leave it out"
            fault = fault or _take(name, str(value), values)
            if fault:
                faults.append(f"HIP3_MARKETS_FILE: {coin}.{name}: {fault}")
            elif FIELDS[name].default in (None, ""):  # `none` and "" are values here: not as for the others
                values.setdefault(name, FIELDS[name].default)
        overrides[coin] = values
        if not faults:
            merged = msgspec.structs.replace(settings, **values)
            faults += [f"HIP3_MARKETS_FILE: {coin}: {f}" for f in _combination_faults(merged)]
    if faults:
        raise ConfigError(faults)
    return MarketSettings(settings, overrides, groups)


def _groups(tables: Any, faults: list[str]) -> dict[str, Group]:
    """`[groups.NAME]` with `markets` and `weight`."""
    out = {}
    for name, table in (tables if isinstance(tables, dict) else {"": tables}).items():
        try:
            group = msgspec.convert(table, Group, strict=False)
            unknown = [key for key in table if key not in ("markets", "weight")]
            if unknown or not group.markets or not 0 < group.weight <= 1000:
                raise msgspec.ValidationError("expected `markets`, and perhaps `weight` above 0")
            out[name] = group
        except msgspec.ValidationError as error:
            faults.append(f"HIP3_MARKETS_FILE: groups.{name}: {_plain(str(error))}")
    return out


def _near(name: str, allowed: list[str]) -> str:
    near = get_close_matches(name, allowed, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(allowed)}"


def shown(value: Any) -> str:
    """A value as it stands in `.env.example`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def example_env() -> str:
    """The text of `.env.example`."""
    lines = [
        "# Settings of hip3: environment variables, or lines of a file `.env` (the environment wins).",
        "# Each line below is the default; 0 or empty means off unless said otherwise.",
        "# A .env that holds a key must be readable by its owner only (chmod 600 .env).",
        "",
    ]
    for name, field in FIELDS.items():
        lines.append(f"# {meta_of(name).description}{_range(name)}")
        lines.append(f"#{PREFIX}{name.upper()}={shown(field.default)}")
    return "\n".join(lines) + "\n"


def _range(name: str) -> str:
    meta, extra = meta_of(name), _extra(name)
    low = meta.ge if meta.ge is not None else extra.get("ge") or extra.get("gt")
    high = meta.le if meta.le is not None else extra.get("le")
    kinds = get_args(get_args(FIELDS[name].type)[0]) or (get_args(FIELDS[name].type)[0],)
    words = [str(w) for k in kinds if get_origin(k) is Literal for w in get_args(k)]
    if not words and get_origin(get_args(FIELDS[name].type)[0]) is Literal:
        words = [str(w) for w in get_args(get_args(FIELDS[name].type)[0])]
    if words:
        return f" ({' | '.join(words)})"
    if low is None and high is None:
        return ""
    return f" ({low if low is not None else ''}..{high if high is not None else ''})"


def redacted(settings: Settings) -> dict[str, str]:
    """Every setting as text, secrets hidden: for the start line and the journal."""

    def text(name: str) -> str:
        value = getattr(settings, name)
        if name in ("api_url", "ws_url") and value:
            return shown_url(value)
        return "***" if _extra(name).get("secret") and value else shown(value)

    return {name: text(name) for name in FIELDS}
