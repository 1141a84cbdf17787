"""A running server on a real port, in a thread of the test's process: for clients that block."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx2

from retinue import assembly
from retinue.accounts.access import SCOPES
from retinue.accounts.credentials import Hasher
from retinue.accounts.tables import Role
from retinue.base.settings import Settings
from retinue.credits import ledger
from retinue.web.serving import Server
from tests.accounts.people import Person, add_person, with_key
from tests.servers.processes import free_port

PATIENCE_S = 240.0


@dataclass
class Served:
    """A house and its server, which may be stopped and started again at the same address."""

    settings: Settings
    house: assembly.House = field(init=False)
    _server: Server = field(init=False)
    _thread: threading.Thread = field(init=False)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.settings.port}"

    def start(self) -> None:
        self.house = assembly.open_house(self.settings, hasher=Hasher(memory_kib=8, passes=1))
        assembly.prepare(self.house)
        ready = threading.Event()
        app = assembly.application(self.house)
        self._server = Server(app, self.settings, self.house.health, when_ready=lambda _: ready.set())
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve()), daemon=True)
        self._thread.start()
        assert ready.wait(PATIENCE_S), "the server did not start"

    def stop(self) -> None:
        """As SIGTERM does, without its notice: streams are told to end, what is under way is answered."""
        self.house.health.drain()
        self._server.should_exit = True
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        self.house.close()

    def person(self, email: str, *, role: Role = "user", hundredths: int = 1_000_000) -> Person:
        """Somebody signed in, with that much above the welcome."""
        person = add_person(self.house, httpx2.AsyncClient(), email, role=role)
        if hundredths:
            self.house.database.write_now(lambda now: ledger.topup(now, person.user.id, hundredths))
        return person

    def key(self, email: str, *, role: Role = "user", hundredths: int = 1_000_000) -> str:
        """An API key of somebody new; an admin's may what admins may."""
        scopes = [*SCOPES] if role == "admin" else None
        return with_key(self.house, self.person(email, role=role, hundredths=hundredths), scopes=scopes).credential


@contextmanager
def serving(settings: Settings) -> Iterator[Served]:
    served = Served(settings.model_copy(update={"port": free_port()}))
    served.start()
    try:
        yield served
    finally:
        served.stop()
