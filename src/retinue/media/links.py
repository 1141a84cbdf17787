"""Links that open one file for a while: signed with a key of their own over everything they mean."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from retinue.base.clock import Clock
from retinue.base.errors import Forbidden
from retinue.base.secrets import Secrets
from retinue.media.tables import Asset

LIFE = timedelta(minutes=10)
LONGEST_LIFE = timedelta(hours=24)
PREFIX = "/api/v1/media/"
KEY_NAME = "k1"
Disposition = Literal["inline", "attachment"]


class LinkRefused(Forbidden):
    code = "link-refused"
    title = "This link does not open anything"


class LinkExpired(Forbidden):
    code = "link-expired"
    title = "This link has expired; ask for a new one"


@dataclass(frozen=True, slots=True)
class Link:
    asset_id: str
    crop: tuple[int, ...] | None  # x, y, width, height: a part of a picture instead of the file
    disposition: Disposition
    owner_id: str | None  # None: it opens whatever became of its owner
    generation: int
    expires: datetime


class Links:
    def __init__(self, secrets: Secrets, clock: Clock) -> None:
        self._key = secrets.key("media-links")
        self._clock = clock

    def to(
        self,
        asset: "Asset | AssetAddress",
        *,
        disposition: Disposition = "inline",
        life: timedelta = LIFE,
        crop: Sequence[float] | None = None,
        is_proof: bool = False,
    ) -> str:
        """The path that opens this file, or a part of this picture, until its life ends.

        `is_proof`: others rely on it, so it opens although whoever sent it was disabled or has left.
        """
        expires = int((self._clock.now() + min(life, LONGEST_LIFE)).timestamp())
        variant = "" if crop is None else ",".join(str(round(side)) for side in crop)
        owner = "" if is_proof else asset.owner_id
        about = (asset.id, variant, disposition, owner, str(asset.generation), str(expires))
        meaning = "|".join(("v1", "media", "GET", *about, KEY_NAME))
        return f"{PREFIX}{_text(meaning.encode())}.{_text(self._sign(meaning))}"

    def open(self, token: str) -> Link:
        """Refused unless every byte is as we wrote it."""
        meaning_text = token.partition(".")[0]
        try:
            meaning = base64.urlsafe_b64decode(meaning_text + "=" * (-len(meaning_text) % 4)).decode()
        except ValueError:
            raise LinkRefused() from None
        if not hmac.compare_digest(f"{_text(meaning.encode())}.{_text(self._sign(meaning))}".encode(), token.encode()):
            raise LinkRefused()
        _, _, _, asset_id, variant, disposition, owner_id, generation, expires, _ = meaning.split("|")
        link = Link(
            asset_id,
            tuple(int(side) for side in variant.split(",")) if variant else None,
            "inline" if disposition == "inline" else "attachment",
            owner_id or None,
            int(generation),
            datetime.fromtimestamp(int(expires), UTC),
        )
        if self._clock.now() >= link.expires:
            raise LinkExpired()
        return link

    def _sign(self, meaning: str) -> bytes:
        return hmac.digest(self._key, meaning.encode(), hashlib.sha256)


@dataclass(frozen=True, slots=True)
class AssetAddress:
    """What a link needs to know, where the whole row is not at hand."""

    id: str
    owner_id: str
    generation: int = 0


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
