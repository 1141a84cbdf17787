"""How a request that is sent again counts once: the first answer is kept under the caller's key for a day.

The answer is written in the transaction of the work itself, so there is no moment in which one exists without the
other. Work that takes several transactions begins with a ticket; a server that dies holding one blocks the key only
until the lease ends, and can then no longer finish under it.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import orjson
import sqlalchemy as sa
from fastapi import Depends, Header, Request
from pydantic import WithJsonSchema
from starlette.responses import Response

from retinue.base.database import Transaction
from retinue.base.errors import Conflict, Invalid, Malformed
from retinue.base.ids import new_id
from retinue.base.tables import Instant
from retinue.credits.tables import KeyedRequest

KEPT = timedelta(hours=24)
LEASE = timedelta(seconds=60)  # a live request's deadline of 30 s, and 30 s
LONGEST_KEY = 255
# These depend on the moment, not on the request: sent again it may be answered differently.
PASSING = frozenset({401, 402, 403, 408, 409, 425, 429})


class BadKey(Malformed):
    code = "bad-idempotency-key"
    title = "An Idempotency-Key is one header of 1 to 255 printable ASCII characters"


class KeyReused(Invalid):
    code = "idempotency-key-reused"
    title = "This Idempotency-Key came with another request before"


class StillRunning(Conflict):
    code = "still-running"
    title = "The first request with this Idempotency-Key is still running"


@dataclass(frozen=True, slots=True)
class Once:
    """What a request with a key says: together with the user, route and key name it."""

    route: str
    key: str
    fingerprint: str

    def part(self, number: int) -> "Once":
        """For one piece of the request that is paid for by itself."""
        return Once(f"{self.route}#{number}", self.key, self.fingerprint)


@dataclass(frozen=True, slots=True)
class Ticket:
    """The right to do the work and to answer it."""

    user_id: str
    route: str
    key: str
    id: str


@dataclass(frozen=True, slots=True)
class Replay:
    status: int
    body: bytes

    def response(self) -> Response:
        return _response(self.status, self.body, {"Idempotency-Replayed": "true"})


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes

    def response(self) -> Response:
        return _response(self.status, self.body, {})


async def _read_key(
    request: Request,
    _shown: Annotated[
        str | None,
        WithJsonSchema(
            {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[!-~]([ -~]*[!-~])?$"}
        ),
        Header(alias="Idempotency-Key", description="Sent again within 24 h, the request has one effect."),
    ] = None,
) -> str | None:
    given = request.headers.getlist("idempotency-key")
    if not given:
        return None
    key = given[0]
    if len(given) > 1 or not 0 < len(key) <= LONGEST_KEY or not all(" " <= sign <= "~" for sign in key):
        raise BadKey()
    return key


IdempotencyKey = Annotated[str | None, Depends(_read_key)]


def once(request: Request, key: str | None, fingerprint: str) -> Once | None:
    """The route is the path as it was asked for, with the ids in it."""
    return None if key is None else Once(f"{request.method} {request.url.path}", key, fingerprint)


def fingerprint(parameters: Mapping[str, Any], *files_sha256: str) -> str:
    """Of the request as parsed: neither the order of its fields nor a multipart boundary matters."""
    told = orjson.dumps([parameters, files_sha256], option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str)
    return hashlib.sha256(told).hexdigest()


def run_once(
    now: Transaction, user_id: str, once: Once | None, work: Callable[[Transaction], Answer]
) -> Answer | Replay:
    """For work of one transaction: a refusal rolls the key back too, so it may be used again."""
    if once is None:
        return work(now)
    begun = begin(now, user_id, once)
    if isinstance(begun, Replay):
        return begun
    answer = work(now)
    finish(now, begun, answer.status, answer.body)
    return answer


def replay_of(now: Transaction, user_id: str, once: Once) -> Replay | None:
    """The answer this very request had before, without taking part; None leaves everything to `begin`."""
    asked = Ticket(user_id, once.route, once.key, "")
    kept = now.first(_matching(asked, sa.select(KeyedRequest)))
    if kept is None or kept.status is None or kept.created_at <= now.time - KEPT:
        return None
    return Replay(kept.status, kept.body or b"") if kept.fingerprint == once.fingerprint else None


def begin(now: Transaction, user_id: str, once: Once, *, lease: timedelta = LEASE) -> Ticket | Replay:
    """The right to do the work, or the answer it had; refused while a twin is at it or where the request differs."""
    ticket = Ticket(user_id, once.route, once.key, new_id(now.time))
    if now.changed(_FIRST, _row(now, once, ticket, lease)):
        return ticket
    kept = now.first(_matching(ticket, sa.select(KeyedRequest)))
    if kept is None:  # swept between the two statements: as if it had come a moment later
        raise StillRunning()
    if kept.created_at > now.time - KEPT:
        if kept.fingerprint != once.fingerprint:
            raise KeyReused()
        if kept.status is not None:
            return Replay(kept.status, kept.body or b"")
        if kept.lease_until > now.time:
            raise StillRunning()
    before = Ticket(user_id, once.route, once.key, kept.ticket)
    if not now.changed(_held(before, sa.update(KeyedRequest)).values(_row(now, once, ticket, lease))):
        raise StillRunning()
    return ticket


def finish(now: Transaction, ticket: Ticket, status: int, body: bytes) -> None:
    """Belongs into the transaction of the work: whoever lost the ticket loses the work with it."""
    if not now.changed(_held(ticket, sa.update(KeyedRequest)).values(status=status, body=body)):
        raise StillRunning("Another server has taken this request over")


def forget(now: Transaction, ticket: Ticket) -> None:
    """Nothing came of it: the same key may try again at once. An answer that is there after all stays: whoever lost
    the database while committing does not know of it."""
    now.execute(_held(ticket, sa.delete(KeyedRequest)).where(KeyedRequest.status.is_(None)))


def is_worth_keeping(status: int) -> bool:
    """Whether the same request would be answered like this again: 2xx and what is wrong with the request itself."""
    return status < 500 and status not in PASSING


def sweep(now: Transaction) -> int:
    return now.changed(sa.delete(KeyedRequest).where(KeyedRequest.created_at <= now.time - KEPT))


_FIRST = sa.text(
    "INSERT INTO idempotency_keys (user_id, route, key, fingerprint, ticket, lease_until, created_at)"
    " VALUES (:user_id, :route, :key, :fingerprint, :ticket, :lease_until, :created_at) ON CONFLICT DO NOTHING"
).bindparams(sa.bindparam("lease_until", type_=Instant()), sa.bindparam("created_at", type_=Instant()))


def _row(now: Transaction, once: Once, ticket: Ticket, lease: timedelta) -> dict[str, Any]:
    return {
        "user_id": ticket.user_id,
        "route": once.route,
        "key": once.key,
        "fingerprint": once.fingerprint,
        "ticket": ticket.id,
        "lease_until": now.time + lease,
        "created_at": now.time,
        "status": None,
        "body": None,
    }


def _matching(ticket: Ticket, statement: Any) -> Any:
    return statement.where(
        KeyedRequest.user_id == ticket.user_id, KeyedRequest.route == ticket.route, KeyedRequest.key == ticket.key
    )


def _held(ticket: Ticket, statement: Any) -> Any:
    return _matching(ticket, statement).where(KeyedRequest.ticket == ticket.id)


def _response(status: int, body: bytes, headers: Mapping[str, str]) -> Response:
    kind = "application/json" if status < 400 else "application/problem+json"
    return Response(body, status, dict(headers), media_type=kind)
