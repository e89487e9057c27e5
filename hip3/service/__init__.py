"""One process: start, supervise, be asked, stop."""
