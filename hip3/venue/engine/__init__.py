"""Books, accounts and rules: matching, margin, funding, liquidation. Pure.

True for every module here, and said only here:

- Prices are USD per unit of the asset, sizes are in units, notional and cash are in USD, all as Decimal. Fee and
  funding rates and discounts are fractions (0.00045 is 4.5 bps).
- Times are exchange milliseconds. `now_ms` is always an argument: nothing here reads a clock or draws a random
  number that no seed decides, so the same calls give the same exchange.
- Everything is confined to the venue's one thread and takes no lock.
- A refusal is a value, never an exception. What is raised says that a caller named a coin, an account or an order
  that is not there (KeyError), or a price that is none (ValueError).
- What the streams must tell is appended to `State.events`; nobody is called.
"""
