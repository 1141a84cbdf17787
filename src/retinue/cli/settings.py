"""`retinue settings`: every setting with its value, its origin and its words."""

from dataclasses import asdict

from retinue.base.settings import describe, read_settings
from retinue.cli.showing import Json, show_json, show_table


def settings(*, as_json: Json = False) -> int:
    """Show every setting; secrets are masked."""
    lines = list(describe(read_settings()))
    if as_json:
        show_json([asdict(line) for line in lines])
    else:
        rows = [(line.name, line.value, line.origin, line.words) for line in lines]
        show_table(("Setting", "Value", "From", "What it does"), rows)
    return 0
