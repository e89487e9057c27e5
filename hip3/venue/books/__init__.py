"""What the exchange keeps beside its engine: who may act for whom, candles. Pure.

Units, thread and time are those of `hip3.venue.engine`. Addresses are given and kept in small letters; only those of
the setup's vaults are lowered here.
"""
