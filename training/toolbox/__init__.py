"""Draws, trains, exports and judges the built-in detector for the eleven tools of a hand toolkit."""
