"""One row per kept file, per upload under way, and per person who uses room."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from retinue.base.tables import Id, Row


class Asset(Row):
    """A file of somebody's. `key` never changes its content; `generation` grows when its links must die."""

    __tablename__ = "assets"
    __table_args__ = (
        # A duplicate is stored once per owner: two requests that send the same picture at once meet here.
        sa.Index(
            "uq_assets_original",
            "owner_id",
            "sha256",
            unique=True,
            postgresql_where=sa.text("kind = 'original' AND deleted_at IS NULL"),
            sqlite_where=sa.text("kind = 'original' AND deleted_at IS NULL"),
        ),
        sa.Index("ix_assets_owner_id_kind_id", "owner_id", "kind", "id"),
        sa.Index("ix_assets_kind_used_at", "kind", "used_at"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    owner_id: Mapped[Id] = mapped_column(sa.ForeignKey("users.id"))
    kind: Mapped[str]  # original | annotated | heat_map | output | item | mask | reference | tensors
    key: Mapped[str] = mapped_column(unique=True)
    sha256: Mapped[str]
    filename: Mapped[str]
    mime_type: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(sa.BigInteger())
    width: Mapped[int]
    height: Mapped[int]
    generation: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime]  # last sent: retention counts from here
    deleted_at: Mapped[datetime | None]

    def is_kept(self) -> bool:
        return self.deleted_at is None


class Upload(Row):
    """A large file on its way, in parts that arrive one after the other."""

    __tablename__ = "uploads"
    __table_args__ = (sa.Index("ix_uploads_owner_id", "owner_id"), sa.Index("ix_uploads_expires_at", "expires_at"))

    id: Mapped[Id] = mapped_column(primary_key=True)
    owner_id: Mapped[Id] = mapped_column(sa.ForeignKey("users.id"))
    filename: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(sa.BigInteger())
    received_bytes: Mapped[int] = mapped_column(sa.BigInteger())
    sha256: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]

    def is_complete(self) -> bool:
        return self.completed_at is not None


class UploadPart(Row):
    """Bytes of an upload that are durable; each begins where the one before ends."""

    __tablename__ = "upload_parts"

    upload_id: Mapped[Id] = mapped_column(sa.ForeignKey("uploads.id"), primary_key=True)
    start: Mapped[int] = mapped_column(sa.BigInteger(), primary_key=True)
    size_bytes: Mapped[int] = mapped_column(sa.BigInteger())
    key: Mapped[str]


class StorageUse(Row):
    """What a person's datasets and uploads take, kept in the transactions that change it."""

    __tablename__ = "storage_uses"

    user_id: Mapped[Id] = mapped_column(sa.ForeignKey("users.id"), primary_key=True)
    size_bytes: Mapped[int] = mapped_column(sa.BigInteger())
    files: Mapped[int] = mapped_column(sa.BigInteger())
