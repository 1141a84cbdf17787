"""What is kept about people, their sessions, their keys, and what was done with power."""

from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from retinue.base.tables import Id, Row

Role = Literal["user", "operator", "admin"]
ROLES: tuple[Role, ...] = ("user", "operator", "admin")
KEY_ID_LENGTH = 8


class User(Row):
    """A deleted user keeps the row, because money and history point at it, but nothing that names the person."""

    __tablename__ = "users"

    id: Mapped[Id] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(320), unique=True)  # lower-cased
    name: Mapped[str] = mapped_column(sa.String(100))
    surname: Mapped[str] = mapped_column(sa.String(100))
    employee_number: Mapped[str | None] = mapped_column(sa.String(64), unique=True)
    password_hash: Mapped[str]
    role: Mapped[Role] = mapped_column(sa.String(16))
    active: Mapped[bool]
    weight: Mapped[int] = mapped_column(sa.SmallInteger(), server_default="1")  # of their jobs beside others' jobs
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]

    __table_args__ = (
        sa.CheckConstraint("role IN ('user', 'operator', 'admin')", name="role"),
        sa.Index("ix_users_role", "role"),
    )

    @property
    def may_sign_in(self) -> bool:
        return self.active and self.deleted_at is None


class Session(Row):
    """One signing-in: the family of refresh tokens of an API client, or a browser with a cookie."""

    __tablename__ = "sessions"

    id: Mapped[Id] = mapped_column(primary_key=True)
    user_id: Mapped[Id] = mapped_column(sa.ForeignKey("users.id"), index=True)
    kind: Mapped[Literal["token", "browser"]] = mapped_column(sa.String(16))
    cookie_hash: Mapped[str | None] = mapped_column(sa.String(64), unique=True)  # SHA-256, browsers only
    created_at: Mapped[datetime]
    used_at: Mapped[datetime]
    proved_at: Mapped[datetime]  # when the password was last given: dangerous admin actions want it fresh
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_because: Mapped[str | None] = mapped_column(sa.String(32))
    address: Mapped[str] = mapped_column(sa.String(64))
    agent: Mapped[str] = mapped_column(sa.String(200))

    __table_args__ = (
        sa.CheckConstraint("kind IN ('token', 'browser')", name="kind"),
        sa.CheckConstraint("(kind = 'browser') = (cookie_hash IS NOT NULL)", name="cookie"),
    )

    def is_live(self, time: datetime) -> bool:
        return self.ended_at is None and time < self.expires_at


class RefreshToken(Row):
    """Single use. Its successor is derived from the token and the salt, so that it can be told again but not read."""

    __tablename__ = "refresh_tokens"

    hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    session_id: Mapped[Id] = mapped_column(sa.ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    spent_at: Mapped[datetime | None]
    salt: Mapped[str | None] = mapped_column(sa.String(64))


class Key(Row):
    """An API key. Of the secret only its SHA-256 is kept: 256 random bits need no slow hash."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(sa.String(KEY_ID_LENGTH), primary_key=True)
    user_id: Mapped[Id] = mapped_column(sa.ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(sa.String(100))
    secret_hash: Mapped[str] = mapped_column(sa.String(64))
    scopes: Mapped[list[str] | None] = mapped_column(sa.JSON(none_as_null=True))
    networks: Mapped[list[str] | None] = mapped_column(sa.JSON(none_as_null=True))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    def is_live(self, time: datetime) -> bool:
        return self.revoked_at is None and time < self.expires_at


class Deed(Row):
    """One line of the audit trail."""

    __tablename__ = "audit"

    id: Mapped[Id] = mapped_column(primary_key=True)
    time: Mapped[datetime]
    actor: Mapped[str] = mapped_column(sa.String(64))  # a user's id, or "console" for the command line
    action: Mapped[str] = mapped_column(sa.String(64))
    subject: Mapped[str] = mapped_column(sa.String(320))
    facts: Mapped[dict[str, Any]]
