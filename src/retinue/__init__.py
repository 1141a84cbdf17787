"""Retinue serves a team's vision models: accounts, credits, datasets, live predictions and durable jobs."""

__version__ = "0.1.0"
