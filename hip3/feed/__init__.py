"""Market data in: the latest snapshot of each market."""
