"""The pages: one module per screen. They draw what the API's own functions answer; no rule lives here."""
