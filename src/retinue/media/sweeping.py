"""What is thrown away, and when: originals past their retention, deleted files, and files that no row names."""

from collections.abc import Collection, Sequence
from datetime import timedelta

import sqlalchemy as sa

from retinue.base.clock import Clock
from retinue.base.database import Database, Transaction
from retinue.base.leftovers import delete_unnamed
from retinue.base.storage import Storage
from retinue.media.keeping import FOLDERS
from retinue.media.tables import Asset

AT_ONCE = 500


async def sweep(database: Database, storage: Storage, clock: Clock, *, retention_days: int) -> int:
    """One round; how many files went. Safe to kill anywhere and to run twice."""
    if retention_days:
        await database.write(lambda now: _expire(now, timedelta(days=retention_days)))
    gone = await _delete_forgotten(database, storage)
    return gone + await _delete_orphans(database, storage, clock)


def _expire(now: Transaction, retention: timedelta) -> None:
    now.execute(
        sa.update(Asset)
        .where(
            Asset.kind.in_(("original", "tensors")), Asset.used_at < now.time - retention, Asset.deleted_at.is_(None)
        )
        .values(deleted_at=now.time, generation=Asset.generation + 1)
    )


async def _delete_forgotten(database: Database, storage: Storage) -> int:
    """The file first, the row's key second: killed in between, the next round finds no file and goes on."""
    gone = 0
    while forgotten := await database.read(_forgotten):
        await storage.delete([key for _, key in forgotten])
        ids = [asset_id for asset_id, _ in forgotten]
        await database.write(lambda now, ids=ids: _mark_gone(now, ids))  # type: ignore[misc]
        gone += len(forgotten)
    return gone


def _forgotten(now: Transaction) -> list[tuple[str, str]]:
    found = now.rows(
        sa.select(Asset.id, Asset.key).where(Asset.deleted_at.is_not(None), Asset.key.not_like("gone/%")).limit(AT_ONCE)
    )
    return [(row.id, row.key) for row in found]


def _mark_gone(now: Transaction, ids: list[str]) -> None:
    now.execute(sa.update(Asset).where(Asset.id.in_(ids)).values(key=sa.literal("gone/") + Asset.id))


async def _delete_orphans(database: Database, storage: Storage, clock: Clock) -> int:
    async def named(keys: Sequence[str]) -> Collection[str]:
        return await database.read(lambda now: [row.key for row in now.rows(_with_keys(keys))])

    return sum([await delete_unnamed(storage, clock, folder, named) for folder in sorted(set(FOLDERS.values()))])


def _with_keys(keys: Sequence[str]) -> sa.Select[str]:
    return sa.select(Asset.key).where(Asset.key.in_(keys))
