"""The schema's history, one step per file, run by `base/migrating.py`."""
