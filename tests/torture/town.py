"""A real server with a heavy model and people who can pay, for crowds to meet."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path

import httpx2

from bench.graphs import resnet50
from bench.server import Served, serving
from retinue import assembly
from retinue.accounts.credentials import Hasher
from retinue.base.settings import Settings
from retinue.credits import ledger
from retinue.credits.verifying import Violation, verify
from tests.accounts.people import add_person, with_key
from tests.feedback.models import put_package_in
from tests.pictures import drawn
from tests.torture.crowd import request_for

HEAVY = "resnet50-sized"
PRICE = 275
RICH = 100_000_000
# Different pictures, small enough that sending them costs the client nothing that the server needs.
PICTURES = [drawn(seed, width=320, height=240) for seed in range(32)]


@dataclass(frozen=True)
class Town:
    """`keys`: an API key of everybody who lives here."""

    server: Served
    keys: Sequence[str]

    def requests_of(self, who: int, *, model: str = HEAVY, timeout_ms: int = 30_000) -> list[bytes]:
        ask = partial(request_for, self.server.port, self.keys[who], model=model, timeout_ms=timeout_ms)
        return [ask(picture) for picture in PICTURES]

    def requests(self, *people: int, model: str = HEAVY, timeout_ms: int = 30_000) -> list[bytes]:
        """Of all of them in turn, or of those named."""
        each = [self.requests_of(who, model=model, timeout_ms=timeout_ms) for who in people or range(len(self.keys))]
        return [request for together in zip(*each, strict=True) for request in together]

    def spent(self) -> int:
        """In hundredths; nothing may be held by anybody."""
        balances = [self.server.ask("GET", "/api/v1/me/credits", token=key) for key in self.keys]
        assert [one["held"] for one in balances] == [0] * len(balances)
        return round(sum(RICH - one["balance"] * 100 for one in balances))

    def violations(self) -> list[Violation]:
        house = assembly.open_house(Settings(data_dir=self.server.folder / "data"))
        try:
            return house.database.read_now(lambda now: verify(now, more=assembly.LEDGER_CHECKS.more))
        finally:
            house.close()


@contextmanager
def a_town(folder: Path, builtin: Path, *, people: int) -> Iterator[Town]:
    shelf = folder / "data" / "models"
    shelf.mkdir(parents=True)
    (shelf / "builtin").symlink_to(builtin)
    keys = asyncio.run(_settle(folder, people))
    with serving(folder) as server:
        yield Town(server, keys)


async def _settle(folder: Path, people: int) -> list[str]:
    settings = Settings(data_dir=folder / "data", welcome_credits=Decimal(0))
    house = assembly.open_house(settings, hasher=Hasher(memory_kib=8, passes=1))
    try:
        assembly.prepare(house)
        await put_package_in(house, resnet50(folder / "heavy"))
        keys = []
        async with httpx2.AsyncClient() as nobody:
            for number in range(people):
                person = add_person(house, nobody, f"person{number}@example.com")
                house.database.write_now(partial(ledger.topup, user_id=person.user.id, amount=RICH))
                keys.append(with_key(house, person).credential)
        return keys
    finally:
        house.close()
