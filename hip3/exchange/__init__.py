"""The edge to Hyperliquid. Its shorthand (px, sz, a, b) lives in `wire` alone."""
