"""Foreign recordings into ours: each format a reader of frames, checked as a whole before a byte is written."""
