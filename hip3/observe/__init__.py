"""What became of signals and near misses: episodes, their follow-ups, and what both say. Pure."""
