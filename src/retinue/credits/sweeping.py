"""What ends by time: holds of live requests that nobody settled, and answers kept for a day."""

import asyncio
from collections.abc import Callable

import structlog

from retinue.base.database import Database, Transaction
from retinue.credits import idempotency, ledger

EVERY_S = 5.0
_log = structlog.get_logger(__name__)


async def sweep(database: Database) -> int:
    """How many holds it released. Each is a write of its own: a crash half-way leaves the rest to the next round, and
    of two nodes that see the same hold one releases it."""
    overdue = await database.read(ledger.expired_holds)
    released = await asyncio.gather(*(database.write(_expire(hold_id)) for hold_id in overdue))
    await database.write(idempotency.sweep)
    count = sum(one is not None for one in released)
    if count:
        _log.warning("holds expired", count=count)
    return count


def _expire(hold_id: str) -> Callable[[Transaction], int | None]:
    return lambda now: ledger.expire(now, hold_id)
