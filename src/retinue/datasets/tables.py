"""A dataset, and one row per picture or video in it."""

from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from retinue.base.tables import Hundredths, Id, Row

ItemType = Literal["image", "pair", "video", "video pair"]
STILL_THERE = sa.text("deleted_at IS NULL")


class Dataset(Row):
    """The counts are those of the items that are not deleted, kept in the transactions that change them."""

    __tablename__ = "datasets"
    __table_args__ = (
        # A deleted dataset's name is free; bringing it back asks whether it still is.
        sa.Index(
            "uq_datasets_owner_id_name",
            "owner_id",
            "name",
            unique=True,
            postgresql_where=STILL_THERE,
            sqlite_where=STILL_THERE,
        ),
        sa.Index("ix_datasets_owner_id_id", "owner_id", "id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    owner_id: Mapped[Id] = mapped_column(sa.ForeignKey("users.id"))
    name: Mapped[str]
    tags: Mapped[list[str]]
    next_index: Mapped[int]
    pictures: Mapped[int]
    videos: Mapped[int]
    frames: Mapped[int] = mapped_column(sa.BigInteger())
    size_bytes: Mapped[int] = mapped_column(sa.BigInteger())
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]

    @property
    def items(self) -> int:
        return self.pictures + self.videos


class Item(Row):
    """One picture or video, with its mask if it has one. `index` is given once and never again."""

    __tablename__ = "dataset_items"
    __table_args__ = (
        sa.UniqueConstraint("dataset_id", "index"),
        # The same picture with the same mask is in a dataset once: two uploads at the same time meet here.
        sa.Index(
            "uq_dataset_items_dataset_id_fingerprint",
            "dataset_id",
            "fingerprint",
            unique=True,
            postgresql_where=STILL_THERE,
            sqlite_where=STILL_THERE,
        ),
        sa.Index("ix_dataset_items_hold_id", "hold_id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    dataset_id: Mapped[Id] = mapped_column(sa.ForeignKey("datasets.id"))
    index: Mapped[int]
    group: Mapped[str]
    type: Mapped[ItemType] = mapped_column(sa.String(16))
    name: Mapped[str]
    mask_name: Mapped[str | None]
    image_id: Mapped[Id] = mapped_column(sa.ForeignKey("assets.id"))
    mask_id: Mapped[str | None] = mapped_column(sa.String(36), sa.ForeignKey("assets.id"))
    width: Mapped[int]
    height: Mapped[int]
    frames: Mapped[int | None]  # of a video: how many were taken, at which rate (None: each of them), at which times
    fps: Mapped[float | None]
    duration_s: Mapped[float | None]
    times: Mapped[list[Any] | None] = mapped_column(sa.JSON(none_as_null=True), deferred=True)
    size_bytes: Mapped[int] = mapped_column(sa.BigInteger())
    cost: Mapped[Hundredths]
    hold_id: Mapped[str | None] = mapped_column(sa.String(36))
    fingerprint: Mapped[str]
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]

    @property
    def image_path(self) -> str:
        return f"{self.group}/{self.name}" if self.group else self.name

    @property
    def mask_path(self) -> str | None:
        if self.mask_name is None:
            return None
        return f"{self.group}/{self.mask_name}" if self.group else self.mask_name
