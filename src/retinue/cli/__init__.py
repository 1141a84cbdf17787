"""The hand: `retinue …` on the command line."""
