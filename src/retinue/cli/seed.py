"""`retinue seed`: what a house begins with; run again, it adds only what is missing."""

import asyncio
from pathlib import Path

import retinue
from retinue import assembly
from retinue.cli.local import local_house
from retinue.datasets import demo

EXAMPLES = Path(retinue.__file__).parent / "web" / "static" / "examples"


def seed() -> int:
    """Put in the schema, the built-in models, the tools and their kit, the settings' admin and a demo dataset."""
    with local_house() as house:
        admin = house.database.read_now(demo.first_admin)
        if admin is None:
            print("The demo dataset waits for an admin: set RETINUE_ADMIN_EMAIL and RETINUE_ADMIN_PASSWORD, or use the")
            print("set-up code in the browser, and run this again. Everything else is there.")
            return 0
        pictures = sorted(EXAMPLES.glob("*.jpg"))
        made = asyncio.run(demo.put_in(assembly.importer_of(house), admin, pictures))
        print(f"{admin.email} has the dataset {demo.NAME}." if made else "Everything was there already.")
    return 0
