"""To the side, never in the way: journal, logs, status, control."""
