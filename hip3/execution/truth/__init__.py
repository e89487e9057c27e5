"""What the exchange says is so: the account, open orders, unknown outcomes, the state of readiness.

Nearly all of it runs on the rest thread: `bootstrap` before anything is built, `housekeeping` and its helpers
(`resolver`, `open_orders`, `markets`, `margin`) while the service runs, `account` whenever everything is read.
`streams` and `strangers` are told by other threads what came.

A read gives the whole answer or raises `VenueReadError`, and then nothing is known from it: nowhere does a failed read
look flat or empty. Answers of an odd shape may raise one of `errors.ODD_ANSWERS` instead, where a docstring says no
more; who calls from outside treats both alike.
"""
