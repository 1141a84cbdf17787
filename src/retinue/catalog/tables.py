"""Models by name; under each its versions, of which at most one answers."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from retinue.base.tables import Id, Row
from retinue.vision.package import Manifest


class Model(Row):
    __tablename__ = "models"

    id: Mapped[Id] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(100), unique=True)
    task: Mapped[str]
    enabled: Mapped[bool]
    price: Mapped[int | None] = mapped_column(sa.BigInteger())  # hundredths per picture; none: the price list's
    thresholds: Mapped[dict[str, Any]]
    active_version_id: Mapped[str | None] = mapped_column(sa.String(36))
    shadow_version: Mapped[str | None] = mapped_column(sa.String(20))  # number of the one that answers beside it
    shadow_percent: Mapped[int] = mapped_column(default=0, server_default="0")
    changes: Mapped[int] = mapped_column(default=0)  # grows with every change, so that caches can tell
    created_at: Mapped[datetime]


class Version(Row):
    """One package of a model. `manifest` is the package's, as it was when it came in."""

    __tablename__ = "model_versions"
    __table_args__ = (sa.UniqueConstraint("model_id", "number"),)

    id: Mapped[Id] = mapped_column(primary_key=True)
    model_id: Mapped[Id] = mapped_column(sa.ForeignKey("models.id"))
    number: Mapped[int]
    state: Mapped[str]  # ready | retired
    manifest: Mapped[dict[str, Any]]
    package_key: Mapped[str]  # vision's key of the package: weights and how they are used
    origin: Mapped[str]  # builtin | file | url
    files: Mapped[list[str]]  # names of the package's files in storage, under models/<id>/
    size_bytes: Mapped[int] = mapped_column(sa.BigInteger())
    intake: Mapped[dict[str, Any]]  # what the intake test saw: milliseconds per picture, its answer
    created_at: Mapped[datetime]
    created_by: Mapped[str | None] = mapped_column(sa.String(36))
    activated_at: Mapped[datetime | None]
    took_over_from: Mapped[str | None] = mapped_column(sa.String(36))  # the version that answered before

    @property
    def label(self) -> str:
        """How the API names a version."""
        return str(self.number)

    def read_manifest(self) -> Manifest:
        return Manifest.model_validate(self.manifest)

    def can_serve(self) -> bool:
        return self.state == "ready"
