"""What this process works on, kept by a thread of its own: post-processing that holds up the event loop must not cost
a lease. It renews every third of a lease and looks about once a second whether an owner has aborted."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from retinue.base.database import Database, DatabaseUnavailable, Transaction
from retinue.jobs import chunks
from retinue.jobs.chunks import Lease
from retinue.jobs.terms import Terms

_log = structlog.get_logger(__name__)


class Held:
    """A lease in this process's hands; `is_lost` once somebody else may have the chunk."""

    __slots__ = ("is_lost", "lease")

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.is_lost = False


class Leases:
    def __init__(self, database: Database, terms: Terms) -> None:
        self._database = database
        self._terms = terms
        self._held: dict[Lease, Held] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="job-leases", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @contextmanager
    def holding(self, lease: Lease) -> Iterator[Held]:
        held = Held(lease)
        with self._lock:
            self._held[lease] = held
        try:
            yield held
        finally:
            with self._lock:
                del self._held[lease]

    def count(self) -> int:
        return len(self._held)

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def _keep(self) -> None:
        renew_at = time.monotonic() + self._terms.renew_s
        while not self._ended.wait(self._terms.look_s):
            with self._lock:
                held = list(self._held.values())
            is_due = time.monotonic() >= renew_at
            if is_due:
                renew_at = time.monotonic() + self._terms.renew_s
            if held:
                self._look(held, renew=is_due)

    def _look(self, held: list[Held], *, renew: bool) -> None:
        def ask(now: Transaction) -> list[bool]:
            if renew:
                return [chunks.renew(now, one.lease, terms=self._terms) for one in held]
            return [chunks.is_mine(now, one.lease) for one in held]

        try:
            mine = self._database.write_now(ask) if renew else self._database.read_now(ask)
        except DatabaseUnavailable:
            _log.warning("leases could not be renewed", count=len(held))
            return
        except Exception:  # noqa: BLE001 a full disk or a fault of ours: without this thread every lease would be lost
            _log.exception("leases could not be renewed", count=len(held))
            return
        for one, is_mine in zip(held, mine, strict=True):
            one.is_lost = one.is_lost or not is_mine
