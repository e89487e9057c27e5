"""May we, and when: gates, scheduler, tick, posts in flight, readiness.

From the top: `flow` takes every frame and gives it to `market_in` or `orders_in`; `consequences` tells exits, quotes,
risk and journal what changed in the books; `entries`, `exits` and `quotes` decide; `truth` asks the exchange; from
`sending` it leaves. `ports` is what these rooms ask of each other. None of them opens a socket or a file, or reads a
clock that it was not given.

Where nothing else is said: `now_ms` is monotonic, `wall_ms` and `created_ms` are wall time, `exchange_ms` and the times
of fills and orders are the exchange's, all in milliseconds. Prices are Decimal, USD for one unit of the asset; sizes
are Decimal, in units of the asset; a signed size is positive when long. A coin is named as the exchange does, dex and
all (`dex:NAME`).
"""
