"""The face: what HTTP adds to the rooms."""
