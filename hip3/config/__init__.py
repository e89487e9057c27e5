"""Settings: their names and bounds, how they are read, and times of day."""
