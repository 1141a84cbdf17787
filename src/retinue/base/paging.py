"""How long lists are read: a page at a time, each page naming where the next one begins.

page: Paging                                          in the route's signature
rows, next_cursor = page.newest_first(now, sa.select(Deed), Deed.id, of="audit")
"""

import binascii
import hashlib
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

import orjson
import sqlalchemy as sa
from fastapi import Depends, Query
from pydantic import BaseModel

from retinue.base.database import Transaction
from retinue.base.errors import Invalid

T = TypeVar("T")
_DIGEST = 6


class BadCursor(Invalid):
    code = "bad-cursor"
    title = "This cursor was not given out by this list"


class Page(BaseModel, Generic[T]):
    items: list[T]
    next_cursor: str | None


class Asked:
    """Which page is wanted."""

    def __init__(
        self,
        limit: Annotated[int, Query(ge=1, le=200, description="How many at most.")] = 50,
        cursor: Annotated[str | None, Query(max_length=512, description="`next_cursor` of the page before.")] = None,
    ) -> None:
        self.limit = limit
        self.cursor = cursor

    def after(self, *kinds: type[Any], of: str) -> tuple[Any, ...] | None:
        """The values the page before ended with; None on the first page."""
        return None if self.cursor is None else values_of(self.cursor, *kinds, of=of)

    def cut(self, rows: list[T], last: Callable[[T], tuple[Any, ...]], *, of: str) -> tuple[list[T], str | None]:
        """`rows` were asked for with `limit + 1`: the extra one only tells that there is more."""
        kept = rows[: self.limit]
        return kept, cursor_of(*last(kept[-1]), of=of) if len(rows) > self.limit else None

    def newest_first(
        self, now: Transaction, statement: sa.Select[T], id_column: Any, *, of: str
    ) -> tuple[list[T], str | None]:
        """Rows whose id is a UUIDv7, latest first."""
        if (after := self.after(uuid.UUID, of=of)) is not None:
            statement = statement.where(id_column < after[0])
        found: list[Any] = now.all(statement.order_by(id_column.desc()).limit(self.limit + 1))
        return self.cut(found, lambda row: (getattr(row, id_column.key),), of=of)


Paging = Annotated[Asked, Depends()]


def cursor_of(*values: str | int | datetime, of: str) -> str:
    """Opaque to clients. `of` names the list, so that no other list accepts it."""
    packed = orjson.dumps([value.isoformat() if isinstance(value, datetime) else value for value in values])
    return urlsafe_b64encode(_digest(packed, of) + packed).rstrip(b"=").decode()


def values_of(cursor: str, *kinds: type[Any], of: str) -> tuple[Any, ...]:
    """The values again, each checked to be of its kind (a UUID comes back as its text); anything else is refused."""
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        digest, packed = raw[:_DIGEST], raw[_DIGEST:]
        if digest != _digest(packed, of):
            raise BadCursor()
        return tuple(_read(value, kind) for value, kind in zip(orjson.loads(packed), kinds, strict=True))
    except (ValueError, TypeError, binascii.Error):
        raise BadCursor() from None


def _read(value: Any, kind: type[Any]) -> Any:
    if kind is uuid.UUID:
        return str(uuid.UUID(value))
    if kind is datetime:
        return datetime.fromisoformat(value)
    if type(value) is not kind:
        raise BadCursor()
    return value


def _digest(packed: bytes, of: str) -> bytes:
    """Not a signature: a list shows nobody more than their own, wherever it begins. It catches what was never ours."""
    return hashlib.blake2b(packed, digest_size=_DIGEST, key=of.encode()).digest()
