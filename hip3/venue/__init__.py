"""The embedded exchange: a Hyperliquid with HIP-3 dexs in one process."""
