"""API keys: `rtn_<id>_<secret>_<checksum>`, made once, shown once, kept as a hash, found by scanners by their shape."""

import hashlib
import hmac
import re
import secrets
import zlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

import sqlalchemy as sa

from retinue.accounts import audit
from retinue.accounts.access import Identity, KeyTooNarrow
from retinue.accounts.tables import KEY_ID_LENGTH, Key, User
from retinue.base.database import Transaction
from retinue.base.errors import Conflict, Forbidden, Invalid, NotFound
from retinue.base.paging import Asked

PREFIX = "rtn"
LIFE = timedelta(days=90)
LONGEST_LIFE = timedelta(days=3653)
MOST = 20
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH, _CHECK_LENGTH = 43, 6  # 62^43 > 2^256, 62^6 > 2^32
_SHAPE = re.compile(
    rf"({PREFIX}_([0-9A-Za-z]{{{KEY_ID_LENGTH}}})_([0-9A-Za-z]{{{_SECRET_LENGTH}}}))_([0-9A-Za-z]{{{_CHECK_LENGTH}}})"
)


class BadExpiry(Invalid):
    code = "bad-expiry"
    title = "expires_at lies in the future, and at most ten years away"


class TooManyKeys(Conflict):
    code = "too-many-keys"
    title = "You have as many keys as anybody may"


def make(
    now: Transaction,
    caller: Identity,
    *,
    name: str,
    scopes: Sequence[str] | None = None,
    networks: Sequence[str] | None = None,
    expires_at: datetime | None = None,
) -> tuple[Key, str]:
    """The row, and the key itself, which nobody can read again."""
    if scopes and "admin" in scopes and not caller.is_admin:
        raise KeyTooNarrow("Only an admin who signed in can make a key with the scope admin")
    expires_at = expires_at or now.time + LIFE
    if not now.time < expires_at <= now.time + LONGEST_LIFE:
        raise BadExpiry()
    now.value(sa.select(User.id).where(User.id == caller.user_id).with_for_update())  # one maker at a time: MOST holds
    live = sa.select(sa.func.count()).where(
        Key.user_id == caller.user_id, Key.revoked_at.is_(None), Key.expires_at > now.time
    )
    if (now.value(live) or 0) >= MOST:
        raise TooManyKeys(f"{MOST} keys are the most; revoke one first")
    key_id, secret = _random(KEY_ID_LENGTH), _random(_SECRET_LENGTH)
    now.insert(
        Key,
        {
            "id": key_id,
            "user_id": caller.user_id,
            "name": name,
            "secret_hash": _hash(secret),
            "scopes": sorted(set(scopes)) if scopes else None,
            "networks": [str(ip_network(network, strict=False)) for network in networks] if networks else None,
            "created_at": now.time,
            "expires_at": expires_at,
        },
    )
    audit.record(now, caller.user_id, "key.make", key_id, {"name": name, "scopes": list(scopes) if scopes else None})
    made = now.first(sa.select(Key).where(Key.id == key_id))
    assert made is not None
    body = f"{PREFIX}_{key_id}_{secret}"
    return made, f"{body}_{_checksum(body)}"


def page_of(now: Transaction, user_id: str, page: Asked) -> tuple[list[Key], str | None]:
    """What the owner sees, latest first: expired keys too, revoked ones not."""
    mine = sa.select(Key).where(Key.user_id == user_id, Key.revoked_at.is_(None))
    if (after := page.after(datetime, str, of="keys")) is not None:
        made_at, key_id = after
        earlier = sa.and_(Key.created_at == made_at, Key.id < key_id)
        mine = mine.where(sa.or_(Key.created_at < made_at, earlier))
    found = now.all(mine.order_by(Key.created_at.desc(), Key.id.desc()).limit(page.limit + 1))
    return page.cut(found, lambda key: (key.created_at, key.id), of="keys")


def revoke(now: Transaction, caller: Identity, key_id: str) -> None:
    mine = sa.update(Key).where(Key.id == key_id, Key.user_id == caller.user_id, Key.revoked_at.is_(None))
    if not now.changed(mine.values(revoked_at=now.time)):
        raise NotFound("You have no such key")
    audit.record(now, caller.user_id, "key.revoke", key_id)


def revoke_all(now: Transaction, user_id: str) -> None:
    now.execute(sa.update(Key).where(Key.user_id == user_id, Key.revoked_at.is_(None)).values(revoked_at=now.time))


def read(text: str) -> tuple[str, str] | None:
    """Id and secret, when shape and checksum are those of a key: most of what a stranger sends asks no database."""
    shape = _SHAPE.fullmatch(text)
    if shape is None or shape[4] != _checksum(shape[1]):
        return None
    return shape[2], shape[3]


def fits(key: Key, secret: str) -> bool:
    return hmac.compare_digest(key.secret_hash, _hash(secret))


def check_network(networks: Sequence[str], address: str) -> None:
    try:
        asked_from = ip_address(address)
    except ValueError:
        raise Forbidden("This key is bound to networks, and yours is not known") from None
    if not any(asked_from in ip_network(network) for network in networks):
        raise Forbidden("This key does not open from your network")


def note_use(now: Transaction, key_id: str) -> None:
    now.execute(sa.update(Key).where(Key.id == key_id).values(used_at=now.time))


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
