"""Somebody else's bot of thirty lines, tested with our exchange from a fresh environment: the wheel, pip, pytest."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stories.test_install import _copy, _pip

BOT = '''
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info


class Bot:
    """Buys a dip, sells when it is over; never holds more than one lot."""

    def __init__(self, wallet, url, coin, dip):
        self.coin, self.dip, self.size = coin, dip, 0.01
        dex = coin.split(":")[0]
        self.dex, self.address = dex, wallet.address
        self.info = Info(url, skip_ws=True, perp_dexs=[dex])
        self.exchange = Exchange(wallet, url, perp_dexs=[dex])
        self.start = self.price()

    def price(self):
        return float(self.info.all_mids(dex=self.dex)[self.coin])

    def held(self):
        positions = self.info.user_state(self.address, dex=self.dex)["assetPositions"]
        return sum(float(p["position"]["szi"]) for p in positions)

    def step(self):
        price, held = self.price(), self.held()
        if not held and price < self.start * (1 - self.dip):
            return self.exchange.market_open(self.coin, True, self.size)
        if held and price >= self.start:
            return self.exchange.market_close(self.coin)
        return None
'''
TESTS = """
from bot import Bot
from eth_account import Account
from hip3.testing import exchange


def test_it_buys_the_dip_and_sells_it(exchange):
    bot = Bot(Account.from_key(exchange.key), exchange.url, "xyz:GOLD", 0.02)
    assert bot.step() is None
    exchange.move("xyz:GOLD", bot.start * 0.97)
    assert "filled" in bot.step()["response"]["data"]["statuses"][0]
    assert bot.held() == 0.01
    exchange.move("xyz:GOLD", bot.start * 1.01)
    bot.step()
    assert bot.held() == 0


def test_it_outlives_a_bad_gateway_and_an_hour_of_silence(exchange):
    bot = Bot(Account.from_key(exchange.key), exchange.url, "xyz:GOLD", 0.02)
    exchange.fault("http", on="order", status=502, times=1)
    exchange.move("xyz:GOLD", bot.start * 0.97)
    try:
        bot.step()
    except Exception as error:
        assert "502" in str(error)
    exchange.step(3600)
    assert bot.held() == 0
    bot.step()
    assert bot.held() == 0.01
"""


@pytest.mark.long
def test_a_bot_of_thirty_lines_is_tested_from_a_fresh_environment(tmp_path: Path) -> None:
    assert len([line for line in BOT.splitlines() if line.strip()]) <= 30
    _pip(
        sys.executable, "wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(_copy(tmp_path / "src"))
    )
    (wheel,) = tmp_path.glob("*.whl")
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    _pip(python, "install", str(wheel), "pytest", "hyperliquid-python-sdk")
    box = tmp_path / "box"
    box.mkdir()
    (box / "bot.py").write_text(BOT)
    (box / "test_bot.py").write_text(TESTS)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("HIP3_", "PYTHON", "PYTEST"))}
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd=box, env=clean, capture_output=True, text=True,
        check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
