"""Quoting: what should rest in the quoted markets, and what is done about the difference. Confined to the tick."""
