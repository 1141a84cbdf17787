"""TELL ME WHEN DONE: who wants to hear of what, and news that go out at least once, signed, to public places only."""
