"""WORK FOR LATER: durable jobs over datasets, in chunks that may be killed anywhere and count once."""
