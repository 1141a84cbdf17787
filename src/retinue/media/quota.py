"""How much room one person may use for datasets and uploads; originals of live predictions are not counted."""

from dataclasses import dataclass

import sqlalchemy as sa

from retinue.base.database import Transaction
from retinue.base.errors import TooLarge
from retinue.media.tables import StorageUse


class QuotaExceeded(TooLarge):
    code = "quota-exceeded"
    title = "Your storage is full"


@dataclass(frozen=True, slots=True)
class Quota:
    max_bytes: int
    max_files: int

    def take(self, now: Transaction, user_id: str, *, size_bytes: int, files: int) -> None:
        """Refused when there is less room than that; given back with `give_back`."""
        values = {"user_id": user_id, "size_bytes": size_bytes, "files": files}
        now.execute(_FIRST, values)
        has_room = (
            StorageUse.size_bytes + size_bytes <= self.max_bytes,
            StorageUse.files + files <= self.max_files,
        )
        if not now.changed(_add(user_id, size_bytes, files).where(*has_room)):
            raise self._refusal(now, user_id)

    def check(self, now: Transaction, user_id: str, *, size_bytes: int, files: int) -> None:
        """The same question before any work is done, without taking the room."""
        used = used_by(now, user_id)
        if used.size_bytes + size_bytes > self.max_bytes or used.files + files > self.max_files:
            raise self._refusal(now, user_id)

    def _refusal(self, now: Transaction, user_id: str) -> QuotaExceeded:
        used = used_by(now, user_id)
        return QuotaExceeded(
            f"You use {used.size_bytes >> 20} of {self.max_bytes >> 20} MiB and {used.files} of {self.max_files} files",
            used_bytes=used.size_bytes,
            max_bytes=self.max_bytes,
            used_files=used.files,
            max_files=self.max_files,
        )


@dataclass(frozen=True, slots=True)
class Used:
    size_bytes: int
    files: int


def used_by(now: Transaction, user_id: str) -> Used:
    row = now.first(sa.select(StorageUse).where(StorageUse.user_id == user_id))
    return Used(row.size_bytes, row.files) if row else Used(0, 0)


def give_back(now: Transaction, user_id: str, *, size_bytes: int, files: int) -> None:
    now.execute(_add(user_id, -size_bytes, -files))


_FIRST = sa.text("INSERT INTO storage_uses (user_id, size_bytes, files) VALUES (:user_id, 0, 0) ON CONFLICT DO NOTHING")


def _add(user_id: str, size_bytes: int, files: int) -> sa.Update:
    return (
        sa.update(StorageUse)
        .where(StorageUse.user_id == user_id)
        .values(size_bytes=StorageUse.size_bytes + size_bytes, files=StorageUse.files + files)
    )
