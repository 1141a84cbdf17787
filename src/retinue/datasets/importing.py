"""How files become items: all are checked, the sound ones are written, and one transaction makes them count and paid.

Until that transaction nothing is charged and no row names a file, so a process may die anywhere before it: what it
leaves are files that the sweeper takes. Whoever cannot pay is told so after everything was checked, and from the
picture on at which the credits end nothing more is written.
"""

import asyncio
from dataclasses import dataclass

import orjson

from retinue.accounts.access import Identity
from retinue.base.database import CommitInDoubt, Transaction
from retinue.base.failpoints import reach
from retinue.base.ids import new_id
from retinue.credits import idempotency, ledger
from retinue.credits.idempotency import Replay, Ticket
from retinue.credits.shapes import as_credits
from retinue.datasets import items
from retinue.datasets.handling import Asked, Importer, Work
from retinue.datasets.items import Added
from retinue.datasets.kinds import Sent
from retinue.datasets.reports import Report, report_of

SLOWEST_BYTES_PER_S = 2 << 20  # how slow an import may be before its Idempotency-Key opens to a twin


async def take_in(importer: Importer, sent: Sent, asked: Asked, caller: Identity) -> bytes | Replay:
    """The report as it goes out. Refused as a whole when not a single item comes of it."""
    size = sent.content.size + (sent.mask.size if sent.mask else 0)
    begun = await importer.database.write(lambda now: _begin(now, importer, asked, caller, size_bytes=size))
    if isinstance(begun, Replay):
        return begun
    work = Work(importer, asked, there=begun.there, available=begun.available)
    try:
        await work.run(sent)
        body, unused = await _finish(importer, asked, caller, work, begun)
    except CommitInDoubt:
        raise  # the items may be there: their files stay, and the sweeper finds out
    except BaseException:
        await asyncio.shield(_undo(importer, work, begun))
        raise
    if unused:
        await importer.storage.delete(unused)
    return body


@dataclass(frozen=True, slots=True)
class _Begun:
    ticket: Ticket | None
    available: int
    there: set[str]


def _begin(now: Transaction, importer: Importer, asked: Asked, caller: Identity, *, size_bytes: int) -> _Begun | Replay:
    ticket = None
    if asked.once is not None and not asked.dry_run:
        lease = idempotency.LEASE * (1 + size_bytes / SLOWEST_BYTES_PER_S / idempotency.LEASE.total_seconds())
        begun = idempotency.begin(now, caller.user_id, asked.once, lease=lease)
        if isinstance(begun, Replay):
            return begun
        ticket = begun
    importer.quota.check(now, caller.user_id, size_bytes=size_bytes, files=1)
    available = ledger.balance(now, caller.user_id).available
    return _Begun(ticket, available, items.twins(now, asked.dataset.id))


async def _finish(
    importer: Importer, asked: Asked, caller: Identity, work: Work, begun: _Begun
) -> tuple[bytes, list[str]]:
    """The report, and which of the files no item names: somebody else was faster with the same pictures."""
    operation_id = new_id(importer.clock.now())
    new = [work.new[at] for at in sorted(work.new)]
    lines = [work.lines[at] for at in sorted(work.lines)]

    def settle(now: Transaction) -> tuple[bytes, Added]:
        added = items.add(now, asked.dataset, new, limits=importer.quota, operation_id=operation_id)
        report = report_of(lines, added.indexes, skipped=work.skipped, rejected=work.rejected)
        body = _answer(now, caller, report, price=added.cost, used=added.cost)
        if begun.ticket is not None:
            idempotency.finish(now, begun.ticket, 200, body)
        if asked.also is not None:
            asked.also(now)
        return body, added

    if asked.dry_run:
        report = report_of(lines, None, skipped=work.skipped, rejected=work.rejected, there=begun.there)
        told = await importer.database.read(lambda now: _answer(now, caller, report, price=work.cost, used=0))
        return told, []
    reach("before_dataset_charge")
    body, added = await importer.database.write(settle)
    reach("after_dataset_charge")
    unused = [kept.key for one in new if one.line.facts.fingerprint not in added.indexes for kept in one.files]
    return body, unused


def _answer(now: Transaction, caller: Identity, report: Report, *, price: int, used: int) -> bytes:
    answer = {
        "processed_items": len(report["accepted"]),
        "price": as_credits(price),
        "credits_used": as_credits(used),
        "credits_remaining": as_credits(ledger.balance(now, caller.user_id).available),
        "report": report,
    }
    return orjson.dumps(answer)


async def _undo(importer: Importer, work: Work, begun: _Begun) -> None:
    """What was refused leaves no file and no ticket."""
    if (ticket := begun.ticket) is not None:
        await importer.database.write(lambda now: idempotency.forget(now, ticket))
    await importer.storage.delete([kept.key for kept in work.written])
