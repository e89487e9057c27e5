"""The production service over a recording, in one thread: what it would have earned."""
