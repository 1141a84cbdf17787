"""Models and their versions: which one answers, since when, and why."""
