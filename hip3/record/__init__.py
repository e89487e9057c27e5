"""Recordings: what the exchange sent, byte for byte, on disk; written beside trading and never in its way."""
