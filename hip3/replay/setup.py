"""The exchange of a recording: its dexs and markets as the recorded answers say, fees and precision included. Pure."""

from decimal import Decimal

from hip3.errors import ConfigError
from hip3.replay.head import Head
from hip3.venue.market.answers import NO_PX, setup_from
from hip3.venue.setup.settings import VenueSetup, load_setup


def setup_of(head: Head) -> tuple[VenueSetup, dict[str, Decimal]]:
    """(setup, starting price of each market). ConfigError where nobody knows a recorded market.

    Without recorded answers the markets are those of the embedded exchange, and that is noted as assumed.
    """
    built_in = load_setup()
    found = setup_from([(m["request"], m["answer"]) for m in head.metas], built_in)
    if found is None:
        head.assumed.append("the markets are those of the embedded exchange: the recording has no meta")
        setup, px = built_in, dict[str, Decimal]()
    else:
        setup, px = found
    known = {m.coin for m in setup.markets}
    head.assumed += [f"{coin} begins at {NO_PX}: no recorded answer has its price" for coin in head.coins
                     if px.get(coin) is NO_PX]  # fmt: skip
    unknown = [coin for coin in head.coins if coin not in known]
    if unknown:
        raise ConfigError([f"{coin} is recorded, but no recorded meta has it" for coin in unknown])
    return setup, px
