"""What it costs: prices, the ledger, statements, and the keys that make a repeated request count once."""
