"""What every table shares: the registry, names of constraints, and how times and ids are kept on both databases."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """A moment in UTC: timestamptz on PostgreSQL, whole microseconds since 1970 on SQLite (exact, small, sortable)."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(sa.BigInteger() if dialect.name == "sqlite" else sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return None if value is None else value.astimezone(UTC)
        return _EPOCH + timedelta(microseconds=value)


Id = Annotated[str, mapped_column(sa.String(36))]
Time = Annotated[datetime, mapped_column(Instant())]
Hundredths = Annotated[int, mapped_column(sa.BigInteger())]


class Row(DeclarativeBase):
    """A row is read as an object of its class and changed by statements; questions about it live on the class."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 read by SQLAlchemy as it stands
        str: sa.Text(),
        datetime: Instant(),
        dict[str, Any]: sa.JSON(),
        list[str]: sa.JSON(),
        list[Any]: sa.JSON(),
    }
