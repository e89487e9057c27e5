"""How positions end: by rule, by stop on the exchange, by HardStop."""
