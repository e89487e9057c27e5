"""What the exchange keeps beside its engine: who may act for whom, candles."""
