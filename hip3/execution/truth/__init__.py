"""What the exchange says is so: the account, open orders, unknown outcomes, the state of readiness."""
